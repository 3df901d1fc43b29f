"""The penalties that cross-validation chose in a fitted model."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegressionCV
from sklearn.pipeline import Pipeline

from zoo.networks.fusion import FusionClassifier
from zoo.networks.late_fusion import LateFusionClassifier
from zoo.radiomics.combined import CombinedFeatures
from zoo.radiomics.lasso import LassoSelector

__all__ = ["chosen_penalties"]


def chosen_penalties(estimator: BaseEstimator) -> dict[str, dict[str, float]]:
    """Return ``{"penalties": {...}}`` of a fitted model, empty where it has none.

    Parameters
    ----------
    estimator : BaseEstimator
        A fitted member of the zoo.

    Returns
    -------
    dict
        ``lasso``: C of the LASSO that selects features, the inverse of its penalty; ``classifier``: C of a logistic
        regression's L2 penalty.
    """
    found: dict[str, float] = {}
    for step in _steps(estimator):
        if isinstance(step, LassoSelector):
            found["lasso"] = float(step.C_)
        elif isinstance(step, LogisticRegressionCV):
            found["classifier"] = float(step.C_)
    return {"penalties": found} if found else {}


def _steps(estimator: BaseEstimator) -> list[Any]:
    if isinstance(estimator, LateFusionClassifier):
        return _steps(estimator.tabular_)
    if isinstance(estimator, FusionClassifier):
        return _steps(estimator.combined_)
    if isinstance(estimator, CombinedFeatures):
        return _steps(estimator.selection_)
    if isinstance(estimator, Pipeline):
        return [found for _, step in estimator.steps for found in _steps(step)]
    return [estimator]
