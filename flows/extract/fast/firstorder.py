"""First-order statistics: 18 features of the intensities of a mask's voxels, wherever they lie.

Symbols: ``x`` are the intensities, ``p(i)`` the share of voxels in bin i of the discretised image.

References
----------
IBSI reference manual, chapters 3.3 and 3.4, doi:10.1148/radiol.2020191145; formulas: pyradiomics 3.0.1,
doi:10.1158/0008-5472.CAN-17-0339.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["firstorder_features"]

Floats = NDArray[np.float64]


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
    n, ordered = len(x), np.sort(x)
    p = bin_counts / n
    p10, p25, p50, p75, p90 = (_percentile(ordered, share) for share in (0.10, 0.25, 0.50, 0.75, 0.90))
    mean = x.mean()
    deviation = x - mean
    square = deviation * deviation
    m2, m3, m4 = square.mean(), (square * deviation).mean(), (square * square).mean()
    robust = ordered[np.searchsorted(ordered, p10) : np.searchsorted(ordered, p90, side="right")]
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
        "Maximum": ordered[-1],
        "MeanAbsoluteDeviation": np.abs(deviation).mean(),
        "Mean": mean,
        "Median": p50,
        "Minimum": ordered[0],
        "Range": ordered[-1] - ordered[0],
        "RobustMeanAbsoluteDeviation": np.abs(robust - robust.mean()).mean() if len(robust) else math.nan,
        "RootMeanSquared": math.sqrt(energy / n),
        "Skewness": m3 / m2**1.5 if m2 else 0.0,
        "TotalEnergy": energy * voxel_mm3,
        "Uniformity": np.sum(p**2),
        "Variance": m2,
    }
    return {name: float(value) for name, value in found.items()}


def _percentile(ordered: Floats, share: float) -> float:
    """Return a percentile by linear interpolation between the two nearest values, rounded as numpy does."""
    place = share * (len(ordered) - 1)
    below = int(place)
    low, high, part = ordered[below], ordered[min(below + 1, len(ordered) - 1)], place - below
    return float(high - (high - low) * (1 - part) if part >= 0.5 else low + (high - low) * part)
