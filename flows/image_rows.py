"""The catalogue's rows of an image and of a mask, as their voxels give them."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk

from flows.imaging.labels import lesion_mask
from flows.imaging.volumes import geometry_difference, image_sha256, mask_sha256
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


def mask_row(image: sitk.Image, labels: sitk.Image, label: int, tolerance: float) -> Row:
    """Return the row of a lesion's mask, but for its key, its files and its image's hash.

    Raises
    ------
    ContractError
        When the mask lies on another grid than the image, is empty or lacks the label.
    """
    if difference := geometry_difference(image, labels, tolerance):
        raise ContractError(f"other geometry: {difference}; the tolerance is {tolerance:g} (geometry_tolerance)")
    mask = lesion_mask(labels, label)
    voxels = int(sitk.GetArrayViewFromImage(mask).sum())
    return {
        "mask_label": label,
        "mask_sha256": mask_sha256(mask),
        "lesion_voxels": voxels,
        "volume_mm3": voxels * float(np.prod(mask.GetSpacing())),
    }
