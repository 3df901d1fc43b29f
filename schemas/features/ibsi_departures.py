"""Which settings of an extraction depart from IBSI, and whose values each departure touches.

A departure is listed exactly where the settings can take a value away from IBSI's: not one of a step that they leave
out, nor one that touches no column that they ask for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from schemas.features.ibsi import FEATURES, definition_of
from schemas.features.ibsi_deviations import DEVIATIONS
from schemas.features.names import ORIGINAL, SHAPE, FeatureName
from schemas.features.radiomics_settings import RadiomicsSettings

__all__ = ["aggregation_of", "calculation_departures", "departures", "preparation_departures"]

_Concerns = Callable[[RadiomicsSettings, FeatureName], bool]

# IBSI's codes of how texture matrices are gathered, in the volume and by slice: one per direction, averaged; merged;
# and those without direction.
_AVERAGED: Final = ("ITBB", "JJUI")
_MERGED: Final = ("IAZD", "ZW7Z")
_WITHOUT_DIRECTION: Final = ("KOBO", "62GR")
_DIRECTED: Final = ("glcm", "glrlm")

_SHIFTED: Final = {"Energy", "TotalEnergy", "RootMeanSquared"}
_OF_GREY_LEVELS: Final = {"Entropy", "Uniformity"}
_WITHOUT_SCALE: Final = {"Skewness", "Kurtosis"}
_BY_LEVEL_ALONE: Final = {
    *("GrayLevelNonUniformity", "GrayLevelVariance", "HighGrayLevelEmphasis", "LowGrayLevelEmphasis"),
}
_GROWING_WITH_WEIGHTS: Final = {"GrayLevelNonUniformity", "RunLengthNonUniformity"}
# The others are the same for a matrix, its transpose, and the sum of both.
_UNLIKE_TRANSPOSED: Final = {
    *("Correlation", "Imc1", "Imc2", "JointAverage", "JointEnergy", "JointEntropy", "MCC", "MaximumProbability"),
    "SumSquares",
}

_LOG_SUPPORT: Final = 4
"""Sigmas from the mask at which a padding no longer matters, as IBSI-2's kernel is cut off there."""
_WAVELET_SUPPORT: Final = {"haar": 1, "bior": 10, "rbio": 10, "dmey": 31}
_WAVELET_SUPPORT_BY_ORDER: Final = {"db": 1, "sym": 1, "coif": 3}


def departures(settings: RadiomicsSettings) -> dict[str, str]:
    """Return where the values of these settings depart from IBSI, by identifier.

    Returns
    -------
    dict of str to str
        Preparation of the image first, calculation of features last; the sentences of the latter name the features.
    """
    columns = list(_columns(settings))
    found = {
        name: DEVIATIONS[name]
        for name, concerns in _PREPARATION.items()
        if any(concerns(settings, column) for column in columns)
    }
    concerned: dict[str, list[tuple[str, str]]] = {}
    for column in columns:
        if column.image_type == ORIGINAL:
            for name in calculation_departures(settings, column.family, column.name):
                concerned.setdefault(name, []).append((column.family, column.name))
    calculated = {name: f"{DEVIATIONS[name]} {_named(concerned[name])}" for name in DEVIATIONS if name in concerned}
    return found | calculated


def calculation_departures(settings: RadiomicsSettings, family: str, name: str) -> tuple[str, ...]:
    """Return what keeps a feature from IBSI's value though it starts from the same voxels and grey levels.

    Parameters
    ----------
    settings : RadiomicsSettings
        Under which it is calculated.
    family, name : str
        pyradiomics' feature class and feature.

    Returns
    -------
    tuple of str
        Identifiers; that of the dictionary first, which holds under all settings.
    """
    always = definition_of(family, name).deviation
    column = FeatureName(ORIGINAL, family, name)
    brought = [each for each, concerns in _CALCULATION.items() if concerns(settings, column)]
    return (*([always] if always else []), *brought)


def preparation_departures(settings: RadiomicsSettings, column: FeatureName) -> tuple[str, ...]:
    """Return what takes a column's values away from IBSI's before it is calculated: identifiers."""
    return tuple(name for name, concerns in _PREPARATION.items() if concerns(settings, column))


