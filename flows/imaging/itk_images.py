"""One image file given to ITK alone: header checked, voxels counted and finite, then read.

ITK is given a private folder with that file alone, under a name of our choice: beside other files it may open A.nii
where A.nii.gz is asked for.
"""

from __future__ import annotations

import gzip
import os
import shutil
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from flows.imaging.file_kinds import folder_kind, image_format, refuse_absent
from flows.imaging.image_files import located, pair_files, text_header
from flows.imaging.nifti_header import SHEARED, NiftiHeader
from flows.imaging.opened_files import (
    CHUNK,
    file_stat,
    first_bytes,
    is_packed,
    opened,
    system_words,
    unpacked,
    without_addresses,
)
from flows.imaging.text_headers import TextHeader
from schemas.errors import ContractError

__all__ = ["is_unoriented", "itk_image", "refuse_not_finite", "temporary_words"]

_UNORIENTED = "radzoo_unoriented"
_NIFTI, _NRRD, _METAIMAGE = "NiftiImageIO", "NrrdImageIO", "MetaImageIO"
_ZLIB_OR_GZIP = 47  # zlib's own number for either

# What ITK warns of on the terminal, between progress and results, is refused here with the file's name.
sitk.ProcessObject.GlobalWarningDisplayOff()


def itk_image(file: Path, folder: Path) -> sitk.Image:
    """Return the volume in an image file, whose header has been checked.

    Parameters
    ----------
    file : Path
        As it is named.
    folder : Path
        An empty one, which ITK reads from.

    Raises
    ------
    ContractError
        When the file is missing, is something else or is at fault.
    """
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
            refuse_not_finite(parts(), header.sizes[:3])
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
        _place(file, placed)
        if header.format == "metaimage" and header.is_packed:
            placed, length = _unpacked_metaimage(placed, header.length, header, folder)
        else:
            length = _voxel_length(placed, header, header.length)
    elif header.format == "metaimage" and header.is_packed:
        if len(header.data) > 1 or (data := located(file, header.data[0])) is None:
            what = f"data file '{header.data[0]}' is missing" if len(header.data) == 1 else "several packed data files"
            raise ContractError(f"{what}, which its header names")
        with _of_data_file(header.data[0]):
            placed, length = _unpacked_metaimage(data, 0, header, folder)
    else:
        if file.name.lower().endswith((".nii", ".nii.gz")):
            raise ContractError(f"is a header whose voxels lie in another file: its name must end in {endings[1]}")
        names = tuple(f"{number:06}.raw" for number in range(len(header.data)))
        for written, name in zip(header.data, names, strict=True):
            if (data := located(file, written)) is None:
                raise ContractError(f"data file '{written}' is missing, which its header names")
            if data.resolve() == file.resolve():
                raise ContractError(f"its header names the file itself, '{written}', as that of its voxels")
            with _of_data_file(written):
                length += _voxel_length(data, header, 0)
            (folder / name).symlink_to(data.absolute())
        placed = folder / f"x{endings[1]}"
        placed.write_bytes(header.with_data(names))
    _refuse_short(header, length)
    image = _by_itk(placed, io)
    return _marked(image, is_unoriented=not header.has_orientation)


def _unpacked_metaimage(file: Path, first: int, header: TextHeader, folder: Path) -> tuple[Path, int]:
    """Return a MetaImage whose voxels are those of ``file`` unpacked, and their length in bytes.

    MetaIO needs a field for the packed length; where it is absent or wrong it gives memory for voxels and no error.
    """
    raw, placed = folder / "voxels.raw", folder / "unpacked.mhd"
    with raw.open("wb") as target:
        length = _unpack(file, first, target)
    placed.write_bytes(header.unpacked().with_data((raw.name,)))
    return placed, length


@contextmanager
def _of_data_file(name: str) -> Iterator[None]:
    try:
        yield
    except ContractError as error:
        raise ContractError(f"data file '{name}': {error.message}") from error


def _voxel_length(file: Path, header: TextHeader, first: int) -> int:
    """Return how many bytes of voxels a file holds from its byte ``first`` on.

    The format's own packing is undone for it, and its checksum compared: where that fails MetaIO gives whatever it
    has, and NRRD's reader does not compare it.
    """
    return _unpack(file, first) if header.is_packed else file_stat(file).st_size - first


def _unpack(file: Path, first: int, target: IO[bytes] | None = None) -> int:
    """Unpack a file from its byte ``first`` on, into ``target`` where there is one, and return the length."""
    with opened(file) as stream:
        stream.seek(first)
        unpacking = zlib.decompressobj(_ZLIB_OR_GZIP)
        length = 0
        try:
            while not unpacking.eof and (chunk := stream.read(CHUNK)):
                part = unpacking.decompress(chunk)
                length += len(part)
                if target is not None:
                    target.write(part)
        except zlib.error as error:
            raise ContractError(f"file is incomplete or damaged: {error}") from error
    if not unpacking.eof:
        raise ContractError("file is incomplete: its packed voxels end early")
    return length


def _refuse_short(header: TextHeader, length: int) -> None:
    expected = header.expected_bytes
    if expected is not None and length < expected:
        raise ContractError(f"file is incomplete: {length} of {expected} bytes of voxels, as its header counts them")


def _place(file: Path, placed: Path) -> None:
    """Put a file where ITK finds it alone, as a link, or unpacked where it is packed as a whole."""
    if not is_packed(file):
        placed.symlink_to(file.absolute())
        return
    with unpacked(file) as stream:
        try:
            with placed.open("wb") as target:
                shutil.copyfileobj(stream, target, CHUNK)
        except gzip.BadGzipFile:
            raise
        except OSError as error:
            raise ContractError(f"cannot be unpacked: {temporary_words(error)}") from error


def _by_itk(file: Path, io: str) -> sitk.Image:
    reader = sitk.ImageFileReader()
    reader.SetImageIO(io)
    reader.SetFileName(str(file))
    try:
        image: sitk.Image = reader.Execute()
    except RuntimeError as error:
        # ITK's own text spans many lines of source positions; its last one tells.
        words = without_addresses(str(error).strip().splitlines()[-1].replace(f"{file.parent}{os.sep}", ""))
        if "orthonormal" in words:
            raise ContractError(SHEARED) from error
        if "fread got only" in words or "GzRead" in words or "Gzip_read" in words:
            raise ContractError("file is incomplete or damaged: it has fewer voxels than its header counts") from error
        if io == _METAIMAGE and "Reason:" in words:  # which is that of an older error, whatever has happened
            words = "the header or the voxels of this MetaImage are damaged or incomplete"
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


def refuse_not_finite(parts: Iterable[NDArray[Any]], size: tuple[int, ...]) -> None:
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


def temporary_words(error: OSError) -> str:
    """Return what is said of an error in the folder for temporary files."""
    return f"{system_words(error)} (set TMPDIR to a folder with room)"


def is_unoriented(image: sitk.Image) -> bool:
    """Return whether an image's file says nothing of which way its axes run: they are taken as they come."""
    return bool(image.HasMetaDataKey(_UNORIENTED))
