"""What one worker does for a suite that fits again and again: all models fitted to some patients, others judged."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone

from schemas.documents.fit_result import FitResult
from schemas.keys import sha256_of_json
from schemas.study.thresholds import Threshold
from zoo.censoring.weights import fit_weights
from zoo.logistic.firth import leave_out_intervals
from zoo.models.operating_point import operating_point
from zoo.models.summary import model_summary
from zoo.radiomics.shared_fits import SharedFits
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
    labels: Mapping[str, int]
    """Of the training patients; no other patient's label comes here."""
    judged: tuple[str, ...]
    recipes: tuple[Recipe, ...]
    libraries: Mapping[str, str]
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By model, the columns that are not stable among the outer fold's training patients."""
    embeds: bool = False
    """Also give the judged patients' embeddings, of models that are networks."""
    thresholds: Mapping[str, Threshold] = field(default_factory=dict)
    """By model, the rule of the threshold that is also given; none where nobody asks for it."""
    person_of: Mapping[str, str] = field(default_factory=dict)
    """The person behind each training patient's pseudonym that shares one; they are held out together."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """What each training patient weighs for those who lost their label, told from these patients and the censored."""
    weighted: frozenset[str] = frozenset()
    """The models that are fitted with these weights."""
    draws: Mapping[str, int] = field(default_factory=dict)
    """How often a resample has each training patient; folds inside it hold out all copies together."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """By model that cannot be fitted to a resample whatever its labels, why."""

    @property
    def place(self) -> str:
        """Return what the training patients are, in words."""
        if not self.draws:
            return f"fold {self.fold}"
        return f"resample {self.fold}" if self.fold else "all training patients"

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
                **({"thresholds": {n: repr(rule) for n, rule in self.thresholds.items()}} if self.thresholds else {}),
                **({"person_of": dict(self.person_of)} if self.person_of else {}),
                **({"weights": dict(self.weights), "weighted": sorted(self.weighted)} if self.weighted else {}),
                **({"draws": dict(self.draws)} if self.draws else {}),
                **({"refused": dict(self.refused)} if self.refused else {}),
            }
        )


def fitted_task(task: FitTask) -> dict[str, FitResult]:
    """Return, for each model, the probabilities of the judged patients and the columns it came to use.

    A model that these patients do not suffice for gives the reason instead, and the others go on.
    """
    shared = SharedFits()
    found: dict[str, FitResult] = {}
    with leave_out_intervals():
        for recipe in task.recipes:
            if reason := task.refused.get(recipe.model):
                found[recipe.model] = {"unfit": {"message": reason, "where": task.place, "hint": None}}
                continue
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
    if task.draws:
        copies = [task.draws[patient] for patient in training["patient"]]
        training = training[np.repeat(np.arange(training.height), copies)]
    judged = table.filter(pl.col("patient").is_in(list(task.judged)))
    labels = np.array([task.labels[patient] for patient in training["patient"]], dtype=np.int64)
    place = task.place
    unfitted, inputs = shared.sharing(recipe.estimator), training.select(columns)
    people = [task.person_of.get(patient, patient) for patient in training["patient"]]
    weights = fit_weights(task.weights, training["patient"]) if recipe.model in task.weighted else None
    estimator = fit_model(
        clone(unfitted),
        inputs,
        labels,
        model=recipe.model,
        place=place,
        hint=_HINT,
        people=people,
        weights=weights,
    )
    found: FitResult = {"probabilities": {}, "selected": _selected(estimator)}
    if judged.height:
        values = label_probabilities(estimator, judged.select(columns), model=recipe.model, place=place)
        found["probabilities"] = _by_patient(judged["patient"], values)
    if task.thresholds:
        point = operating_point(
            task.thresholds[recipe.model],
            unfitted,
            estimator,
            inputs,
            labels,
            own=label_probabilities(estimator, inputs, model=recipe.model, place=place),
            people=people,
            model=recipe.model,
            place=place,
            hint=_HINT,
            with_spread=False,
            weights=weights,
        )
        found["threshold"] = point.threshold
        rows, values = list(point.held_out), np.array(list(point.held_out.values()))
        found["held_out"] = _by_patient(training["patient"].gather(rows), values)
    if task.embeds:
        embedded = estimator.embed(judged.select(columns)).tolist() if judged.height else []
        found["embeddings"] = dict(zip(judged["patient"], embedded, strict=True))
        found["weights_sha256"] = hashlib.sha256(estimator.weights_).hexdigest()
    return found


def _by_patient(patients: pl.Series, values: NDArray[np.float64]) -> dict[str, float]:
    """Return each patient's probability, the mean of its rows."""
    rows: dict[str, list[float]] = {}
    for patient, value in zip(patients, values, strict=True):
        rows.setdefault(str(patient), []).append(float(value))
    return {patient: sum(each) / len(each) for patient, each in rows.items()}


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
