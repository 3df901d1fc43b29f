"""The penalties that cross-validation chose in a fitted model."""

from __future__ import annotations

from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegressionCV

from zoo.fitted_parts import parts_of
from zoo.self_description import Penalised

__all__ = ["chosen_penalties"]


def chosen_penalties(estimator: BaseEstimator) -> dict[str, float]:
    """Return the penalties that a fitted model chose by cross-validation, empty where it chose none.

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
    for part in parts_of(estimator):
        if isinstance(part, Penalised):
            found |= part.penalties()
        elif isinstance(part, LogisticRegressionCV):  # scikit-learn's own, which has no such method
            found["classifier"] = float(part.C_)
    return found
