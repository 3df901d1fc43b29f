"""What one worker does for a cross-validation: all models fitted on the same patients, and asked about others."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from sklearn.base import BaseEstimator

from schemas.documents.fit_result import FitResult
from schemas.keys import sha256_of_json
from zoo.benchmark.shared_fits import SharedFits
from zoo.models.summary import model_summary
from zoo.tables.fits import UnfitError, fit_model, label_probabilities
from zoo.tables.model_table import KEY_COLUMNS

__all__ = ["FitTask", "Recipe", "fitted_task"]


_HINT = "radzoo bench --suite holdout trains on all of the training cohort; else the study needs more patients"


@dataclass(frozen=True)
class Recipe:
    """A model as it is fitted in every fold: the unfitted estimator and the pinned table of all its columns."""

    model: str
    estimator: BaseEstimator
    dataset: Path
    dataset_sha256: str

    @cached_property
    def sha256(self) -> str:
        """Return the hash of model, estimator and dataset."""
        # In full: scikit-learn's own repr leaves out the middle of a long pipeline.
        return sha256_of_json([self.model, self.estimator.__repr__(N_CHAR_MAX=1_000_000), self.dataset_sha256])


@dataclass(frozen=True)
class FitTask:
    """All models of one split fitted on some patients and asked about others: a unit of work.

    Models that share their selection find it fitted by the first of them (`SharedFits`).
    """

    fold: int
    inner: int | None
    """Number of the inner fold; None for the outer fit, whose probabilities are those that count."""
    labels: Mapping[str, int]
    """Of the training patients; no other patient's label comes here."""
    judged: tuple[str, ...]
    recipes: tuple[Recipe, ...]
    libraries: Mapping[str, str]
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By model, the columns that are not stable among the outer fold's training patients."""
    embeds: bool = False
    """Also give the judged patients' embeddings, of models that are networks."""

    @cached_property
    def key(self) -> str:
        """Return the hash of everything that decides the result."""
        return sha256_of_json(
            {
                "labels": dict(self.labels),
                "judged": list(self.judged),
                "recipes": [
                    [recipe.sha256, _names_sha256(self.left_out.get(recipe.model, ()))] for recipe in self.recipes
                ],
                "libraries": dict(self.libraries),
                **({"embeds": True} if self.embeds else {}),
            }
        )


def fitted_task(task: FitTask) -> dict[str, FitResult]:
    """Return, for each model, the probabilities of the judged patients and the columns it came to use.

    A model that these patients do not suffice for gives the reason instead, and the others go on.
    """
    shared = SharedFits()
    found: dict[str, FitResult] = {}
    for recipe in task.recipes:
        try:
            found[recipe.model] = _fitted(task, recipe, shared)
        except UnfitError as error:
            found[recipe.model] = {"unfit": {"message": error.message, "where": error.where, "hint": error.hint}}
    return found


def _fitted(task: FitTask, recipe: Recipe, shared: SharedFits) -> FitResult:
    table = _table(recipe.dataset)
    hidden = {*KEY_COLUMNS, *task.left_out.get(recipe.model, ())}
    columns = [name for name in table.columns if name not in hidden]
    training = table.filter(pl.col("patient").is_in(list(task.labels)))
    judged = table.filter(pl.col("patient").is_in(list(task.judged)))
    labels = np.array([task.labels[patient] for patient in training["patient"]], dtype=np.int64)
    place = f"fold {task.fold}" if task.inner is None else f"fold {task.fold}, inner fold {task.inner}"
    estimator = fit_model(
        shared.sharing(recipe.estimator), training.select(columns), labels, model=recipe.model, place=place, hint=_HINT
    )
    sums: dict[str, list[float]] = {}
    if judged.height:
        values = label_probabilities(estimator, judged.select(columns), model=recipe.model, place=place)
        for patient, value in zip(judged["patient"], values, strict=True):
            sums.setdefault(patient, []).append(float(value))
    probabilities = {patient: sum(values) / len(values) for patient, values in sums.items()}
    found: FitResult = {"probabilities": probabilities, "selected": _selected(estimator)}
    if hasattr(estimator, "held_out_rows_"):
        found["held_out"] = _held_out(estimator, training["patient"])
    if task.embeds:
        embedded = estimator.embed(judged.select(columns)).tolist() if judged.height else []
        found["embeddings"] = dict(zip(judged["patient"], embedded, strict=True))
        found["weights_sha256"] = hashlib.sha256(estimator.weights_).hexdigest()
    return found


def _held_out(network: BaseEstimator, patients: pl.Series) -> dict[str, float]:
    """Return the probabilities of the training patients that a network set aside."""
    pairs = zip(network.held_out_rows_, network.held_out_probabilities_, strict=True)
    return {str(patients[int(row)]): float(value) for row, value in pairs}


def _selected(estimator: BaseEstimator) -> list[str] | None:
    """Return the columns that a fitted model uses, None for one that selects nothing."""
    summary = model_summary(estimator)
    if "features" in summary:
        return [each["feature"] for each in summary["features"]]
    return [each["factor"] for each in summary["multivariable"]] if "multivariable" in summary else None


@lru_cache(maxsize=64)
def _names_sha256(names: tuple[str, ...]) -> str:
    return sha256_of_json(sorted(names))


@lru_cache(maxsize=8)
def _table(file: Path) -> pl.DataFrame:
    # A pinned dataset is named by its content and never changes: a worker reads it once for all folds.
    return pl.DataFrame(pq.read_table(file))
