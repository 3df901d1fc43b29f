"""A segment of a DICOM segmentation on an image's grid (DICOM PS3.3, section C.8.20)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from flows.imaging.dicom.functional_groups import group_value, plane_of
from flows.imaging.dicom.headers import items_of, number_of, shown_label, text_of, whole_of
from flows.imaging.dicom.lattices import placement_of
from flows.imaging.dicom.pixels import decoded_frames
from flows.imaging.grids import Grid
from flows.imaging.labels import StructureAbsentError
from schemas.errors import ContractError

__all__ = ["SEGMENTATIONS", "segment_voxels"]

SEGMENTATIONS = ("1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7")
"""Segmentation and label map segmentation (DICOM PS3.4, section B.5)."""

_KINDS = ("BINARY", "FRACTIONAL", "LABELMAP")
_LISTED = 20


def segment_voxels(
    file: Path, header: Dataset, grid: Grid, number: int | None, segment: str | None, threshold: float
) -> NDArray[np.bool_]:
    """Return where a segment is, on an image's grid.

    Parameters
    ----------
    file : Path
        A DICOM segmentation.
    header : pydicom.Dataset
        All of it.
    grid : Grid
        The image's. Frames lie on its slices, with their rows or columns in either direction; slices without a frame
        are empty.
    number : int or None
        A SegmentNumber, which counts where ``segment`` is absent and there are several.
    segment : str or None
        A SegmentLabel; upper and lower case are the same. The only one where both are absent.
    threshold : float
        Of a FRACTIONAL segmentation: voxels of at least this share of MaximumFractionalValue belong to the segment.

    Returns
    -------
    ndarray of shape (slices, rows, columns)

    Raises
    ------
    ContractError
        When the file is none, has no such segment, lies on another grid, or has two different frames of the segment
        at one place.
    """
    kind = text_of(header, "SegmentationType")
    if kind not in _KINDS:
        raise ContractError(f"its SegmentationType is none of {', '.join(_KINDS)}")
    number = _segment_number(header, number, segment)
    whole = number_of(header, "MaximumFractionalValue") if kind == "FRACTIONAL" else 1.0
    if whole is None or whole <= 0:
        raise ContractError("its header lacks MaximumFractionalValue, and the segmentation is FRACTIONAL")
    rows, columns = whole_of(header, "Rows"), whole_of(header, "Columns")
    if not rows or not columns:
        raise ContractError("its header lacks Rows or Columns")
    shared = next(iter(items_of(header, "SharedFunctionalGroupsSequence")), None)
    groups = items_of(header, "PerFrameFunctionalGroupsSequence")
    if (count := whole_of(header, "NumberOfFrames") or 1) != len(groups):
        raise ContractError(f"its header counts {count} frames and describes {len(groups)}")
    wanted = [
        index for index in range(count) if kind == "LABELMAP" or _is_of_segment(header, groups[index], shared, number)
    ]
    placed = [placement_of(*plane_of(header, groups[index], shared), (rows, columns), grid) for index in wanted]
    voxels = np.zeros(grid.size[::-1], dtype=bool)
    filled: set[int] = set()
    frames = decoded_frames(header, wanted, file) if wanted else iter(())
    for place, stored in zip(placed, frames, strict=True):
        # As a quotient: of 100, 7 is 0.07, where 0.07 times 100 is more than 7.
        frame = stored == number if kind == "LABELMAP" else stored / whole >= (threshold if kind == "FRACTIONAL" else 1)
        frame = frame[:: -1 if place.flips_rows else 1, :: -1 if place.flips_columns else 1]
        if place.slice in filled and not np.array_equal(voxels[place.slice], frame):
            raise ContractError(f"it has two different frames of the segment at slice {place.slice + 1}")
        voxels[place.slice] = frame
        filled.add(place.slice)
    return voxels


def _is_of_segment(header: Dataset, group: Dataset, shared: Dataset | None, number: int) -> bool:
    at = group_value(header, group, shared, "SegmentIdentificationSequence")
    if at is None or (found := whole_of(at, "ReferencedSegmentNumber")) is None:
        raise ContractError("a frame does not say which segment it is of (ReferencedSegmentNumber)")
    return found == number


def _segment_number(header: Dataset, asked: int | None, segment: str | None) -> int:
    """Return the SegmentNumber of the segment that is asked for."""
    segments = [
        (number, text_of(each, "SegmentLabel"))
        for each in items_of(header, "SegmentSequence")
        # A label map may describe its background, which is no segment.
        if (number := whole_of(each, "SegmentNumber"))
    ]
    if not segments:
        raise ContractError("it describes no segments (SegmentSequence)")
    if segment is not None:
        fitting = [number for number, name in segments if name.casefold() == segment.strip().casefold()]
        if len(fitting) == 1:
            return fitting[0]
        many = "no segment of it has" if not fitting else f"{len(fitting)} segments of it have"
        kind = ContractError if fitting else StructureAbsentError
        raise kind(f"{many} the label {shown_label(segment)}; it has {_listed(segments)}")
    if len(segments) == 1:
        return segments[0][0]
    if asked is not None and [number for number, _ in segments].count(asked) == 1:
        return asked
    which = "none is named" if asked is None else f"none or several are of number {asked}"
    raise ContractError(
        f"it has {len(segments)} segments, and {which}: {_listed(segments)}", hint='name one: segment = "..."'
    )


def _listed(segments: Sequence[tuple[int, str]]) -> str:
    shown = ", ".join(f"{number} {shown_label(name)}" for number, name in segments[:_LISTED])
    return f"{shown} and {len(segments) - _LISTED} more" if len(segments) > _LISTED else shown
