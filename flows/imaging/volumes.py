"""Images and masks from NIfTI, NRRD, MetaImage and Analyze files: reading, geometry, content hashes.

What a file is, its content says, not its name.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from flows.imaging.image_files import source_stat
from flows.imaging.itk_images import is_unoriented, itk_image, temporary_words
from flows.imaging.opened_files import CHUNK, system_words
from schemas.errors import ContractError

__all__ = [
    "FetchedCopy",
    "ReadingFolders",
    "image_sha256",
    "is_unoriented",
    "label_sha256",
    "mask_sha256",
    "read_volume",
    "refuse_not_finite",
]

_PACKED = 1 << 23  # a multiple of 8: whole bytes


class FetchedCopy(NamedTuple):
    """A remote image as this machine has it, or why it has none."""

    path: Path
    stat: str
    """What its bucket says of size and content."""
    fault: str = ""
    """Why there is no copy; empty where there is one."""


class ReadingFolders(NamedTuple):
    """What reading a study's files needs to know of folders."""

    study: Path | None = None
    """Below it data files may lie that headers name; beside the header where None."""
    temporary: Path | None = None
    """For temporary files; the system's folder where None."""
    names_files: bool = True
    """Whether what is said of a file may say where it lies."""
    copies: Mapping[str, FetchedCopy] | None = None
    """Of remote images, by their URLs: who reads has no way to a bucket."""


def read_volume(file: Path, study_folder: Path | None = None, *, within: Path | None = None) -> sitk.Image:
    """Return the three-dimensional image in a NIfTI, NRRD, MetaImage or Analyze file.

    Parameters
    ----------
    file : Path
        The file.
    study_folder : Path, optional
        Below which data files may lie that a header names; beside the header where absent.
    within : Path, optional
        The folder for temporary files; the system's where absent.

    Raises
    ------
    ContractError
        When the file is missing or cannot be read, is incomplete, is no single-channel volume, lacks a spacing, is
        larger than is read, has voxels that are not finite, or changes while it is read. Its message is the same
        each time, and repeats no content of the file.
    """
    try:
        before = source_stat(file, study_folder)
        with _private_folder(within) as folder:
            image = itk_image(file, folder, study_folder)
            refuse_not_finite(image)
        if source_stat(file, study_folder) != before:
            raise ContractError("it changes while it is read: wait until it is written, and run the command again")
    except ContractError as error:
        raise ContractError(error.message, where=error.where or str(file), hint=error.hint) from error
    except MemoryError as error:
        raise ContractError("there is not enough memory to read it", where=str(file)) from error
    except OSError as error:
        is_ours = str(error.filename or "").startswith(tempfile.gettempdir())
        words = f"cannot be unpacked: {temporary_words(error)}" if is_ours else f"cannot be read: {system_words(error)}"
        raise ContractError(words, where=str(file)) from error
    except Exception as error:
        # A library's words may hold the file's own, and places in memory.
        raise ContractError(f"reading it ends in a {type(error).__name__}", where=str(file)) from error
    return image


@contextmanager
def _private_folder(within: Path | None) -> Iterator[Path]:
    try:
        folder = tempfile.mkdtemp(prefix="radzoo-read-", dir=within)
    except OSError as error:
        raise ContractError(f"there is no temporary folder to read it in: {temporary_words(error)}") from error
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def refuse_not_finite(image: sitk.Image) -> None:
    """Refuse voxels that are NaN or infinite, wherever they lie: normalisation reads the whole image.

    Raises
    ------
    ContractError
        With their count and the place (i, j, k) of the first, counted from 0.
    """
    voxels = sitk.GetArrayViewFromImage(image)
    if voxels.dtype.kind == "f":
        flat = voxels.reshape(-1)
        _refuse_parts((flat[start : start + CHUNK] for start in range(0, len(flat), CHUNK)), image.GetSize())


def _refuse_parts(parts: Iterable[NDArray[Any]], size: tuple[int, ...]) -> None:
    count, first, start = 0, -1, 0
    with np.errstate(all="ignore"):
        for part in parts:
            # A sum is finite where all are, but for overflow, and takes a fraction of the time.
            if not np.isfinite(part.sum()):
                bad = np.flatnonzero(~np.isfinite(part))
                first = start + int(bad[0]) if first < 0 and len(bad) else first
                count += len(bad)
            start += len(part)
    if count:
        place = (first % size[0], first // size[0] % size[1], first // size[0] // size[1])
        are = "voxel is" if count == 1 else "voxels are"
        raise ContractError(f"{count} {are} not finite (NaN or infinity), the first at (i, j, k) = {place}")


def image_sha256(image: sitk.Image) -> str:
    """Return the hash of an image's voxels and geometry, whatever file format it came from."""
    return _sha256(image, sitk.GetArrayViewFromImage(image), image.GetPixelIDTypeAsString())


def mask_sha256(mask: sitk.Image) -> str:
    """Return the hash of a binary mask's voxels and geometry."""
    return label_sha256(mask, sitk.GetArrayViewFromImage(mask))


def label_sha256(labels: sitk.Image, lesion: NDArray[Any]) -> str:
    """Return the hash of the mask that is true, or 1, where ``lesion`` is, on the grid of a label map."""
    digest = _geometry_digest(labels, "binary")
    flat = lesion.reshape(-1)
    for start in range(0, len(flat), _PACKED):
        digest.update(np.packbits(flat[start : start + _PACKED]).data)
    return digest.hexdigest()


def _sha256(volume: sitk.Image, voxels: NDArray[Any], kind: str) -> str:
    digest = _geometry_digest(volume, kind)
    digest.update(np.ascontiguousarray(voxels).data)
    return digest.hexdigest()


def _geometry_digest(volume: sitk.Image, kind: str) -> hashlib._Hash:
    geometry = (kind, volume.GetSize(), volume.GetSpacing(), volume.GetOrigin(), volume.GetDirection())
    return hashlib.sha256(repr(geometry).encode())
