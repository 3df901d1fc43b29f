"""Grey level run length matrix (GLRLM): how long a grey level lasts along a line, and 16 features of it.

Symbols: ``P(i, j, a)`` counts the runs of grey level i and length j at angle a; see `flows.extract.fast.emphasis`. A
feature is the mean over the angles.

References
----------
Galloway 1975, doi:10.1016/S0146-664X(75)80008-6; IBSI reference manual, chapter 3.7, doi:10.1148/radiol.2020191145;
formulas: pyradiomics 3.0.1, doi:10.1158/0008-5472.CAN-17-0339.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flows.extract.fast import kernels
from flows.extract.fast.emphasis import SizeMatrix
from flows.extract.fast.levels import LARGEST_COUNT, DegenerateMaskError, MaskLevels

__all__ = ["glrlm_features"]

Floats = NDArray[np.float64]


def glrlm_features(mask: MaskLevels) -> dict[str, float]:
    """Return the features of a mask's run length matrix.

    Raises
    ------
    DegenerateMaskError
        When no line has two voxels of the mask, or one may have more than the kernels count.
    """
    runs = _matrix(mask)
    found: dict[str, Floats] = {
        "ShortRunEmphasis": runs.size_emphasis(-2),
        "LongRunEmphasis": runs.size_emphasis(2),
        "GrayLevelNonUniformity": runs.level_non_uniformity(),
        "GrayLevelNonUniformityNormalized": runs.level_non_uniformity() / runs.N,
        "RunLengthNonUniformity": runs.size_non_uniformity(),
        "RunLengthNonUniformityNormalized": runs.size_non_uniformity() / runs.N,
        "RunPercentage": runs.N / runs.members(),
        "GrayLevelVariance": runs.level_variance(),
        "RunVariance": runs.size_variance(),
        "RunEntropy": runs.entropy(),
        "LowGrayLevelRunEmphasis": runs.level_emphasis(-2),
        "HighGrayLevelRunEmphasis": runs.level_emphasis(2),
        "ShortRunLowGrayLevelEmphasis": runs.joint_emphasis(-2, -2),
        "ShortRunHighGrayLevelEmphasis": runs.joint_emphasis(2, -2),
        "LongRunLowGrayLevelEmphasis": runs.joint_emphasis(-2, 2),
        "LongRunHighGrayLevelEmphasis": runs.joint_emphasis(2, 2),
    }
    return dict(zip(found, np.mean(list(found.values()), axis=1).tolist(), strict=True))


def _matrix(mask: MaskLevels) -> SizeMatrix:
    """Return P(i, j, a) of the angles along which a line has two voxels of the mask."""
    angles = mask.angles()
    longest = max(mask.layout.inside.shape)
    if longest > LARGEST_COUNT:
        raise DegenerateMaskError
    counts = kernels.run_counts(mask.ranks, mask.layout.rows, mask.offsets(angles), len(mask.present), longest)
    used = np.flatnonzero(counts.any((0, 2)))
    counts, lengths = counts[:, used], (used + 1).astype(float)
    is_there = (counts[:, lengths > 1, a].any() or _has_line(mask, angle) for a, angle in enumerate(angles))
    there = np.fromiter(is_there, dtype=bool, count=len(angles))
    P = counts[:, :, there].astype(float)
    if (norm := mask.settings.weighting_norm) is not None:
        weights = np.ones(len(angles)) if norm == "no_weighting" else mask.lengths_mm(angles, norm)
        P = np.sum(P * weights[there], 2, keepdims=True)
    if not there.any():
        raise DegenerateMaskError
    kept = P.any((0, 2))
    return SizeMatrix(P[:, kept], mask.grey, lengths[kept])


def _has_line(mask: MaskLevels, angle: NDArray[np.int64]) -> bool:
    """Return whether two voxels of the mask lie on one line at an angle, next to each other or not."""
    voxels = np.argwhere(mask.layout.inside)
    axis = int(np.flatnonzero(angle)[0])
    feet = voxels - (voxels[:, axis] * angle[axis])[:, None] * angle
    return len(np.unique(feet, axis=0)) < len(feet)
