"""Separation: whether factors split the classes so that a logistic regression has no finite estimate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.special import expit

__all__ = ["is_constant", "separates", "separating_direction", "standardised"]

_SEPARATION_TOLERANCE = 1e-7
_NEWTON_STEPS = 8
_LEAST_WEIGHT = 1e-3
_BALANCED = 1e-11
"""A sum of weighted rows that is 0 but for rounding, a patient: with weights of the least one at least, no direction
within the bounds then comes to a hundredth of the tolerance of separation."""


def is_constant(values: NDArray[np.float64]) -> bool:
    """Return whether values differ by no more than rounding makes equal numbers differ."""
    return bool(values.std() <= 1e-12 * np.abs(values).max())


def separates(values: NDArray[np.float64], target: NDArray[np.intp]) -> bool:
    """Return whether one factor alone separates the classes.

    Parameters
    ----------
    values : ndarray of shape (n_patients,)
        The factor.
    target : ndarray of shape (n_patients,)
        0 or 1, both present.
    """
    # A shared end point is quasi-separation: the estimate is infinite there too.
    low, high = values[target == 0], values[target == 1]
    return bool(low.max() <= high.min() or high.max() <= low.min())


def standardised(
    X: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the columns centred and scaled, their means and their standard deviations."""
    centre, scale = X.mean(axis=0), X.std(axis=0)
    return (X - centre) / scale, centre, scale


def separating_direction(X: NDArray[np.float64], target: NDArray[np.intp]) -> NDArray[np.bool_] | None:
    """Return which factors move along a direction that separates the classes, None where they overlap.

    A direction b != 0 with s_i x_i'b >= 0 for all patients and > 0 for one, s_i = +-1 the class of patient i,
    is looked for by linear programming (Konis 2007; Albert & Anderson 1984, doi:10.1093/biomet/71.1.1). There is none
    where weights above 0 of the patients balance, sum_i w_i s_i x_i = 0 (Stiemke's lemma): such are tried first.

    Parameters
    ----------
    X : ndarray of shape (n_patients, n_factors)
        No column constant.
    target : ndarray of shape (n_patients,)
        0 or 1, both present.
    """
    signed = np.column_stack([np.ones(len(X)), standardised(X)[0]]) * np.where(target == 1, 1.0, -1.0)[:, None]
    if _balance(signed):
        return None
    answer = linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(X)), bounds=(-1.0, 1.0), method="highs")
    if answer.status != 0 or -answer.fun <= _SEPARATION_TOLERANCE * len(X):
        return None
    moves: NDArray[np.bool_] = np.abs(answer.x[1:]) > _SEPARATION_TOLERANCE
    return moves


def _balance(signed: NDArray[np.float64]) -> bool:
    """Return whether weights above 0 of the rows are found whose weighted sum is 0.

    Where a logistic regression has a maximum, what it leaves of each patient is such a weight.
    """
    coefficients = np.zeros(signed.shape[1])
    try:
        for _ in range(_NEWTON_STEPS):
            left = expit(-(signed @ coefficients))
            information = (signed * (left * (1.0 - left))[:, None]).T @ signed
            coefficients += np.linalg.solve(information, left @ signed)
        left = expit(-(signed @ coefficients))
        # The nearest weights that balance, as far as numbers go.
        weights = left - signed @ np.linalg.solve(signed.T @ signed, left @ signed)
    except np.linalg.LinAlgError:
        return False
    return bool(weights.min() >= _LEAST_WEIGHT and np.abs(weights @ signed).max() <= _BALANCED * len(signed))