def aggregation_of(settings: RadiomicsSettings) -> dict[str, str]:
    """Return IBSI's code of how each texture family's matrices are gathered under these settings."""
    by_slice = int(settings.force_2d)
    directed = _AVERAGED if settings.weighting_norm is None else _MERGED
    return {
        family: (directed if family in _DIRECTED else _WITHOUT_DIRECTION)[by_slice]
        for family in settings.families
        if family not in (SHAPE, "firstorder")
    }


def _columns(settings: RadiomicsSettings) -> Iterable[FeatureName]:
    for family in settings.families:
        for image_type in (ORIGINAL,) if family == SHAPE else settings.image_types():
            for entry in FEATURES[family]:
                yield FeatureName(image_type, family, entry.name)


def _named(features: Iterable[tuple[str, str]]) -> str:
    by_family: dict[str, list[str]] = {}
    for family, name in features:
        by_family.setdefault(family, []).append(name)
    parts = []
    for family, names in by_family.items():
        others = [entry.name for entry in FEATURES[family] if entry.name not in names]
        if len(others) < len(names):
            parts.append(f"all of {family}{' but ' if others else ''}{', '.join(others)}")
        else:
            parts.append(f"{family} {', '.join(names)}")
    return f"Concerns {'; '.join(parts)}."


def _is_of_intensities(_: RadiomicsSettings, column: FeatureName) -> bool:
    return column.family != SHAPE


def _is_discretised(column: FeatureName) -> bool:
    return column.family not in (SHAPE, "firstorder") or column.name in _OF_GREY_LEVELS


def _is_log(_: RadiomicsSettings, column: FeatureName) -> bool:
    return column.image_type.startswith("log-sigma")


def _is_wavelet(_: RadiomicsSettings, column: FeatureName) -> bool:
    return column.image_type.startswith("wavelet")


def _interpolates(settings: RadiomicsSettings, column: FeatureName) -> bool:
    return settings.resamples and settings.interpolator != "nearest" and _is_of_intensities(settings, column)


def _is_normalised(settings: RadiomicsSettings, column: FeatureName) -> bool:
    """Return whether normalisation moves a value; a fixed number of bins goes along with any scale."""
    if _is_discretised(column):
        return settings.normalize and settings.bin_width is not None
    return settings.normalize and _is_of_intensities(settings, column) and column.name not in _WITHOUT_SCALE


def _has_no_unit(settings: RadiomicsSettings) -> bool:
    """Return whether intensities are no Hounsfield units, whatever the scan was."""
    return settings.normalize or settings.standardize or settings.bias_field is not None


def _is_resegmented_by_maximum(settings: RadiomicsSettings, column: FeatureName) -> bool:
    is_by_maximum = settings.resegment_range is not None and settings.resegment_mode == "relative"
    return is_by_maximum and (settings.resegment_shape or _is_of_intensities(settings, column))


def _is_shape_of_resegmented_mask(settings: RadiomicsSettings, column: FeatureName) -> bool:
    return settings.resegment_range is not None and settings.resegment_shape and column.family == SHAPE


def _is_binned_by_width(settings: RadiomicsSettings, column: FeatureName) -> bool:
    return settings.bin_width is not None and _is_discretised(column)


def _is_filtered_on_short_padding(settings: RadiomicsSettings, column: FeatureName) -> bool:
    if settings.resampled_spacing_mm is None:
        return False
    if _is_log(settings, column):
        return settings.pad_distance_voxels < _log_support(settings, column)
    return _is_wavelet(settings, column) and settings.pad_distance_voxels < _wavelet_support(settings)


def _log_support(settings: RadiomicsSettings, column: FeatureName) -> float:
    """Return how many voxels around the mask decide the responses inside; infinite where a spacing is the scan's."""
    spacing = min(settings.resampled_spacing_mm or (0.0,))
    if spacing == 0:
        return math.inf
    names = settings.image_types()[-len(settings.log_sigma_mm) :]
    return math.ceil(_LOG_SUPPORT * dict(zip(names, settings.log_sigma_mm, strict=True))[column.image_type] / spacing)


def _wavelet_support(settings: RadiomicsSettings) -> float:
    """Return how many voxels around the mask decide the responses inside, at most: half a filter a level."""
    match = re.fullmatch(r"([a-z]+)([0-9]*)(\.[0-9]+)?", settings.wavelet or "")
    if match is None:
        return math.inf
    by_order = _WAVELET_SUPPORT_BY_ORDER.get(match[1], math.inf) * int(match[2] or 1)
    return _WAVELET_SUPPORT.get(match[1], by_order) * (settings.wavelet_start_level + settings.wavelet_levels)


