"""Hostile images made by hand, each with what is right: ``python -m tests.attacks.made_images``.

Each lies in the place of one patient's image in one study. Right is either that it is read, or words that its reason
must have.
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import socket
import struct
import sys
import tempfile
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

from store.history.snapshot import Snapshot
from store.home import Store

from .made.image_seeds import SEEDS, nifti_bytes, voxels_of
from .made.image_study import FORBIDDEN, GOOD, Study, command, commits_of, faults_of_run, outcome_of, written_study

__all__ = ["CASES", "attack", "attack_later"]

READ = ""
_VOXELS = voxels_of(77, is_mask=False)
_RAW = _VOXELS.tobytes()
_NAN, _INF = float("nan"), float("inf")

Make = Callable[[Study, str], None]


def _nifti(*edits: tuple[int, str, float], body: bytes = _RAW, magic: bytes = b"n+1\x00", packed: bool = False) -> Make:
    def make(study: Study, patient: str) -> None:
        head = bytearray(nifti_bytes(_VOXELS, magic=magic))
        for offset, kind, value in edits:
            struct.pack_into(f"<{kind}", head, offset, value)
        content = bytes(head) + body
        study.write(patient, "images", {".hdr": gzip.compress(content) if packed else content})

    return make


def _of_seed(kind: str, old: bytes, new: bytes, *, more: bytes = b"") -> Make:
    """Replace a part of a header that exists, and add bytes at the end."""

    def make(study: Study, patient: str) -> None:
        files = dict(SEEDS[kind](patient, _VOXELS))
        named = old.replace(b"NAME", patient.encode())
        if named not in files[".hdr"]:
            raise AssertionError(f"{kind} has no {named!r}")
        files[".hdr"] = files[".hdr"].replace(named, new.replace(b"NAME", patient.encode()), 1) + more
        study.write(patient, "images", files)

    return make


def _plain(content: bytes) -> Make:
    return lambda study, patient: study.write(patient, "images", {".hdr": content})


def _in_place(make: Callable[[Path], object]) -> Make:
    def made(study: Study, patient: str) -> None:
        make(study.folder / "images" / f"{patient}.hdr")

    return made


def _data_as(kind: str, make: Callable[[Path], object]) -> Make:
    """Write a detached image whose data file is made otherwise."""

    def made(study: Study, patient: str) -> None:
        files = dict(SEEDS[kind](patient, _VOXELS))
        data = files.pop(".img" if kind == "pair" else ".raw", None)
        if data is None:
            raise AssertionError(kind)
        study.write(patient, "images", files)
        make(study.folder / "images" / f"{patient}{'.img' if kind == 'pair' else '.raw'}")

    return made


def _socket(file: Path) -> None:
    before = Path.cwd()
    os.chdir(file.parent)
    try:
        with socket.socket(socket.AF_UNIX) as each:
            each.bind(file.name)
    finally:
        os.chdir(before)


@cache
def _zeros(count: int) -> bytes:
    """Return many zeros, some MB of them, packed, without ever holding them."""
    block = bytes(1 << 20)
    # One block is packed and repeated: packing gigabytes takes a minute. Behind a full flush nothing refers to it.
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum = 0
    for _ in range(count >> 20):
        checksum = zlib.crc32(block, checksum)
    end = zlib.compressobj(9, zlib.DEFLATED, -15).flush() + struct.pack("<2I", checksum, count % 2**32)
    return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + packed * (count >> 20) + end


def _nifti_bomb(sizes: tuple[int, int, int], count: int) -> Make:
    def make(study: Study, patient: str) -> None:
        head = bytearray(nifti_bytes(_VOXELS))
        struct.pack_into("<3h", head, 42, *sizes)
        study.write(patient, "images", {".hdr": gzip.compress(bytes(head)) + _zeros(count)})

    return make


def _nrrd_bomb(sizes: str, count: int) -> Make:
    def make(study: Study, patient: str) -> None:
        head = SEEDS["nrrd gzip"](patient, _VOXELS)[".hdr"].partition(b"\n\n")[0].replace(b"8 7 6", sizes.encode())
        study.write(patient, "images", {".hdr": head + b"\n\n" + _zeros(count)})

    return make


_SIZES, _TYPE, _DIRECTIONS = b"sizes: 8 7 6", b"type: short", b"space directions: (1,0,0) (0,1,0) (0,0,2)"
_DIMENSION, _RAWLY, _ORIGIN = b"dimension: 3", b"encoding: raw", b"space origin: (-4,3,10)"
_DATA, _META_DATA, _DIMS, _SPACING = (
    b"data file: NAME.raw", b"ElementDataFile = NAME.raw", b"DimSize = 8 7 6", b"ElementSpacing = 1 1 2",
)  # fmt: skip
_OUTSIDE = "outside of the study's folder"
_MISSING, _INCOMPLETE, _MORE = "is missing", "incomplete", "more voxels than its header counts"
_NO_NUMBER, _COUNT, _DIMENSIONS = "numbers", "numbers where", "dimensions cannot be right"

_NIFTI: dict[str, tuple[Make, str]] = {
    "valid": (_nifti(), READ),
    "valid packed": (_nifti(packed=True), READ),
    "dim 0": (_nifti((40, "h", 0)), _DIMENSIONS),
    "dim 8": (_nifti((40, "h", 8)), _DIMENSIONS),
    "dim -1": (_nifti((40, "h", -1)), _DIMENSIONS),
    "dim 2": (_nifti((40, "h", 2)), "no single-channel volume"),
    "dim 5 of vectors": (_nifti((40, "h", 5), (50, "h", 3)), "no single-channel volume"),
    "a series": (_nifti((40, "h", 4), (48, "h", 30)), "a series of 30 volumes"),
    "negative size": (_nifti((42, "h", -8)), _DIMENSIONS),
    "zero size": (_nifti((46, "h", 0)), _DIMENSIONS),
    "largest sizes": (_nifti((42, "h", 32767), (44, "h", 32767), (46, "h", 32767)), _INCOMPLETE),
    "largest sizes, packed": (
        _nifti((42, "h", 32767), (44, "h", 32767), (46, "h", 32767), packed=True),
        "RADZOO_IMAGE_BYTES",
    ),
    "one slice less": (_nifti((46, "h", 5)), _MORE),
    "one slice more": (_nifti((46, "h", 7)), _INCOMPLETE),
    "axes exchanged": (_nifti((42, "h", 6), (46, "h", 8)), "other geometry"),
    "datatype 0": (_nifti((70, "h", 0)), "datatype 0"),
    "datatype 1": (_nifti((70, "h", 1)), "single bits"),
    "datatype -1": (_nifti((70, "h", -1)), "datatype -1"),
    "datatype double": (_nifti((70, "h", 64)), "contradicts itself"),
    "RGB": (_nifti((70, "h", 128)), "RGB"),
    "RGBA": (_nifti((70, "h", 2304)), "RGBA"),
    "complex": (_nifti((70, "h", 1792)), "complex"),
    "quadruple": (_nifti((70, "h", 1536)), "128-bit"),
    "bits 0": (_nifti((72, "h", 0)), READ),
    "bits 8": (_nifti((72, "h", 8)), "contradicts itself"),
    "spacing 0": (_nifti((80, "f", 0)), "the spacing is missing"),
    "spacing NaN": (_nifti((88, "f", _NAN)), "the spacing is missing"),
    "spacing infinite": (_nifti((88, "f", _INF)), "the spacing is missing"),
    "spacing tiny": (
        _nifti((80, "f", 1e-30), (84, "f", 1e-30), (88, "f", 1e-30), (254, "h", 0)),
        "the spacing",
    ),
    "spacing huge": (_nifti((80, "f", 1e30), (254, "h", 0)), "the spacing"),
    "spacing against sform": (_nifti((80, "f", 1.5)), "contradicts itself"),
    "offset 0": (_nifti((108, "f", 0)), "vox_offset"),
    "offset 348": (_nifti((108, "f", 348)), "vox_offset"),
    "offset half": (_nifti((108, "f", 352.5)), "vox_offset"),
    "offset NaN": (_nifti((108, "f", _NAN)), "vox_offset"),
    "offset far": (_nifti((108, "f", 2e9)), _INCOMPLETE),
    "offset far, packed": (_nifti((108, "f", 2e9), packed=True), _INCOMPLETE),
    "offset negative": (_nifti((108, "f", -352)), "vox_offset"),
    "offset one voxel on": (_nifti((108, "f", 354)), _INCOMPLETE),
    "slope NaN": (_nifti((112, "f", _NAN)), READ),
    "slope infinite": (_nifti((112, "f", _INF)), "scl_slope"),
    "slope tiny": (_nifti((112, "f", 1e-30)), "scl_slope"),
    "slope huge": (_nifti((112, "f", 3e38)), "not finite"),
    "intercept infinite": (_nifti((116, "f", _INF)), "scl_"),
    "intercept alone": (_nifti((112, "f", 0), (116, "f", 7)), "scl_"),
    "unit of length 7": (_nifti((123, "B", 15)), "unit of length"),
    "qform NaN": (_nifti((256, "f", _NAN)), "qform"),
    "qform no rotation": (_nifti((256, "f", 5), (254, "h", 0)), "no rotation"),
    "qfac 7": (_nifti((76, "f", 7), (254, "h", 0)), "no rotation"),
    "qform negative": (_nifti((252, "h", -1)), "must not be below 0"),
    "sform NaN": (_nifti((280, "f", _NAN)), "sform"),
    "sform zero": (_nifti((280, "f", 0), (252, "h", 0)), "sform"),
    "sform sheared": (_nifti((284, "f", 0.5), (252, "h", 0)), "right angles"),
    "sform singular": (_nifti((280, "f", 0), (284, "f", -1), (252, "h", 0)), "axis of length 0|right"),
    "origin far": (_nifti((292, "f", 1e30), (252, "h", 0)), "the origin"),
    "two origins": (_nifti((292, "f", 5)), "contradicts itself"),
    "two directions": (_nifti((256, "f", 1), (264, "f", 0)), "contradicts itself"),
    "header 347": (_nifti((0, "i", 347)), "none of NIfTI"),
    "header 540": (_nifti((0, "i", 540), body=_RAW * 2), "NIfTI-2"),
    "magic of a pair": (_nifti(magic=b"ni1\x00"), _MISSING),
    "no magic": (_nifti((344, "i", 0)), _MISSING),
    "an extension that lies": (
        _nifti((348, "i", 1), (108, "f", 368), body=struct.pack("<2i", 2**31 - 1, 4) + bytes(8) + _RAW),
        READ,
    ),
    "no voxels": (_nifti(body=b""), _INCOMPLETE),
    "header alone": (_plain(nifti_bytes(_VOXELS)[:348]), _INCOMPLETE),
    "half a header": (_plain(nifti_bytes(_VOXELS)[:100]), "none of NIfTI"),
    "trailing voxels": (_nifti(body=_RAW + bytes(2)), _MORE),
    "trailing voxels, packed": (_nifti(body=_RAW + bytes(1 << 22), packed=True), _MORE),
    "cut in the trailer": (_plain(gzip.compress(nifti_bytes(_VOXELS) + _RAW)[:-4]), _INCOMPLETE),
    "checksum": (_plain(gzip.compress(nifti_bytes(_VOXELS) + _RAW)[:-8] + b"abcdefgh"), _INCOMPLETE),
    "two members": (_plain(gzip.compress(nifti_bytes(_VOXELS)) + gzip.compress(_RAW)), READ),
    "garbage after": (_plain(gzip.compress(nifti_bytes(_VOXELS) + _RAW) + b"garbage"), _INCOMPLETE),
    "zeros after": (_plain(gzip.compress(nifti_bytes(_VOXELS) + _RAW) + bytes(512)), READ),
    "packed twice": (_plain(gzip.compress(gzip.compress(nifti_bytes(_VOXELS) + _RAW))), "none of NIfTI"),
    "bomb of 4 GB": (_nifti_bomb((2000, 2000, 512), 4 << 30), "RADZOO_IMAGE_BYTES"),
    "bomb behind a small header": (_nifti_bomb((8, 7, 6), 1 << 30), _MORE),
    "bomb of half a GB": (_nifti_bomb((1000, 1000, 256), 256 << 20), _INCOMPLETE),
}

_PLACES: dict[str, tuple[Make, str]] = {
    "empty": (_plain(b""), "0 bytes"),
    "one byte": (_plain(b"N"), "none of NIfTI"),
    "pipe": (_in_place(os.mkfifo), "a named pipe"),
    "socket": (_in_place(_socket), "a socket"),
    "folder": (_in_place(Path.mkdir), "a folder"),
    "link to itself": (_in_place(lambda file: file.symlink_to(file.name)), "cannot be opened"),
    "link to /dev/zero": (_in_place(lambda file: file.symlink_to("/dev/zero")), "a device"),
    "link to memory": (_in_place(lambda file: file.symlink_to("/proc/self/mem")), "cannot be read|0 bytes"),
    "link to passwords": (_in_place(lambda file: file.symlink_to("/etc/passwd")), "none of NIfTI"),
    "link to nothing": (_in_place(lambda file: file.symlink_to("/none/of/it")), _MISSING),
    "link to a folder of the system": (_in_place(lambda file: file.symlink_to("/etc")), "a folder"),
    "data are a pipe": (_data_as("nrrd detached", os.mkfifo), "a named pipe"),
    "data are a device": (_data_as("nrrd detached", lambda f: f.symlink_to("/dev/zero")), _OUTSIDE),
    "data are a link out": (_data_as("mhd detached", lambda f: f.symlink_to("/etc/passwd")), _OUTSIDE),
    "data are memory": (_data_as("mhd detached", lambda f: f.symlink_to("/proc/self/mem")), _OUTSIDE),
    "data are a folder": (_data_as("mhd detached", Path.mkdir), "a folder"),
    "data link in a circle": (_data_as("nrrd detached", lambda f: f.symlink_to(f.name)), "cannot be opened"),
    "data are absent": (_data_as("nrrd detached", lambda f: None), _MISSING),
    "data are empty": (_data_as("nrrd detached", lambda f: f.write_bytes(b"")), _INCOMPLETE),
    "data are longer": (_data_as("nrrd detached", lambda f: f.write_bytes(_RAW + b"xx")), _MORE),
    "other half is a pipe": (_data_as("pair", os.mkfifo), "a named pipe"),
    "other half leads out": (_data_as("pair", lambda f: f.symlink_to("/etc/passwd")), _OUTSIDE),
    "other half is absent": (_data_as("pair", lambda f: None), _MISSING),
    "other half is shorter": (_data_as("pair", lambda f: f.write_bytes(_RAW[:-1])), _INCOMPLETE),
}


def _nrrd(old: bytes, new: bytes, *, kind: str = "nrrd raw", more: bytes = b"") -> Make:
    return _of_seed(kind, old, new, more=more)


_NRRD: dict[str, tuple[Make, str]] = {
    "ascii, too few": (_nrrd(_SIZES, b"sizes: 8 7 7", kind="nrrd ascii"), _INCOMPLETE),
    "ascii, too many": (_nrrd(_SIZES, b"sizes: 8 7 5", kind="nrrd ascii"), _MORE),
    "ascii, huge sizes": (_nrrd(_SIZES, b"sizes: 80000 70000 60000", kind="nrrd ascii"), "RADZOO_IMAGE_BYTES"),
    "ascii of bytes": (_nrrd(_RAWLY, b"encoding: ascii"), "text"),
    "ascii, a word": (_nrrd(b"encoding: ascii", b"encoding: ascii", kind="nrrd ascii", more=b" root"), "no number"),
    "ascii, a fraction": (_nrrd(b"encoding: ascii", b"encoding: ascii", kind="nrrd ascii", more=b" 1.5"), "no number"),
    "ascii, too large": (_nrrd(b"encoding: ascii", b"encoding: ascii", kind="nrrd ascii", more=b" 70000"), "beyond"),
    "ascii, a long word": (
        _nrrd(b"encoding: ascii", b"encoding: ascii", kind="nrrd ascii", more=b"1" * 100_000),
        "too long",
    ),
    "ascii as hex": (_nrrd(b"encoding: ascii", b"encoding: hex", kind="nrrd ascii"), "hexadecimal|incomplete|more"),
    "hex, odd": (_nrrd(b"encoding: hex", b"encoding: hex", kind="nrrd hex", more=b"0"), "no second"),
    "hex, other": (_nrrd(b"encoding: hex", b"encoding: hex", kind="nrrd hex", more=b"zz"), "another character"),
    "raw as gzip": (_nrrd(_RAWLY, b"encoding: gzip"), _INCOMPLETE),
    "bzip2": (_nrrd(_RAWLY, b"encoding: bzip2"), "not read"),
    "zrl": (_nrrd(_RAWLY, b"encoding: zrl"), "not read"),
    "no encoding": (_nrrd(_RAWLY + b"\n", b""), "lacks 'encoding'"),
    "encoding twice": (_nrrd(_RAWLY, b"encoding: raw\nencoding: gzip"), "twice"),
    "block": (_nrrd(_TYPE, b"type: block"), "type is 'block'"),
    "long": (_nrrd(_TYPE, b"type: long"), "type is 'long'"),
    "no type": (_nrrd(_TYPE + b"\n", b""), "lacks 'type'"),
    "float": (_nrrd(_TYPE, b"type: float"), _INCOMPLETE),
    "char": (_nrrd(_TYPE, b"type: int8"), _MORE),
    "no endian": (_nrrd(b"endian: little\n", b""), "little or big endian"),
    "endian middle": (_nrrd(b"endian: little", b"endian: middle"), "little or big endian"),
    "dimension 0": (_nrrd(_DIMENSION, b"dimension: 0"), "dimension"),
    "dimension 99": (_nrrd(_DIMENSION, b"dimension: 99"), "dimension"),
    "dimension 4": (_nrrd(_DIMENSION, b"dimension: 4"), _COUNT),
    "dimension huge": (_nrrd(_DIMENSION, b"dimension: 99999999999999999999"), "dimension"),
    "dimension word": (_nrrd(_DIMENSION, b"dimension: three"), "dimension"),
    "sizes 2": (_nrrd(_SIZES, b"sizes: 8 42"), _COUNT),
    "sizes negative": (_nrrd(_SIZES, b"sizes: -8 -7 6"), "whole numbers"),
    "sizes overflow": (_nrrd(_SIZES, b"sizes: 4294967296 4294967296 4294967297"), "whole numbers|incomplete"),
    "sizes wrap": (_nrrd(_SIZES, b"sizes: 4294967296 4294967296 1"), _INCOMPLETE),
    "sizes in words": (_nrrd(_SIZES, b"sizes: a b c"), "whole numbers"),
    "directions zero": (_nrrd(_DIRECTIONS, b"space directions: (0,0,0) (0,1,0) (0,0,2)"), "spacing is missing"),
    "directions NaN": (_nrrd(_DIRECTIONS, b"space directions: (nan,0,0) (0,1,0) (0,0,2)"), "not finite"),
    "directions huge": (_nrrd(_DIRECTIONS, b"space directions: (1e308,1e308,0) (0,1,0) (0,0,2)"), "the spacing"),
    "directions endless": (_nrrd(_DIRECTIONS, b"space directions: (1e999,0,0) (0,1,0) (0,0,2)"), "not finite"),
    "directions tiny": (_nrrd(_DIRECTIONS, b"space directions: (1e-30,0,0) (0,1,0) (0,0,2)"), "the spacing"),
    "directions alike": (_nrrd(_DIRECTIONS, b"space directions: (1,0,0) (1,0,0) (0,0,2)"), "right angles"),
    "directions of two": (_nrrd(_DIRECTIONS, b"space directions: (1,0,0) (0,1,0)"), "vectors where"),
    "directions open": (
        _nrrd(_DIRECTIONS, b"space directions: (1,0,0 (0,1,0) (0,0,2)"),
        "vectors where|cannot be read",
    ),
    "directions of words": (_nrrd(_DIRECTIONS, b"space directions: (a,b,c) (0,1,0) (0,0,2)"), _NO_NUMBER),
    "spacings too": (_nrrd(_SIZES, b"sizes: 8 7 6\nspacings: 1 1 2"), "space directions and spacings"),
    "space unknown": (_nrrd(b"space: left-posterior-superior", b"space: up-up-down"), "none of NRRD's"),
    "origin far": (_nrrd(_ORIGIN, b"space origin: (1e30,0,0)"), "the origin"),
    "origin of two": (_nrrd(_ORIGIN, b"space origin: (1,2)"), _COUNT),
    "kinds of two": (_nrrd(b"kinds: domain domain domain", b"kinds: domain domain"), "kinds names 2"),
    "kinds of vectors": (_nrrd(b"kinds: domain domain domain", b"kinds: vector domain domain"), "a vector image"),
    "unknown field": (_nrrd(_SIZES, b"sizes: 8 7 6\nsurprise: 1"), "no field of NRRD"),
    "a line of noise": (_nrrd(_SIZES, b"sizes: 8 7 6\n\xff\xfe\xfd"), "no field of NRRD"),
    "a NUL": (_nrrd(_SIZES, b"sizes: 8 7 6\x00"), "belongs to no number"),
    "a key and a value": (_nrrd(_SIZES, b"sizes: 8 7 6\nkey:=value: x"), READ),
    "a comment of a MB": (_nrrd(_SIZES, b"# " + b"x" * (1 << 20) + b"\nsizes: 8 7 6"), READ),
    "a header without end": (_plain(b"NRRD0004\ntype: short\n" + b"# x\n" * 1000), "lacks|blank line"),
    "version 9": (_nrrd(b"NRRD0004", b"NRRD0009"), "version"),
    "byte skip": (_nrrd(_RAWLY, b"encoding: raw\nbyte skip: 99999999999"), "incomplete"),
    "byte skip -2": (_nrrd(_RAWLY, b"encoding: raw\nbyte skip: -2"), "byte skip"),
    "byte skip -1": (_nrrd(_RAWLY, b"encoding: raw\nbyte skip: -1"), READ),
    "line skip": (_nrrd(_RAWLY, b"encoding: raw\nline skip: 999999"), _INCOMPLETE),
    "line skip of a billion": (_nrrd(_RAWLY, b"encoding: raw\nline skip: 1000000000"), "line skip"),
    "in microns": (_nrrd(_SIZES, b'sizes: 8 7 6\nspace units: "um" "um" "um"'), "must be in mm"),
    "bomb of 4 GB": (_nrrd_bomb("2000 2000 512", 4 << 30), "RADZOO_IMAGE_BYTES"),
    "bomb behind a small header": (_nrrd_bomb("8 7 6", 1 << 30), _MORE),
}
for _name in (
    "/etc/passwd", "/dev/zero", "/proc/self/mem", "../../../../../../etc/passwd", "/", "..", "x/../../../../etc/passwd",
    "/etc/%d 1 2 1", "LIST\n/etc/passwd", "LIST\n../../../etc/passwd\n",
):  # fmt: skip
    _NRRD[f"data file {_name!r}"] = (_nrrd(_DATA, b"data file: " + _name.encode(), kind="nrrd detached"), _OUTSIDE)
_NRRD |= {
    "data file is itself": (_nrrd(_DATA, b"data file: NAME.hdr", kind="nrrd detached"), "the file itself"),
    "data file of a NUL": (_nrrd(_DATA, b"data file: a\x00b", kind="nrrd detached"), _OUTSIDE),
    "data file too long": (_nrrd(_DATA, b"data file: " + b"n" * 5000, kind="nrrd detached"), _MISSING),
    "data file unnamed": (_nrrd(_DATA, b"data file: ", kind="nrrd detached"), "data files are 0"),
    "pattern of width": (_nrrd(_DATA, b"data file: x%999999999d.raw 0 9 1", kind="nrrd detached"), "pattern"),
    "pattern of text": (_nrrd(_DATA, b"data file: %s%n.raw 0 9 1", kind="nrrd detached"), "pattern"),
    "pattern without step": (_nrrd(_DATA, b"data file: x%d.raw 0 9 0", kind="nrrd detached"), "data files are 0"),
    "pattern of a billion": (_nrrd(_DATA, b"data file: x%d.raw 0 999999999 1", kind="nrrd detached"), "data files are"),
    "list of a million": (_nrrd(_DATA, b"data file: LIST\n" + b"x\n" * 10**6, kind="nrrd detached"), "data files are"),
    "list of nothing": (_nrrd(_DATA, b"data file: LIST\n", kind="nrrd detached"), "data files are 0"),
    "list of axes": (_nrrd(_DATA, b"data file: LIST 9\nNAME.raw", kind="nrrd detached"), "axes of its data files"),
    "list of one twice": (_nrrd(_DATA, b"data file: LIST\nNAME.raw\nNAME.raw", kind="nrrd detached"), _MORE),
}


def _meta(old: bytes, new: bytes, *, kind: str = "mha raw", more: bytes = b"") -> Make:
    return _of_seed(kind, old, new, more=more)


_META: dict[str, tuple[Make, str]] = {
    "NDims 0": (_meta(b"NDims = 3", b"NDims = 0"), "NDims"),
    "NDims 2": (_meta(b"NDims = 3", b"NDims = 2"), _COUNT),
    "NDims huge": (_meta(b"NDims = 3", b"NDims = 999999999"), "NDims"),
    "no NDims": (_meta(b"NDims = 3\n", b""), "lacks NDims"),
    "DimSize huge": (_meta(_DIMS, b"DimSize = 99999999 99999999 99999999"), _INCOMPLETE),
    "DimSize huge, packed": (_meta(_DIMS, b"DimSize = 99999 99999 99999", kind="mha packed"), "RADZOO_IMAGE_BYTES"),
    "DimSize negative": (_meta(_DIMS, b"DimSize = -8 7 6"), "whole numbers"),
    "DimSize short": (_meta(_DIMS, b"DimSize = 8 7 5"), _MORE),
    "type none": (_meta(b"MET_SHORT", b"MET_NONE"), "type is"),
    "type in lower case": (_meta(b"MET_SHORT", b"met_short"), "type is"),
    "type double": (_meta(b"MET_SHORT", b"MET_DOUBLE"), _INCOMPLETE),
    "channels": (_meta(_DIMS, _DIMS + b"\nElementNumberOfChannels = 3"), "3 components"),
    "channels huge": (_meta(_DIMS, _DIMS + b"\nElementNumberOfChannels = 99999999"), "ElementNumberOfChannels"),
    "spacing zero": (_meta(_SPACING, b"ElementSpacing = 0 1 2"), "spacing is missing"),
    "spacing NaN": (_meta(_SPACING, b"ElementSpacing = nan 1 2"), "spacing is missing"),
    "spacing endless": (_meta(_SPACING, b"ElementSpacing = 1e999 1 2"), "spacing is missing"),
    "spacing of two": (_meta(_SPACING, b"ElementSpacing = 1 1"), _COUNT),
    "spacing tiny": (_meta(_SPACING, b"ElementSpacing = 1e-30 1 2"), "the spacing"),
    "spacing misspelt": (_meta(b"ElementSpacing", b"ElementSpacinh"), "ElementSpacinh|elementspacing"),
    "offset misspelt": (_meta(b"Offset = -4 3 10", b"Ofset = -4 3 10"), "Ofset"),
    "offset twice": (_meta(b"Offset = -4 3 10", b"Offset = -4 3 10\nOffset = 0 0 0"), "twice"),
    "offset and position": (_meta(b"Offset = -4 3 10", b"Offset = -4 3 10\nPosition = 0 0 0"), "mean the same"),
    "offset far": (_meta(b"Offset = -4 3 10", b"Offset = 1e30 0 0"), "the origin"),
    "matrix zero": (_meta(b"1 0 0 0 1 0 0 0 1", b"0 0 0 0 0 0 0 0 0"), "right angles|orientation"),
    "matrix of four": (_meta(b"1 0 0 0 1 0 0 0 1", b"1 0 0 1"), _COUNT),
    "matrix NaN": (_meta(b"1 0 0 0 1 0 0 0 1", b"nan 0 0 0 1 0 0 0 1"), "not finite"),
    "matrix singular": (_meta(b"1 0 0 0 1 0 0 0 1", b"1 0 0 1 0 0 0 0 1"), "right angles"),
    "text of bytes": (_meta(b"BinaryData = True", b"BinaryData = False"), "text"),
    "binary maybe": (_meta(b"BinaryData = True", b"BinaryData = Maybe"), "True or False"),
    "packed that is not": (_meta(b"CompressedData = False", b"CompressedData = True"), _INCOMPLETE),
    "raw that is packed": (_meta(b"CompressedData = True", b"CompressedData = False", kind="mha packed"), _INCOMPLETE),
    "packed and text": (_meta(b"CompressedData = False", b"CompressedData = True", kind="mha text"), "packed and"),
    "HeaderSize": (_meta(_DIMS, _DIMS + b"\nHeaderSize = 10"), "HeaderSize"),
    "HeaderSize -2": (_meta(_DIMS, _DIMS + b"\nHeaderSize = -2"), "HeaderSize"),
    "HeaderSize -1": (_meta(_DIMS, _DIMS + b"\nHeaderSize = -1"), READ),
    "no data": (_meta(b"ElementDataFile = LOCAL\n", b""), "no field|ends before"),
    "a line of noise": (_meta(_DIMS, _DIMS + b"\nnoise"), "no field of a MetaImage"),
    "other fields": (_meta(_DIMS, _DIMS + b"\nPatientName = somebody\nqoffset_x = 1\ndim[0] = 3"), READ),
    "in inches": (_meta(_DIMS, _DIMS + b"\nDistanceUnits = inch"), "must be in mm"),
    "a slope": (_meta(_DIMS, _DIMS + b"\nElementToIntensityFunctionSlope = 2"), "a scale"),
}
for _name in ("/etc/passwd", "/dev/zero", "../../../../../etc/passwd", "LIST\n/etc/passwd", "/etc/%d 1 2 1", "."):
    _META[f"data {_name!r}"] = (
        _meta(_META_DATA, b"ElementDataFile = " + _name.encode(), kind="mhd detached"),
        f"{_OUTSIDE}|a folder",
    )

CASES: dict[str, tuple[Make, str]] = {
    f"{kind}: {name}": case
    for kind, cases in (("NIfTI", _NIFTI), ("place", _PLACES), ("NRRD", _NRRD), ("MetaImage", _META))
    for name, case in cases.items()
}


def attack(folder: Path, names: list[str], *, refresh: bool = False) -> list[str]:
    """Return what is wrong after a study of these cases was ingested twice."""
    patients = {f"H{number:03}": name for number, name in enumerate(names)}
    study = written_study(folder, {})
    listed = (folder / "patients.csv").read_text() + "".join(f"{each}\n" for each in patients)
    (folder / "patients.csv").write_text(listed)
    for patient, name in patients.items():
        study.write(patient, "masks", SEEDS["nii"](patient, voxels_of(0, is_mask=True)))
        CASES[name][0](study, patient)
    first = command(study, "ingest", str(study.file), limit_s=60 + len(names))
    wrong = list(first.faults)
    before = commits_of(study)
    wrong += command(study, "ingest", str(study.file), limit_s=60 + len(names)).faults
    if commits_of(study) != before:
        wrong.append("the second ingest committed again")
    reasons, faults = faults_of_run(study, list(patients))
    wrong += faults
    read = {patient for what, patient in outcome_of(study) if what == "masks"}
    for patient, name in patients.items():
        words = CASES[name][1]
        if (patient in read) != (words == READ) or not re.search(words, reasons.get(patient, "")):
            wrong.append(f"{name}: {reasons.get(patient, 'it is read')}")
    if refresh:
        wrong += command(study, "refresh", "--workers", "2", limit_s=180).faults
    print(f"{len(names)} cases: ingest {first.seconds:.1f} s, at most {first.peak_kb / 1000:.0f} MB a process")
    return wrong


def attack_later(folder: Path, names: list[str]) -> list[str]:
    """Return what is wrong after good images were ingested, and these came into their places before a refresh."""
    patients = {f"H{number:03}": name for number, name in enumerate(names)}
    make, mask = SEEDS["nii"], voxels_of(0, is_mask=True)
    study = written_study(
        folder, {p: (make(p, voxels_of(i, is_mask=False)), make(p, mask)) for i, p in enumerate(patients)}
    )
    wrong = command(study, "ingest", str(study.file), limit_s=60 + len(names)).faults
    for patient, name in patients.items():
        (study.folder / "images" / f"{patient}.hdr").unlink()
        CASES[name][0](study, patient)
    done = command(study, "refresh", "--workers", "2", limit_s=120 + len(names))
    wrong += done.faults
    failures = {row["patient"]: row["reason"] for row in Snapshot(Store(study.store)).rows("failures", stage="refresh")}
    wrong += [f"{name}: was computed" for patient, name in patients.items() if patient not in failures]
    wrong += [f"the good patient {each} failed: {failures[each]}" for each in GOOD if each in failures]
    wrong += [f"{patient}: reason {reason!r}" for patient, reason in failures.items() if FORBIDDEN.search(reason)]
    print(f"{len(names)} cases after ingest: refresh {done.seconds:.1f} s, at most {done.peak_kb / 1000:.0f} MB")
    return wrong


def main() -> int:
    """Run all cases in one study and return 1 where anything is wrong."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wrong = attack(Path(folder) / "study", list(CASES), refresh=True)
        wrong += attack_later(Path(folder) / "later", list(CASES))
    for each in wrong:
        print(each)
    print(f"{len(CASES)} hand-made images; wrong: {len(wrong)}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
