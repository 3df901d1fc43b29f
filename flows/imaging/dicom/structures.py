"""A structure of a DICOM RT structure set on an image's grid (DICOM PS3.3, sections C.8.8.5 and C.8.8.6)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from flows.imaging.dicom.headers import items_of, shown_label, text_of, whole_of
from flows.imaging.dicom.lattices import index_of
from flows.imaging.dicom.rasters import is_enclosing, raster
from flows.imaging.grids import Grid
from flows.imaging.labels import StructureAbsentError
from schemas.errors import ContractError

__all__ = ["STRUCTURE_SET", "structure_voxels"]

STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"

_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_OFF_SLICE, _OFF_SLICE_MM, _MOST_OFF_SLICE = 0.1, 0.1, 0.4
"""How far a contour may lie off its slice: a share of their distance or some mm, whichever is more, and a most."""
_LISTED = 20
_LEAST_OF_GAPS = 3

Contour = NDArray[np.float64]


def structure_voxels(header: Dataset, grid: Grid, name: str | None) -> tuple[NDArray[np.bool_], str]:
    """Return where a structure is, on an image's grid, and its FrameOfReferenceUID.

    A voxel belongs to it where its centre lies inside of the contours of its slice, as `raster` says. Points and open
    contours (POINT, OPEN_PLANAR, OPEN_NONPLANAR) and contours of fewer than three different points enclose nothing:
    they mark a place or a line beside what was drawn, and are skipped.

    Parameters
    ----------
    header : pydicom.Dataset
        A structure set.
    grid : Grid
        The image's.
    name : str or None
        An ROIName; upper and lower case are the same. The only one where absent.

    Returns
    -------
    tuple of (ndarray of shape (slices, rows, columns), str)

    Raises
    ------
    ContractError
        When there is no such structure, nothing of it is enclosed, a contour lies between slices, oblique to them or
        outside of the image, is drawn twice, overlaps another in part, or only every n-th slice is drawn on; of two
        slices, where what is drawn on them lies one above the other.
    """
    roi = _roi(header, name)
    contours = [index_of(points, grid) for points in _closed_contours(header, roi)]
    contours = [contour for contour in contours if is_enclosing(contour[:, :2]) or _is_upright(contour)]
    if not contours:
        raise ContractError("the mask is empty: no contour of the structure encloses anything")
    _refuse_outside(contours, grid)
    by_slice: dict[int, list[Contour]] = defaultdict(list)
    for contour in contours:
        by_slice[_slice_of(contour, grid)].append(contour[:, :2])
    _refuse_twice(by_slice)
    _refuse_gaps(sorted(by_slice))
    voxels = np.zeros(grid.size[::-1], dtype=bool)
    for place, drawn in by_slice.items():
        shape = (grid.size[1], grid.size[0])
        _refuse_overlaps(drawn, shape, place)
        voxels[place] = raster(drawn, shape)
    _refuse_slices_between(voxels, sorted(by_slice))
    reference = text_of(roi, "ReferencedFrameOfReferenceUID") or text_of(header, "FrameOfReferenceUID")
    return voxels, reference


def _roi(header: Dataset, name: str | None) -> Dataset:
    every = items_of(header, "StructureSetROISequence")
    names = [text_of(each, "ROIName") for each in every]
    listed = ", ".join(shown_label(each) for each in names[:_LISTED]) or "none"
    listed += f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    if name is None:
        if len(every) == 1:
            return every[0]
        raise ContractError(
            f"it has {len(every)} structures (ROIName): {listed}", hint="name one: segment = ..." if every else None
        )
    fitting = [each for each, found in zip(every, names, strict=True) if found.casefold() == name.strip().casefold()]
    if len(fitting) != 1:
        many = "no structure of it has" if not fitting else f"{len(fitting)} structures of it have"
        kind = ContractError if fitting else StructureAbsentError
        raise kind(f"{many} the name {shown_label(name)} (ROIName); it has {listed}")
    return fitting[0]


def _closed_contours(header: Dataset, roi: Dataset) -> list[Contour]:
    """Return the closed contours of a structure, in mm."""
    number = whole_of(roi, "ROINumber")
    found = []
    for drawn in items_of(header, "ROIContourSequence"):
        if number is None or whole_of(drawn, "ReferencedROINumber") != number:
            continue
        found += [
            _points(contour)
            for contour in items_of(drawn, "ContourSequence")
            if text_of(contour, "ContourGeometricType") in _CLOSED
        ]
    return [points for points in found if len(points)]


def _points(contour: Dataset) -> Contour:
    try:
        element: Any = contour.get_item("ContourData") if "ContourData" in contour else None
        # A hundred thousand numbers are read at once, and not each as a number of DICOM's own.
        value = element.value if element is not None else None
        values = value.split(b"\\") if isinstance(element, RawDataElement) and value else list(value or ())
        numbers = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ContractError("a contour has points (ContourData) that are no numbers") from error
    if len(numbers) % 3 or not np.isfinite(numbers).all():
        raise ContractError("a contour has points (ContourData) that are not three finite numbers each")
    return numbers.reshape(-1, 3)


def _is_upright(contour: Contour) -> bool:
    """Return whether a contour encloses something across the slices: it is refused, and not skipped."""
    return bool(np.ptp(contour[:, 2]) > 1) and len(np.unique(contour, axis=0)) > 2


def _refuse_outside(contours: Sequence[Contour], grid: Grid) -> None:
    size = np.array(grid.size)
    outside = sum(
        bool((contour.max(axis=0) < -0.5).any() or (contour.min(axis=0) > size - 0.5).any()) for contour in contours
    )
    if outside:
        raise ContractError(
            f"{outside} of its {len(contours)} contours lie outside of the image: drawn on another series?"
        )


def _slice_of(contour: Contour, grid: Grid) -> int:
    along = contour[:, 2]
    # Of slices thinner than the rounding of planning programs, a contour is still nearer to one than to the next.
    allowed = min(max(_OFF_SLICE, _OFF_SLICE_MM / grid.spacing[2]), _MOST_OFF_SLICE)
    place = round(float(along.mean()))
    if np.ptp(along) > 2 * allowed:
        raise ContractError(
            f"a contour is oblique to the slices: its points lie from slice {along.min() + 1:.4g} to "
            f"{along.max() + 1:.4g}",
            hint="name the series that it was drawn on as the phase's image",
        )
    if np.abs(along - place).max() > allowed:
        raise ContractError(
            f"a contour lies between slices, at slice {along.mean() + 1:.4g} of {grid.size[2]}, and at most "
            f"{allowed * grid.spacing[2]:.3g} mm off a slice is accepted",
            hint="name the series that it was drawn on as the phase's image",
        )
    return place


def _refuse_twice(by_slice: dict[int, list[Contour]]) -> None:
    """Refuse a contour that is drawn twice: by the even-odd rule the two would undo each other."""
    for place, drawn in by_slice.items():
        seen = {np.sort(contour.view("f8,f8").ravel()).tobytes() for contour in map(np.ascontiguousarray, drawn)}
        if len(seen) < len(drawn):
            raise ContractError(f"a contour is drawn twice at slice {place + 1}")


def _refuse_overlaps(drawn: Sequence[Contour], shape: tuple[int, int], place: int) -> None:
    """Refuse contours of one slice of which neither lies in the other, or beside it."""
    end = np.array(shape[::-1]) - 1.0
    boxes = [
        (np.clip(np.floor(each.min(axis=0)), 0, end), np.clip(np.ceil(each.max(axis=0)), 0, end)) for each in drawn
    ]
    for (one, (low, high)), (other, (first, last)) in combinations(zip(drawn, boxes, strict=True), 2):
        if (low > last).any() or (first > high).any():
            continue
        corner = np.minimum(low, first)
        columns, rows = (np.maximum(high, last) - corner + 1).astype(int)
        ours, theirs = (raster([each - corner], (int(rows), int(columns))) for each in (one, other))
        common = np.count_nonzero(ours & theirs)
        if common and common not in (np.count_nonzero(ours), np.count_nonzero(theirs)):
            raise ContractError(
                f"two contours overlap in part at slice {place + 1}: whether what they share belongs to the structure "
                "is not known",
                hint="join the contours in the program that drew them, and save the structure again",
            )


def _refuse_gaps(places: Sequence[int]) -> None:
    gaps = set(np.diff(places).tolist())
    if len(places) >= _LEAST_OF_GAPS and len(gaps) == 1 and (step := gaps.pop()) > 1:
        every = "second" if step == 2 else f"{step}th"
        raise ContractError(
            f"is drawn on every {every} slice only: the slices between would be left out of the tumour",
            hint="interpolate the structure on all slices in the program that drew it, and save it again",
        )


def _refuse_slices_between(voxels: NDArray[np.bool_], places: Sequence[int]) -> None:
    """Refuse a structure of two slices with others between: of one part, for two parts may lie in two slices."""
    if (
        len(places) == _LEAST_OF_GAPS - 1
        and places[1] - places[0] > 1
        and (voxels[places[0]] & voxels[places[1]]).any()
    ):
        between = places[1] - places[0] - 1
        slices = "the slice" if between == 1 else f"the {between} slices"
        raise ContractError(
            f"is drawn on slices {places[0] + 1} and {places[1] + 1} and not on {slices} between, which would be left "
            "out of the tumour",
            hint="interpolate the structure on all slices in the program that drew it, and save it again",
        )
