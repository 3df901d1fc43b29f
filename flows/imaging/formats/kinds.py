"""What a file is, by its first bytes: a format that is read, or the name of what it is instead."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Final, Literal

from flows.imaging.opened_files import first_bytes, is_absent, opened
from schemas.errors import ContractError

__all__ = ["DICOM_ENDINGS", "READ", "Format", "folder_kind", "image_format", "is_dicom_source", "refuse_absent"]

Format = Literal["nifti", "nifti pair", "analyze", "nrrd", "metaimage"]

READ: Final = "NIfTI, NRRD, MetaImage, Analyze and DICOM"

_HEAD = 4096
_NIFTI_ENDINGS = (".nii", ".nii.gz")
DICOM_ENDINGS: Final = (".dcm", ".dicom", ".ima")
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", "a zip archive: unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive: unpack it"),
    (b"Rar!", "a RAR archive: unpack it"),
    (b"BZh", "a file packed with bzip2: unpack it"),
    (b"\xfd7zXZ\x00", "a file packed with xz: unpack it"),
    (b"\x28\xb5\x2f\xfd", "a file packed with Zstandard: unpack it"),
    (b"\x4c\x00\x00\x00\x01\x14\x02\x00", "a Windows shortcut, not the file that it leads to"),
    (b"book\x00\x00\x00\x00mark", "a macOS alias, not the file that it leads to"),
    (b"\x00\x05\x16\x07", "what macOS stores beside a file, not the file itself"),
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"%PDF", "a PDF document"),
    (b"\x89HDF", "an HDF5 file, such as MINC 2"),
    (b"CDF\x01", "a NetCDF file, such as MINC 1"),
    (b"MATLAB", "a MATLAB file"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"# vtk DataFile", "a VTK file"),
    (b"\x00\x00\x00\x01\x00\x00", "perhaps a FreeSurfer MGH file"),
)
_META_FIELD = re.compile(rb"\s*[A-Za-z]+\s*=")


def image_format(file: Path) -> Format:
    """Return the format of an image file, whatever its name says.

    Raises
    ------
    ContractError
        When the file cannot be read, or is none of the formats: the message says what it is.
    """
    with opened(file) as stream:
        is_empty = not stream.read(1)
    if is_empty:
        raise ContractError("file is empty (0 bytes)", where=str(file))
    head = first_bytes(file, _HEAD)
    if (found := _nifti_format(head)) is not None:
        return found
    if head.startswith(b"NRRD000"):
        return "nrrd"
    if _META_FIELD.match(head) and (b"ElementDataFile" in head or b"NDims" in head or b"DimSize" in head):
        return "metaimage"
    raise ContractError(_other(head, file), where=str(file))


def _nifti_format(head: bytes) -> Format | None:
    if len(head) < 348 or 348 not in (struct.unpack("<i", head[:4])[0], struct.unpack(">i", head[:4])[0]):
        return None
    formats: dict[bytes, Format] = {b"n+1\x00": "nifti", b"ni1\x00": "nifti pair"}
    return formats.get(head[344:348], "analyze")


def _other(head: bytes, file: Path) -> str:
    if is_dicom(head) or file.name.lower().endswith(DICOM_ENDINGS):
        return "is a DICOM file under the name of another format: rename it, or name the folder of its series"
    if len(head) >= 540 and 540 in (struct.unpack("<i", head[:4])[0], struct.unpack(">i", head[:4])[0]):
        return "is a NIfTI-2 file, which is not read: save it as NIfTI-1"
    if head.startswith(b"version https://git-lfs"):
        return "is a Git LFS pointer, not an image: fetch the file with git lfs pull"
    if b"annex/objects" in head[:512]:
        return "is a git-annex pointer, not an image: fetch the file with git annex get"
    if re.match(rb"\s*<(!doctype html|html|\?xml|head|body)", head, re.IGNORECASE):
        return "is a web page (HTML or XML), not an image: a download that failed? Fetch the file again"
    for start, kind in _OTHERS:
        if head.startswith(start):
            return f"is {kind}; radzoo reads {READ}"
    return f"cannot be read as an image: its first bytes are none of {READ}"


def is_dicom(head: bytes) -> bool:
    """Return whether a file's first bytes are those of DICOM, with its preamble or without."""
    # Without a preamble a file begins with its group length or with the first elements of group 8.
    return head[128:132] == b"DICM" or head[:4] in (b"\x08\x00\x00\x00", b"\x08\x00\x05\x00", b"\x08\x00\x08\x00")


def is_dicom_source(path: Path) -> bool:
    """Return whether a path is read as DICOM: a folder, or a file that begins as DICOM does.

    A name that ends in .nii or .nii.gz is none, and is not opened for the answer.
    """
    if path.name.lower().endswith(_NIFTI_ENDINGS):
        return False
    try:
        return path.is_dir() or _is_dicom_file(path)
    except (OSError, ValueError):
        return False


def folder_kind(folder: Path) -> str | None:
    """Return what is said of a folder in an image's place, None where the path is no folder."""
    try:
        return f"is a folder, not a file; radzoo reads {READ}" if folder.is_dir() else None
    except (OSError, ValueError):
        return None


def _is_dicom_file(file: Path) -> bool:
    try:
        return is_dicom(first_bytes(file, 132))
    except ContractError:
        return False


def refuse_absent(file: Path) -> None:
    """Refuse a path that names nothing but for a Windows shortcut of its name."""
    shortcut = file.with_name(f"{file.name}.lnk") if "\x00" not in file.name and len(file.name) < 250 else file
    if is_absent(file) and shortcut != file and not is_absent(shortcut):
        raise ContractError(f"file is missing: there is only a Windows shortcut, {shortcut.name}", where=str(file))
