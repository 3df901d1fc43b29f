"""What a lesion's mask and the image inside it measure: counted once, for the catalogue and for pictures alike."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from schemas.settings import IMAGE_BYTES, limit_setting

__all__ = ["MOST_VALUES", "Measures", "lesion_box", "measures_of"]

MOST_VALUES = 65_536
"""How many different intensities are counted at most: flags ask for few, and finding all takes time and memory."""

_POINTS, _VOXELS = 256, 1 << 20
"""Looked at together: what is needed beside the voxels stays small, however large the lesion."""


class Measures(NamedTuple):
    """What is counted and measured of one lesion on one image; what of it is odd, the view ``quality`` says."""

    voxels: int
    components: int | None
    """Parts that touch nowhere, not even at a corner (26-connected); None where its box is too large to count them."""
    largest_component: int | None
    """Voxels of the largest part."""
    border_voxels: int
    """Voxels that are the first or last of an axis: the lesion may go on beyond the image. An axis of one voxel has
    no border."""
    slices: int
    """Slices with lesion, along the image's third axis."""
    diameter_mm: float
    """The longest distance of two of its voxels' centres in one slice."""
    distinct_values: int
    """Different intensities inside, counted up to `MOST_VALUES`."""
    lowest: float
    highest: float

    def columns(self) -> dict[str, Any]:
        """Return the measures as columns of the catalogue's ``mask_measures``; its table of masks has the voxels."""
        found = self._asdict()
        del found["voxels"]
        return found


def measures_of(voxels: NDArray[np.generic], lesion: NDArray[np.bool_], spacing_mm: tuple[float, ...]) -> Measures:
    """Return the measures of a mask that has voxels.

    Parameters
    ----------
    voxels, lesion : ndarray of shape (slices, rows, columns)
        The image and the lesion.
    spacing_mm : tuple of float
        Of the image's three axes: from column to column, from row to row, from slice to slice.
    """
    box = lesion_box(lesion)
    part = lesion[box]
    held = np.flatnonzero(part.any(axis=(1, 2)))
    count = int(np.count_nonzero(part))
    components, largest = _components(part, count)
    distinct, lowest, highest = _intensities(voxels[box], part)
    return Measures(
        voxels=count,
        components=components,
        largest_component=largest,
        border_voxels=_border_voxels(part, box, lesion.shape),
        slices=len(held),
        diameter_mm=_diameter([part[k] for k in held], spacing_mm),
        distinct_values=distinct,
        lowest=lowest,
        highest=highest,
    )


def lesion_box(lesion: NDArray[np.bool_]) -> tuple[slice, slice, slice]:
    """Return the box about a lesion, which has voxels."""
    # Slice by slice first: most of an image is none of the lesion's.
    slices = _extent(lesion, (1, 2))
    within = lesion[slices]
    return slices, _extent(within, (0, 2)), _extent(within, (0, 1))


def _extent(lesion: NDArray[np.bool_], others: tuple[int, int]) -> slice:
    """Return from where to where the lesion reaches along one axis, given the others."""
    at = np.flatnonzero(lesion.any(axis=others))
    return slice(int(at[0]), int(at[-1]) + 1)


def _components(part: NDArray[np.bool_], count: int) -> tuple[int | None, int | None]:
    """Return how many parts there are, and the voxels of the largest one; None where numbering them takes too much."""
    if part.size * np.dtype(np.uint32).itemsize > limit_setting(IMAGE_BYTES, os.environ):
        return None, None
    touching = sitk.ConnectedComponentImageFilter()
    touching.FullyConnectedOn()
    touching.SetNumberOfWorkUnits(1)
    numbered = touching.Execute(sitk.GetImageFromArray(part.view(np.uint8)))
    components = touching.GetObjectCount()
    if components == 1:
        return 1, count
    flat = sitk.GetArrayViewFromImage(numbered).reshape(-1)
    sizes = np.zeros(components + 1, dtype=np.int64)
    for start in range(0, len(flat), _VOXELS):
        sizes += np.bincount(flat[start : start + _VOXELS], minlength=components + 1)
    return components, int(sizes[1:].max())


def _intensities(voxels: NDArray[np.generic], part: NDArray[np.bool_]) -> tuple[int, float, float]:
    """Return how many different intensities there are, the lowest and the highest."""
    slices = max(_VOXELS // part[0].size, 1)
    found: NDArray[Any] = np.empty(0, voxels.dtype)
    lowest, highest = np.inf, -np.inf
    for start in range(0, len(part), slices):
        inside = voxels[start : start + slices][part[start : start + slices]]
        if len(inside):
            lowest, highest = min(lowest, float(inside.min())), max(highest, float(inside.max()))
            if len(found) < MOST_VALUES:
                found = np.union1d(found, inside)
    return min(len(found), MOST_VALUES), lowest, highest


def _border_voxels(part: NDArray[np.bool_], box: tuple[slice, ...], shape: tuple[int, ...]) -> int:
    at_border = np.zeros(part.shape, dtype=bool)
    for axis, (of_axis, size) in enumerate(zip(box, shape, strict=True)):
        ends = np.moveaxis(at_border, axis, 0)
        if size > 1:
            ends[0] |= of_axis.start == 0
            ends[-1] |= of_axis.stop == size
    return int(np.count_nonzero(part & at_border)) if at_border.any() else 0


def _diameter(slices: Sequence[NDArray[np.bool_]], spacing_mm: tuple[float, ...]) -> float:
    longest = 0.0
    # The two that lie furthest apart are the first or last of their rows.
    for lesion in slices:
        rows = np.flatnonzero(lesion.any(axis=1))
        first = lesion[rows].argmax(axis=1)
        last = lesion.shape[1] - 1 - lesion[rows, ::-1].argmax(axis=1)
        down = np.concatenate([rows, rows]) * spacing_mm[1]
        right = np.concatenate([first, last]) * spacing_mm[0]
        # No two of this slice are further apart than the corners of their box.
        if np.ptp(down) ** 2 + np.ptp(right) ** 2 > longest:
            for start in range(0, len(down), _POINTS):
                some = slice(start, start + _POINTS)
                squares = (down[some, None] - down) ** 2 + (right[some, None] - right) ** 2
                longest = max(longest, float(squares.max()))
    return math.sqrt(longest)
