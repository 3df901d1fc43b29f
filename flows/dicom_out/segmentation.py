"""A lesion's mask as a DICOM segmentation (PS3.3, section C.8.20), by highdicom."""

from __future__ import annotations

from dataclasses import dataclass

import highdicom
import numpy as np
from highdicom.seg import SegmentAlgorithmTypeValues, SegmentationTypeValues, SegmentDescription
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from flows.dicom_out.codes import LESION, LESION_CATEGORY
from flows.dicom_out.identity import MANUFACTURER, RELEASE, settle_uids, uid_of
from flows.dicom_out.references import References
from schemas.plain_keys import MaskKey

__all__ = ["Tracked", "segmentation_of", "tracked"]

SEGMENT = 1
_SERIES_NUMBER = 9001
_LONGEST = 64


@dataclass(frozen=True)
class Tracked:
    """The lesion of a mask: the same in all phases and exams of a patient, whoever drew it."""

    identifier: str
    uid: str


def tracked(key: MaskKey) -> Tracked:
    """Return how objects name the lesion of a mask (Tracking Identifier and Tracking Unique Identifier)."""
    return Tracked(f"{key.patient} lesion {key.lesion}", uid_of("lesion", key.patient, key.lesion))


def segmentation_of(lesion: NDArray[np.bool_], references: References, key: MaskKey) -> highdicom.seg.Segmentation:
    """Return the segmentation of one mask: BINARY, one segment, frames on the slices that the lesion reaches.

    Parameters
    ----------
    lesion : ndarray of shape (slices, rows, columns)
        True where the lesion is, on the grid of the images.
    references : References
        The images.
    key : MaskKey
        Whose mask it is.
    """
    owner = references.owner
    lesion_id = tracked(key)
    described = SegmentDescription(
        SEGMENT,
        f"Lesion {key.lesion}"[:_LONGEST],
        LESION_CATEGORY,
        LESION,
        SegmentAlgorithmTypeValues.MANUAL,
        tracking_uid=lesion_id.uid,
        tracking_id=lesion_id.identifier,
    )
    found = highdicom.seg.Segmentation(
        list(references.images),
        lesion.astype(np.uint8),
        SegmentationTypeValues.BINARY,
        [described],
        series_instance_uid=uid_of("series"),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=uid_of("instance"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=MANUFACTURER,
        software_versions=RELEASE,
        device_serial_number="none",
        content_label="LESION",
        content_description=f"lesion {key.lesion}, reader {key.reader}, reading {key.reading}"[:_LONGEST],
        series_description=f"{key.phase} lesion {key.lesion}, reader {key.reader}, reading {key.reading}"[:_LONGEST],
    )
    if references.frame_numbers:
        _name_frames(found, references.frame_numbers)
    settle_uids(found, owner)
    return found


def _name_frames(segmentation: Dataset, numbers: tuple[int, ...]) -> None:
    """Let sources be named by the file's own numbers of frames, not by those that count through the volume."""
    for group in segmentation.PerFrameFunctionalGroupsSequence:
        for derivation in group.DerivationImageSequence:
            for source in derivation.SourceImageSequence:
                source.ReferencedFrameNumber = numbers[int(source.ReferencedFrameNumber) - 1]
