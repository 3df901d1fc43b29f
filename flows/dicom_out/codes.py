"""Coded concepts of what is written: features, units, image types."""

from __future__ import annotations

import hashlib

from highdicom.sr import CodedConcept
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from schemas.features.names import FeatureName

__all__ = [
    "LESION",
    "LESION_CATEGORY",
    "NOT_AS_IBSI",
    "PRIVATE",
    "coding_schemes",
    "feature_concept",
    "image_type_concept",
    "unit_concept",
]

IBSI, PRIVATE = "IBSI", "99RADZOO"
_IBSI_UID = "1.2.840.10008.2.16.13"
_LONGEST_VALUE, _LONGEST_MEANING = 16, 64
_KEPT = 9

LESION = CodedConcept.from_code(codes.SCT.Lesion)
LESION_CATEGORY = CodedConcept.from_code(codes.SCT.MorphologicallyAbnormalStructure)
NOT_AS_IBSI = CodedConcept("not-as-ibsi", PRIVATE, "Calculated otherwise than IBSI defines it")
"""The method of a feature that has IBSI's code and not always IBSI's value."""


def feature_concept(feature: FeatureName, ibsi_id: str | None) -> CodedConcept:
    """Return what a measurement is called: by IBSI's code where there is one, else by a private one.

    Parameters
    ----------
    feature : FeatureName
        The column. Its image type is no part of the concept: `image_type_concept` tells it.
    ibsi_id : str or None
        IBSI's identifier, where the store's dictionary has one.
    """
    meaning = f"{feature.family} {feature.name}"
    if ibsi_id is not None:
        return CodedConcept(ibsi_id, IBSI, meaning[:_LONGEST_MEANING])
    return CodedConcept(_short(f"{feature.family}_{feature.name}"), PRIVATE, meaning[:_LONGEST_MEANING])


def image_type_concept(image_type: str) -> CodedConcept:
    """Return the method of all measurements on one image type, such as ``original`` or ``wavelet-LLH``."""
    return CodedConcept(_short(image_type), PRIVATE, f"Image type {image_type}"[:_LONGEST_MEANING])


def unit_concept(unit: str) -> CodedConcept:
    """Return a UCUM unit as a concept."""
    meaning = "no units" if unit == "1" else unit
    return CodedConcept(unit, "UCUM", meaning[:_LONGEST_MEANING])


def coding_schemes() -> list[Dataset]:
    """Return which coding schemes a report uses that DICOM does not define, for CodingSchemeIdentificationSequence."""
    ibsi, private = Dataset(), Dataset()
    ibsi.CodingSchemeDesignator, ibsi.CodingSchemeRegistry, ibsi.CodingSchemeUID = IBSI, "DCMUID", _IBSI_UID
    ibsi.CodingSchemeName = "Image Biomarker Standardisation Initiative"
    private.CodingSchemeDesignator, private.CodingSchemeName = PRIVATE, "radzoo: names of features and image types"
    private.CodingSchemeResponsibleOrganization = "radzoo"
    return [ibsi, private]


def _short(text: str) -> str:
    """Return a code of at most 16 characters: the text, or its beginning with a hash."""
    if len(text) <= _LONGEST_VALUE:
        return text
    return text[:_KEPT] + hashlib.sha256(text.encode()).hexdigest()[: _LONGEST_VALUE - _KEPT]
