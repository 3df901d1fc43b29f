"""The catalogue's rows of an image and of a mask, as their voxels give them."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk

from flows.imaging.grids import Grid, grid_difference, grid_of
from flows.imaging.labels import lesion_voxels
from flows.imaging.volumes import image_sha256, label_sha256
from schemas.errors import ContractError

__all__ = ["mask_row", "scan_row"]

Row = dict[str, Any]


def scan_row(image: sitk.Image, source: str, source_stat: str) -> Row:
    """Return the row of an image, but for its key and modality."""
    return {
        "image_sha256": image_sha256(image),
        "voxels": image.GetNumberOfPixels(),
        "spacing_mm": " x ".join(f"{value:.4g}" for value in image.GetSpacing()),
        "source": source,
        "source_stat": source_stat,
    }


def mask_row(image: Grid, labels: sitk.Image, label: int, tolerance: float) -> Row:
    """Return the row of a lesion's mask, but for its key, its files and its image's hash.

    Parameters
    ----------
    image : Grid
        Of the image.
    labels : SimpleITK.Image
        The mask's file as it was read.
    label : int
        The lesion's value in it.
    tolerance : float
        As `grid_difference` takes it.

    Raises
    ------
    ContractError
        When the mask lies on another grid than the image, is empty or lacks the label.
    """
    if difference := grid_difference(image, grid_of(labels), tolerance):
        raise ContractError(f"other geometry: {difference}; the tolerance is {tolerance:g} (geometry_tolerance)")
    lesion = lesion_voxels(labels, label)
    voxels = int(np.count_nonzero(lesion))
    return {
        "mask_label": label,
        "mask_sha256": label_sha256(labels, lesion),
        "lesion_voxels": voxels,
        "volume_mm3": voxels * float(np.prod(labels.GetSpacing())),
    }
