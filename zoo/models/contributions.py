"""Why a model says what it says: its last step, and what each feature adds to a patient's answer.

Every explanation looks at a model's last step and at the columns that reach it. Steps before it work column by
column (imputation, scaling) or leave columns out, so what is not among these columns cannot move a probability;
but for the batch that a harmonised model reads, which moves the columns themselves. A model that is neither such a
pipeline nor says how it is linear is its own last step: all of its columns reach it, as they stand in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl
import xgboost
from numpy.typing import NDArray
from pydantic import JsonValue
from scipy.special import expit
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline

from schemas.errors import ContractError
from zoo.fitted_parts import log_odds_line, sees_standardised_columns
from zoo.self_description import Completing, Linear, LinearView, Recalibrated, Recalibration

__all__ = [
    "MOST_COLUMNS",
    "Contributions",
    "LastStep",
    "column_references",
    "contributions",
    "last_step",
    "tree_contributions",
]

Floats = NDArray[np.float64]
ContributionKind = Literal["linear", "tree", "occlusion"]

MOST_COLUMNS = 100
"""A model that is explained as a whole is asked again for each of its columns; with more than these it is not."""


@dataclass(frozen=True)
class LastStep:
    """A fitted model's last step, and the columns of some patients as that step sees them.

    Attributes
    ----------
    features : tuple of str
        The columns, named as in the model's table.
    values : ndarray of shape (n_patients, n_features)
        After imputation, scaling and selection; for a clinical model or a score the values themselves.
    centre, scale : ndarray of shape (n_features,)
        Mean and standard deviation of the training patients, in the units of ``values``.
    probability : callable
        From an array like ``values`` to the probabilities of label 1.
    coefficients : ndarray of shape (n_features,) or None
        Log odds per unit of ``values`` where the step is linear.
    intercept : float
        The linear step's intercept; 0 where the step is not linear.
    intervals : mapping of str to (float, float)
        95 % bounds of coefficients, where the model is one of effects that were tested.
    booster : xgboost.Booster or None
        Where the step is made of trees.
    line : (float, float)
        Slope and intercept from the trees' log odds to the model's.
    is_whole : bool
        Whether it is the model itself, no step of which is known.
    """

    features: tuple[str, ...]
    values: Floats
    centre: Floats
    scale: Floats
    probability: Callable[[Floats], Floats]
    coefficients: Floats | None = None
    intercept: float = 0.0
    intervals: Mapping[str, tuple[float, float]] | None = None
    booster: xgboost.Booster | None = None
    line: tuple[float, float] = (1.0, 0.0)
    is_whole: bool = False

    @property
    def is_too_wide(self) -> bool:
        """Return whether it is a whole model with more columns than it can be asked about one by one."""
        return self.is_whole and len(self.features) > MOST_COLUMNS


@dataclass(frozen=True)
class Contributions:
    """What each feature adds to each patient's answer.

    Attributes
    ----------
    kind : {'linear', 'tree', 'occlusion'}
        ``linear``: coefficient times the distance from the training mean. ``tree``: TreeSHAP. Both are log odds
        and add up, with ``baseline``, to the patient's log odds. ``occlusion``: the probability less that of
        the same patient with this one feature at its training mean; a difference of probabilities that need not
        add up.
    features : tuple of str
        The columns.
    baseline : ndarray of shape (n_patients,)
        The log odds, or for ``occlusion`` the probability, with every feature at its training mean; for ``tree``
        the trees' expected value.
    values : ndarray of shape (n_patients, n_features)
        The contributions.
    """

    kind: ContributionKind
    features: tuple[str, ...]
    baseline: Floats
    values: Floats

    @property
    def unit(self) -> str:
        """Return what the values are: log odds or a probability."""
        return "probability" if self.kind == "occlusion" else "log odds"


def column_references(estimator: BaseEstimator, inputs: pl.DataFrame) -> dict[str, JsonValue]:
    """Return mean and standard deviation of the training columns that an estimator does not itself remember.

    A pipeline that scales its columns knows them; a clinical model and a published score read raw values. Missing
    values do not count.
    """
    if isinstance(estimator, Recalibrated):
        return column_references(estimator.recalibration().estimator, inputs)
    if sees_standardised_columns(estimator):
        return {}
    values = _completed(estimator, inputs)
    return {
        name: {"mean": float(known.mean()), "deviation": float(known.std())} if len(known) else _UNKNOWN
        for name, known in ((n, c[~np.isnan(c)]) for n, c in zip(inputs.columns, values.T, strict=True))
    }


_UNKNOWN: dict[str, JsonValue] = {"mean": 0.0, "deviation": 0.0}
"""Of a column without a value among the training patients."""


def _completed(estimator: BaseEstimator, inputs: pl.DataFrame) -> Floats:
    """Return a table as an estimator without steps reads it: missing factors imputed where it imputes."""
    values: Floats = inputs.to_numpy().astype(np.float64)
    return estimator.completed(values) if isinstance(estimator, Completing) else values


def last_step(estimator: BaseEstimator, inputs: pl.DataFrame, references: Mapping[str, Any]) -> LastStep:
    """Return a fitted model's last step with the columns of these patients as it sees them.

    Parameters
    ----------
    estimator : BaseEstimator
        A fitted member of the zoo.
    inputs : polars.DataFrame
        The patients' table, with the columns that the model was fitted on.
    references : mapping
        What `column_references` gave on the training patients.
    """
    if isinstance(estimator, Recalibrated):
        line = estimator.recalibration()
        return _recalibrated(last_step(line.estimator, inputs, references), line)
    if sees_standardised_columns(estimator):
        return _of_pipeline(estimator, inputs)
    table, names = _completed(estimator, inputs), list(inputs.columns)
    view = estimator.linear_view() if isinstance(estimator, Linear) else None
    columns = range(len(names)) if view is None else view.columns
    features = tuple(names[column] for column in columns)
    return LastStep(
        features=features,
        values=table[:, list(columns)],
        centre=np.array([references[name]["mean"] for name in features]),
        scale=np.array([references[name]["deviation"] for name in features]),
        probability=_asked(estimator, names) if view is None else _line(view),
        coefficients=None if view is None else view.coefficients,
        intercept=0.0 if view is None else view.intercept,
        intervals=None if view is None else view.intervals,
        is_whole=view is None,
    )


def _recalibrated(step: LastStep, line: Recalibration) -> LastStep:
    """Return a model's last step with recalibrated probabilities; it is linear in its columns where it was."""
    if step.coefficients is not None:
        coefficients, intercept = line.slope * step.coefficients, line.intercept + line.slope * step.intercept
        bounds = {name: (line.slope * low, line.slope * high) for name, (low, high) in (step.intervals or {}).items()}
        view = LinearView(tuple(range(len(coefficients))), coefficients, intercept, bounds or None)
        return replace(
            step, probability=_line(view), coefficients=coefficients, intercept=intercept, intervals=view.intervals
        )
    classifier = line.estimator[-1] if isinstance(line.estimator, Pipeline) and not step.is_whole else line.estimator
    return replace(
        step,
        probability=lambda values: np.asarray(expit(line.log_odds(classifier, values)), dtype=np.float64),
        line=(line.slope, line.intercept),
    )


