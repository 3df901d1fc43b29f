"""Tables of patients taken through the bootstrap suite without a store: fits, rows of the leaderboard, the view."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from sklearn.base import BaseEstimator
from threadpoolctl import threadpool_limits

from builders.store import view_rows
from schemas.documents.fit_result import FitResult
from schemas.keys import sha256_of_json
from zoo.benchmark.cross_validation import CrossValidation
from zoo.benchmark.fold_fits import FitTask, Recipe, fitted_task
from zoo.benchmark.optimism import Resampled, Resampling, resampled_model
from zoo.benchmark.resamples import drawn_resamples

__all__ = ["optimism_rows", "resampled_table"]

Row = dict[str, Any]
_COLUMNS = ("study", "suite", "model", "version", "cohort", "n", "events", "auc", "calibration_slope", "brier")


def resampled_table(
    folder: Path, study: str, table: pl.DataFrame, estimator: BaseEstimator, *, resamples: int, seed: int = 1
) -> Resampled:
    """Return what resamples of a table's patients say about a model.

    The table has the columns ``patient`` and ``label``; the model reads the others.
    """
    file = folder / f"{study}.parquet"
    table.write_parquet(file)
    labels = dict(zip(table["patient"], table["label"], strict=True))
    drawn = drawn_resamples(labels, resamples=resamples, seed=seed)
    recipe = Recipe("m", estimator, file, sha256_of_json(table.to_dict(as_series=False)))
    tasks = tuple(
        FitTask(fold.number, {p: labels[p] for p in fold.training}, fold.judged, (recipe,), {}, draws=fold.draws)
        for fold in drawn.folds
    )
    task_of = {("m", task.fold): task for task in tasks}
    planned = CrossValidation({"s": labels}, {"m": "s"}, {"s": drawn.folds}, tasks, task_of, (), frozenset())
    with threadpool_limits(1):  # as a worker process has it
        results: dict[str, dict[str, FitResult]] = {task.key: fitted_task(task) for task in tasks}
    return resampled_model(study, "m", 1, Resampling(planned, {"s": drawn}), results)


def optimism_rows(rows: Sequence[Row]) -> list[Row]:
    """Return what the view ``optimism`` says of rows of the leaderboard."""
    given = pa.Table.from_pylist([{name: row.get(name) for name in _COLUMNS} for row in rows])
    return view_rows("optimism", {"leaderboard": given})
