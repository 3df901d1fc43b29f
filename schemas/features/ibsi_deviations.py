"""Where pyradiomics 3.0.1 leaves the IBSI reference: one identifier and one sentence or two each.

Some change how a feature is calculated from voxels and grey levels: always, or under some settings. The others come
with how the image was discretised, prepared or filtered. `schemas.features.ibsi_departures` tells which settings bring
which, and whose values they touch.

Sources: IBSI-1 reference manual (arXiv:1612.07003), IBSI-2 filters (doi:10.1148/radiol.231319), and the
behaviour of pyradiomics 3.0.1, which the tests measure.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

__all__ = [
    "AXES_POPULATION_COVARIANCE",
    "DEVIATIONS",
    "DISCRETISATION_DEVIATIONS",
    "FEATURE_DEVIATIONS",
    "IMAGE_TYPE_DEVIATIONS",
    "KURTOSIS_NOT_EXCESS",
    "NOT_IN_IBSI",
    "PREPROCESSING_DEVIATIONS",
    "SETTING_DEVIATIONS",
]

NOT_IN_IBSI: Final = "not-in-ibsi"
KURTOSIS_NOT_EXCESS: Final = "kurtosis-not-excess"
AXES_POPULATION_COVARIANCE: Final = "axes-population-covariance"

FEATURE_DEVIATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        NOT_IN_IBSI: "IBSI-1 defines no such feature: it has neither a code nor a reference value.",
        KURTOSIS_NOT_EXCESS: (
            "Kurtosis is not reduced to excess kurtosis: the value is IBSI's plus 3, but for a mask of a "
            "single intensity, where both give 0."
        ),
        AXES_POPULATION_COVARIANCE: (
            "The covariance of the N voxel centres is divided by N, while IBSI's reference values follow "
            "from N - 1: the length is IBSI's times sqrt((N - 1) / N)."
        ),
    }
)
"""What keeps a feature from IBSI's value under all settings."""

SETTING_DEVIATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "voxel-array-shift": (
            "With a voxel_array_shift other than 0, that constant is added to the intensities before Energy, "
            "TotalEnergy and RootMeanSquared; IBSI adds none."
        ),
        "asymmetric-glcm": (
            "Without symmetrical_glcm each pair of neighbours counts in one direction only, the first voxel's level "
            "first; IBSI's matrix is symmetric."
        ),
        "distance-weighting": (
            "With a weighting_norm the matrices of the directions are merged with weights by distance in mm, those of "
            "the GLRLM growing with it; IBSI's reference values weigh all directions alike."
        ),
        "neighbour-distances": (
            "Neighbours are looked for at other distances than 1 voxel, or at several at once; IBSI's reference values "
            "are for Chebyshev distance 1."
        ),
        "dependence-coarseness": (
            "With a gldm_alpha above 0 voxels of unequal grey level depend on each other too; IBSI's reference values "
            "are for 0."
        ),
        "slices-not-axial": (
            "With force_2d_dimension 1 or 2, slices lie across the y or x axis; IBSI's by-slice matrices are those of "
            "the slices across z."
        ),
    }
)
"""What keeps a feature from IBSI's value under some settings, though it starts from the same voxels and grey levels."""

DISCRETISATION_DEVIATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bin-edges-from-zero": (
            "Fixed-width bins start at the multiple of the bin width at or below the lowest intensity in the "
            "mask; IBSI starts them at that intensity, or at the lower bound of the re-segmentation range. There is no "
            "difference in masks whose lowest intensity is such a multiple (and that bound, where there is one)."
        ),
        "fixed-width-on-arbitrary-units": (
            "Fixed-width bins are applied to intensities of arbitrary unit, normalised or filtered, for which IBSI "
            "recommends a fixed number of bins."
        ),
    }
)

PREPROCESSING_DEVIATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bias-field-corrected": (
            "An estimated bias field (N4) is divided out of the image first; IBSI-1 names such corrections among what "
            "an image may have gone through before, and defines none."
        ),
        "whole-image-normalisation": (
            "Intensities are centred on the mean and divided by the standard deviation of the whole image, a "
            "step that IBSI-1 does not define."
        ),
        "body-normalisation": (
            "Intensities are centred on the mean and divided by the standard deviation of the body (what is brighter "
            "than the lower of Otsu's two thresholds), a step that IBSI-1 does not define."
        ),
        "landmark-standardisation": (
            "Intensities are brought to a standard scale that was learnt from training patients, by straight lines "
            "between percentiles (Nyul and Udupa), a step that IBSI-1 does not define."
        ),
        "outliers-clipped": (
            "Normalised intensities beyond remove_outliers of the standard deviations that normalised them are set to "
            "that bound; IBSI's outlier filter drops voxels from the mask, by the mean and deviation inside it."
        ),
        "grid-aligned-at-corner": (
            "The resampled grid shares the outer corner of the first voxel with the native grid; IBSI aligns "
            "the centres of the two grids. They are the same where a whole number of new voxels fills the image."
        ),
        "mask-nearest-neighbour": (
            "A mask is resampled by the nearest neighbour; IBSI interpolates it linearly and keeps voxels of at least "
            "one half."
        ),
        "interpolator-not-in-ibsi": (
            "The image is resampled by a Gaussian or a windowed sinc, which IBSI-1 does not define: it has the nearest "
            "neighbour, linear and cubic interpolation."
        ),
        "intensities-not-rounded": (
            "Resampled intensities are not rounded; IBSI rounds those of CT to whole Hounsfield units, as the scanner "
            "gives them."
        ),
        "resegmented-by-maximum": (
            "Re-segmentation keeps shares of the highest intensity in the mask; IBSI-1 has a range of intensities and "
            "an outlier filter."
        ),
        "shape-of-resegmented-mask": (
            "Shape is measured on the re-segmented mask; IBSI measures it on the whole one and re-segments that of the "
            "intensities alone."
        ),
        "voxels-shuffled": (
            "A negative control: the intensities inside the mask were shuffled among its voxels, which no standard has."
        ),
    }
)

IMAGE_TYPE_DEVIATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "log-scale-normalised": (
            "A Laplacian of Gaussian is IBSI-2's response times (sigma / spacing) squared, of the same sign: divide by "
            "that factor, with the spacing of the isotropic working grid, to get IBSI-2's. Besides, it is a recursive "
            "approximation, about 1 % larger on smooth structures, and IBSI-2's is a kernel cut off at 4 sigma."
        ),
        "filtered-on-padded-crop": (
            "Once a spacing is set, filters see only the mask's bounding box and its padding, on which the responses "
            "then depend, since the padding is shorter than the filter; IBSI-2's scheme filters the interpolated image."
        ),
        "wavelet-periodic-boundary": (
            "The wavelet transform continues the image periodically at its faces, after one wrapped voxel is "
            "added to an axis of odd length; IBSI-2 has the boundary reported as a parameter of the filter."
        ),
        "wavelet-levels-not-dilated": (
            "Beyond the first level, wavelets filter the approximation with the same filter again; IBSI-2's stationary "
            "transform puts zeros between the filter's weights, twice as many a level."
        ),
    }
)

DEVIATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **PREPROCESSING_DEVIATIONS,
        **DISCRETISATION_DEVIATIONS,
        **IMAGE_TYPE_DEVIATIONS,
        **SETTING_DEVIATIONS,
        **FEATURE_DEVIATIONS,
    }
)
