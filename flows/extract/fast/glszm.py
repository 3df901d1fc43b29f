"""Grey level size zone matrix (GLSZM): how large the zones of one grey level are, and 16 features of it.

Symbols: ``P(i, j)`` counts the zones of grey level i and of j voxels, which touch by a face, an edge or a corner; see
`flows.extract.fast.emphasis`.

References
----------
Thibault et al. 2009 (texture indexes and gray level size zone matrix); IBSI reference manual, chapter 3.8,
doi:10.1148/radiol.2020191145; formulas: pyradiomics 3.0.1, doi:10.1158/0008-5472.CAN-17-0339.
"""

from __future__ import annotations

import numpy as np

from flows.extract.fast import kernels
from flows.extract.fast.emphasis import SizeMatrix
from flows.extract.fast.levels import MaskLevels

__all__ = ["glszm_features"]


def glszm_features(mask: MaskLevels) -> dict[str, float]:
    """Return the features of a mask's size zone matrix."""
    zones = _matrix(mask)
    found = {
        "SmallAreaEmphasis": zones.size_emphasis(-2),
        "LargeAreaEmphasis": zones.size_emphasis(2),
        "GrayLevelNonUniformity": zones.level_non_uniformity(),
        "GrayLevelNonUniformityNormalized": zones.level_non_uniformity() / zones.N,
        "SizeZoneNonUniformity": zones.size_non_uniformity(),
        "SizeZoneNonUniformityNormalized": zones.size_non_uniformity() / zones.N,
        "ZonePercentage": zones.N / zones.members(),
        "GrayLevelVariance": zones.level_variance(),
        "ZoneVariance": zones.size_variance(),
        "ZoneEntropy": zones.entropy(),
        "LowGrayLevelZoneEmphasis": zones.level_emphasis(-2),
        "HighGrayLevelZoneEmphasis": zones.level_emphasis(2),
        "SmallAreaLowGrayLevelEmphasis": zones.joint_emphasis(-2, -2),
        "SmallAreaHighGrayLevelEmphasis": zones.joint_emphasis(2, -2),
        "LargeAreaLowGrayLevelEmphasis": zones.joint_emphasis(-2, 2),
        "LargeAreaHighGrayLevelEmphasis": zones.joint_emphasis(2, 2),
    }
    return {name: float(value[0]) for name, value in found.items()}


def _matrix(mask: MaskLevels) -> SizeMatrix:
    """Return P(i, j) of the sizes that occur, as of one angle."""
    angles = mask.angles()
    between = np.abs(angles[:, None] - angles).max(2)
    touching = ((between <= 1) << np.arange(len(angles))).sum(1).astype(np.uint16)
    ranks, sizes = kernels.zones(mask.ranks, mask.layout.rows, mask.layout.places, mask.offsets(angles), touching)
    j = np.flatnonzero(np.bincount(sizes))
    place_of = np.zeros(j[-1] + 1, dtype=np.int64)
    place_of[j] = np.arange(len(j))
    P = np.bincount((ranks - 1) * len(j) + place_of[sizes], minlength=len(mask.present) * len(j)).astype(float)
    return SizeMatrix(P.reshape(len(mask.present), len(j), 1), mask.grey, j.astype(float))
