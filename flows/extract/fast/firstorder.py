"""First-order statistics: 18 features of the intensities of a mask's voxels, wherever they lie.

Symbols: ``x`` are the intensities, ``p(i)`` the share of voxels in bin i of the discretised image.

References
----------
IBSI reference manual, chapters 3.3 and 3.4, doi:10.1148/radiol.2020191145; formulas: pyradiomics 3.0.1,
doi:10.1158/0008-5472.CAN-17-0339.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["firstorder_features"]

Floats = NDArray[np.float64]

_INTERVALS = 2048
_FEW = 4096
"""Voxels that are put in order at their places sooner than counted."""


def firstorder_features(x: Floats, bin_counts: NDArray[np.int_], *, voxel_mm3: float, shift: float) -> dict[str, float]:
    """Return the first-order features of a mask.

    Parameters
    ----------
    x : ndarray of shape (n_voxels,)
        Intensities.
    bin_counts : ndarray of int
        How many voxels each bin has that has any.
    voxel_mm3 : float
        Volume of a voxel.
    shift : float
        Added to the intensities before Energy, Total Energy and Root Mean Squared.
    """
    n, lowest, highest = len(x), x.min(), x.max()
    p = bin_counts / n
    p10, p25, p50, p75, p90 = _percentiles(x, (0.10, 0.25, 0.50, 0.75, 0.90))
    mean = x.mean()
    deviation = x - mean
    square = deviation * deviation
    m2, m3, m4 = square.mean(), (square * deviation).mean(), (square * square).mean()
    robust = x[(x >= p10) & (x <= p90)]
    shifted = x + shift if shift else x
    energy = np.sum(shifted * shifted)
    found = {
        "10Percentile": p10,
        "90Percentile": p90,
        "Energy": energy,
        "Entropy": -np.sum(p * np.log2(p + np.spacing(1))),
        "InterquartileRange": p75 - p25,
        # A flat region has no shape: 0, not a division by 0.
        "Kurtosis": m4 / m2**2 if m2 else 0.0,
        "Maximum": highest,
        "MeanAbsoluteDeviation": np.abs(deviation).mean(),
        "Mean": mean,
        "Median": p50,
        "Minimum": lowest,
        "Range": highest - lowest,
        "RobustMeanAbsoluteDeviation": np.abs(robust - robust.mean()).mean() if len(robust) else math.nan,
        "RootMeanSquared": math.sqrt(energy / n),
        "Skewness": m3 / m2**1.5 if m2 else 0.0,
        "TotalEnergy": energy * voxel_mm3,
        "Uniformity": np.sum(p**2),
        "Variance": m2,
    }
    return {name: float(value) for name, value in found.items()}


def _percentiles(x: Floats, shares: Sequence[float]) -> list[float]:
    """Return percentiles by linear interpolation between the two nearest values, rounded as numpy does."""
    places = np.array(shares) * (len(x) - 1)
    below = places.astype(np.intp)
    above = np.minimum(below + 1, len(x) - 1)
    low, high = _of_ranks(x, np.concatenate((below, above))).reshape(2, -1)
    part = places - below
    found = np.where(part >= 0.5, high - (high - low) * (1 - part), low + (high - low) * part)
    return [float(each) for each in found]


def _of_ranks(x: Floats, ranks: NDArray[np.intp]) -> Floats:
    """Return the values that stand at some places when all are in order, the lowest at place 0.

    To put all in order takes longer than all other features of the family. Few intervals of equal width hold what is
    asked for: these are counted through, and only what lies in them is put in order.
    """
    lowest, highest = x.min(), x.max()
    width = (highest - lowest) / _INTERVALS
    if len(x) < _FEW or not 0 < width < math.inf:
        return _in_order(x, ranks)
    # Neither the difference nor the quotient turns the order of two values round.
    interval = ((x - lowest) / width).astype(np.int32)
    counts = np.bincount(interval)
    ends = np.cumsum(counts)
    of_rank = np.searchsorted(ends, ranks, side="right")
    is_asked = np.zeros(len(counts), bool)
    is_asked[of_rank] = True
    # Of what lies below a place, what is in intervals that nobody asks for.
    left_out = np.cumsum(np.where(is_asked, 0, counts))
    return _in_order(x[is_asked[interval]], ranks - left_out[of_rank])


def _in_order(x: Floats, ranks: NDArray[np.intp]) -> Floats:
    return np.asarray(np.partition(x, ranks)[ranks])
