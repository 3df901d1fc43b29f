"""The lesion's mask in a label map, and which values count as labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from flows.imaging.grids import Grid
from schemas.errors import ContractError

__all__ = [
    "LABEL_ROUNDING",
    "LabelAbsentError",
    "StructureAbsentError",
    "label_map",
    "label_values",
    "lesion_mask",
    "lesion_voxels",
]

LABEL_ROUNDING = 1e-3
"""A value this near to a whole number is that label: scaled and resampled masks hold .9999999 for 1."""


_NAMED = 8
_LARGEST_OF_UINT8 = 255


class LabelAbsentError(ContractError):
    """A mask has labels, and not the one that is asked for."""

    def __init__(self, label: int, present: tuple[str, ...]) -> None:
        more = " and more: is it a mask?" if len(present) > _NAMED else ""
        super().__init__(f"label {label} is absent from the mask; it has {', '.join(present[:_NAMED])}{more}")
        self.label = label
        self.present = present

    def __reduce__(self) -> tuple[type[LabelAbsentError], tuple[int, tuple[str, ...]]]:
        # What Exception does calls the class with the message alone.
        return type(self), (self.label, self.present)


class StructureAbsentError(ContractError):
    """A DICOM mask has structures, and none of the name that is asked for."""


def lesion_mask(labels: sitk.Image, label: int) -> sitk.Image:
    """Return the binary mask (uint8, lesion 1) of one label of a label map.

    Parameters
    ----------
    labels : SimpleITK.Image
        The label map.
    label : int
        As `lesion_voxels` takes it.
    """
    mask = sitk.GetImageFromArray(lesion_voxels(labels, label).view(np.uint8))
    mask.CopyInformation(labels)
    return mask


def lesion_voxels(labels: sitk.Image, label: int) -> NDArray[np.bool_]:
    """Return where a label map has a label, slice by slice.

    Values within `LABEL_ROUNDING` of a whole number are rounded to it.

    Raises
    ------
    LabelAbsentError
        When the map lacks the label; the message names the labels it has.
    ContractError
        When the map is empty, or has values that are no labels.
    """
    voxels = sitk.GetArrayViewFromImage(labels)
    if voxels.dtype.kind == "f":
        _refuse_fractions(voxels)
    lesion = np.empty(voxels.shape, dtype=bool)
    for each, into in zip(voxels, lesion, strict=True):
        # A label beyond the type's range is simply absent; numpy compares whole numbers as they are.
        np.equal(_rounded(each), label, out=into)
    if voxels.dtype.kind == "f" and int(voxels.dtype.type(label)) != label:
        lesion[:] = False  # a float of this type is another number
    if not lesion.any():
        present = _present(voxels)
        if not present:
            raise ContractError("mask is empty")
        raise LabelAbsentError(label, present)
    return lesion


def label_map(lesion: NDArray[np.bool_], label: int, grid: Grid) -> sitk.Image:
    """Return the label map of one lesion on a grid: of uint8, or of uint32 for labels above 255.

    Parameters
    ----------
    lesion : ndarray of shape (slices, rows, columns)
        Where the lesion is.
    label : int
        Its value; it is 0 elsewhere.
    grid : Grid
        Where the voxels lie.
    """
    kind = np.uint8 if label <= _LARGEST_OF_UINT8 else np.uint32
    labels = sitk.GetImageFromArray(np.multiply(lesion, label, dtype=kind))
    labels.SetSpacing(grid.spacing)
    labels.SetOrigin(grid.origin)
    labels.SetDirection(grid.direction)
    return labels


def label_values(volume: sitk.Image, most: int = 64) -> tuple[int, ...] | None:
    """Return the labels of a volume, without 0, in their order; None where its voxels are no labels.

    They are none where some are negative or no whole numbers, none is 0, or there are more than ``most`` values.
    """
    voxels = sitk.GetArrayViewFromImage(volume)
    found: NDArray[Any] = np.empty(0, voxels.dtype)
    for each in voxels:
        whole = _rounded(each)
        if voxels.dtype.kind == "f" and (np.abs(each - whole) > LABEL_ROUNDING).any():
            return None
        found = np.unique(np.concatenate([found, np.unique(whole)]))
        if len(found) > most + 1:
            return None
    if not len(found) or found[0] != 0:
        return None
    return tuple(int(value) for value in found[1:])


def _rounded(voxels: NDArray[Any]) -> NDArray[Any]:
    return np.rint(voxels) if voxels.dtype.kind == "f" else voxels


def _present(voxels: NDArray[Any]) -> tuple[str, ...]:
    """Return the smallest labels that there are, one more than are named."""
    smallest: NDArray[Any] = np.empty(0, voxels.dtype)
    for each in voxels:
        smallest = np.unique(np.concatenate([smallest, np.unique(_rounded(each))]))[: _NAMED + 2]
    return tuple(f"{value:.15g}" if voxels.dtype.kind == "f" else str(value) for value in smallest if value != 0)


def _refuse_fractions(voxels: NDArray[Any]) -> None:
    count = 0
    first: tuple[int, int, int] | None = None
    for k, each in enumerate(voxels):
        between = np.abs(each - np.rint(each)) > LABEL_ROUNDING
        if between.any():
            count += int(np.count_nonzero(between))
            if first is None:
                j, i = (int(at) for at in np.argwhere(between)[0])
                first = (i, j, k)
    if first is not None:
        i, j, k = first
        raise ContractError(
            f"{count} voxel{' has a value that is' if count == 1 else 's have values that are'} no label, the first "
            f"{voxels[k, j, i]:.6g} at (i, j, k) = {first}: a probability map? Threshold it"
        )
