"""Sums over patients that do not count alike; without weights each counts once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["class_sizes", "effective_size", "means", "parts", "patient_weights", "spreads"]

Floats = NDArray[np.float64]


def patient_weights(weights: ArrayLike | None, patients: int) -> Floats | None:
    """Return weights as numbers, None where there are none.

    Parameters
    ----------
    weights : array-like of shape (n_patients,), optional
        A patient of weight 2 counts as two alike.
    patients : int
        How many there are.

    Raises
    ------
    ValueError
        If they are not one a patient, or not all of them are finite and above 0.
    """
    if weights is None:
        return None
    found = np.asarray(weights, dtype=np.float64)
    if found.ndim != 1:
        raise ValueError("Sample weights must be 1D array or scalar")
    if found.shape != (patients,):
        raise ValueError(f"sample_weight.shape == {found.shape}, expected {(patients,)}!")
    if not np.isfinite(found).all() or (found <= 0).any():
        raise ValueError("sample_weight must be finite and above 0: a patient of weight zero is to be left out")
    return found


def parts(weights: Floats | None, rows: Any) -> Floats | None:
    """Return the weights of some patients, None where there are none."""
    return None if weights is None else weights[rows]


def effective_size(weights: ArrayLike) -> float:
    """Return how many patients of equal weight tell as much of a mean as these do.

    ``(sum w)^2 / sum w^2``, at most the number of patients.

    Parameters
    ----------
    weights : array-like of shape (n_patients,)
        Above 0.

    References
    ----------
    Kish L, Survey Sampling, Wiley 1965, section 11.7.
    """
    found = np.asarray(weights, dtype=np.float64)
    return float(found.sum() ** 2 / (found**2).sum())


def class_sizes(target: NDArray[np.intp], weights: Floats | None) -> tuple[float, float]:
    """Return how many patients have label 0 and label 1, each counted by its weight."""
    if weights is None:
        ones = int(target.sum())
        return len(target) - ones, ones
    return float(weights[target == 0].sum()), float(weights[target == 1].sum())


def means(values: NDArray[Any], weights: Floats | None) -> Any:
    """Return the mean over patients, the first axis."""
    return values.mean(axis=0) if weights is None else np.average(values, axis=0, weights=weights)


def spreads(values: NDArray[Any], weights: Floats | None) -> Any:
    """Return the standard deviation over patients, the first axis; divided by their number, or by their weights."""
    if weights is None:
        return values.std(axis=0)
    return np.sqrt(np.average((values - means(values, weights)) ** 2, axis=0, weights=weights))
