"""The honest suite: a study's models judged by repeated nested cross-validation over all labelled patients."""

from __future__ import annotations

from collections.abc import Mapping

from flows.cross_validate import carried_out, discard_fits, is_current, put_datasets
from schemas.keys import sha256_of_json
from schemas.results import LeaderboardRow
from schemas.study import Study
from store.commit import commit_to
from store.home import Store
from store.runs import recorded_run
from store.snapshot import Snapshot
from zoo.cross_validation import CrossValidation, cross_validation, split_labels
from zoo.folds import repeated_folds
from zoo.model_inputs import model_inputs
from zoo.out_of_fold import comparisons_out_of_fold, judged_out_of_fold
from zoo.registry import model_spec
from zoo.training import RANDOM_STATE

__all__ = ["honest_plan", "honest_suite"]


def honest_suite(
    store: Store, study: Study, versions: Mapping[str, int], *, repeats: int, folds: int, workers: int | None = None
) -> tuple[list[LeaderboardRow], int | None]:
    """Return the leaderboard of the honest suite, and the commit that it made or None where nothing changed.

    Parameters
    ----------
    store : Store
        The store.
    study : Study
        The study.
    versions : mapping of str to int
        The models to judge, in the zoo's order, each with the version that the same recipe has when it is trained.
    repeats, folds : int
        Of the cross-validation.
    workers : int, optional
        Worker processes.
    """
    snapshot = Snapshot(store)
    planned = honest_plan(snapshot, study, list(versions), repeats=repeats, folds=folds)
    decided_by = sha256_of_json([planned.sha256, dict(versions)])
    stored = {row["model"]: row for row in snapshot.rows("leaderboard", study=study.id, suite="honest")}
    if list(stored) == list(versions) and is_current(snapshot, study, decided_by, suite="honest"):
        return [_leaderboard_row(row) for row in stored.values()], None
    parameters = {"suite": "honest", "repeats": repeats, "folds": folds, "seed": RANDOM_STATE, "decided_by": decided_by}
    with recorded_run(store, "bench", study.id, parameters) as run:
        results = carried_out(store, study, f"cross-validating {study.id}", planned, workers)
        judged = [judged_out_of_fold(study.id, model, versions[model], planned, results) for model in versions]
        scope = {"study": study.id, "suite": "honest"}
        with commit_to(store, f"bench {study.id}: honest suite", run_id=run.run_id) as commit:
            put_datasets(commit, snapshot, planned)
            rows = [row.model_dump() | {"version": each.version} for each in judged for row in each.predictions]
            commit.put("predictions", rows, replacing=scope)
            rows = [each.leaderboard.model_dump() | {"version": each.version} for each in judged]
            commit.put("leaderboard", rows, replacing=scope)
            comparisons = comparisons_out_of_fold(study.id, judged)
            commit.put("comparisons", [row.model_dump() for row in comparisons], replacing=scope)
            commit.put(
                "selection_frequency", [row for each in judged for row in each.selection_frequency], replacing=scope
            )
        discard_fits(store, study, planned)
        run.summary |= {"models": len(judged), "fits": len(planned.tasks), "changed": commit.landed_id is not None}
    return [each.leaderboard for each in judged], commit.landed_id


def honest_plan(snapshot: Snapshot, study: Study, models: list[str], *, repeats: int, folds: int) -> CrossValidation:
    """Return the fits of the honest suite; folds are drawn once a split, the same for every model."""
    splits = {model_inputs(study, model_spec(model)).split for model in models}
    labels = {split: split_labels(snapshot, study, split) for split in sorted(splits)}
    drawn = {
        split: repeated_folds(of_split, repeats=repeats, folds=folds, seed=RANDOM_STATE)
        for split, of_split in labels.items()
    }
    return cross_validation(snapshot, study, models, labels=labels, folds=drawn)


def _leaderboard_row(row: dict[str, object]) -> LeaderboardRow:
    return LeaderboardRow.model_validate({name: row[name] for name in LeaderboardRow.model_fields})