def _is_of_later_level(settings: RadiomicsSettings, column: FeatureName) -> bool:
    is_numbered = re.match(r"wavelet[0-9]", column.image_type) is not None
    return is_numbered or (settings.wavelet_start_level > 0 and _is_wavelet(settings, column))


def _depends_on_neighbours(column: FeatureName) -> bool:
    return column.family == "gldm" and column.name not in _BY_LEVEL_ALONE


def _is_weighted(settings: RadiomicsSettings, column: FeatureName) -> bool:
    """Return whether weights of directions touch a feature: alike in all directions, they only scale run counts."""
    if settings.weighting_norm in (None, "no_weighting") or column.family not in _DIRECTED:
        return False
    spacing = settings.resampled_spacing_mm
    is_isotropic = spacing is not None and spacing[0] > 0 and len(set(spacing)) == 1
    if spacing is None or not is_isotropic or settings.weighting_norm != "infinity":
        return True
    if column.family == "glcm":
        return len(settings.distances_voxels) > 1
    return spacing[0] != 1 and column.name in _GROWING_WITH_WEIGHTS


_PREPARATION: Final[Mapping[str, _Concerns]] = MappingProxyType(
    {
        "bias-field-corrected": lambda settings, column: (
            settings.bias_field is not None and _is_of_intensities(settings, column)
        ),
        "whole-image-normalisation": lambda settings, column: (
            settings.normalize_region == "image" and _is_normalised(settings, column)
        ),
        "body-normalisation": lambda settings, column: (
            settings.normalize_region == "body" and _is_normalised(settings, column)
        ),
        "landmark-standardisation": lambda settings, column: (
            settings.standardize and _is_of_intensities(settings, column)
        ),
        "outliers-clipped": lambda settings, column: (
            settings.normalize and settings.remove_outliers is not None and _is_of_intensities(settings, column)
        ),
        "grid-aligned-at-corner": lambda settings, _: settings.resamples,
        "mask-nearest-neighbour": lambda settings, _: settings.resamples,
        "interpolator-not-in-ibsi": lambda settings, column: (
            _interpolates(settings, column) and settings.interpolator not in ("linear", "bspline")
        ),
        "intensities-not-rounded": lambda settings, column: (
            _interpolates(settings, column) and not _has_no_unit(settings)
        ),
        "resegmented-by-maximum": _is_resegmented_by_maximum,
        "shape-of-resegmented-mask": _is_shape_of_resegmented_mask,
        "voxels-shuffled": lambda settings, column: settings.shuffled_voxels and _is_of_intensities(settings, column),
        "bin-edges-from-zero": _is_binned_by_width,
        "fixed-width-on-arbitrary-units": lambda settings, column: (
            _is_binned_by_width(settings, column)
            and (settings.normalize or settings.standardize or column.image_type != ORIGINAL)
        ),
        "log-scale-normalised": _is_log,
        "filtered-on-padded-crop": _is_filtered_on_short_padding,
        "wavelet-periodic-boundary": _is_wavelet,
        "wavelet-levels-not-dilated": _is_of_later_level,
    }
)

_CALCULATION: Final[Mapping[str, _Concerns]] = MappingProxyType(
    {
        "voxel-array-shift": lambda settings, column: (
            settings.voxel_array_shift != 0 and column.family == "firstorder" and column.name in _SHIFTED
        ),
        "asymmetric-glcm": lambda settings, column: (
            not settings.symmetrical_glcm and column.family == "glcm" and column.name in _UNLIKE_TRANSPOSED
        ),
        "distance-weighting": _is_weighted,
        "neighbour-distances": lambda settings, column: (
            settings.distances_voxels != (1,) and (column.family in ("glcm", "ngtdm") or _depends_on_neighbours(column))
        ),
        "dependence-coarseness": lambda settings, column: settings.gldm_alpha > 0 and _depends_on_neighbours(column),
        "slices-not-axial": lambda settings, column: (
            settings.force_2d
            and settings.force_2d_dimension != 0
            and (column.family in ("glcm", "glrlm", "glszm", "ngtdm") or _depends_on_neighbours(column))
        ),
    }
)
