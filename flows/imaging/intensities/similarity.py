"""How much two images tell of each other: their normalised mutual information."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["mutual_information"]

_BINS = 64


def mutual_information(one: NDArray[np.float32], *others: NDArray[np.float32]) -> list[float]:
    """Return the normalised mutual information of an image and some others: ``(H(one) + H(other)) / H(one, other)``.

    1 where one tells nothing of the other, 2 where each tells the other; of a histogram of 64 x 64 equal bins.

    Parameters
    ----------
    one, *others : ndarray of shape (n_voxels,)
        Intensities at the same places.

    References
    ----------
    Studholme, Hill, Hawkes. An overlap invariant entropy measure of 3D medical image alignment. Pattern
    Recognition 1999;32:71-86. doi:10.1016/S0031-3203(98)00091-0
    """
    rows = _binned(one) * _BINS
    return [_of_bins(rows + _binned(other)) for other in others]


def _of_bins(pairs: NDArray[np.intp]) -> float:
    counts = np.bincount(pairs, minlength=_BINS**2).reshape(_BINS, _BINS)
    joint = counts / counts.sum()
    together = _entropy(joint)
    return 2.0 if together == 0.0 else (_entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1))) / together


def _binned(values: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return which of equal bins each value lies in, as ``numpy.histogram2d`` has it, which searches for each.

    A division finds most; those that it rounds beside an edge are searched for.
    """
    low, high = values.min(), values.max()
    if low == high:
        return np.zeros(values.shape, np.intp)
    edges, last = np.linspace(low, high, _BINS + 1), _BINS - 1
    found: NDArray[np.intp] = np.clip((values - low) * (_BINS / (high - low)), 0, last).astype(np.intp)
    missed = np.flatnonzero((values < edges[found]) | ((values >= edges[found + 1]) & (found < last)))
    found[missed] = np.minimum(np.searchsorted(edges, values[missed], side="right") - 1, last)
    return found


def _entropy(shares: NDArray[np.float64]) -> float:
    positive = shares[shares > 0.0]
    return float(-(positive * np.log(positive)).sum())
