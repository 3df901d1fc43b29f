"""The series and structures of a folder's DICOM files, from their headers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from pydicom.dataset import Dataset

from flows.engine.progress import progress_bar
from flows.imaging.dicom.headers import dataset_of, dicom_reading, items_of, text_of, whole_of
from flows.imaging.dicom.segmentations import SEGMENTATIONS
from flows.imaging.dicom.series import IMAGE_CLASSES, is_localizer
from flows.imaging.dicom.structures import STRUCTURE_SET
from flows.study_draft.listing import FolderListing
from flows.study_draft.patient_paths import FOLDER, folder_paths, patient_files
from schemas.errors import ContractError

__all__ = ["DicomFiles", "FoundSeries", "FoundStructures", "dicom_files_by_patient"]

# PatientID is not among them: patients have the names of their folders.
_TAGS: Final = (
    *("SOPClassUID", "SeriesInstanceUID", "SeriesNumber", "SeriesDescription", "Modality", "ImageType"),
    *("ImagePositionPatient", "NumberOfFrames", "SegmentationType", "SegmentSequence", "StructureSetROISequence"),
    *("ReferencedSeriesSequence", "ReferencedFrameOfReferenceSequence"),
)
_MANY: Final = 1_000


@dataclass
class FoundSeries:
    """An image series of a patient."""

    patient: str
    uid: str
    description: str
    modality: str
    folders: dict[str, str] = field(default_factory=dict)
    """The folders with its files, by their patterns."""
    images: int = 0
    places: set[str] = field(default_factory=set)

    @property
    def times(self) -> int:
        """Return how many images there are at each of several places, 1 where that is no whole number or not known."""
        is_several = len(self.places) > 1 and self.images % len(self.places) == 0
        return self.images // len(self.places) if is_several else 1


@dataclass(frozen=True)
class FoundStructures:
    """A segmentation or a structure set of a patient."""

    patient: str
    path: str
    folder: str
    """The pattern of its folder."""
    names: tuple[str, ...]
    series: frozenset[str]
    """Of the images that it was drawn on, where it says so."""
    is_fractional: bool


@dataclass
class DicomFiles:
    """All series and structures."""

    series: list[FoundSeries] = field(default_factory=list)
    structures: list[FoundStructures] = field(default_factory=list)


def dicom_files_by_patient(listing: FolderListing, ids: frozenset[str]) -> DicomFiles:
    """Return the series and structures of each patient; other DICOM files are put aside in the listing.

    Parameters
    ----------
    listing : FolderListing
        What lies in the folder.
    ids : frozenset of str
        The patients' ids, which folders are named by.
    """
    by_pattern, _ = patient_files(folder_paths(listing.dicom), ids)
    owner = {
        path.removesuffix(FOLDER): (patient, pattern.removesuffix(FOLDER))
        for pattern, of_patient in by_pattern.items()
        for patient, path in of_patient.items()
    }
    found = DicomFiles()
    series: dict[tuple[str, str], FoundSeries] = {}
    with ExitStack() as stack:
        total = len(listing.dicom)
        advance = stack.enter_context(progress_bar("reading headers", total, "files")) if total >= _MANY else None
        for path in listing.dicom:
            folder = path.rpartition("/")[0]
            if folder in owner:
                _take(found, series, listing, path, *owner[folder])
            else:
                listing.put_aside("DICOM files in no folder that is named by a patient's id", path)
            if advance is not None:
                advance()
    found.series = [*series.values()]
    return found


def _take(
    found: DicomFiles,
    series: dict[tuple[str, str], FoundSeries],
    listing: FolderListing,
    path: str,
    patient: str,
    folder: str,
) -> None:
    file = listing.folder / path
    try:
        with dicom_reading(file):
            header = dataset_of(file, _TAGS)
            kind, uid = text_of(header, "SOPClassUID"), text_of(header, "SeriesInstanceUID")
            if kind in (*SEGMENTATIONS, STRUCTURE_SET):
                found.structures.append(_structures(header, patient, path, folder))
            elif kind not in IMAGE_CLASSES or not uid:
                listing.put_aside("DICOM files that are no images of CT, MR or PET", path)
            elif is_localizer(header):
                listing.put_aside("localizers", path)
            else:
                known = series.setdefault(
                    (patient, uid),
                    FoundSeries(patient, uid, text_of(header, "SeriesDescription"), text_of(header, "Modality")),
                )
                known.folders[folder] = path.rpartition("/")[0]
                known.images += max(whole_of(header, "NumberOfFrames") or 1, 1)
                known.places |= {text_of(header, "ImagePositionPatient")} - {""}
    except ContractError:
        listing.put_aside("DICOM files whose header cannot be read", path)


def _structures(header: Dataset, patient: str, path: str, folder: str) -> FoundStructures:
    segments = [text_of(each, "SegmentLabel") for each in items_of(header, "SegmentSequence")]
    structures = [text_of(each, "ROIName") for each in items_of(header, "StructureSetROISequence")]
    references = [*items_of(header, "ReferencedSeriesSequence")]
    for frame in items_of(header, "ReferencedFrameOfReferenceSequence"):
        for study in items_of(frame, "RTReferencedStudySequence"):
            references += items_of(study, "RTReferencedSeriesSequence")
    uids = frozenset(text_of(each, "SeriesInstanceUID") for each in references)
    is_fractional = text_of(header, "SegmentationType") == "FRACTIONAL"
    return FoundStructures(patient, path, folder, (*segments, *structures), uids, is_fractional)


def by_patient(found: Sequence[FoundSeries]) -> dict[str, list[FoundSeries]]:
    """Return series by their patients."""
    grouped: dict[str, list[FoundSeries]] = defaultdict(list)
    for each in found:
        grouped[each.patient].append(each)
    return dict(grouped)
