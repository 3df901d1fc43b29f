"""What a lesion's mask measures, and what of it deserves a second look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects, label
from scipy.spatial.distance import pdist

from flows.look.slices import SlicePlane
from flows.pages.words import plural

__all__ = ["Measures", "flags_of", "lesion_box", "measures_of"]

FEWEST_VOXELS = 64
"""Below it textures tell of the lesion's size: Orlhac et al., J Nucl Med 2014;55:414, doi:10.2967/jnumed.113.129858."""
FEWEST_SLICES = 3
FEWEST_LEVELS = 8
LARGEST_RATIO = 2.0

_TOUCHING = np.ones((3, 3, 3))


@dataclass(frozen=True)
class Measures:
    """What is counted and measured of one lesion on one image."""

    voxels: int
    volume_ml: float
    slices: int
    """Slices with lesion."""
    diameter_mm: float
    """The longest distance of two of its voxels' centres in one slice."""
    parts: int
    """Parts that touch nowhere, not even at a corner."""
    at_border: bool
    """Whether it reaches the first or last voxel of an axis: the lesion may go on beyond the image."""
    levels: int
    """Different intensities inside."""
    lowest: float
    highest: float


def measures_of(voxels: NDArray[np.generic], mask: NDArray[np.bool_], plane: SlicePlane, slice_mm: float) -> Measures:
    """Return the measures of a mask that has voxels.

    Parameters
    ----------
    voxels, mask : ndarray of shape (slices, rows, columns)
        The image and the lesion, as the plane shows them.
    plane : SlicePlane
        Their pixels.
    slice_mm : float
        From slice to slice.
    """
    inside = voxels[mask]
    held = np.flatnonzero(mask.any(axis=(1, 2)))
    borders = [np.moveaxis(mask, axis, 0)[[0, -1]] for axis in range(3) if mask.shape[axis] > 1]
    return Measures(
        voxels=len(inside),
        volume_ml=len(inside) * plane.right_mm * plane.down_mm * slice_mm / 1000,
        slices=len(held),
        diameter_mm=max(_diameter(mask[k], plane) for k in held),
        # In its box: the labels of parts take four bytes a voxel.
        parts=int(label(mask[lesion_box(mask)], _TOUCHING)[1]),
        at_border=any(each.any() for each in borders),
        levels=len(np.unique(inside)),
        lowest=float(inside.min()),
        highest=float(inside.max()),
    )


def flags_of(measures: Measures, others: list[Measures]) -> tuple[str, ...]:
    """Return what deserves a second look, a few words each.

    Parameters
    ----------
    measures : Measures
        Of the mask.
    others : list of Measures
        Of the same lesion in the exam's other phases.
    """
    flags = []
    if measures.voxels < FEWEST_VOXELS:
        flags.append(f"{plural(measures.voxels, 'voxel')}: too few for texture")
    if measures.slices < FEWEST_SLICES:
        flags.append(plural(measures.slices, "slice"))
    if measures.parts > 1:
        flags.append(f"{measures.parts} parts")
    if measures.at_border:
        flags.append("at the border of the image")
    if measures.levels < FEWEST_LEVELS:
        flags.append(f"{measures.levels} intensities" if measures.levels > 1 else "one intensity")
    if others:
        volumes = [each.volume_ml for each in others]
        ratio = measures.volume_ml / float(np.median(volumes))
        if not 1 / LARGEST_RATIO <= ratio <= LARGEST_RATIO:
            flags.append(f"{float(f'{ratio:.2g}'):g} times the volume of the other phases")
    return tuple(flags)


def lesion_box(mask: NDArray[np.bool_]) -> tuple[slice, ...]:
    """Return the box about a lesion, which has voxels."""
    box: tuple[slice, ...] = find_objects(mask.view(np.uint8))[0]
    return box


def _diameter(lesion: NDArray[np.bool_], plane: SlicePlane) -> float:
    # The two that lie furthest apart are the first or last of their rows.
    rows = np.flatnonzero(lesion.any(axis=1))
    first = lesion[rows].argmax(axis=1)
    last = lesion.shape[1] - 1 - lesion[rows, ::-1].argmax(axis=1)
    points = np.array([*zip(rows, first, strict=True), *zip(rows, last, strict=True)]) * (plane.down_mm, plane.right_mm)
    return float(pdist(points).max())
