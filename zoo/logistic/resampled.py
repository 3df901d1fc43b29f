"""Logistic regressions of one design on many weightings of the same patients, fitted side by side."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["WeightedFits", "logistic_fit", "weighted_logistic_fits"]

Floats = NDArray[np.float64]

_MOST_STEPS = 60
_LARGEST_MOVE = 3.0  # of any patient's log odds in one step: a longer Newton step may overshoot and diverge
_SMALLEST_MOVE = 1e-10
_MOST_STEPS_OF_ALL = 1000  # all patients are fitted once, and their log odds may be hundreds of largest moves away
_CERTAIN = 18.0  # log odds beyond this are probabilities of 0 and 1 to eight digits
_BEYOND = 2.0  # how far past the largest log odds of all patients a resample goes on


class WeightedFits(NamedTuple):
    """Coefficients of each weighting, and whether its likelihood has a maximum."""

    coefficients: Floats
    """Shape (weightings, columns)."""
    has_maximum: NDArray[np.bool_]
    """False where the search was stopped at nearly certain predictions: the coefficients are then on the way to
    infinity, close to what the likelihood of separated classes grows towards."""


def logistic_fit(design: Floats, positive: NDArray[np.bool_], weights: Floats | None = None) -> Floats | None:
    """Return the maximum likelihood coefficients of all patients, None where the search finds no end.

    Large log odds alone do not end the search: predictions may be extreme and overlap all the same. Whether the
    classes are separated is to be asked before (`zoo.logistic.separation`).

    Parameters
    ----------
    design : ndarray of shape (n_patients, columns)
        With a column of ones where an intercept is wanted.
    positive : ndarray of bool of shape (n_patients,)
        The outcome.
    weights : ndarray of shape (n_patients,), optional
        How much each counts; alike where absent.
    """
    counts, start = np.ones((1, len(design))), np.zeros(design.shape[1])
    if weights is not None:
        counts = weights[None]
    found = _fits(design, positive, counts, start, certain=np.inf, most_steps=_MOST_STEPS_OF_ALL)
    return found.coefficients[0] if found.has_maximum[0] else None


def weighted_logistic_fits(
    design: Floats, positive: NDArray[np.bool_], weights: Floats, start: Floats | None = None
) -> WeightedFits:
    """Return the maximum likelihood coefficients for each weighting of the patients.

    Newton's method with steps kept short, in matrix products over all weightings at once. A weighting whose fitted log
    odds pass 18, and twice the largest that the start gives, is stopped there.

    Parameters
    ----------
    design : ndarray of shape (n_patients, columns)
        With a column of ones where an intercept is wanted.
    positive : ndarray of bool of shape (n_patients,)
        The outcome.
    weights : ndarray of shape (weightings, n_patients)
        At least 0.
    start : ndarray of shape (columns,), optional
        Where the search begins, such as the fit of all patients; zeros where absent.
    """
    start = np.zeros(design.shape[1]) if start is None else start
    certain = max(_CERTAIN, _BEYOND * float(np.abs(design @ start).max()))
    return _fits(design, positive, weights, start, certain=certain, most_steps=_MOST_STEPS)


def _fits(
    design: Floats,
    positive: NDArray[np.bool_],
    weights: Floats,
    start: Floats,
    *,
    certain: float,
    most_steps: int,
) -> WeightedFits:
    n_columns = design.shape[1]
    products = (design[:, :, None] * design[:, None, :]).reshape(len(design), -1)
    coefficients = np.tile(start, (len(weights), 1))
    has_maximum = np.zeros(len(weights), dtype=bool)
    going_on = np.arange(len(weights))
    for _ in range(most_steps):
        own = weights[going_on]
        fitted = special.expit(coefficients[going_on] @ design.T)
        gradient = (own * (positive - fitted)) @ design
        information = ((own * fitted * (1 - fitted)) @ products).reshape(-1, n_columns, n_columns)
        # A resample may hold too few different predictions to tell the columns apart; the gradient stays exact.
        trace = np.trace(information, axis1=1, axis2=2)[:, None, None]
        information += (1e-10 * trace + 1e-14) * np.eye(n_columns)
        step = np.linalg.solve(information, gradient[:, :, None])[:, :, 0]
        move = np.abs(step @ design.T).max(axis=1)
        step *= np.minimum(1, _LARGEST_MOVE / np.maximum(move, _LARGEST_MOVE))[:, None]
        coefficients[going_on] += step
        has_settled = move < _SMALLEST_MOVE
        has_maximum[going_on[has_settled]] = True
        is_certain = np.abs(coefficients[going_on] @ design.T).max(axis=1) > certain
        going_on = going_on[~has_settled & ~is_certain]
        if not len(going_on):
            break
    return WeightedFits(coefficients, has_maximum)
