"""An extraction as a DICOM structured report: Comprehensive 3D SR by template TID 1500, by highdicom."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import highdicom
from highdicom.sr import (
    AlgorithmIdentification,
    Comprehensive3DSR,
    DeviceObserverIdentifyingAttributes,
    Measurement,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
    ReferencedSegment,
    SourceSeriesForSegmentation,
    TrackingIdentifier,
    VolumetricROIMeasurementsAndQualitativeEvaluations,
)
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from flows.dicom_out.codes import (
    LESION,
    LESION_CATEGORY,
    NOT_AS_IBSI,
    coding_schemes,
    feature_concept,
    image_type_concept,
    unit_concept,
)
from flows.dicom_out.identity import MANUFACTURER, RELEASE, Owner, settle_uids, uid_of
from flows.dicom_out.references import References
from flows.dicom_out.segmentation import SEGMENT, tracked
from schemas.features.names import FeatureName
from schemas.keys import canonical_json
from schemas.plain_keys import MaskKey

__all__ = ["Extracted", "MeasuredFeature", "report_of"]

_SERIES_NUMBER = 9002
_LONGEST = 64


@dataclass(frozen=True)
class MeasuredFeature:
    """A feature with its value and its entry of the store's dictionary."""

    image_type: str
    family: str
    name: str
    ibsi_id: str | None
    deviation: str | None
    """Where its calculation departs from IBSI, in words."""
    unit: str
    value: float


@dataclass(frozen=True)
class Extracted:
    """One extraction: the features of a mask by one feature set, those alone that have a value."""

    feature_set: str
    """``name@version``."""
    extraction_id: str
    definition: str
    """JSON: everything that decides a value."""
    definition_sha256: str
    made: str
    """When it was committed, ISO 8601."""
    features: tuple[MeasuredFeature, ...]


def report_of(
    extracted: Extracted, segmentation: highdicom.seg.Segmentation, references: References, key: MaskKey
) -> Comprehensive3DSR:
    """Return the report of an extraction.

    There is one measurement group for each image type, so that a code stands once in a group; each refers to the
    segment, and by it to the images.

    Parameters
    ----------
    extracted : Extracted
        The features.
    segmentation : highdicom.seg.Segmentation
        Of the mask, as `segmentation_of` gives it.
    references : References
        The images.
    key : MaskKey
        Whose mask it is.
    """
    by_type: dict[str, list[MeasuredFeature]] = {}
    for feature in extracted.features:
        by_type.setdefault(feature.image_type, []).append(feature)
    observer = DeviceObserverIdentifyingAttributes(
        uid_of("observer", MANUFACTURER, RELEASE), MANUFACTURER, MANUFACTURER, f"{MANUFACTURER} {RELEASE}"
    )
    content = MeasurementReport(
        ObservationContext(observer_device_context=ObserverContext(codes.DCM.Device, observer)),
        procedure_reported=codes.SCT.ImagingProcedure,
        imaging_measurements=[
            _group(image_type, features, extracted, segmentation, references, key)
            for image_type, features in by_type.items()
        ],
        title=codes.DCM.ImagingMeasurementReport,
    )
    report = Comprehensive3DSR(
        [*references.images, segmentation],
        content,
        series_instance_uid=uid_of("series"),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=uid_of("instance"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MANUFACTURER,
        software_versions=RELEASE,
        is_complete=True,
        is_final=True,
        series_description=f"{extracted.feature_set} {key.phase} lesion {key.lesion}, {key.reader} {key.reading}"[
            :_LONGEST
        ],
    )
    report.CodingSchemeIdentificationSequence = coding_schemes()
    owner = references.owner
    settle_uids(report, Owner.at(owner.patient, owner.study, owner.reference, extracted.made))
    return report


def _group(
    image_type: str,
    features: Sequence[MeasuredFeature],
    extracted: Extracted,
    segmentation: Dataset,
    references: References,
    key: MaskKey,
) -> VolumetricROIMeasurementsAndQualitativeEvaluations:
    name, _, version = extracted.feature_set.partition("@")
    lesion = tracked(key)
    group = VolumetricROIMeasurementsAndQualitativeEvaluations(
        TrackingIdentifier(lesion.uid, lesion.identifier),
        referenced_segment=ReferencedSegment(
            segmentation.SOPClassUID,
            segmentation.SOPInstanceUID,
            SEGMENT,
            source_series=SourceSeriesForSegmentation(references.images[0].SeriesInstanceUID),
        ),
        finding_category=LESION_CATEGORY,
        finding_type=LESION,
        method=image_type_concept(image_type),
        algorithm_id=AlgorithmIdentification(name, version, parameters=_parameters(image_type, features, extracted)),
        measurements=[_measurement(each) for each in features],
    )
    for item in group[0].ContentSequence:
        if item.name == codes.SCT.MeasurementMethod:
            # As TID 1419 has it; highdicom 0.28 writes CONTAINS, and readers of the standard miss it.
            item.RelationshipType = "HAS CONCEPT MOD"
    return group


def _measurement(feature: MeasuredFeature) -> Measurement:
    departs = feature.ibsi_id is not None and feature.deviation is not None
    return Measurement(
        feature_concept(FeatureName(feature.image_type, feature.family, feature.name), feature.ibsi_id),
        feature.value,
        unit_concept(feature.unit),
        method=NOT_AS_IBSI if departs else None,
    )


def _parameters(image_type: str, features: Sequence[MeasuredFeature], extracted: Extracted) -> list[str]:
    """Return what else decides the values of a group, a text each."""
    definition: Mapping[str, Any] = json.loads(extracted.definition)
    libraries = [f"{name} {version}" for name, version in definition.get("libraries", {}).items()]
    # Some readers show the first parameter alone.
    first = ", ".join([extracted.feature_set, f"image type {image_type}", *sorted(libraries, key=_pyradiomics_first)])
    departing = [
        f"{each.family} {each.name} ({each.ibsi_id}): {each.deviation}"
        for each in features
        if each.ibsi_id is not None and each.deviation is not None
    ]
    return [
        first,
        f"settings {canonical_json(definition.get('settings', {}))}",
        f"definition sha256 {extracted.definition_sha256}",
        f"extraction {extracted.extraction_id}",
        *departing,
    ]


def _pyradiomics_first(library: str) -> tuple[bool, str]:
    return not library.startswith("pyradiomics"), library
