"""What each voxel has beside it: the features of two matrices, which one pass over the mask gives.

The grey level dependence matrix (GLDM) has 14 features, the neighbouring grey tone difference matrix (NGTDM) 5.

Symbols: of GLDM, ``P(i, j)`` counts the voxels of grey level i that have j - 1 dependent neighbours, those whose grey
level differs by at most alpha; see `flows.extract.fast.emphasis`. Of NGTDM, ``p(i)`` is the share of voxels of grey
level i, and ``s(i)`` the sum over them of the absolute difference from the mean of their neighbours.

References
----------
GLDM: Sun and Wee 1983, doi:10.1016/0734-189X(83)90032-4. NGTDM: Amadasun and King 1989, doi:10.1109/21.44046. IBSI
reference manual, chapters 3.10 and 3.11, doi:10.1148/radiol.2020191145; formulas: pyradiomics 3.0.1,
doi:10.1158/0008-5472.CAN-17-0339.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flows.extract.fast import kernels
from flows.extract.fast.emphasis import SizeMatrix
from flows.extract.fast.levels import LARGEST_COUNT, DegenerateMaskError, MaskLevels

__all__ = ["Neighbourhoods", "gldm_features", "neighbourhoods", "ngtdm_features"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Neighbourhoods:
    """What a mask's voxels have beside them.

    Attributes
    ----------
    i : ndarray of shape (levels,)
        The grey levels.
    dependents : ndarray of shape (levels, neighbours + 1)
        How many voxels of a level have so many dependent neighbours.
    s : ndarray of shape (levels,)
        The sum of absolute differences from the mean of a voxel's neighbours.
    """

    i: Floats
    dependents: Floats
    s: Floats


def neighbourhoods(mask: MaskLevels) -> Neighbourhoods:
    """Return what the voxels of a mask have beside them.

    Raises
    ------
    DegenerateMaskError
        When there are no neighbours, or more than the kernels count.
    """
    offsets = mask.offsets(mask.angles(mask.settings.distances_voxels, both_ways=True))
    if len(offsets) > LARGEST_COUNT:
        raise DegenerateMaskError
    # Levels are no further apart than the highest.
    n_levels, alpha = len(mask.present), min(mask.settings.gldm_alpha, mask.highest)
    dependents, s = kernels.neighbourhoods(mask.levels, mask.ranks, mask.layout.rows, offsets, n_levels, alpha)
    return Neighbourhoods(mask.grey, dependents.astype(float), s)


def gldm_features(beside: Neighbourhoods) -> dict[str, float]:
    """Return the features of the dependence matrix."""
    used = beside.dependents.any(0)
    of_voxels = SizeMatrix(beside.dependents[:, used, None], beside.i, np.flatnonzero(used).astype(float) + 1)
    found = {
        "SmallDependenceEmphasis": of_voxels.size_emphasis(-2),
        "LargeDependenceEmphasis": of_voxels.size_emphasis(2),
        "GrayLevelNonUniformity": of_voxels.level_non_uniformity(),
        "DependenceNonUniformity": of_voxels.size_non_uniformity(),
        "DependenceNonUniformityNormalized": of_voxels.size_non_uniformity() / of_voxels.N,
        "GrayLevelVariance": of_voxels.level_variance(),
        "DependenceVariance": of_voxels.size_variance(),
        "DependenceEntropy": of_voxels.entropy(),
        "LowGrayLevelEmphasis": of_voxels.level_emphasis(-2),
        "HighGrayLevelEmphasis": of_voxels.level_emphasis(2),
        "SmallDependenceLowGrayLevelEmphasis": of_voxels.joint_emphasis(-2, -2),
        "SmallDependenceHighGrayLevelEmphasis": of_voxels.joint_emphasis(2, -2),
        "LargeDependenceLowGrayLevelEmphasis": of_voxels.joint_emphasis(-2, 2),
        "LargeDependenceHighGrayLevelEmphasis": of_voxels.joint_emphasis(2, 2),
    }
    return {name: float(value[0]) for name, value in found.items()}


def ngtdm_features(beside: Neighbourhoods) -> dict[str, float]:
    """Return the features of the grey tone difference matrix."""
    i, s, n = beside.i, beside.s, beside.dependents.sum(1)
    voxels, n_levels = n.sum(), len(i)
    p = n / voxels
    weighted = float(np.sum(p * s))
    apart = np.subtract.outer(i, i)
    ip, ps = i * p, p * s
    spread = float(np.sum(np.abs(np.subtract.outer(ip, ip))))
    contrast = float(np.sum(np.outer(p, p) * apart**2) * s.sum() / voxels)
    total = float(s.sum())
    return {
        "Busyness": weighted / spread if spread else 0.0,
        "Coarseness": 1 / weighted if weighted else 1e6,
        "Complexity": float(np.sum(np.abs(apart) * np.add.outer(ps, ps) / np.add.outer(p, p)) / voxels),
        "Contrast": contrast / (n_levels * (n_levels - 1)) if n_levels > 1 else 0.0,
        "Strength": float(np.sum(np.add.outer(p, p) * apart**2)) / total if total else 0.0,
    }
