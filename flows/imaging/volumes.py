"""Images and masks from NIfTI and NRRD files: reading, geometry, content hashes."""

from __future__ import annotations

import gzip
import hashlib
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from schemas.errors import ContractError

__all__ = ["geometry_difference", "image_sha256", "lesion_mask", "mask_sha256", "read_volume"]

GEOMETRY_TOLERANCE = 1e-4
"""Differences up to this are no differences: NIfTI stores geometry in float32, orientation as a quaternion."""

_CHUNK = 1 << 20


def read_volume(file: Path) -> sitk.Image:
    """Return the three-dimensional image in a NIfTI or NRRD file.

    Raises
    ------
    ContractError
        When the file is missing, cannot be read, is incomplete, or is no single-channel volume.
    """
    if not file.is_file():
        raise ContractError("file is missing", where=str(file))
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(file))
    try:
        reader.ReadImageInformation()
        _refuse_incomplete_nifti(file, reader)
        image: sitk.Image = reader.Execute()
    except RuntimeError as error:
        # ITK's own text spans many lines of source positions; its last one tells.
        raise ContractError(f"cannot be read as an image: {str(error).splitlines()[-1]}", where=str(file)) from error
    if image.GetDimension() == 4 and image.GetSize()[3] == 1:
        image = image[:, :, :, 0]
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        shape = "x".join(str(n) for n in image.GetSize())
        raise ContractError(f"is no single-channel volume (size {shape})", where=str(file))
    return image


def _refuse_incomplete_nifti(file: Path, reader: sitk.ImageFileReader) -> None:
    """Refuse a NIfTI file that was cut off or damaged: ITK reads it without a word, as zeros."""
    if not reader.HasMetaDataKey("vox_offset"):
        return
    bits = math.prod(reader.GetSize()) * reader.GetNumberOfComponents() * int(reader.GetMetaData("bitpix"))
    expected = int(float(reader.GetMetaData("vox_offset"))) + bits // 8
    length = file.stat().st_size
    if file.suffix == ".gz":
        try:
            with gzip.open(file) as stream:
                length = sum(len(chunk) for chunk in iter(lambda: stream.read(_CHUNK), b""))
        except (EOFError, OSError, zlib.error) as error:
            raise ContractError(f"file is incomplete or damaged: {error}", where=str(file)) from error
    if length < expected:
        raise ContractError(
            f"file is incomplete: {length} of {expected} bytes, as its header counts them", where=str(file)
        )


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


def geometry_difference(image: sitk.Image, mask: sitk.Image, tolerance: float = GEOMETRY_TOLERANCE) -> str | None:
    """Return how a mask's geometry differs from its image's, or None where they agree.

    Parameters
    ----------
    image, mask : SimpleITK.Image
        Volumes of any pixel type.
    tolerance : float
        Largest difference of spacing and origin, as a share of the first spacing, and of direction cosines:
        the measure that ITK itself uses.
    """
    spacing = image.GetSpacing()
    for name, of_image, of_mask, allowed in (
        ("size", image.GetSize(), mask.GetSize(), 0.0),
        ("spacing in mm", spacing, mask.GetSpacing(), tolerance * spacing[0]),
        ("origin in mm", image.GetOrigin(), mask.GetOrigin(), tolerance * spacing[0]),
        ("direction", image.GetDirection(), mask.GetDirection(), tolerance),
    ):
        if len(of_image) != len(of_mask) or np.abs(np.subtract(of_image, of_mask)).max() > allowed:
            return f"{name} {_listed(of_mask)} against the image's {_listed(of_image)}"
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


def _listed(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:.6g}" for value in values) + ")"
