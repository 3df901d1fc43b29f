"""The nested-cv suite: a study's models judged by repeated nested cross-validation over all labelled patients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from flows.bench.cross_validate import discard_fits, is_current, put_datasets, run_fits
from flows.engine.runners.address import LOCAL, Runner
from flows.lineage.runs import record_run
from flows.train.unfit_models import put_unfit_models, reason_of, unfit_models
from schemas.keys import sha256_of_json
from schemas.results import FOLDS, LeaderboardRow
from schemas.study.file import Study
from store.commits.commit import Commit, commit_to
from store.history.basis import basis_of
from store.history.snapshot import Snapshot
from store.home import Store
from zoo.benchmark.cross_validation import CrossValidation, plan_cross_validation, split_labels
from zoo.benchmark.folds import Fold, most_folds, repeated_folds
from zoo.benchmark.nested_cv import JudgedOutOfFold, comparisons_out_of_fold, judged_out_of_fold, stored_out_of_fold
from zoo.benchmark.subgroups import subgroup_comparisons, subgroup_levels, subgroup_rows
from zoo.models.training import RANDOM_STATE
from zoo.registry import study_spec
from zoo.tables.fits import UnfitError
from zoo.tables.inputs import model_inputs
from zoo.tables.persons import study_people

__all__ = ["drawn_folds", "fold_notes", "nested_cv_plan", "run_nested_cv"]


def run_nested_cv(
    store: Store,
    study: Study,
    versions: Mapping[str, int],
    *,
    repeats: int,
    folds: int | None,
    workers: int | None = None,
    runner: Runner = LOCAL,
) -> tuple[list[LeaderboardRow], int | None, dict[str, str]]:
    """Run the nested-cv suite; return its leaderboard, its commit if anything changed, and who has no figures.

    A model that the training patients of some fold do not suffice for is not judged: the reason is given, and kept
    among the failures.

    Parameters
    ----------
    store : Store
        The store.
    study : Study
        The study.
    versions : mapping of str to int
        The models to judge, in the zoo's order, each with the version that the same recipe has when it is trained.
    repeats : int
        Of the cross-validation.
    folds : int or None
        Of each repeat; the usual number where None, or as many as the rarer label has patients.
    workers : int, optional
        Worker processes.
    runner : Runner
        Where models are fitted to folds.
    """
    basis = basis_of(store)
    snapshot = Snapshot(store)
    planned = nested_cv_plan(snapshot, study, list(versions), repeats=repeats, folds=folds)
    decided_by = sha256_of_json([planned.sha256, dict(versions)])
    known = {row["model"] for row in snapshot.rows("leaderboard", study=study.id, suite="nested-cv")}
    unfit = {model: why for model, why in unfit_models(snapshot, study.id, "bench").items() if model in versions}
    if known | unfit.keys() == set(versions) and is_current(snapshot, study, decided_by, suite="nested-cv"):
        # What the fits said is on record; what follows from it may be asked of other subgroups now.
        fit = {model: version for model, version in versions.items() if model not in unfit}
        judged = stored_out_of_fold(snapshot, study.id, fit)
        with commit_to(store, f"bench {study.id}: figures of the nested-cv suite", basis=basis) as commit:
            _put_figures(commit, snapshot, study, judged)
        return [each.leaderboard for each in judged], commit.landed_id, unfit
    parameters = {
        "suite": "nested-cv",
        "repeats": repeats,
        "folds": _numbers(planned),
        "seed": RANDOM_STATE,
        "decided_by": decided_by,
    }
    with record_run(store, "bench", study.id, parameters) as run:
        results = run_fits(store, study, f"cross-validating {study.id}", planned, workers, runner)
        judged, errors = [], {}
        for model, version in versions.items():
            try:
                judged.append(judged_out_of_fold(study.id, model, version, planned, results))
            except UnfitError as error:
                errors[model] = error
        scope = {"study": study.id, "suite": "nested-cv"}
        with commit_to(store, f"bench {study.id}: nested-cv suite", basis=basis, run_id=run.run_id) as commit:
            put_datasets(commit, snapshot, planned)
            rows = [row.model_dump() | {"version": each.version} for each in judged for row in each.predictions]
            commit.put("predictions", rows, replacing=scope)
            commit.put(
                "selection_frequency", [row for each in judged for row in each.selection_frequency], replacing=scope
            )
            _put_figures(commit, snapshot, study, judged)
            put_unfit_models(commit, study.id, "bench", versions, errors)
        discard_fits(store, study, planned)
        run.summary |= {"models": len(judged), "fits": len(planned.tasks), "changed": commit.landed_id is not None}
        run.summary["runner"] = str(runner)
    return [each.leaderboard for each in judged], commit.landed_id, {model: reason_of(e) for model, e in errors.items()}


def _numbers(planned: CrossValidation) -> int | dict[str, int]:
    """Return the number of folds, by split where they differ."""
    numbers = {split: len([fold for fold in folds if not fold.repeat]) for split, folds in planned.folds.items()}
    return next(iter(numbers.values())) if len(set(numbers.values())) == 1 else numbers


def _put_figures(commit: Commit, snapshot: Snapshot, study: Study, judged: Sequence[JudgedOutOfFold]) -> None:
    """Write everything that follows from the predictions: leaderboard, subgroups, tests."""
    scope = {"study": study.id, "suite": "nested-cv"}
    predictions = [row for each in judged for row in each.predictions]
    levels = subgroup_levels(snapshot, study)
    rows = [each.leaderboard.model_dump() | {"version": each.version} for each in judged]
    commit.put("leaderboard", rows, replacing=scope)
    within = subgroup_rows(predictions, levels)
    commit.put("subgroups", [row.model_dump() for row in within], replacing=scope)
    comparisons = comparisons_out_of_fold(study.id, judged, study.primary_comparisons) + subgroup_comparisons(
        predictions, levels
    )
    commit.put("comparisons", [row.model_dump() for row in comparisons], replacing=scope)


def nested_cv_plan(
    snapshot: Snapshot, study: Study, models: list[str], *, repeats: int, folds: int | None
) -> CrossValidation:
    """Return the fits of the nested-cv suite; folds are drawn once a split, the same for every model.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        The study.
    models : list of str
        The models.
    repeats : int
        Of the cross-validation.
    folds : int or None
        Of each repeat; the usual number where None, or as many as the rarer label has patients.
    """
    splits = {model_inputs(study, study_spec(study, model)).split for model in models}
    labels = {split: split_labels(snapshot, study, split) for split in sorted(splits)}
    person_of = study_people(snapshot, study).person
    drawn = drawn_folds(labels, repeats=repeats, folds=folds, person_of=person_of)
    return plan_cross_validation(snapshot, study, models, labels=labels, folds=drawn, person_of=person_of)


def drawn_folds(
    labels: Mapping[str, Mapping[str, int]], *, repeats: int, folds: int | None, person_of: Mapping[str, str]
) -> dict[str, list[Fold]]:
    """Return the folds of each split's labelled patients."""
    return {
        split: repeated_folds(
            of_split,
            repeats=repeats,
            folds=_feasible_number(of_split, folds, person_of),
            seed=RANDOM_STATE,
            person_of=person_of,
        )
        for split, of_split in labels.items()
    }


def _feasible_number(labels: Mapping[str, int], folds: int | None, person_of: Mapping[str, str]) -> int:
    """Return the number of folds asked for; else the usual one, or as many as people have the rarer label."""
    return folds if folds is not None else max(2, min(FOLDS, most_folds(labels, person_of)))


def fold_notes(snapshot: Snapshot, study: Study, models: Iterable[str], folds: int | None) -> list[str]:
    """Return a sentence for each split that is divided into fewer folds than usual."""
    if folds is not None:
        return []
    splits = sorted({model_inputs(study, study_spec(study, model)).split for model in models})
    person_of = study_people(snapshot, study).person
    numbers = {split: _feasible_number(split_labels(snapshot, study, split), None, person_of) for split in splits}
    return [
        f"split '{split}': {number} folds instead of {FOLDS}, for {number} people have the rarer label"
        for split, number in numbers.items()
        if number < FOLDS
    ]
