"""The patient's axes that a DICOM image lies in: a key that tells two apart, and from which no UID can be read."""

from __future__ import annotations

import hashlib

import SimpleITK as sitk

__all__ = ["frame_of_reference", "mark_frame_of_reference", "reference_key"]

_KEY = "radzoo_frame_of_reference"


def reference_key(uid: str) -> str:
    """Return what stands for a FrameOfReferenceUID: the same for the same one."""
    return hashlib.sha256(uid.encode()).hexdigest()[:16]


def mark_frame_of_reference(image: sitk.Image, uid: str) -> None:
    """Let an image carry the key of the axes that its files name."""
    image.SetMetaData(_KEY, reference_key(uid))


def frame_of_reference(image: sitk.Image) -> str | None:
    """Return the key of the axes that an image was read in, None where its files name none."""
    return image.GetMetaData(_KEY) if image.HasMetaDataKey(_KEY) else None
