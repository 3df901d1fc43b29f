"""Logistic regressions of one design on many weightings of the same patients, fitted side by side."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

__all__ = ["WeightedFits", "weighted_logistic_fits"]

Floats = NDArray[np.float64]

_MOST_STEPS = 60
_LARGEST_MOVE = 3.0  # of any patient's log odds in one step: a longer Newton step may overshoot and diverge
_SMALLEST_MOVE = 1e-10
_CERTAIN = 18.0  # log odds beyond this are probabilities of 0 and 1 to eight digits


class WeightedFits(NamedTuple):
    """Coefficients of each weighting, and whether its likelihood has a maximum."""

    coefficients: Floats
    """Shape (weightings, columns)."""
    has_maximum: NDArray[np.bool_]
    """False where a weighting's classes are separated: its coefficients are then those of nearly certain
    predictions on the way to infinity, close to what the likelihood grows towards."""


def weighted_logistic_fits(design: Floats, positive: NDArray[np.bool_], weights: Floats) -> WeightedFits:
    """Return the maximum likelihood coefficients for each weighting of the patients.

    Newton's method with steps kept short, in matrix products over all weightings at once.

    Parameters
    ----------
    design : ndarray of shape (n_patients, columns)
        With a column of ones where an intercept is wanted.
    positive : ndarray of bool of shape (n_patients,)
        The outcome.
    weights : ndarray of shape (weightings, n_patients)
        At least 0.
    """
    n_columns = design.shape[1]
    products = (design[:, :, None] * design[:, None, :]).reshape(len(design), -1)
    coefficients = np.zeros((len(weights), n_columns))
    has_maximum = np.zeros(len(weights), dtype=bool)
    going_on = np.arange(len(weights))
    for _ in range(_MOST_STEPS):
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
        is_certain = np.abs(coefficients[going_on] @ design.T).max(axis=1) > _CERTAIN
        going_on = going_on[~has_settled & ~is_certain]
        if not len(going_on):
            break
    return WeightedFits(coefficients, has_maximum)
