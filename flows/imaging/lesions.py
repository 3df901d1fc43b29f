"""The lesions of a mask that holds several: each a label of one map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from flows.imaging.grids import geometry_difference
from flows.imaging.labels import label_values, lesion_voxels
from schemas.cases.lesions import LesionPart
from schemas.errors import ContractError

__all__ = ["MOST_LESIONS", "lesion_labels", "lesion_map"]

MOST_LESIONS = 200
"""Of one mask: more parts than that are noise."""

_TOUCHING = np.ones((3, 3, 3), dtype=bool)
"""Voxels with a common face, edge or corner are one part: 26-connected."""


def lesion_map(masks: Sequence[sitk.Image], part: LesionPart) -> sitk.Image:
    """Return the map in which each lesion of some masks has a label.

    Connected parts are numbered by their size, the largest one first; parts of one size by their first voxel.

    Parameters
    ----------
    masks : sequence of SimpleITK.Image
        Label maps on one grid, one or several.
    part : LesionPart
        What tells lesions apart.

    Returns
    -------
    SimpleITK.Image
        Where every label is a lesion, the map itself; else whole numbers from 1, and 0 outside of lesions.

    Raises
    ------
    ContractError
        When the masks have no lesion, more than `MOST_LESIONS` parts, or lie on different grids.
    """
    first = masks[0]
    for other in masks[1:]:
        if difference := geometry_difference(first, other, 0.0):
            raise ContractError(f"the masks of its lesions lie on different grids: {difference}")
    if part.each == "label":
        if not part.union:
            return first
        found: NDArray[np.uint8] = (np.rint(sitk.GetArrayViewFromImage(first)) != 0).view(np.uint8)
    elif part.each == "mask":
        found = np.logical_or.reduce([lesion_voxels(each, part.label) for each in masks]).view(np.uint8)
    else:
        found = _components(lesion_voxels(first, part.label), part.minimum_mm3 / float(np.prod(first.GetSpacing())))
        if part.union:
            found = (found != 0).view(np.uint8)
    if not found.any():
        raise ContractError("mask is empty")
    lesions = sitk.GetImageFromArray(found)
    lesions.CopyInformation(first)
    return lesions


def lesion_labels(lesions: sitk.Image) -> tuple[int, ...]:
    """Return the labels of a map that `lesion_map` gave, in their order.

    Raises
    ------
    ContractError
        When it has none, too many, or values that are no labels.
    """
    labels = label_values(lesions, MOST_LESIONS)
    if labels is None:
        raise ContractError(
            f"its values are no labels of lesions: whole numbers from 0 on are, at most {MOST_LESIONS} of them"
        )
    if not labels:
        raise ContractError("mask is empty")
    return labels


def _components(mask: NDArray[np.bool_], fewest: float) -> NDArray[np.uint8]:
    """Return the connected parts with at least that many voxels, numbered from the largest one."""
    # Imported here: it takes a fifth of a second, and most studies have one lesion a mask.
    from scipy import ndimage

    (box,) = ndimage.find_objects(mask.view(np.uint8))
    parts, count = ndimage.label(mask[box], _TOUCHING)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    kept = [int(at) for at in np.argsort(-sizes, kind="stable") if sizes[at] >= fewest]
    if not kept:
        raise ContractError(
            f"no connected part of the mask is as large as minimum_mm3 asks for: the largest of {count} has "
            f"{sizes.max()} voxels, of {fewest:.6g}"
        )
    if len(kept) > MOST_LESIONS:
        raise ContractError(
            f"the mask has {len(kept)} connected parts, more than {MOST_LESIONS}: noise? Give minimum_mm3 under "
            "[lesions], or clean the mask"
        )
    number = np.zeros(count + 1, dtype=np.uint8)
    number[np.array(kept) + 1] = np.arange(1, len(kept) + 1)
    found = np.zeros(mask.shape, dtype=np.uint8)
    found[box] = number[parts]
    return found
