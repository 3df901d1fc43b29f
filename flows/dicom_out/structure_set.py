"""A lesion's mask as a DICOM RT structure set (PS3.3, sections C.8.8.5 and C.8.8.6): contours along its voxels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset
from pydicom.sequence import Sequence as Items
from pydicom.valuerep import DS

from flows.dicom_out.contours import is_hole, outlines
from flows.dicom_out.identity import RELEASE, new_object, settle_uids
from flows.dicom_out.references import References
from flows.imaging.grids import Grid
from schemas.plain_keys import MaskKey

__all__ = ["structure_set_of"]

_STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"
_STUDY_COMPONENT = "1.2.840.10008.3.1.2.3.1"
_SERIES_NUMBER = 9003


def structure_set_of(lesion: NDArray[np.bool_], grid: Grid, references: References, key: MaskKey) -> FileDataset:
    """Return the structure set of one mask: one structure, a contour for each outline on a slice.

    Parameters
    ----------
    lesion : ndarray of shape (slices, rows, columns)
        True where the lesion is.
    grid : Grid
        The image's.
    references : References
        The images, one a slice.
    key : MaskKey
        Whose mask it is.
    """
    owner = references.owner
    name = f"Lesion {key.lesion}"
    found = new_object(_STRUCTURE_SET, owner)
    found.Modality, found.SeriesNumber, found.InstanceNumber = "RTSTRUCT", _SERIES_NUMBER, 1
    found.SeriesDescription = f"{key.phase} lesion {key.lesion}, reader {key.reader}, reading {key.reading}"[:64]
    found.ManufacturerModelName, found.SoftwareVersions, found.OperatorsName = "radzoo", RELEASE, ""
    found.StructureSetLabel = "LESION"
    found.StructureSetDate, found.StructureSetTime = owner.day, owner.time
    found.ReferencedFrameOfReferenceSequence = Items([_referenced(references)])
    found.StructureSetROISequence = _item(
        ROINumber=1, ReferencedFrameOfReferenceUID=owner.reference, ROIName=name, ROIGenerationAlgorithm="MANUAL"
    )
    drawn = [(k, outline) for k in np.flatnonzero(lesion.any(axis=(1, 2))).tolist() for outline in outlines(lesion[k])]
    # A hole is said by the type alone: of plain closed contours no one knows whether one inside another is.
    kind = "CLOSEDPLANAR_XOR" if any(is_hole(outline) for _, outline in drawn) else "CLOSED_PLANAR"
    contours = [_contour(outline, k, kind, grid, references) for k, outline in drawn]
    found.ROIContourSequence = _item(
        ReferencedROINumber=1, ROIDisplayColor=[255, 0, 0], ContourSequence=Items(contours)
    )
    found.RTROIObservationsSequence = _item(
        ObservationNumber=1, ReferencedROINumber=1, RTROIInterpretedType="", ROIInterpreter=""
    )
    found.ApprovalStatus = "UNAPPROVED"
    settle_uids(found, owner)
    return found


def _referenced(references: References) -> Dataset:
    first = references.images[0]
    images = Items([_reference(image) for image in references.images])
    series = _item(SeriesInstanceUID=first.SeriesInstanceUID, ContourImageSequence=images)
    study = _item(
        ReferencedSOPClassUID=_STUDY_COMPONENT,
        ReferencedSOPInstanceUID=first.StudyInstanceUID,
        RTReferencedSeriesSequence=series,
    )
    return _item(FrameOfReferenceUID=references.owner.reference, RTReferencedStudySequence=study)[0]


def _contour(outline: NDArray[np.float64], k: int, kind: str, grid: Grid, references: References) -> Dataset:
    index = np.column_stack([outline, np.full(len(outline), float(k))])
    points = index * grid.spacing @ np.reshape(grid.direction, (3, 3)).T + grid.origin
    return _item(
        ContourImageSequence=Items([_reference(references.images[k])]),
        ContourGeometricType=kind,
        NumberOfContourPoints=len(points),
        ContourData=[DS(float(each), auto_format=True) for each in points.ravel()],
    )[0]


def _reference(image: Dataset) -> Dataset:
    return _item(ReferencedSOPClassUID=image.SOPClassUID, ReferencedSOPInstanceUID=image.SOPInstanceUID)[0]


def _item(**elements: Any) -> Items:
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return Items([dataset])
