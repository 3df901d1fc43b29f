"""The form of one entry of the feature dictionary, and the units that entries use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from schemas.features.ibsi_deviations import NOT_IN_IBSI

__all__ = [
    "BIT",
    "INTENSITY",
    "INTENSITY_SQUARED",
    "INTENSITY_SQUARED_VOLUME",
    "MM",
    "MM2",
    "MM3",
    "NUMBER",
    "PER_MM",
    "FeatureDefinition",
    "feature_definition",
]

NUMBER: Final = "1"
BIT: Final = "bit"
MM: Final = "mm"
MM2: Final = "mm2"
MM3: Final = "mm3"
PER_MM: Final = "mm-1"
# The unit of the image is unknown here (HU, SUV, normalised MR), so UCUM annotations stand for it. UCUM's
# grammar takes no exponent after a bare annotation: the power is part of the annotation.
INTENSITY: Final = "{intensity}"
INTENSITY_SQUARED: Final = "{intensity2}"
INTENSITY_SQUARED_VOLUME: Final = "mm3.{intensity2}"


@dataclass(frozen=True, slots=True)
class FeatureDefinition:
    """One feature as pyradiomics computes it.

    Parameters
    ----------
    family : str
        pyradiomics' feature class: firstorder, shape, glcm, glrlm, glszm, gldm or ngtdm.
    name : str
        pyradiomics' name within the class, such as ``MeshVolume``.
    ibsi_id : str or None
        IBSI's permanent four-character identifier; None where IBSI-1 has no such feature.
    ibsi_compliant : bool
        Whether pyradiomics gives IBSI's value when both start from the same voxels and grey levels, under its
        default settings. What others change, and how voxels and grey levels came about, is the business of
        `schemas.features.ibsi_departures`.
    deviation : str or None
        Identifier in `schemas.features.ibsi_deviations.FEATURE_DEVIATIONS` of what keeps it from being compliant.
    unit : str
        UCUM unit. Grey levels are bin numbers, hence dimensionless; entropies are in bits (logarithm to
        base 2).
    definition : str
        What is measured, in one sentence.
    """

    family: str
    name: str
    ibsi_id: str | None
    ibsi_compliant: bool
    deviation: str | None
    unit: str
    definition: str


def feature_definition(
    family: str,
    name: str,
    ibsi_id: str | None,
    unit: str,
    definition: str,
    deviation: str | None = None,
) -> FeatureDefinition:
    """Return an entry, compliant exactly when it has an IBSI identifier and no deviation.

    Parameters
    ----------
    family, name, ibsi_id, unit, definition, deviation
        As in `FeatureDefinition`; without an identifier the deviation is that IBSI has no such feature.

    Returns
    -------
    FeatureDefinition
    """
    if ibsi_id is None:
        deviation = NOT_IN_IBSI
    return FeatureDefinition(
        family=family,
        name=name,
        ibsi_id=ibsi_id,
        ibsi_compliant=deviation is None,
        deviation=deviation,
        unit=unit,
        definition=definition,
    )
