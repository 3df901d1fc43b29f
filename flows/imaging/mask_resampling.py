"""A lesion's mask brought to its image's grid by the nearest voxel, where nothing of the lesion is lost on the way."""

from __future__ import annotations

import math

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from flows.imaging.grids import Grid, grid_difference, grid_of
from flows.imaging.image_limits import refuse_large
from flows.imaging.itk_images import is_unoriented
from flows.imaging.labels import label_map, lesion_voxels
from flows.imaging.lesions import lesion_labels
from schemas.errors import ContractError

__all__ = ["MOST_VOLUME_CHANGE", "resampled_labels"]

MOST_VOLUME_CHANGE = 0.1
"""Share of the lesion's volume by which it may differ on the image's grid."""

_HALF = 0.5 + 1e-6
"""Voxels from a centre to the border, and what is rounded off."""


def resampled_labels(labels: sitk.Image, image: Grid, label: int | None) -> sitk.Image:
    """Return a label map on an image's grid; one that lies on it already as it is.

    A voxel of the image belongs to the lesion where the mask's voxel nearest to its centre does, in the patient's
    axes. Which grids are one does not depend on the study's tolerance: the same mask gives the same voxels wherever
    it is read.

    Parameters
    ----------
    labels : SimpleITK.Image
        The mask's file as it was read.
    image : Grid
        The image's.
    label : int or None
        The lesion's value, and then a map that had to be resampled has no other; None where every label is a lesion.

    Raises
    ------
    ContractError
        When the map has no such label, its file does not say where it lies, a voxel of a lesion lies outside of the
        image, or a lesion's volume differs by more than `MOST_VOLUME_CHANGE` on the image's grid.
    """
    grid = grid_of(labels)
    if grid_difference(image, grid) is None:
        return labels
    lesions = lesion_labels(labels) if label is None else (label,)
    wanted = labels if label is None else label_map(lesion_voxels(labels, label), label, grid)
    if is_unoriented(labels):
        raise ContractError("cannot be resampled: its file does not say where it lies and which way its axes run")
    refuse_large(image.size, wanted.GetSizeOfPixelComponent())
    found = sitk.Resample(
        wanted, image.size, sitk.Transform(), sitk.sitkNearestNeighbor, image.origin, image.spacing, image.direction, 0
    )
    voxels = sitk.GetArrayViewFromImage(found)
    for each in lesions:
        lesion = lesion_voxels(wanted, each)
        _refuse_outside(lesion, grid, image)
        before = int(np.count_nonzero(lesion)) * math.prod(grid.spacing)
        _refuse_other_volume(before, int(np.count_nonzero(np.rint(voxels) == each)) * math.prod(image.spacing), image)
    return found


def _refuse_outside(lesion: NDArray[np.bool_], grid: Grid, image: Grid) -> None:
    # From indices on the mask's grid to those on the image's.
    steps = np.linalg.inv(_axes(image)) @ _axes(grid)
    offset = np.linalg.inv(_axes(image)) @ np.subtract(grid.origin, image.origin)
    outside, count = 0, 0
    for k, each in enumerate(lesion):
        j, i = np.nonzero(each)
        if len(i):
            places = np.stack([i, j, np.full(len(i), k)], axis=1) @ steps.T + offset
            is_inside = (places >= -_HALF) & (places <= np.subtract(image.size, 1) + _HALF)
            outside += int(np.count_nonzero(~is_inside.all(axis=1)))
            count += len(i)
    if outside:
        raise ContractError(
            f"cannot be resampled: {outside} of the lesion's {count} voxels lie outside of the image; was it drawn on "
            "this one?"
        )


def _axes(grid: Grid) -> NDArray[np.float64]:
    """Return the steps in mm from voxel to voxel, a column for each axis."""
    axes: NDArray[np.float64] = np.reshape(np.array(grid.direction), (3, 3)) * np.array(grid.spacing)
    return axes


def _refuse_other_volume(before: float, after: float, image: Grid) -> None:
    if abs(after - before) > MOST_VOLUME_CHANGE * before:
        spacing = " x ".join(f"{each:.4g}" for each in image.spacing)
        lost = "nothing of the lesion is left" if not after else f"its volume is {after:.4g} mm3 and was {before:.4g}"
        raise ContractError(
            f"cannot be resampled: on the image's voxels of {spacing} mm {lost}; at most {MOST_VOLUME_CHANGE:.0%} may "
            "differ"
        )
