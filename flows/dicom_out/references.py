"""The source images that written objects refer to: of their headers, only what a reference needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from flows.dicom_out.identity import Owner, new_object
from flows.imaging.dicom.frames import Frame
from flows.imaging.dicom.functional_groups import plane_of
from flows.imaging.dicom.headers import dataset_of, dicom_reading, items_of, text_of, whole_of
from schemas.errors import ContractError

__all__ = ["References", "references_of"]

_NEEDED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")
_PLANES = ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence")
_TAGS = (
    *("SOPClassUID", "Modality", "Rows", "Columns", "NumberOfFrames", *_NEEDED),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)


class References(NamedTuple):
    """Source images as objects refer to them.

    Attributes
    ----------
    owner : Owner
        The pseudonym, with the study and the axes of the images.
    images : tuple of pydicom.Dataset
        One a slice, or a single one of several frames, of which only those of the volume are described, in its order:
        a dynamic image has several at one place.
    frame_numbers : tuple of int
        Of each slice of the volume, which frame of the one image it is, from 1; empty where each slice is an image.
    """

    owner: Owner
    images: tuple[Dataset, ...]
    frame_numbers: tuple[int, ...] = ()


def references_of(frames: Sequence[Frame], distance_mm: float, patient: str, made: str) -> References:
    """Return what refers to the images of a volume.

    Parameters
    ----------
    frames : sequence of Frame
        From the first slice to the last.
    distance_mm : float
        From one slice to the next.
    patient : str
        The store's pseudonym.
    made : str
        As `Owner.at` takes it.

    Raises
    ------
    ContractError
        When a header lacks a UID that a reference needs, or the slices are spread over several files of several frames.
    """
    files = list(dict.fromkeys(frame.file for frame in frames))
    if len(files) == 1 and len(frames) > 1:
        return _of_one_file(frames, distance_mm, patient, made)
    if len(files) < len(frames):
        raise _several_multiframes(frames, files)
    found = []
    for frame in frames:
        with dicom_reading(frame.file):
            header = dataset_of(frame.file, _TAGS)
            _refuse_lacking(header)
            if (whole_of(header, "NumberOfFrames") or 1) > 1:
                if len(frames) == 1:
                    return _of_one_file(frames, distance_mm, patient, made)
                raise _several_multiframes(frames, files)
            owner = Owner.at(patient, text_of(header, "StudyInstanceUID"), text_of(header, "FrameOfReferenceUID"), made)
            image = _image(header, owner)
            image.ImagePositionPatient = list(frame.position)
            # One orientation and spacing, as the volume has: headers round them from slice to slice.
            image.ImageOrientationPatient, image.PixelSpacing = list(frames[0].orientation), list(frames[0].spacing)
            image.SliceThickness, image.SpacingBetweenSlices = _thickness(frame, distance_mm), distance_mm
            found.append(image)
    return References(owner, tuple(found))


def _of_one_file(frames: Sequence[Frame], distance_mm: float, patient: str, made: str) -> References:
    file = frames[0].file
    with dicom_reading(file):
        header = dataset_of(file, _TAGS)
        _refuse_lacking(header)
        owner = Owner.at(patient, text_of(header, "StudyInstanceUID"), text_of(header, "FrameOfReferenceUID"), made)
        shared = next(iter(items_of(header, "SharedFunctionalGroupsSequence")), None)
        groups = items_of(header, "PerFrameFunctionalGroupsSequence")
        image = _image(header, owner)
        image.NumberOfFrames = len(frames)
        # Each frame says its own plane: whatever all share is repeated, and nothing else of the groups is kept.
        image.PerFrameFunctionalGroupsSequence = Items(
            _group(*plane_of(header, groups[frame.index], shared), _thickness(frame, distance_mm), distance_mm)
            for frame in frames
        )
        common = Dataset()
        for keyword in _PLANES[1:]:
            # As the volume has it: one orientation and spacing.
            common.add(image.PerFrameFunctionalGroupsSequence[0][keyword])
            for group in image.PerFrameFunctionalGroupsSequence:
                del group[keyword]
        image.SharedFunctionalGroupsSequence = Items([common])
    return References(owner, (image,), tuple(frame.index + 1 for frame in frames))


def _several_multiframes(frames: Sequence[Frame], files: Sequence[Path]) -> ContractError:
    return ContractError(
        f"its {len(frames)} slices lie in {len(files)} files of several frames each, to which no segmentation of ours "
        "can refer",
        where=str(files[0].parent),
    )


def _image(header: Dataset, owner: Owner) -> Dataset:
    image = new_object(text_of(header, "SOPClassUID"), owner)
    for keyword in ("SOPInstanceUID", "SeriesInstanceUID"):
        setattr(image, keyword, text_of(header, keyword))
    image.Modality = text_of(header, "Modality")
    image.Rows, image.Columns = whole_of(header, "Rows"), whole_of(header, "Columns")
    del image.Manufacturer  # radzoo did not make it
    return image


def _group(
    position: tuple[float, ...], orientation: tuple[float, ...], spacing: tuple[float, ...], thickness: float, by: float
) -> Dataset:
    place, turn, measures, group = Dataset(), Dataset(), Dataset(), Dataset()
    place.ImagePositionPatient, turn.ImageOrientationPatient = list(position), list(orientation)
    measures.PixelSpacing, measures.SliceThickness, measures.SpacingBetweenSlices = list(spacing), thickness, by
    for keyword, item in zip(_PLANES, (place, turn, measures), strict=True):
        setattr(group, keyword, Items([item]))
    return group


def _thickness(frame: Frame, distance_mm: float) -> float:
    return distance_mm if frame.thickness is None or frame.thickness <= 0 else frame.thickness


def _refuse_lacking(header: Dataset) -> None:
    for keyword in _NEEDED:
        if not text_of(header, keyword):
            raise ContractError(f"its header lacks {keyword}, and nothing can refer to it without")
