"""Images and masks from NIfTI and NRRD files: reading, geometry, content hashes."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from schemas.errors import ContractError

__all__ = ["geometry_difference", "image_sha256", "lesion_mask", "mask_sha256", "read_volume"]

_TOLERANCE = 1e-3
"""Origin and corner may differ by this fraction of a voxel: NIfTI stores its geometry in float32."""


def read_volume(file: Path) -> sitk.Image:
    """Return the three-dimensional image in a NIfTI or NRRD file.

    Raises
    ------
    ContractError
        When the file is missing, cannot be read, or is no single-channel volume.
    """
    if not file.is_file():
        raise ContractError("file is missing", where=str(file))
    try:
        image = sitk.ReadImage(str(file))
    except RuntimeError as error:
        # ITK's own text spans many lines of source positions; its last one tells.
        raise ContractError(f"cannot be read as an image: {str(error).splitlines()[-1]}", where=str(file)) from error
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[:, :, :, 0]
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        shape = "x".join(str(n) for n in image.GetSize())
        raise ContractError(f"is no single-channel volume (size {shape})", where=str(file))
    return image


def lesion_mask(labels: sitk.Image, label: int) -> sitk.Image:
    """Return the binary mask (uint8, lesion 1) of one label of a label map.

    Raises
    ------
    ContractError
        When the map is empty or lacks the label; the message names the labels it has.
    """
    voxels = sitk.GetArrayViewFromImage(labels)
    lesion = (voxels == label).astype(np.uint8)
    if not lesion.any():
        present = [f"{value:g}" for value in np.unique(voxels) if value != 0]
        if not present:
            raise ContractError("mask is empty")
        raise ContractError(f"label {label} is absent from the mask; it has {', '.join(present[:8])}")
    mask = sitk.GetImageFromArray(lesion)
    mask.CopyInformation(labels)
    return mask


def geometry_difference(image: sitk.Image, mask: sitk.Image) -> str | None:
    """Return how a mask's geometry differs from its image's, or None where they agree."""
    if image.GetSize() != mask.GetSize():
        return f"size {_times(mask.GetSize())} against the image's {_times(image.GetSize())} voxels"
    spacing = np.asarray(image.GetSpacing())
    if np.any(np.abs(spacing - mask.GetSpacing()) > _TOLERANCE * spacing):
        return f"spacing {_times(mask.GetSpacing())} against the image's {_times(image.GetSpacing())} mm"
    # Equal first and last voxel centres leave origin and direction no room to differ in what matters.
    for corner, name in (((0, 0, 0), "first"), (tuple(n - 1 for n in image.GetSize()), "last")):
        there = np.asarray(mask.TransformIndexToPhysicalPoint(corner))
        here = np.asarray(image.TransformIndexToPhysicalPoint(corner))
        if np.max(np.abs(there - here)) > _TOLERANCE * spacing.max() * max(image.GetSize()):
            return f"{name} voxel at {_point(there)} against the image's {_point(here)} mm"
    return None


def image_sha256(image: sitk.Image) -> str:
    """Return the hash of an image's voxels and geometry, whatever file format it came from."""
    return _sha256(image, sitk.GetArrayViewFromImage(image), image.GetPixelIDTypeAsString())


def mask_sha256(mask: sitk.Image) -> str:
    """Return the hash of a binary mask's voxels and geometry."""
    return _sha256(mask, np.packbits(sitk.GetArrayViewFromImage(mask)), "binary")


def _sha256(volume: sitk.Image, voxels: NDArray[Any], kind: str) -> str:
    geometry = (kind, volume.GetSize(), volume.GetSpacing(), volume.GetOrigin(), volume.GetDirection())
    digest = hashlib.sha256(repr(geometry).encode())
    digest.update(np.ascontiguousarray(voxels).data)
    return digest.hexdigest()


def _times(values: tuple[float, ...]) -> str:
    return " x ".join(f"{value:g}" for value in values)


def _point(values: NDArray[np.float64]) -> str:
    return "(" + ", ".join(f"{value:.2f}" for value in values) + ")"
