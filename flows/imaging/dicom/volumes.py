"""A series of a DICOM folder as one volume."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import SimpleITK as sitk
from pydicom.dataset import Dataset

from flows.imaging.dicom.files import dicom_files, dicom_stat
from flows.imaging.dicom.frames import Frame
from flows.imaging.dicom.headers import INCOMPLETE, complete_dataset, dicom_reading
from flows.imaging.dicom.pixels import has_same_pixels, voxels_of
from flows.imaging.dicom.series import Series, chosen_series
from flows.imaging.dicom.slices.alike import frames_of_series
from flows.imaging.dicom.stacks import refuse_mixed, stack_of
from flows.imaging.dicom.suv import suv_factor
from flows.imaging.dicom.times import chosen_volume
from flows.imaging.patient_axes import mark_frame_of_reference
from schemas.errors import ContractError
from schemas.study.dicom_parts import SeriesRule

__all__ = ["SliceFrames", "chosen_headers", "read_series", "read_series_with_frames"]


class SliceFrames(NamedTuple):
    """A volume, and where each of its slices is stored."""

    image: sitk.Image
    frames: tuple[Frame, ...]
    """From the first slice to the last."""


class _ReadHeaders(NamedTuple):
    """The headers of a volume as it was read, and what they hold for."""

    source: Path
    rule: SeriesRule
    stat: str
    headers: tuple[Dataset, ...]


_last: list[_ReadHeaders] = []
"""Of the volume that this process read last: how it was acquired is asked for next."""


def read_series(source: Path, rule: SeriesRule) -> sitk.Image:
    """Return the volume of a DICOM folder or file that a rule chooses.

    Parameters
    ----------
    source : Path
        A folder, which is looked through with all folders below it, or one file with several frames.
    rule : SeriesRule
        Which series, and which volume of a dynamic one.

    Returns
    -------
    SimpleITK.Image
        Stored values times RescaleSlope plus RescaleIntercept, of the type that `voxels_of` gives, in the patient's
        axes (left, posterior, superior); slices are in order along their normal (DICOM PS3.3, section C.7.6.2).
        Padding outside of the scanner's circle (PixelPaddingValue) stays what it is. PET is in its own units, or in
        g/ml where the rule asks for SUV.

    Raises
    ------
    ContractError
        When not exactly one series and volume fit, its slices make no regular grid or are incomplete, duplicates or
        damaged, it is larger than is read, or a file changes while it is read.
    """
    return read_series_with_frames(source, rule).image


def read_series_with_frames(source: Path, rule: SeriesRule) -> SliceFrames:
    """Return what `read_series` does, with the frames that the volume is made of: for what refers to them.

    Parameters
    ----------
    source : Path
        As `read_series` takes it.
    rule : SeriesRule
        As `read_series` takes it.

    Raises
    ------
    ContractError
        As `read_series` says.
    """
    _last.clear()
    with _numbered_faults(source), dicom_reading(source):
        before = dicom_stat(source)
        series = chosen_series(source, rule)
        frames = _frames_once(series)
        _refuse_several_references(series)
        refuse_mixed(frames)
        stack = stack_of(chosen_volume(frames, rule))
        voxels = voxels_of(stack.frames)
        if rule.suv is not None:
            voxels = voxels * suv_factor({frame.file for frame in stack.frames}, series.start("Acquisition"))
        image = sitk.GetImageFromArray(voxels)
        image.SetSpacing(stack.grid.spacing)
        image.SetOrigin(stack.grid.origin)
        image.SetDirection(stack.grid.direction)
        for reference in series.values("FrameOfReferenceUID"):
            mark_frame_of_reference(image, reference)
        if dicom_stat(source) != before:
            raise ContractError("it changes while it is read: wait until it is written, and run the command again")
        if series.images == len(series.headers):
            # The header of many frames is one, which is soon read again, and takes much memory.
            _last.append(_ReadHeaders(source, rule, before, _headers_of(stack.frames, series)))
    return SliceFrames(image, stack.frames)


def chosen_headers(source: Path, rule: SeriesRule) -> tuple[Dataset, ...]:
    """Return the headers of the files of the volume that a rule chooses, with `SERIES_TAGS`, in the order of names.

    Those of the volume that was read last are not read again where no file has changed.

    Raises
    ------
    ContractError
        As `read_series` does, but for what is wrong with the grid or the pixels.
    """
    with dicom_reading(source):
        for read in _last:
            if (read.source, read.rule) == (source, rule) and read.stat == dicom_stat(source):
                return read.headers
        series = chosen_series(source, rule)
        return _headers_of(chosen_volume(_frames_once(series), rule), series)


def _headers_of(frames: Sequence[Frame], series: Series) -> tuple[Dataset, ...]:
    files = {frame.file for frame in frames}
    return tuple(header for file, header in series.headers if file in files)


@contextmanager
def _numbered_faults(source: Path) -> Iterator[None]:
    """Say of a fault which of the files has it: by its place, for names of files may hold a UID.

    What a file lacks that was cut off is not what is wrong with it.
    """
    try:
        yield
    except ContractError as error:
        if error.where is None or error.where == str(source):
            raise
        file, words, place = Path(error.where), error.message, ""
        try:
            files = dicom_files(source)
            place = f" (at file {files.index(file) + 1} of {len(files)} in the order of names)"
            complete_dataset(file, ())
        except ContractError as other:
            words = other.message if other.message == INCOMPLETE else words
        except (OSError, ValueError):
            pass
        raise ContractError(f"{words}{place}", where=error.where, hint=error.hint) from error


def _frames_once(series: Series) -> list[Frame]:
    """Return a series' frames, those of files with one SOPInstanceUID once."""
    by_instance: dict[str, tuple[Frame, ...]] = {}
    for frames in frames_of_series(series.headers):
        known = by_instance.setdefault(frames[0].instance, frames)
        if known is not frames:
            _refuse_another(known, frames)
    return [frame for frames in by_instance.values() for frame in frames]


def _refuse_another(known: Sequence[Frame], frames: Sequence[Frame]) -> None:
    are_same = len(known) == len(frames) and all(
        one.position == other.position
        and (one.slope, one.intercept) == (other.slope, other.intercept)
        and has_same_pixels(one, other)
        for one, other in zip(known, frames, strict=True)
    )
    if not are_same:
        raise ContractError("has the SOPInstanceUID of another file and is another image", where=str(frames[0].file))


def _refuse_several_references(series: Series) -> None:
    if len(series.values("FrameOfReferenceUID")) > 1:
        raise ContractError(
            "its slices are of several frames of reference: the patient was moved between them", where=None
        )
