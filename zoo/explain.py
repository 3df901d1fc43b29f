"""Why a model says what it says: coefficients, tree contributions, permutation importance, one patient's part.

Every explanation looks at a model's last step and at the columns that reach it. Steps before it work column by
column (imputation, scaling) or leave columns out, so what is not among these columns cannot move a probability;
but for the batch that a harmonised model reads, which moves the columns themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import polars as pl
import xgboost
from numpy.typing import NDArray
from pydantic import JsonValue
from scipy.special import expit
from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from xgboost import XGBClassifier

from zoo.clinical import ClinicalLogisticRegression
from zoo.evaluation.auc import auc
from zoo.staging.estimators import ComparatorClassifier
from zoo.tuned import TunedClassifier

__all__ = [
    "Contributions",
    "Importance",
    "LastStep",
    "column_references",
    "contributions",
    "last_step",
    "permutation_importances",
    "training_importances",
]

Floats = NDArray[np.float64]
ImportanceKind = Literal["coefficient", "tree", "permutation", "permutation_training"]
ContributionKind = Literal["linear", "tree", "occlusion"]

REPEATS = 100
_SEED = 20260101
_PERCENTILES = (2.5, 97.5)


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


@dataclass(frozen=True)
class Importance:
    """How much one feature counts in a model, of one kind; see the view ``importances``."""

    kind: ImportanceKind
    feature: str
    value: float
    lower: float | None = None
    upper: float | None = None


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

    A pipeline scales its columns and knows them; a clinical model and a published score read raw values.
    """
    if isinstance(estimator, Pipeline):
        return {}
    values = _completed(estimator, inputs)
    return {
        name: {"mean": float(column.mean()), "deviation": float(column.std())}
        for name, column in zip(inputs.columns, values.T, strict=True)
    }


def _completed(estimator: BaseEstimator, inputs: pl.DataFrame) -> Floats:
    """Return a table as an estimator without steps reads it: missing factors imputed where it imputes."""
    values: Floats = inputs.to_numpy().astype(np.float64)
    return estimator.completed(values) if isinstance(estimator, ClinicalLogisticRegression) else values


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
    if isinstance(estimator, Pipeline):
        return _of_pipeline(estimator, inputs)
    table = _completed(estimator, inputs)
    names = list(inputs.columns)
    if isinstance(estimator, ComparatorClassifier):
        columns = [estimator.column_]
        direction = 1.0 if estimator.worse == "high" else -1.0
        coefficients, intercept = np.array([estimator.slope_ * direction]), float(estimator.intercept_)
        intervals = None
    elif isinstance(estimator, ClinicalLogisticRegression):
        columns = [names.index(factor) for factor in estimator.factors_]
        coefficients, intercept = np.ravel(estimator.coef_)[columns], float(estimator.intercept_[0])
        with np.errstate(divide="ignore"):  # a bound of an odds ratio may have come out as 0
            intervals = {
                effect.factor: (float(np.log(effect.lower)), float(np.log(effect.upper)))
                for effect in estimator.multivariable_
            }
    else:
        raise TypeError(f"{type(estimator).__name__} is no member of the zoo that can be explained")
    features = tuple(names[column] for column in columns)
    return LastStep(
        features=features,
        values=table[:, columns],
        centre=np.array([references[name]["mean"] for name in features]),
        scale=np.array([references[name]["deviation"] for name in features]),
        probability=lambda values: np.asarray(expit(values @ coefficients + intercept), dtype=np.float64),
        coefficients=coefficients,
        intercept=intercept,
        intervals=intervals,
    )


def _of_pipeline(pipeline: Pipeline, inputs: pl.DataFrame) -> LastStep:
    before, classifier = pipeline[:-1], pipeline[-1]
    values = np.asarray(before.transform(inputs), dtype=np.float64)
    coefficients, intercept = None, 0.0
    if hasattr(classifier, "coef_"):
        coefficients, intercept = np.ravel(classifier.coef_), float(np.ravel(classifier.intercept_)[0])
    inner = classifier.best_estimator_ if isinstance(classifier, TunedClassifier) else classifier
    return LastStep(
        features=tuple(str(name) for name in before.get_feature_names_out()),
        values=values,
        # The pipeline scales every column by mean and deviation of the training patients.
        centre=np.zeros(values.shape[1]),
        scale=np.ones(values.shape[1]),
        probability=lambda changed: np.asarray(classifier.predict_proba(changed), dtype=np.float64)[:, 1],
        coefficients=coefficients,
        intercept=intercept,
        booster=inner.get_booster() if isinstance(inner, XGBClassifier) else None,
    )