def _line(view: LinearView) -> Callable[[Floats], Floats]:
    return lambda values: np.asarray(expit(values @ view.coefficients + view.intercept), dtype=np.float64)


def _asked(estimator: BaseEstimator, names: list[str]) -> Callable[[Floats], Floats]:
    """Return what a whole model says of values of its columns; a value that is missing is NULL, as in its table."""

    def probability(values: Floats) -> Floats:
        table = pl.DataFrame(values, schema=names, orient="row").fill_nan(None)
        return np.asarray(estimator.predict_proba(table), dtype=np.float64)[:, 1]

    return probability


def _of_pipeline(pipeline: Pipeline, inputs: pl.DataFrame) -> LastStep:
    before, classifier = pipeline[:-1], pipeline[-1]
    values = np.asarray(before.transform(inputs), dtype=np.float64)
    coefficients, intercept = log_odds_line(classifier, values.shape[1]) or (None, 0.0)
    return LastStep(
        features=tuple(str(name) for name in before.get_feature_names_out()),
        values=values,
        # The pipeline scales every column by mean and deviation of the training patients.
        centre=np.zeros(values.shape[1]),
        scale=np.ones(values.shape[1]),
        probability=lambda changed: np.asarray(classifier.predict_proba(changed), dtype=np.float64)[:, 1],
        coefficients=coefficients,
        intercept=intercept,
        booster=classifier.get_booster() if hasattr(classifier, "get_booster") else None,
    )


def contributions(step: LastStep) -> Contributions:
    """Return what each feature adds to each patient's answer, of the kind that the last step allows.

    Raises
    ------
    ContractError
        If the model is explained as a whole and has too many columns.

    References
    ----------
    Lundberg SM et al., Nat Mach Intell 2020;2:56, doi:10.1038/s42256-019-0138-9 (trees).
    """
    if step.is_too_wide:
        raise ContractError(
            f"the model reads {len(step.features)} columns and does not say what each adds: "
            f"one by one they are tried up to {MOST_COLUMNS}",
            hint="its package can add linear_view() to the estimator, or a pipeline that selects (docs/extending.md)",
        )
    if step.coefficients is not None:
        at_mean = step.intercept + float(step.coefficients @ step.centre)
        return Contributions(
            "linear",
            step.features,
            np.full(len(step.values), at_mean),
            (step.values - step.centre) * step.coefficients,
        )
    if step.booster is not None:
        slope, intercept = step.line
        found = slope * tree_contributions(step.booster, step.values)
        return Contributions("tree", step.features, found[:, -1] + intercept, found[:, :-1])
    return _occlusion(step)


def tree_contributions(booster: xgboost.Booster, values: Floats) -> Floats:
    """Return the TreeSHAP values of each patient and feature in log odds, the trees' expected value behind them."""
    found = booster.predict(xgboost.DMatrix(values, nthread=1), pred_contribs=True)
    return np.asarray(found, dtype=np.float64)


def _occlusion(step: LastStep) -> Contributions:
    whole = step.probability(step.values)
    differences = np.empty_like(step.values)
    for column in range(len(step.features)):
        without = step.values.copy()
        without[:, column] = step.centre[column]
        differences[:, column] = whole - step.probability(without)
    baseline = np.full(len(whole), step.probability(step.centre[None, :])[0])
    return Contributions("occlusion", step.features, baseline, differences)
