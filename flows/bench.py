"""Bench: every model of a study judged on the same split, into leaderboard, comparisons, predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flows.refresh import stored_study
from flows.train import TrainReport, study_models, train
from schemas.results import LeaderboardRow
from store.commit import commit_to
from store.home import Store
from store.publish import published
from store.runs import recorded_run
from store.snapshot import Snapshot
from zoo.benchmark import comparison_rows, judged_model
from zoo.characteristics import characteristic_rows
from zoo.explained_models import validation_importances
from zoo.subgroups import subgroup_comparisons, subgroup_levels, subgroup_rows

__all__ = ["BenchReport", "bench"]


@dataclass(frozen=True)
class BenchReport:
    """What a benchmark found."""

    study: str
    suite: str
    trained: tuple[TrainReport, ...]
    leaderboard: tuple[LeaderboardRow, ...]
    commit_id: int | None
    """The commit it made; None where every figure was there already."""


def bench(store: Store, study: str | None = None) -> BenchReport:
    """Judge a study's models on the paper's split and return the leaderboard.

    Models that are missing or out of date are trained first. Figures are computed again from the saved
    models each time; where none differs, no commit is made.

    Parameters
    ----------
    store : Store
        The store.
    study : str, optional
        The study's id; may be left out where the store has one study.
    """
    asked = stored_study(Snapshot(store), study)
    trained = train(store, asked.id, study_models(asked))
    snapshot = Snapshot(store)
    versions = {(row["model"], row["version"]): row for row in snapshot.rows("models", study=asked.id)}
    current = {report.model: versions[report.model, report.version] for report in trained}
    with recorded_run(store, "bench", asked.id, {"suite": "paper"}) as run:
        judged = [judged_model(snapshot, row) for row in current.values()]
        version_of = {each.model: each.version for each in judged}
        scope: dict[str, Any] = {"study": asked.id, "suite": "paper"}
        with commit_to(store, f"bench {asked.id}: paper suite", run_id=run.run_id) as commit:
            for table in ("predictions", "leaderboard"):
                rows = [row.model_dump() for each in judged for row in getattr(each, table)]
                commit.put(table, [row | {"version": version_of[row["model"]]} for row in rows], replacing=scope)
            levels = subgroup_levels(snapshot, asked)
            predictions = [row for each in judged for row in each.predictions]
            within = subgroup_rows(predictions, levels)
            commit.put("subgroups", [row.model_dump() for row in within], replacing=scope)
            comparisons = comparison_rows(asked.id, "paper", judged)
            comparisons += subgroup_comparisons(predictions, levels)
            commit.put("comparisons", [row.model_dump() for row in comparisons], replacing=scope)
            commit.put(
                "importances", [each for row in current.values() for each in validation_importances(snapshot, row)]
            )
            commit.put("characteristics", characteristic_rows(snapshot, asked), replacing={"study": asked.id})
        is_changed = commit.landed_id is not None
        run.summary |= {"models": len(judged), "changed": is_changed}
    if is_changed or not store.analyst_file.exists():
        published(Snapshot(store))
    leaderboard = tuple(row for each in judged for row in each.leaderboard)
    return BenchReport(asked.id, "paper", tuple(trained), leaderboard, commit.landed_id)
