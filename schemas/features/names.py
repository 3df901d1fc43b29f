"""The grammar of radiomics column names: ``<image_type>_<family>_<name>``, pivoted ``<phase>__<column>``.

Names and their order are those of pyradiomics 3.0.1's RadiomicsFeatureExtractor:
``original_shape_MeshVolume``, ``wavelet-LLH_glcm_Idm``, ``log-sigma-3-0-mm-3D_firstorder_Mean``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from schemas.errors import ContractError
from schemas.features.ibsi import FEATURES

__all__ = [
    "FAMILIES",
    "ORIGINAL",
    "PHASE_SEPARATOR",
    "FeatureName",
    "column_names",
    "is_phase_indicator",
    "log_image_type",
    "phase_indicator",
    "split_phase",
    "wavelet_bands",
    "wavelet_image_type",
    "with_phase",
]

ORIGINAL: Final = "original"
SHAPE: Final = "shape"
FAMILIES: Final[tuple[str, ...]] = tuple(FEATURES)
PHASE_SEPARATOR: Final = "__"
_LACKS_PHASE: Final = "phase_missing"

# pyradiomics yields the approximation (LLL) after the seven details.
_BANDS: Final = ("LLH", "LHL", "LHH", "HLL", "HLH", "HHL", "HHH", "LLL")
_IMAGE_TYPE: Final = re.compile(
    r"original|square|squareroot|logarithm|exponential|gradient|lbp-2D|lbp-3D-(?:m[0-9]+|k)"
    r"|wavelet[0-9]*-[LH]{2,3}"
    r"|log-sigma-[0-9]+(?:-[0-9]+)?(?:e[+-][0-9]+)?-mm-3D"
)
_NAME: Final = re.compile(r"[0-9A-Za-z]+")


@dataclass(frozen=True, slots=True)
class FeatureName:
    """A radiomics column's name in its three parts.

    Parameters
    ----------
    image_type : str
        The image that was measured: ``original``, a wavelet sub-band, a Laplacian of Gaussian, or another of
        pyradiomics' filters.
    family : str
        pyradiomics' feature class; ``shape`` exists only for ``original``, as it is measured on the mask.
    name : str
        The feature within its family, letters and digits. Whether pyradiomics has such a feature is for
        `schemas.features.ibsi.definition_of` to say.

    Raises
    ------
    ContractError
        If a part does not fit the grammar.
    """

    image_type: str
    family: str
    name: str

    def __post_init__(self) -> None:
        if not _IMAGE_TYPE.fullmatch(self.image_type):
            raise ContractError(
                f"'{self.image_type}' is no image type of pyradiomics",
                where=str(self),
                hint="use original, wavelet-<band>, log-sigma-<mm>-mm-3D or another filter of pyradiomics",
            )
        if self.family not in FAMILIES:
            raise ContractError(
                f"'{self.family}' is no feature family",
                where=str(self),
                hint=f"choose one of: {', '.join(FAMILIES)}",
            )
        if self.family == SHAPE and self.image_type != ORIGINAL:
            raise ContractError(
                "shape is measured on the mask and exists for the original image only",
                where=str(self),
                hint=f"use {ORIGINAL}_{SHAPE}_{self.name}",
            )
        if not _NAME.fullmatch(self.name):
            raise ContractError(
                f"a feature's name is letters and digits, not '{self.name}'",
                where=str(self),
                hint="rename the column to <image_type>_<family>_<name>",
            )

    def __str__(self) -> str:
        return f"{self.image_type}_{self.family}_{self.name}"

    @classmethod
    def parse(cls, column: str) -> Self:
        """Return the three parts of a column's name, such that ``str`` of them is the name again.

        Parameters
        ----------
        column : str
            A name without phase, such as ``wavelet-LLH_glcm_Idm``.

        Returns
        -------
        FeatureName

        Raises
        ------
        ContractError
            If the name does not fit the grammar.
        """
        parts = column.split("_")
        if len(parts) != 3:
            raise ContractError(
                f"a radiomics column has three parts joined by '_', this one has {len(parts)}",
                where=column,
                hint="rename the column to <image_type>_<family>_<name>",
            )
        return cls(*parts)


def wavelet_bands() -> tuple[str, ...]:
    """Return the eight sub-bands of a one-level 3D wavelet transform, in pyradiomics' order.

    Returns
    -------
    tuple of str
        ``LLH`` to ``LLL``: low-pass or high-pass filter along x, y and z, in this order (pyradiomics walks
        the axes of its z, y, x arrays from the last to the first).
    """
    return _BANDS


def wavelet_image_type(band: str) -> str:
    """Return the image type of a wavelet sub-band, such as ``wavelet-LLH``.

    Parameters
    ----------
    band : str
        One of `wavelet_bands`.

    Raises
    ------
    ContractError
        If there is no such sub-band.
    """
    if band not in _BANDS:
        raise ContractError(f"'{band}' is no wavelet sub-band", where=band, hint=f"choose one of: {', '.join(_BANDS)}")
    return f"wavelet-{band}"


def log_image_type(sigma_mm: float) -> str:
    """Return the image type of a Laplacian of Gaussian, such as ``log-sigma-3-0-mm-3D``.

    Parameters
    ----------
    sigma_mm : float
        Width of the Gaussian in mm, positive and finite. 3 is written as 3.0: pyradiomics names the image
        after the number it was given, so it must be given a float too.

    Raises
    ------
    ContractError
        If sigma is not positive and finite; pyradiomics would yield no image.
    """
    sigma_mm = float(sigma_mm)
    if not (math.isfinite(sigma_mm) and sigma_mm > 0):
        raise ContractError(
            f"a Laplacian of Gaussian needs a positive finite sigma, not {sigma_mm}",
            where="sigma_mm",
            hint="give sigma in mm, such as 3.0",
        )
    return f"log-sigma-{str(sigma_mm).replace('.', '-')}-mm-3D"


def column_names(image_types: Iterable[str], families: Iterable[str] = FAMILIES) -> tuple[str, ...]:
    """Return all radiomics columns, in the order in which RadiomicsFeatureExtractor yields them.

    Shape comes first and once, for the mask is the same under every filter, and it comes even without
    ``original`` among the image types. Then follow the image types as given; in each, the families as given;
    in each, the features in pyradiomics' order.

    Parameters
    ----------
    image_types : iterable of str
        In the order in which they are enabled, such as
        ``["original", *map(wavelet_image_type, wavelet_bands()), log_image_type(3)]``.
    families : iterable of str, optional
        In the order in which they are enabled; all seven by default.

    Returns
    -------
    tuple of str
        Without repetitions: 107 for ``original`` alone, 93 more for every filtered image.

    Raises
    ------
    ContractError
        If an image type or family is unknown or given twice.
    """
    image_types, families = tuple(image_types), tuple(families)
    for kind, given in (("image type", image_types), ("family", families)):
        repeated = sorted({each for each in given if given.count(each) > 1})
        if repeated:
            raise ContractError(
                f"{kind} given twice: {', '.join(repeated)}", where=", ".join(given), hint="name each once"
            )
    unknown = [family for family in families if family not in FEATURES]
    if unknown:
        raise ContractError(
            f"no feature family: {', '.join(unknown)}",
            where=", ".join(families),
            hint=f"choose from: {', '.join(FAMILIES)}",
        )
    measured = [(ORIGINAL, SHAPE)] if SHAPE in families else []
    measured += [(image, family) for image in image_types for family in families if family != SHAPE]
    return tuple(
        str(FeatureName(image, family, feature.name)) for image, family in measured for feature in FEATURES[family]
    )


def phase_indicator(phase: str) -> str:
    """Return the name of the column that is 1 for patients who lack a phase: ``PVP__phase_missing``."""
    return with_phase(phase, _LACKS_PHASE)


def is_phase_indicator(column: str) -> bool:
    """Return whether a column says who lacks a phase."""
    return column.endswith(f"{PHASE_SEPARATOR}{_LACKS_PHASE}")


def with_phase(phase: str, column: str) -> str:
    """Return the name of a column once phases stand side by side: ``PVP__original_shape_MeshVolume``.

    Parameters
    ----------
    phase : str
        A study's phase. It holds no double underscore and does not end in an underscore, so that
        `split_phase` finds the same boundary whatever the column is called.
    column : str
        Any name but an empty one.

    Raises
    ------
    ContractError
        If the two could not be told apart again.
    """
    if not phase or PHASE_SEPARATOR in phase or phase.endswith("_"):
        raise ContractError(
            f"'{phase}' cannot be a phase: it is empty, holds a double underscore or ends in an underscore",
            where=column,
            hint="rename the phase in the study file",
        )
    if not column:
        raise ContractError("a column needs a name", where=phase, hint="name the column")
    return f"{phase}{PHASE_SEPARATOR}{column}"


def split_phase(name: str) -> tuple[str, str]:
    """Return the phase and the column of a pivoted name: the inverse of `with_phase`.

    Parameters
    ----------
    name : str
        ``<phase>__<column>``. The first double underscore separates; the column may hold more.

    Returns
    -------
    tuple of (str, str)
        Phase and column.

    Raises
    ------
    ContractError
        If the name carries no phase or no column.
    """
    phase, separator, column = name.partition(PHASE_SEPARATOR)
    if not (phase and separator and column):
        raise ContractError(
            "a pivoted name is <phase>__<column>",
            where=name,
            hint="pivot the columns by phase before reading them",
        )
    return phase, column
