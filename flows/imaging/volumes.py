"""Images and masks from NIfTI, NRRD, MetaImage and Analyze files: reading, geometry, content hashes.

What a file is, its content says, not its name. ITK is given a private folder with that file alone, under a name of
our choice: beside other files it may open A.nii where A.nii.gz is asked for.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from flows.imaging.file_kinds import folder_kind, image_format, refuse_absent
from flows.imaging.image_files import located, pair_files, text_header
from flows.imaging.nifti_header import SHEARED, NiftiHeader
from flows.imaging.opened_files import CHUNK, file_stat, first_bytes, is_packed, opened, system_words, unpacked
from flows.imaging.text_headers import TextHeader
from schemas.errors import ContractError

__all__ = ["GEOMETRY_TOLERANCE", "geometry_difference", "image_sha256", "is_unoriented", "mask_sha256", "read_volume"]

GEOMETRY_TOLERANCE = 1e-4
"""Largest difference of two grids where no feature set says another."""

DIRECTION_ROUNDING = 1e-4
"""Direction cosines that differ by no more agree at any tolerance: NIfTI stores a quaternion in float32."""

_FLOAT32_ROUNDING = 2.0**-22
_RIGHT_ANGLE = 1e-3
_UNORIENTED = "radzoo_unoriented"
_NIFTI, _NRRD, _METAIMAGE = "NiftiImageIO", "NrrdImageIO", "MetaImageIO"

# What ITK warns of on the terminal, between progress and results, is refused here with the file's name.
sitk.ProcessObject.GlobalWarningDisplayOff()


def read_volume(file: Path) -> sitk.Image:
    """Return the three-dimensional image in a NIfTI, NRRD, MetaImage or Analyze file.

    Raises
    ------
    ContractError
        When the file is missing or cannot be read, is incomplete, is no single-channel volume, lacks a spacing, or
        has voxels that are not finite.
    """
    try:
        with _private_folder() as folder:
            image = _image(file, folder)
        return _volume(image)
    except ContractError as error:
        raise ContractError(error.message, where=error.where or str(file), hint=error.hint) from error
    except MemoryError as error:
        raise ContractError("there is not enough memory to read it", where=str(file)) from error
    except OSError as error:
        is_ours = str(error.filename or "").startswith(tempfile.gettempdir())
        words = (
            f"cannot be unpacked: {_temporary_words(error)}" if is_ours else f"cannot be read: {system_words(error)}"
        )
        raise ContractError(words, where=str(file)) from error


@contextmanager
def _private_folder() -> Iterator[Path]:
    try:
        folder = tempfile.mkdtemp(prefix="radzoo-read-")
    except OSError as error:
        raise ContractError(f"there is no temporary folder to read it in: {_temporary_words(error)}") from error
    try:
        yield Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _temporary_words(error: OSError) -> str:
    return f"{system_words(error)} (set TMPDIR to a folder with room)"


def _image(file: Path, folder: Path) -> sitk.Image:
    if (kind := folder_kind(file)) is not None:
        raise ContractError(kind)
    refuse_absent(file)
    file_stat(file)
    if file.suffix.lower() == ".img" or file.name.lower().endswith(".img.gz"):
        return _nifti_image(*pair_files(file), folder)
    match image_format(file):
        case "nifti":
            return _nifti_image(file, file, folder)
        case "nifti pair" | "analyze":
            return _nifti_image(*pair_files(file), folder)
        case kind:
            return _text_headed_image(file, text_header(file, kind), folder)


def _nifti_image(file: Path, voxels: Path, folder: Path) -> sitk.Image:
    """Return the image of a NIfTI or Analyze file, or of a header and the file with its voxels."""
    if image_format(file) not in ("nifti", "nifti pair", "analyze"):
        raise ContractError(f"{file.name} is no header of NIfTI or Analyze")
    header = NiftiHeader.of(first_bytes(file, 348))
    header.refuse_faults()
    if header.is_single_file and voxels != file:
        voxels = file
    length = _read_length(voxels, header)
    if length < header.expected_bytes:
        raise ContractError(f"file is incomplete: {length} of {header.expected_bytes} bytes, as its header counts them")
    name = ("x.nii" if header.is_single_file else "x.img") + (".gz" if is_packed(voxels) else "")
    (folder / name).symlink_to(voxels.absolute())
    if not header.is_single_file:
        name = "x.hdr"
        (folder / name).write_bytes(first_bytes(file, CHUNK))
    return _marked(_by_itk(folder / name, _NIFTI), is_unoriented=not header.has_orientation)


def _read_length(voxels: Path, header: NiftiHeader) -> int:
    """Return the length of a file of voxels, unpacked: all of a packed one is read, and its checksum compared.

    Raises
    ------
    ContractError
        When it is damaged, or has voxels that are not finite, which ITK would read as 0.
    """
    is_float = header.dtype.kind == "f"
    if not is_float and not is_packed(voxels):
        return file_stat(voxels).st_size
    with unpacked(voxels) as stream:
        length = len(stream.read(int(header.first_voxel)))

        def parts() -> Iterator[NDArray[Any]]:
            nonlocal length
            while chunk := stream.read(CHUNK):
                whole = min(len(chunk), max(0, header.expected_bytes - length))
                length += len(chunk)
                yield np.frombuffer(chunk, header.dtype, whole // header.dtype.itemsize)

        if is_float:
            _refuse_not_finite(parts(), header.sizes[:3])
        else:
            for _ in parts():
                pass
    return length


def _text_headed_image(file: Path, header: TextHeader, folder: Path) -> sitk.Image:
    """Return the image of a NRRD file or MetaImage, with its voxels in the same file or in others."""
    header.refuse_faults()
    io, endings = (_NRRD, (".nrrd", ".nhdr")) if header.format == "nrrd" else (_METAIMAGE, (".mha", ".mhd"))
    length = 0
    if not header.data:
        placed = folder / f"x{endings[0]}"
        length = _place(file, placed) - header.length
    else:
        if file.name.lower().endswith((".nii", ".nii.gz")):
            raise ContractError(f"is a header whose voxels lie in another file: its name must end in {endings[1]}")
        names = tuple(f"{number:06}.raw" for number in range(len(header.data)))
        for written, name in zip(header.data, names, strict=True):
            if (data := located(file, written)) is None:
                raise ContractError(f"data file '{written}' is missing, which its header names")
            with _of_data_file(written):
                length += file_stat(data).st_size
                with opened(data):
                    pass
            (folder / name).symlink_to(data.absolute())
        placed = folder / f"x{endings[1]}"
        placed.write_bytes(header.with_data(names))
    _refuse_short(header, length)
    image = _by_itk(placed, io)
    return _marked(image, is_unoriented=not header.has_orientation)


@contextmanager
def _of_data_file(name: str) -> Iterator[None]:
    try:
        yield
    except ContractError as error:
        raise ContractError(f"data file '{name}': {error.message}") from error


def _refuse_short(header: TextHeader, length: int) -> None:
    expected = header.expected_bytes
    if expected is not None and not header.is_packed and length < expected:
        raise ContractError(f"file is incomplete: {length} of {expected} bytes of voxels, as its header counts them")


def _place(file: Path, placed: Path) -> int:
    """Put a file where ITK finds it alone, as a link, or unpacked where it is packed as a whole; return its length."""
    if not is_packed(file):
        placed.symlink_to(file.absolute())
        return file_stat(file).st_size
    with unpacked(file) as stream:
        try:
            with placed.open("wb") as target:
                shutil.copyfileobj(stream, target, CHUNK)
        except gzip.BadGzipFile:
            raise
        except OSError as error:
            raise ContractError(f"cannot be unpacked: {_temporary_words(error)}") from error
    return file_stat(placed).st_size


def _by_itk(file: Path, io: str) -> sitk.Image:
    reader = sitk.ImageFileReader()
    reader.SetImageIO(io)
    reader.SetFileName(str(file))
    try:
        image: sitk.Image = reader.Execute()
    except RuntimeError as error:
        # ITK's own text spans many lines of source positions; its last one tells.
        words = str(error).strip().splitlines()[-1].replace(f"{file.parent}{os.sep}", "")
        if "orthonormal" in words:
            raise ContractError(SHEARED) from error
        raise ContractError(f"cannot be read as an image: {words}") from error
    return image


def _marked(image: sitk.Image, *, is_unoriented: bool) -> sitk.Image:
    size, components = image.GetSize(), image.GetNumberOfComponentsPerPixel()
    kind = None
    if components > 1:
        is_rgb = components == 3 and image.GetPixelID() == sitk.sitkVectorUInt8
        kind = f"{'an RGB' if is_rgb else 'a vector'} image, {components} components a voxel"
    elif "complex" in image.GetPixelIDTypeAsString():
        kind = "a complex image"
    elif len(size) < 3:
        kind = f"an image of {len(size)} dimensions"
    elif any(length > 1 for length in size[3:]):
        kind = f"a series of {size[3]} volumes: split it into phases" if len(size) == 4 else f"{len(size)} dimensions"
    if kind is not None:
        raise ContractError(f"is no single-channel volume (size {'x'.join(str(n) for n in size)}): {kind}")
    while image.GetDimension() > 3:
        image = image[(slice(None),) * (image.GetDimension() - 1) + (0,)]
    if is_unoriented:
        image.SetMetaData(_UNORIENTED, "1")
    return image


def _volume(image: sitk.Image) -> sitk.Image:
    """Return a volume that any feature may be computed of, as it is."""
    axes = np.reshape(image.GetDirection(), (3, 3))
    if np.abs(axes.T @ axes - np.eye(3)).max() > _RIGHT_ANGLE:
        raise ContractError(SHEARED)
    voxels = sitk.GetArrayViewFromImage(image)
    if voxels.dtype.kind == "f":
        flat = voxels.reshape(-1)
        _refuse_not_finite((flat[start : start + CHUNK] for start in range(0, len(flat), CHUNK)), image.GetSize())
    return image


def _refuse_not_finite(parts: Iterable[NDArray[Any]], size: tuple[int, ...]) -> None:
    """Refuse voxels that are NaN or infinite, wherever they lie: normalisation reads the whole image.

    Parameters
    ----------
    parts : iterable of ndarray, each of one axis
        The voxels, with the first axis of the volume running fastest.
    size : tuple of 3 ints
        Of the volume.

    Raises
    ------
    ContractError
        With their count and the place (i, j, k) of the first, counted from 0.
    """
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


def is_unoriented(image: sitk.Image) -> bool:
    """Return whether an image's file says nothing of which way its axes run: they are taken as they come."""
    return bool(image.HasMetaDataKey(_UNORIENTED))


def geometry_difference(image: sitk.Image, mask: sitk.Image, tolerance: float = GEOMETRY_TOLERANCE) -> str | None:
    """Return how a mask's geometry differs from its image's, or None where they agree.

    Parameters
    ----------
    image, mask : SimpleITK.Image
        Volumes of any pixel type.
    tolerance : float
        Largest difference of spacing and origin, as a share of the first spacing, and of direction cosines:
        the measure that ITK itself uses. What float32 rounds off, in which NIfTI stores geometry, comes on top.
    """
    spacing = image.GetSpacing()
    reach = max(abs(each) for each in image.GetOrigin()) + float(np.max(np.multiply(image.GetSize(), spacing)))
    allowed_mm = tolerance * spacing[0]
    for name, of_image, of_mask, allowed in (
        ("size", image.GetSize(), mask.GetSize(), 0.0),
        ("spacing in mm", spacing, mask.GetSpacing(), allowed_mm + _FLOAT32_ROUNDING * max(spacing)),
        ("origin in mm", image.GetOrigin(), mask.GetOrigin(), allowed_mm + _FLOAT32_ROUNDING * reach),
        ("direction", image.GetDirection(), mask.GetDirection(), max(tolerance, DIRECTION_ROUNDING)),
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
