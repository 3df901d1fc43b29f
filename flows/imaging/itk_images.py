"""The image in a file: its header checked, its voxels read here, its geometry as ITK reads it.

ITK sees no byte of the file: it is given a header that is written here, of numbers that were checked, alone in a
folder of its own. Its parsers and unpackers trust what they read, and beside other files they may open A.nii where
A.nii.gz is asked for.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from flows.imaging.formats.kinds import folder_kind, image_format, refuse_absent
from flows.imaging.formats.nifti import NiftiHeader
from flows.imaging.formats.text_headers import TextHeader, shown_name
from flows.imaging.image_files import located, pair_files, text_header
from flows.imaging.image_limits import SHEARED, refuse_extreme_grid, refuse_large
from flows.imaging.opened_files import file_stat, first_bytes, is_packed, opened, system_words
from flows.imaging.voxel_bytes import (
    bytes_of_hex,
    bytes_of_text,
    file_parts,
    filled,
    raw_parts,
    skipped,
    skipped_lines,
    unpacked_parts,
)
from schemas.errors import ContractError

__all__ = ["is_unoriented", "itk_image", "temporary_words"]

_UNORIENTED = "radzoo_unoriented"
_PIECE = 1 << 20

# What ITK warns of on the terminal, between progress and results, is refused here with the file's name.
sitk.ProcessObject.GlobalWarningDisplayOff()


def itk_image(file: Path, folder: Path, study_folder: Path | None = None) -> sitk.Image:
    """Return the volume in an image file.

    Parameters
    ----------
    file : Path
        As it is named.
    folder : Path
        An empty one, which ITK reads from.
    study_folder : Path, optional
        Below which data files may lie that a header names.

    Raises
    ------
    ContractError
        When the file is missing, is something else, is at fault or is larger than is read.
    """
    if (kind := folder_kind(file)) is not None:
        raise ContractError(kind)
    refuse_absent(file)
    file_stat(file)
    if file.suffix.lower() == ".img" or file.name.lower().endswith(".img.gz"):
        return _nifti_image(*pair_files(file, study_folder), folder)
    match image_format(file):
        case "nifti":
            return _nifti_image(file, file, folder)
        case "nifti pair" | "analyze":
            return _nifti_image(*pair_files(file, study_folder), folder)
        case kind:
            return _text_headed_image(file, text_header(file, kind), folder, study_folder)


def _nifti_image(file: Path, voxels: Path, folder: Path) -> sitk.Image:
    """Return the image of a NIfTI or Analyze file, or of a header and the file with its voxels."""
    if image_format(file) not in ("nifti", "nifti pair", "analyze"):
        raise ContractError(f"{file.name} is no header of NIfTI or Analyze")
    header = NiftiHeader.of(first_bytes(file, 348))
    header.refuse_faults()
    if header.is_single_file and voxels != file:
        voxels = file
    first, sizes = int(header.first_voxel), (header.sizes[0], header.sizes[1], header.sizes[2])
    if not is_packed(voxels) and (length := file_stat(voxels).st_size) < header.expected_bytes:
        raise ContractError(f"file is incomplete: {length} of {header.expected_bytes} bytes, as its header counts them")
    (folder / "x.img").write_bytes(b"")
    geometry = _geometry(folder / "x.hdr", header.geometry(), "NiftiImageIO")
    kind = np.dtype(geometry.kind if header.is_scaled else header.dtype.newbyteorder("="))
    refuse_large(sizes, max(kind.itemsize, header.dtype.itemsize))
    with opened(voxels) as stream:
        parts = skipped(file_parts(stream), first)
        if header.is_scaled:
            parts = _scaled(parts, header, kind)
        stored = header.dtype
        array = filled(parts, math.prod(sizes), kind if header.is_scaled else stored, of_header=first, stored=stored)
    return geometry.image(array, sizes, is_unoriented=not header.has_orientation)


def _scaled(parts: Iterator[bytes], header: NiftiHeader, kind: np.dtype[np.generic]) -> Iterator[bytes]:
    """Give stored voxels as bytes of scaled ones, in the order of ITK: first the type, then slope and intercept."""
    rest = b""
    for part in parts:
        for start in range(0, len(part), _PIECE):
            piece = rest + part[start : start + _PIECE]
            count = len(piece) // header.dtype.itemsize
            rest = piece[count * header.dtype.itemsize :]
            with np.errstate(all="ignore"):
                stored = np.frombuffer(piece, header.dtype, count).astype(kind).astype(np.float64)
                yield (stored * header.slope + header.intercept).astype(kind).tobytes()
    yield rest


def _text_headed_image(file: Path, header: TextHeader, folder: Path, study_folder: Path | None) -> sitk.Image:
    """Return the image of a NRRD file or MetaImage, with its voxels in the same file or in others."""
    count = math.prod(header.sizes)
    io, name = ("NrrdImageIO", "x.nrrd") if header.format == "nrrd" else ("MetaImageIO", "x.mha")
    files = [_data_file(file, each, study_folder) for each in header.data] or [file]
    if count % len(files):
        raise ContractError(f"{count} voxels, as its header counts them, are not the same for each of its data files")
    if header.encoding == "raw":
        _refuse_short(files, header, count * header.dtype.itemsize // len(files))
    refuse_large(header.sizes, header.dtype.itemsize)
    geometry = _geometry(folder / name, header.geometry, io)
    array: NDArray[Any] = np.empty(count if len(files) > 1 else 0, header.dtype)
    each_count = count // len(files)
    for position, each in enumerate(files):
        try:
            voxels = _voxels(each, header, each_count)
        except ContractError as error:
            if not header.data:
                raise
            raise ContractError(f"data file {shown_name(header.data[position])}: {error.message}") from error
        if len(files) == 1:
            array = voxels
        else:
            array[position * each_count : (position + 1) * each_count] = voxels
    return geometry.image(array, header.sizes, is_unoriented=not header.has_orientation)


def _data_file(file: Path, name: str, study_folder: Path | None) -> Path:
    if file.name.lower().endswith((".nii", ".nii.gz")):
        raise ContractError("is a header whose voxels lie in another file: its name must end in .nhdr or .mhd")
    if (data := located(file, name, study_folder)) is None:
        raise ContractError(f"data file {shown_name(name)} is missing, which its header names")
    if os.path.realpath(data) == os.path.realpath(file):
        raise ContractError(f"its header names the file itself, {shown_name(name)}, as that of its voxels")
    try:
        file_stat(data)
    except ContractError as error:
        raise ContractError(f"data file {shown_name(name)}: {error.message}") from error
    return data


def _refuse_short(files: list[Path], header: TextHeader, expected: int) -> None:
    """Refuse files of raw voxels that are shorter than their header counts, before room is taken for them."""
    for position, each in enumerate(files):
        if not header.data and is_packed(each):
            continue
        length = file_stat(each).st_size - (0 if header.data else header.length) - max(header.byte_skip, 0)
        if length < expected:
            named = f"data file {shown_name(header.data[position])}: " if header.data else ""
            raise ContractError(
                f"{named}file is incomplete: {max(length, 0)} of {expected} bytes of voxels, as its header counts them"
            )


def _voxels(file: Path, header: TextHeader, count: int) -> NDArray[Any]:
    expected = count * header.dtype.itemsize
    with opened(file) as stream:
        first = 0 if header.data else header.length
        if header.byte_skip < 0:
            if not header.data and is_packed(file):
                raise ContractError("the header gives no first byte of its voxels, and the file is packed: unpack it")
            first = max(first, file_stat(file).st_size - expected)
        # A data file's packing is what the header says it is.
        parts = raw_parts(stream) if header.data else file_parts(stream)
        parts = skipped_lines(skipped(parts, first), header.line_skip)
        if header.byte_skip > 0:
            parts = skipped(parts, header.byte_skip)
        match header.encoding:
            case "gzip":
                parts = unpacked_parts(parts)
            case "text":
                parts = bytes_of_text(parts, header.dtype)
            case "hex":
                parts = bytes_of_hex(parts)
        return filled(parts, count, header.dtype)


class _Geometry:
    """What ITK makes of a header: the grid, and the type of scaled voxels."""

    def __init__(self, reader: sitk.ImageFileReader) -> None:
        self.spacing, self.origin, self.direction = reader.GetSpacing(), reader.GetOrigin(), reader.GetDirection()
        self.kind = {sitk.sitkFloat32: "f4", sitk.sitkFloat64: "f8"}.get(reader.GetPixelID(), "f8")

    def image(self, array: NDArray[Any], sizes: tuple[int, int, int], *, is_unoriented: bool) -> sitk.Image:
        """Return an image of voxels on this grid."""
        if not array.dtype.isnative:
            array = array.byteswap(inplace=True).view(array.dtype.newbyteorder("="))
        image = sitk.GetImageFromArray(array.reshape(sizes[::-1]))
        image.SetSpacing(self.spacing)
        image.SetOrigin(self.origin)
        image.SetDirection(self.direction)
        if is_unoriented:
            image.SetMetaData(_UNORIENTED, "1")
        return image


def _geometry(placed: Path, header: bytes, io: str) -> _Geometry:
    """Return what ITK reads from a header that is written for it."""
    placed.write_bytes(header)
    reader = sitk.ImageFileReader()
    reader.SetImageIO(io)
    reader.SetFileName(str(placed))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        if "orthonormal" in str(error) or "determinant" in str(error):
            raise ContractError(SHEARED) from error
        # ITK's own words name places in memory and in its source.
        raise ContractError("cannot be read as an image: ITK refuses its spacing or orientation") from error
    geometry = _Geometry(reader)
    refuse_extreme_grid(geometry.spacing, geometry.origin, geometry.direction)
    return geometry


def temporary_words(error: OSError) -> str:
    """Return what is said of an error in the folder for temporary files."""
    return f"{system_words(error)} (set TMPDIR to a folder with room)"


def is_unoriented(image: sitk.Image) -> bool:
    """Return whether an image's file says nothing of which way its axes run: they are taken as they come."""
    return bool(image.HasMetaDataKey(_UNORIENTED))
