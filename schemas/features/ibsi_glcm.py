"""The dictionary entries of the glcm family (grey level co-occurrence matrix), in pyradiomics' order.

P is the symmetric matrix of the frequencies with which grey levels i and j lie side by side along one of 13
directions; each feature is the mean of its values over the directions.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from schemas.features.ibsi_definition import BIT, NUMBER, FeatureDefinition, feature_definition

__all__ = ["GLCM"]

_glcm = partial(feature_definition, "glcm")

GLCM: Final[tuple[FeatureDefinition, ...]] = (
    _glcm("Autocorrelation", "QWB0", NUMBER, "Expected product of the grey levels of two neighbours."),
    _glcm(
        "ClusterProminence",
        "AE86",
        NUMBER,
        "Fourth central moment of the sum of two neighbours' levels: peakedness and asymmetry of P.",
    ),
    _glcm(
        "ClusterShade",
        "7NFM",
        NUMBER,
        "Third central moment of the sum of two neighbours' levels: skew of P.",
    ),
    _glcm("ClusterTendency", "DG8W", NUMBER, "Variance of the sum of two neighbours' levels."),
    _glcm("Contrast", "ACUI", NUMBER, "Expected squared difference between two neighbours' levels."),
    _glcm("Correlation", "NI2N", NUMBER, "Pearson correlation between the levels of neighbours."),
    _glcm("DifferenceAverage", "TF7R", NUMBER, "Expected absolute difference between two neighbours' levels."),
    _glcm("DifferenceEntropy", "NTRS", BIT, "Entropy of the absolute difference between two neighbours' levels."),
    _glcm(
        "DifferenceVariance",
        "D3YU",
        NUMBER,
        "Variance of the absolute difference between two neighbours' levels.",
    ),
    _glcm("Id", "IB1Z", NUMBER, "Inverse difference: expected 1 / (1 + |i - j|), high in a smooth region."),
    _glcm(
        "Idm",
        "WF0Z",
        NUMBER,
        "Inverse difference moment: expected 1 / (1 + (i - j)²), high in a smooth region.",
    ),
    _glcm("Idmn", "1QCO", NUMBER, "Inverse difference moment with i - j divided by the number of grey levels."),
    _glcm("Idn", "NDRX", NUMBER, "Inverse difference with i - j divided by the number of grey levels."),
    _glcm(
        "Imc1",
        "R8DG",
        NUMBER,
        "Minus the information that neighbours share, over the entropy of one of them: 0 is independence.",
    ),
    _glcm(
        "Imc2",
        "JN9H",
        NUMBER,
        "The information that neighbours share, mapped to 0 (independence) up to 1 (full dependence).",
    ),
    _glcm("InverseVariance", "E8JP", NUMBER, "Sum of P / (i - j)² over the pairs of unequal levels."),
    _glcm("JointAverage", "60VM", NUMBER, "Expected grey level of a voxel that has a neighbour in the mask."),
    _glcm("JointEnergy", "8ZQL", NUMBER, "Sum of the squared frequencies in P, high when few pairs dominate."),
    _glcm("JointEntropy", "TU9B", BIT, "Entropy of the pairs of neighbouring levels."),
    _glcm(
        "MCC",
        None,
        NUMBER,
        "Maximal correlation coefficient: the highest correlation that any recoding of the levels reaches.",
    ),
    _glcm("MaximumProbability", "GYBY", NUMBER, "Frequency of the most frequent pair of levels."),
    _glcm("SumAverage", "ZGXS", NUMBER, "Expected sum of two neighbours' levels: twice JointAverage."),
    _glcm("SumEntropy", "P6QZ", BIT, "Entropy of the sum of two neighbours' levels."),
    _glcm("SumSquares", "UR99", NUMBER, "Variance of the level of a voxel that has a neighbour in the mask."),
)