def contributions(step: LastStep) -> Contributions:
    """Return what each feature adds to each patient's answer, of the kind that the last step allows.

    References
    ----------
    Lundberg SM et al., Nat Mach Intell 2020;2:56, doi:10.1038/s42256-019-0138-9 (trees).
    """
    if step.coefficients is not None:
        at_mean = step.intercept + float(step.coefficients @ step.centre)
        return Contributions(
            "linear",
            step.features,
            np.full(len(step.values), at_mean),
            (step.values - step.centre) * step.coefficients,
        )
    if step.booster is not None:
        found = _tree_contributions(step.booster, step.values)
        return Contributions("tree", step.features, found[:, -1], found[:, :-1])
    return _occlusion(step)


def _tree_contributions(booster: xgboost.Booster, values: Floats) -> Floats:
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


def training_importances(step: LastStep, labels: NDArray[np.int64]) -> list[Importance]:
    """Return how much each feature counts, from the training patients: coefficients or trees, and permutation.

    Parameters
    ----------
    step : LastStep
        With the training patients' values.
    labels : ndarray of shape (n_patients,)
        Their labels.
    """
    found: list[Importance] = []
    if step.coefficients is not None:
        for name, value, scale in zip(step.features, step.coefficients, step.scale, strict=True):
            lower, upper = (step.intervals or {}).get(name, (None, None))
            found.append(
                Importance(
                    "coefficient",
                    name,
                    float(value * scale),
                    _scaled(lower, float(scale)),
                    _scaled(upper, float(scale)),
                )
            )
    if step.booster is not None:
        parts = np.abs(_tree_contributions(step.booster, step.values)[:, :-1]).mean(axis=0)
        found += [Importance("tree", name, float(part)) for name, part in zip(step.features, parts, strict=True)]
    return found + permutation_importances(step, labels, kind="permutation_training")


def _scaled(bound: float | None, scale: float) -> float | None:
    # A bound beyond what a float holds is no number that can be stored.
    return None if bound is None or not np.isfinite(bound) else bound * scale


def permutation_importances(
    step: LastStep, labels: NDArray[np.int64], *, kind: ImportanceKind = "permutation", repeats: int = REPEATS
) -> list[Importance]:
    """Return the AUC that a model loses when one feature is shuffled among the patients.

    Only the columns that the last step sees are shuffled: a column that selection left out cannot move a
    probability, its importance is 0 by construction.

    Parameters
    ----------
    step : LastStep
        With the patients' values: those of the validation cohort, for an honest answer.
    labels : ndarray of shape (n_patients,)
        Their labels, both classes present.
    kind : {'permutation', 'permutation_training'}
        Whose patients they are. On training patients the loss is that of a fit to them: it flatters.
    repeats : int
        Shuffles a feature, from one seed.

    Returns
    -------
    list of Importance
        The mean loss over the shuffles with their 2.5th and 97.5th percentiles: the spread of the shuffling, not
        that of patients, which in a small cohort is wider. Features that carry the same information share it,
        and each may look worthless alone.

    References
    ----------
    Breiman L, Mach Learn 2001;45:5, doi:10.1023/A:1010933404324.
    """
    random = np.random.default_rng(_SEED)
    n = len(labels)
    whole = auc(labels, step.probability(step.values))
    found = []
    for column, name in enumerate(step.features):
        stacked = np.tile(step.values, (repeats, 1))
        stacked[:, column] = np.concatenate([random.permutation(step.values[:, column]) for _ in range(repeats)])
        losses = [whole - auc(labels, part) for part in step.probability(stacked).reshape(repeats, n)]
        lower, upper = np.percentile(losses, _PERCENTILES)
        found.append(Importance(kind, name, float(np.mean(losses)), float(lower), float(upper)))
    return found
