"""Which steps of a fit are told what patients weigh and who they are, and what to call those that take no weights."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.feature_selection import VarianceThreshold
from sklearn.impute import SimpleImputer
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from zoo.self_description import PartlyUnweighted

__all__ = ["fit_options", "steps_without_weights", "takes_weights"]


def takes_weights(estimator: Any) -> bool:
    """Return whether an estimator's own ``fit`` has a place for weights of patients."""
    return "sample_weight" in inspect.signature(estimator.fit).parameters


def fit_options(
    estimator: BaseEstimator, weights: NDArray[np.float64] | None, people: Sequence[str] | None = None
) -> dict[str, Any]:
    """Return what ``fit`` is given besides table and labels, so that every step, at any depth, has what it can use.

    Parameters
    ----------
    estimator : BaseEstimator
        Unfitted.
    weights : ndarray of shape (n_rows,) or None
        What each row weighs; with None the fit is what it is without weights, to the last bit.
    people : sequence of str of length n_rows, optional
        The person behind each row: folds that a step draws hold out people.

    Returns
    -------
    dict
        ``sample_weight`` and ``groups`` under the names of the steps that take them; empty where none does.
    """
    if isinstance(estimator, Pipeline):
        return {
            f"{name}__{option}": value
            for name, step in estimator.steps
            if isinstance(step, BaseEstimator)
            for option, value in fit_options(step, weights, people).items()
        }
    given = {"sample_weight": weights, "groups": people}
    taken = inspect.signature(estimator.fit).parameters
    return {option: value for option, value in given.items() if value is not None and option in taken}


def steps_without_weights(estimator: Any) -> tuple[str, ...]:
    """Return in words what of an estimator's fit counts all patients alike, whatever weights it is given.

    Parameters
    ----------
    estimator : BaseEstimator
        Fitted or not.
    """
    return tuple(dict.fromkeys(_unweighted(estimator)))


def _unweighted(estimator: Any) -> Iterator[str]:
    if isinstance(estimator, Pipeline):
        for _, step in estimator.steps:
            yield from _unweighted(step)
    elif isinstance(estimator, PartlyUnweighted):
        for each in estimator.unweighted():
            yield from [each] if isinstance(each, str) else _unweighted(each)
    elif isinstance(estimator, SimpleImputer):
        yield "values put in for missing ones"
    elif isinstance(estimator, KNeighborsClassifier):
        yield "the neighbours' votes"
    # Which columns are constant does not depend on weights.
    elif isinstance(estimator, BaseEstimator) and not (
        isinstance(estimator, VarianceThreshold) or takes_weights(estimator)
    ):
        yield f"the fit of {type(estimator).__name__}, which takes no weights"
