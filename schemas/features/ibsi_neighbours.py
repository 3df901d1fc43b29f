"""The dictionary entries of the gldm and ngtdm families, in pyradiomics' order.

IBSI calls the first the neighbouring grey level dependence matrix, the second the neighbourhood grey tone
difference matrix. The neighbours of a voxel are the up to 26 voxels of the mask that touch it; its dependence
is 1 plus the number of them that have its grey level; its tone difference is the distance of its level from
their mean level.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from schemas.features.ibsi_definition import BIT, NUMBER, FeatureDefinition, feature_definition

__all__ = ["GLDM", "NGTDM"]

_gldm = partial(feature_definition, "gldm")
_ngtdm = partial(feature_definition, "ngtdm")

GLDM: Final[tuple[FeatureDefinition, ...]] = (
    _gldm("DependenceEntropy", "FCBV", BIT, "Entropy of the pairs of grey level and dependence."),
    _gldm(
        "DependenceNonUniformity",
        "Z87G",
        NUMBER,
        "Squared voxel counts of the dependences, summed, over the number of voxels.",
    ),
    _gldm(
        "DependenceNonUniformityNormalized",
        "OKJI",
        NUMBER,
        "Sum of the squared shares of the voxels that each dependence holds: low when dependences vary.",
    ),
    _gldm("DependenceVariance", "DNX2", NUMBER, "Variance of the dependence over the voxels."),
    _gldm(
        "GrayLevelNonUniformity",
        "FP8K",
        NUMBER,
        "Squared voxel counts of the levels, summed, over the number of voxels.",
    ),
    _gldm("GrayLevelVariance", "1PFV", NUMBER, "Variance of the grey level over the voxels."),
    _gldm("HighGrayLevelEmphasis", "OAE7", NUMBER, "Mean squared grey level of the voxels."),
    _gldm("LargeDependenceEmphasis", "IMOQ", NUMBER, "Mean squared dependence: high in a smooth region."),
    _gldm(
        "LargeDependenceHighGrayLevelEmphasis",
        "9QMG",
        NUMBER,
        "Mean over the voxels of squared dependence times squared level.",
    ),
    _gldm(
        "LargeDependenceLowGrayLevelEmphasis",
        "NBZI",
        NUMBER,
        "Mean over the voxels of squared dependence over squared level.",
    ),
    _gldm("LowGrayLevelEmphasis", "TL9H", NUMBER, "Mean inverse squared grey level of the voxels."),
    _gldm("SmallDependenceEmphasis", "SODN", NUMBER, "Mean inverse squared dependence: high in a busy region."),
    _gldm(
        "SmallDependenceHighGrayLevelEmphasis",
        "JA6D",
        NUMBER,
        "Mean over the voxels of squared level over squared dependence.",
    ),
    _gldm(
        "SmallDependenceLowGrayLevelEmphasis",
        "EQ3F",
        NUMBER,
        "Mean over the voxels of 1 over the product of squared level and squared dependence.",
    ),
)

NGTDM: Final[tuple[FeatureDefinition, ...]] = (
    _ngtdm(
        "Busyness",
        "NQ30",
        NUMBER,
        "Frequency-weighted tone differences over weighted differences between levels: rapid small changes.",
    ),
    _ngtdm(
        "Coarseness",
        "QCDE",
        NUMBER,
        "Inverse of the frequency-weighted sum of tone differences, 10⁶ if it is 0: large even patches.",
    ),
    _ngtdm(
        "Complexity",
        "HDEZ",
        NUMBER,
        "Level differences weighted by the tone differences of both levels, per voxel: many sharp changes.",
    ),
    _ngtdm(
        "Contrast",
        "65HE",
        NUMBER,
        "Spread of the levels times the mean tone difference: a wide range that changes from voxel to voxel.",
    ),
    _ngtdm(
        "Strength",
        "1X9X",
        NUMBER,
        "Frequency-weighted squared level differences over the sum of tone differences: distinct patches.",
    ),
)
