"""IBSI's digital phantom and its consensus values, by the features of the dictionary.

Reference: Zwanenburg et al. 2020, doi:10.1148/radiol.2020191145. The phantom's intensities 1, 3, 4, 6 are its grey
levels, which bins of width 1, or six bins, keep.
"""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import SimpleITK

# pyradiomics' names and the tags of the reference table, without the tag's aggregation.
TAGS = {
    "shape": ("morph_", "", {
        "Elongation": "pca_elongation", "Flatness": "pca_flatness", "LeastAxisLength": "pca_least_axis",
        "MajorAxisLength": "pca_maj_axis", "Maximum3DDiameter": "diam", "MeshVolume": "volume",
        "MinorAxisLength": "pca_min_axis", "Sphericity": "sphericity", "SurfaceArea": "area_mesh",
        "SurfaceVolumeRatio": "av", "VoxelVolume": "vol_approx",
    }),
    "firstorder": ("", "", {
        "10Percentile": "stat_p10", "90Percentile": "stat_p90", "Energy": "stat_energy",
        "Entropy": "ih_entropy", "InterquartileRange": "stat_iqr", "Kurtosis": "stat_kurt",
        "Maximum": "stat_max", "MeanAbsoluteDeviation": "stat_mad", "Mean": "stat_mean",
        "Median": "stat_median", "Minimum": "stat_min", "Range": "stat_range",
        "RobustMeanAbsoluteDeviation": "stat_rmad", "RootMeanSquared": "stat_rms",
        "Skewness": "stat_skew", "Uniformity": "ih_uniformity", "Variance": "stat_var",
    }),
    "glcm": ("cm_", "_3D_avg", {
        "Autocorrelation": "auto_corr", "ClusterProminence": "clust_prom", "ClusterShade": "clust_shade",
        "ClusterTendency": "clust_tend", "Contrast": "contrast", "Correlation": "corr",
        "DifferenceAverage": "diff_avg", "DifferenceEntropy": "diff_entr", "DifferenceVariance": "diff_var",
        "Id": "inv_diff", "Idm": "inv_diff_mom", "Idmn": "inv_diff_mom_norm", "Idn": "inv_diff_norm",
        "Imc1": "info_corr1", "Imc2": "info_corr2",
        "InverseVariance": "inv_var",
        "JointAverage": "joint_avg", "JointEnergy": "energy",
        "JointEntropy": "joint_entr", "MaximumProbability": "joint_max", "SumAverage": "sum_avg",
        "SumEntropy": "sum_entr", "SumSquares": "joint_var",
    }),
    "gldm": ("ngl_", "_3D", {
        "DependenceEntropy": "dc_entr", "DependenceNonUniformity": "dcnu",
        "DependenceNonUniformityNormalized": "dcnu_norm", "DependenceVariance": "dc_var",
        "GrayLevelNonUniformity": "glnu", "GrayLevelVariance": "gl_var", "HighGrayLevelEmphasis": "hgce",
        "LargeDependenceEmphasis": "hde", "LargeDependenceHighGrayLevelEmphasis": "hdhge",
        "LargeDependenceLowGrayLevelEmphasis": "hdlge", "LowGrayLevelEmphasis": "lgce",
        "SmallDependenceEmphasis": "lde", "SmallDependenceHighGrayLevelEmphasis": "ldhge",
        "SmallDependenceLowGrayLevelEmphasis": "ldlge",
    }),
    "glrlm": ("rlm_", "_3D_avg", {
        "GrayLevelNonUniformity": "glnu", "GrayLevelNonUniformityNormalized": "glnu_norm",
        "GrayLevelVariance": "gl_var", "HighGrayLevelRunEmphasis": "hgre", "LongRunEmphasis": "lre",
        "LongRunHighGrayLevelEmphasis": "lrhge", "LongRunLowGrayLevelEmphasis": "lrlge",
        "LowGrayLevelRunEmphasis": "lgre", "RunEntropy": "rl_entr", "RunLengthNonUniformity": "rlnu",
        "RunLengthNonUniformityNormalized": "rlnu_norm", "RunPercentage": "r_perc", "RunVariance": "rl_var",
        "ShortRunEmphasis": "sre", "ShortRunHighGrayLevelEmphasis": "srhge",
        "ShortRunLowGrayLevelEmphasis": "srlge",
    }),
    "glszm": ("szm_", "_3D", {
        "GrayLevelNonUniformity": "glnu", "GrayLevelNonUniformityNormalized": "glnu_norm",
        "GrayLevelVariance": "gl_var", "HighGrayLevelZoneEmphasis": "hgze", "LargeAreaEmphasis": "lze",
        "LargeAreaHighGrayLevelEmphasis": "lzhge", "LargeAreaLowGrayLevelEmphasis": "lzlge",
        "LowGrayLevelZoneEmphasis": "lgze", "SizeZoneNonUniformity": "zsnu",
        "SizeZoneNonUniformityNormalized": "zsnu_norm", "SmallAreaEmphasis": "sze",
        "SmallAreaHighGrayLevelEmphasis": "szhge", "SmallAreaLowGrayLevelEmphasis": "szlge",
        "ZoneEntropy": "zs_entr", "ZonePercentage": "z_perc", "ZoneVariance": "zs_var",
    }),
    "ngtdm": ("ngt_", "_3D", {
        "Busyness": "busyness", "Coarseness": "coarseness", "Complexity": "complexity",
        "Contrast": "contrast", "Strength": "strength",
    }),
}  # fmt: skip
REFERENCE_TAGS = {
    (family, name): f"{prefix}{tag}{aggregation}"
    for family, (prefix, aggregation, tags) in TAGS.items()
    for name, tag in tags.items()
}


def three_digits(value: float) -> float:
    """Return the value to three significant digits, the precision of IBSI's reference values."""
    return float(f"{value:.3g}")


def read_phantom(shared_data: Callable[[str], Path]) -> tuple[SimpleITK.Image, SimpleITK.Image]:
    """Return image and mask of the IBSI-1 digital phantom."""
    folder = shared_data("ibsi1_digital_phantom") / "nifti"
    return (
        SimpleITK.ReadImage(str(folder / "image" / "phantom.nii.gz")),
        SimpleITK.ReadImage(str(folder / "mask" / "mask.nii.gz")),
    )


def read_consensus(shared_data: Callable[[str], Path]) -> dict[str, tuple[float, float]]:
    """Return IBSI's consensus values and tolerances on the phantom by tag."""
    path = shared_data("ibsi1_digital_phantom") / "ibsi_1_dig_phantom.csv"
    with path.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter=";"))
    return {
        row["tag"]: (float(row["reference value"]), float(row["tolerance"])) for row in rows if row["reference value"]
    }
