"""The image that a process read last: its masks are read after it, and what they measure of it needs its voxels."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from flows.imaging.grids import Place
from flows.imaging.sources import Source, read_image
from flows.imaging.volumes import ReadingFolders, image_sha256
from schemas.errors import ContractError

__all__ = ["LAST_IMAGE", "LastImage", "ReadImage"]


class ReadImage(NamedTuple):
    """An image that was read: where from, which content it had, and where it lies."""

    source: Source
    sha256: str
    place: Place


class LastImage:
    """The voxels of one image, known by their content: a process that reads another one, or a new one, has none."""

    def __init__(self) -> None:
        self._sha256 = ""
        self._image: sitk.Image | None = None

    def forget(self) -> None:
        """Give its memory back: the next image needs it."""
        self._sha256, self._image = "", None

    def remember(self, sha256: str, image: sitk.Image) -> None:
        """Keep an image until the next one is read."""
        self._sha256, self._image = sha256, image

    def voxels(self, image: ReadImage, folders: ReadingFolders) -> NDArray[np.generic]:
        """Return an image's voxels, slice by slice; it is read again where it is not the last one.

        Raises
        ------
        ContractError
            When it has to be read and cannot, or is not what it was.
        """
        found = self._image if self._sha256 == image.sha256 else None
        if found is None:
            self.forget()
            found = read_image(image.source, folders)
            if image_sha256(found) != image.sha256:
                raise ContractError(
                    "it changes while it is read: wait until it is written, and run the command again",
                    where=str(image.source.file),
                )
            self.remember(image.sha256, found)
        voxels: NDArray[np.generic] = sitk.GetArrayViewFromImage(found)
        return voxels


LAST_IMAGE = LastImage()
"""This process's."""
