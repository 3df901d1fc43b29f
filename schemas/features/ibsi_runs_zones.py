"""The dictionary entries of the glrlm and glszm families, in pyradiomics' order.

A run is a line of voxels of one grey level along one of 13 directions, each feature the mean over the
directions. A zone is a set of voxels of one grey level connected through faces, edges or corners; its matrix
has no direction.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from schemas.features.ibsi_definition import BIT, NUMBER, FeatureDefinition, feature_definition

__all__ = ["GLRLM", "GLSZM"]

_glrlm = partial(feature_definition, "glrlm")
_glszm = partial(feature_definition, "glszm")

GLRLM: Final[tuple[FeatureDefinition, ...]] = (
    _glrlm(
        "GrayLevelNonUniformity",
        "R5YN",
        NUMBER,
        "Squared run counts of the levels, summed, over the number of runs.",
    ),
    _glrlm(
        "GrayLevelNonUniformityNormalized",
        "OVBL",
        NUMBER,
        "Sum of the squared shares of the runs that each level holds: low when runs vary in level.",
    ),
    _glrlm("GrayLevelVariance", "8CE5", NUMBER, "Variance of the grey level over the runs."),
    _glrlm("HighGrayLevelRunEmphasis", "G3QZ", NUMBER, "Mean squared grey level of the runs."),
    _glrlm("LongRunEmphasis", "W4KF", NUMBER, "Mean squared length of the runs, in voxels."),
    _glrlm(
        "LongRunHighGrayLevelEmphasis",
        "3KUM",
        NUMBER,
        "Mean over the runs of squared length times squared level.",
    ),
    _glrlm(
        "LongRunLowGrayLevelEmphasis",
        "IVPO",
        NUMBER,
        "Mean over the runs of squared length over squared level.",
    ),
    _glrlm("LowGrayLevelRunEmphasis", "V3SW", NUMBER, "Mean inverse squared grey level of the runs."),
    _glrlm("RunEntropy", "HJ9O", BIT, "Entropy of the pairs of grey level and run length."),
    _glrlm(
        "RunLengthNonUniformity",
        "W92Y",
        NUMBER,
        "Squared run counts of the lengths, summed, over the number of runs.",
    ),
    _glrlm(
        "RunLengthNonUniformityNormalized",
        "IC23",
        NUMBER,
        "Sum of the squared shares of the runs that each length holds: low when runs vary in length.",
    ),
    _glrlm(
        "RunPercentage",
        "9ZK5",
        NUMBER,
        "Number of runs over the number of voxels: 1 when no run passes one voxel.",
    ),
    _glrlm("RunVariance", "SXLW", NUMBER, "Variance of the run length, in voxels."),
    _glrlm("ShortRunEmphasis", "22OV", NUMBER, "Mean inverse squared length of the runs."),
    _glrlm(
        "ShortRunHighGrayLevelEmphasis",
        "GD3A",
        NUMBER,
        "Mean over the runs of squared level over squared length.",
    ),
    _glrlm(
        "ShortRunLowGrayLevelEmphasis",
        "HTZT",
        NUMBER,
        "Mean over the runs of 1 over the product of squared level and squared length.",
    ),
)

GLSZM: Final[tuple[FeatureDefinition, ...]] = (
    _glszm(
        "GrayLevelNonUniformity",
        "JNSA",
        NUMBER,
        "Squared zone counts of the levels, summed, over the number of zones.",
    ),
    _glszm(
        "GrayLevelNonUniformityNormalized",
        "Y1RO",
        NUMBER,
        "Sum of the squared shares of the zones that each level holds: low when zones vary in level.",
    ),
    _glszm("GrayLevelVariance", "BYLV", NUMBER, "Variance of the grey level over the zones."),
    _glszm("HighGrayLevelZoneEmphasis", "5GN9", NUMBER, "Mean squared grey level of the zones."),
    _glszm("LargeAreaEmphasis", "48P8", NUMBER, "Mean squared size of the zones, in voxels."),
    _glszm(
        "LargeAreaHighGrayLevelEmphasis",
        "J17V",
        NUMBER,
        "Mean over the zones of squared size times squared level.",
    ),
    _glszm(
        "LargeAreaLowGrayLevelEmphasis",
        "YH51",
        NUMBER,
        "Mean over the zones of squared size over squared level.",
    ),
    _glszm("LowGrayLevelZoneEmphasis", "XMSY", NUMBER, "Mean inverse squared grey level of the zones."),
    _glszm(
        "SizeZoneNonUniformity",
        "4JP3",
        NUMBER,
        "Squared zone counts of the sizes, summed, over the number of zones.",
    ),
    _glszm(
        "SizeZoneNonUniformityNormalized",
        "VB3A",
        NUMBER,
        "Sum of the squared shares of the zones that each size holds: low when zones vary in size.",
    ),
    _glszm("SmallAreaEmphasis", "5QRC", NUMBER, "Mean inverse squared size of the zones."),
    _glszm(
        "SmallAreaHighGrayLevelEmphasis",
        "HW1V",
        NUMBER,
        "Mean over the zones of squared level over squared size.",
    ),
    _glszm(
        "SmallAreaLowGrayLevelEmphasis",
        "5RAI",
        NUMBER,
        "Mean over the zones of 1 over the product of squared level and squared size.",
    ),
    _glszm("ZoneEntropy", "GU8N", BIT, "Entropy of the pairs of grey level and zone size."),
    _glszm(
        "ZonePercentage",
        "P30P",
        NUMBER,
        "Number of zones over the number of voxels: 1 when every voxel is a zone.",
    ),
    _glszm("ZoneVariance", "3NSA", NUMBER, "Variance of the zone size, in voxels."),
)
