"""The objects of one mask, made in a child process: its files are read again, and what is written follows from them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset

from flows.dicom_out.identity import Owner, uid_of
from flows.dicom_out.image_series import references_to, series_of
from flows.dicom_out.references import References, references_of
from flows.dicom_out.report import Extracted, report_of
from flows.dicom_out.segmentation import segmentation_of
from flows.imaging.labels import lesion_voxels
from flows.imaging.sources import place_of, read_image, read_labels, stored_source
from flows.imaging.volumes import ReadingFolders, image_sha256, label_sha256, refuse_not_finite
from schemas.errors import ContractError
from schemas.plain_keys import MaskKey
from schemas.study.dicom_parts import SeriesRule, StructureRule
from store.history.study_masks import StudyMask

__all__ = ["NOT_DICOM", "ExportedMask", "Written", "written_objects"]

NOT_DICOM = "its image is no DICOM: there are no instances that a segmentation could refer to"


@dataclass(frozen=True)
class ExportedMask:
    """What is known of a mask that is written."""

    mask: StudyMask
    modality: str
    """Of its image, as the study says."""
    made: str
    """When mask and image were committed, ISO 8601."""
    extractions: tuple[Extracted, ...]
    with_image: bool
    """Whether an image that is no DICOM is written as a series too; else it is refused."""


@dataclass(frozen=True)
class Written:
    """How many files of each kind were written."""

    segmentations: int
    reports: int
    images: int


def written_objects(exported: ExportedMask, folders: ReadingFolders, into: Path) -> Written:
    """Write the segmentation of a mask and the reports of its extractions, and return how many files there are.

    Parameters
    ----------
    exported : ExportedMask
        The mask.
    folders : ReadingFolders
        Where data files may lie, and temporary ones.
    into : Path
        The folder, which has files of other masks.

    Raises
    ------
    ContractError
        When a file cannot be read or is not the one that was ingested, or nothing can refer to the image.
    """
    mask = exported.mask
    source = stored_source(mask.image_source, SeriesRule, folders.copies)
    is_dicom = isinstance(source.part, SeriesRule)
    if not is_dicom and not exported.with_image:
        raise ContractError(NOT_DICOM)
    folder = into / mask.key.patient / mask.key.exam / mask.key.phase
    if isinstance(source.part, SeriesRule):
        # Imported here: what reads DICOM is not loaded for studies that have none.
        from flows.imaging.dicom.volumes import read_series_with_frames

        image, frames = read_series_with_frames(source.file, source.part)
        refuse_not_finite(image)
        _refuse_changed("image", image_sha256(image), mask.image_sha256)
        lesion = _lesion(image, mask, folders)
        references = references_of(frames, image.GetSpacing()[2], mask.key.patient, exported.made)
        images: tuple[FileDataset, ...] = ()
    else:
        image = read_image(source, folders)
        _refuse_changed("image", image_sha256(image), mask.image_sha256)
        lesion = _lesion(image, mask, folders)
        owner = _owner_of_image(mask, exported.made)
        images = series_of(image, exported.modality, owner, mask.key.phase)
        references = references_to(images, owner)
    folder.mkdir(parents=True, exist_ok=True)
    written = sum(_write(each, folder / "image" / f"{number:05}.dcm") for number, each in enumerate(images, start=1))
    return _write_results(exported, lesion, references, folder, written)


def _write_results(
    exported: ExportedMask, lesion: NDArray[np.bool_], references: References, folder: Path, images: int
) -> Written:
    key = exported.mask.key
    name = _name_of(key)
    if _is_numbered_part(exported.mask):
        # Connected parts are numbered in each phase by their size: part 1 of another one may be another lesion.
        key = key._replace(lesion=f"{key.lesion} of {key.exam} {key.phase}")
    with _building():
        segmentation = segmentation_of(lesion, references, key)
        reports = [report_of(each, segmentation, references, key) for each in exported.extractions]
    _write(segmentation, folder / f"{name}_seg.dcm")
    for extracted, report in zip(exported.extractions, reports, strict=True):
        _write(report, folder / f"{name}_sr_{extracted.feature_set}.dcm")
    return Written(1, len(exported.extractions), images)


@contextmanager
def _building() -> Iterator[None]:
    """Build objects within: what highdicom refuses is said of this mask, and repeats nothing of a header."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise ContractError(
            f"no object can be built that refers to its image: highdicom ends in a {type(error).__name__}"
        ) from error


def _name_of(key: MaskKey) -> str:
    return f"lesion-{key.lesion}_reader-{key.reader}_{key.reading}"


def _is_numbered_part(mask: StudyMask) -> bool:
    part = stored_source(mask.mask_source, StructureRule).lesions
    return part is not None and part.each == "component" and not part.union


def _owner_of_image(mask: StudyMask, made: str) -> Owner:
    """Return the owner of an image that names none: an examination of its own, axes of its own."""
    key = mask.key
    study = uid_of("study", key.patient, key.exam)
    # Whether two images of an exam share axes, no file says.
    return Owner.at(key.patient, study, uid_of("axes", key.patient, key.exam, key.phase, mask.image_sha256), made)


def _lesion(image: sitk.Image, mask: StudyMask, folders: ReadingFolders) -> NDArray[np.bool_]:
    labels = read_labels(
        stored_source(mask.mask_source, StructureRule, folders.copies), place_of(image), mask.mask_label, folders
    )
    lesion = lesion_voxels(labels, mask.mask_label)
    _refuse_changed("mask", label_sha256(labels, lesion), mask.mask_sha256)
    return lesion


def _refuse_changed(what: str, found: str, ingested: str) -> None:
    if found != ingested:
        raise ContractError(f"{what}: it is not what was ingested: run radzoo ingest again, then radzoo dicom")


def _write(dataset: Dataset, file: Path) -> int:
    """Write an object where it is not there yet: two masks of one image share its series."""
    if file.exists():
        return 0
    file.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(file, enforce_file_format=True)
    return 1
