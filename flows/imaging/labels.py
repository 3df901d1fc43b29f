"""The lesion's mask in a label map, and which values count as labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from schemas.errors import ContractError

__all__ = ["LABEL_ROUNDING", "LabelAbsentError", "lesion_mask"]

LABEL_ROUNDING = 1e-3
"""A value this near to a whole number is that label: scaled and resampled masks hold .9999999 for 1."""


class LabelAbsentError(ContractError):
    """A mask has labels, and not the one that is asked for."""

    def __init__(self, label: int, present: tuple[str, ...]) -> None:
        super().__init__(f"label {label} is absent from the mask; it has {', '.join(present[:8])}")
        self.present = present


def lesion_mask(labels: sitk.Image, label: int) -> sitk.Image:
    """Return the binary mask (uint8, lesion 1) of one label of a label map.

    Values within `LABEL_ROUNDING` of a whole number are rounded to it.

    Raises
    ------
    LabelAbsentError
        When the map lacks the label; the message names the labels it has.
    ContractError
        When the map is empty, or has values that are no labels.
    """
    voxels = _whole(sitk.GetArrayViewFromImage(labels))
    lesion = (voxels == label).astype(np.uint8)
    if not lesion.any():
        present = tuple(f"{value:.15g}" for value in np.unique(voxels) if value != 0)
        if not present:
            raise ContractError("mask is empty")
        raise LabelAbsentError(label, present)
    mask = sitk.GetImageFromArray(lesion)
    mask.CopyInformation(labels)
    return mask


def _whole(voxels: NDArray[Any]) -> NDArray[Any]:
    if voxels.dtype.kind != "f":
        return voxels
    rounded: NDArray[Any] = np.rint(voxels)
    between = np.abs(voxels - rounded) > LABEL_ROUNDING
    if between.any():
        k, j, i = (int(each) for each in np.argwhere(between)[0])
        count = int(np.count_nonzero(between))
        raise ContractError(
            f"{count} voxel{' has a value that is' if count == 1 else 's have values that are'} no label, the first "
            f"{voxels[k, j, i]:.6g} at (i, j, k) = {(i, j, k)}: a probability map? Threshold it"
        )
    return rounded
