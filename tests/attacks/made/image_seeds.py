"""Small valid images of every format and encoding that is read, as the files that make them up."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["SEEDS", "SIZE", "Files", "nifti_bytes", "truth_ending", "voxels_of"]

Files = dict[str, bytes]
"""Contents by ending: ``.hdr`` is the file that a study names, others lie beside it."""

SIZE = (8, 7, 6)
_GEOMETRY = "space: left-posterior-superior\nspace directions: (1,0,0) (0,1,0) (0,0,2)\nspace origin: (-4,3,10)\n"
_META = "NDims = 3\nOffset = -4 3 10\nTransformMatrix = 1 0 0 0 1 0 0 0 1\nElementSpacing = 1 1 2\nDimSize = 8 7 6\n"


def voxels_of(seed: int, *, is_mask: bool) -> NDArray[np.int16]:
    """Return the voxels of one patient: noise, or a box of ones in zeros."""
    voxels = np.random.default_rng(seed).integers(0, 400, SIZE[::-1]).astype(np.int16)
    if is_mask:
        voxels[:] = 0
        voxels[1:5, 1:6, 1:7] = 1
    return voxels


def nifti_bytes(voxels: NDArray[np.int16], *, magic: bytes = b"n+1\x00") -> bytes:
    """Return a NIfTI header, with the four bytes after it that a single file has."""
    head = bytearray(352 if magic == b"n+1\x00" else 348)
    for offset, kinds, values in (
        (0, "i", (348,)),
        (40, "8h", (3, *SIZE, 1, 1, 1, 1)),
        (70, "2h", (4, 16)),
        (76, "8f", (1, 1, 1, 2, 1, 1, 1, 1)),
        (108, "3f", (352 if magic == b"n+1\x00" else 0, 1, 0)),
        (123, "B", (10,)),
        (252, "2h", (1, 1)),
        (256, "6f", (0, 0, 1, 4, -3, 10)),
        (280, "12f", (-1, 0, 0, 4, 0, -1, 0, -3, 0, 0, 2, 10)),
    ):
        struct.pack_into(f"<{kinds}", head, offset, *values)
    head[344:348] = magic
    return bytes(head)


def _nrrd(encoding: str, data: str = "") -> bytes:
    named = f"data file: {data}\n" if data else ""
    lines = f"type: short\ndimension: 3\n{_GEOMETRY}sizes: 8 7 6\nkinds: domain domain domain\nendian: little\n"
    return f"NRRD0004\n{lines}encoding: {encoding}\n{named}{'' if data else chr(10)}".encode()


def _meta(binary: bool, packed: bool, data: str = "LOCAL") -> bytes:
    lines = f"ObjectType = Image\nBinaryData = {binary}\nBinaryDataByteOrderMSB = False\nCompressedData = {packed}\n"
    return f"{lines}{_META}ElementType = MET_SHORT\nElementDataFile = {data}\n".encode()


def _text(voxels: NDArray[np.int16]) -> bytes:
    return " ".join(str(each) for each in voxels.ravel()).encode()


def _slices(voxels: NDArray[np.int16]) -> Files:
    return {f".{number}.raw": each.tobytes() for number, each in enumerate(voxels)}


def _names(name: str) -> str:
    return "\n".join(f"{name}.{number}.raw" for number in range(SIZE[2]))


SEEDS: dict[str, Callable[[str, NDArray[np.int16]], Files]] = {
    "nii": lambda _, v: {".hdr": nifti_bytes(v) + v.tobytes()},
    "nii.gz": lambda _, v: {".hdr": gzip.compress(nifti_bytes(v) + v.tobytes(), mtime=0)},
    "pair": lambda _, v: {".hdr": nifti_bytes(v, magic=b"ni1\x00"), ".img": v.tobytes()},
    "nrrd raw": lambda _, v: {".hdr": _nrrd("raw") + v.tobytes()},
    "nrrd gzip": lambda _, v: {".hdr": _nrrd("gzip") + gzip.compress(v.tobytes(), mtime=0)},
    "nrrd ascii": lambda _, v: {".hdr": _nrrd("ascii") + _text(v)},
    "nrrd hex": lambda _, v: {".hdr": _nrrd("hex") + v.tobytes().hex().encode()},
    "nrrd detached": lambda name, v: {".hdr": _nrrd("raw", f"{name}.raw"), ".raw": v.tobytes()},
    "nrrd list": lambda name, v: {".hdr": _nrrd("raw", f"LIST\n{_names(name)}"), **_slices(v)},
    "nrrd pattern": lambda name, v: {".hdr": _nrrd("raw", f"{name}.%d.raw 0 5 1"), **_slices(v)},
    "mha raw": lambda _, v: {".hdr": _meta(True, False) + v.tobytes()},
    "mha packed": lambda _, v: {".hdr": _meta(True, True) + zlib.compress(v.tobytes())},
    "mha text": lambda _, v: {".hdr": _meta(False, False) + _text(v)},
    "mhd detached": lambda name, v: {".hdr": _meta(True, False, f"{name}.raw"), ".raw": v.tobytes()},
    "mhd list": lambda name, v: {".hdr": _meta(True, False, f"LIST\n{_names(name)}"), **_slices(v)},
}


def truth_ending(content: bytes) -> str | None:
    """Return the ending under which ITK reads a file of this content, None for text that ITK itself cannot read."""
    if content.startswith(b"NRRD"):
        return ".nrrd" if b"data file" not in content else ".nhdr"
    if b"ElementDataFile" in content:
        if b"BinaryData = False" in content:
            return None
        return ".mha" if b"ElementDataFile = LOCAL" in content else ".mhd"
    if content.startswith(b"\x1f\x8b"):
        return ".nii.gz"
    return ".nii" if content[344:348] == b"n+1\x00" else ".hdr"
