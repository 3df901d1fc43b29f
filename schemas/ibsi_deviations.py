"""Where pyradiomics 3.0.1 leaves the IBSI reference: one identifier and one sentence each.

A deviation that changes one feature's value is named by that feature's dictionary entry. The others come with
how the image was discretised, prepared or filtered: a feature set's description lists those that its settings
bring.

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

DISCRETISATION_DEVIATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bin-edges-from-zero": (
            "Fixed-width bins start at the multiple of the bin width at or below the lowest intensity in the "
            "mask; IBSI starts them at that intensity, or at the lower bound of the re-segmentation range."
        ),
        "fixed-width-on-arbitrary-units": (
            "Fixed-width bins are applied to intensities of arbitrary unit, such as normalised MR or "
            "filtered images, for which IBSI recommends a fixed number of bins."
        ),
    }
)

PREPROCESSING_DEVIATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "grid-aligned-at-corner": (
            "The resampled grid shares the outer corner of the first voxel with the native grid; IBSI aligns "
            "the centres of the two grids."
        ),
        "whole-image-normalisation": (
            "Intensities are centred on the mean and divided by the standard deviation of the whole image, a "
            "step that IBSI-1 does not define."
        ),
    }
)

IMAGE_TYPE_DEVIATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "log-scale-normalised": (
            "The Laplacian of Gaussian is a recursive approximation multiplied by sigma squared; IBSI-2's is "
            "a truncated kernel without that factor."
        ),
        "filtered-on-padded-crop": (
            "Once an image is resampled or cropped, filters see only the mask's bounding box and its "
            "padding, on which the responses then depend; IBSI-2's scheme filters the interpolated image."
        ),
        "wavelet-periodic-boundary": (
            "The wavelet transform continues the image periodically at its faces, after one wrapped voxel is "
            "added to an axis of odd length; IBSI-2 has the boundary reported as a parameter of the filter."
        ),
    }
)

SETTING_DEVIATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "voxel-array-shift": (
            "With a voxelArrayShift other than 0, that constant is added to the intensities before Energy, "
            "TotalEnergy and RootMeanSquared; IBSI adds none."
        ),
    }
)

DEVIATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        **FEATURE_DEVIATIONS,
        **DISCRETISATION_DEVIATIONS,
        **PREPROCESSING_DEVIATIONS,
        **IMAGE_TYPE_DEVIATIONS,
        **SETTING_DEVIATIONS,
    }
)
