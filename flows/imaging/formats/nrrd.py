"""NRRD headers by the format's definition: known fields, each once, every number counted.

References
----------
https://teem.sourceforge.net/nrrd/format.html
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from flows.imaging.formats.text_headers import (
    MILLIMETRES,
    Encoding,
    TextHeader,
    data_names,
    numbers,
    numbers_of,
    refuse_not_a_volume,
    refuse_odd_characters,
    refuse_spacing,
    shown,
    whole_numbers,
)
from schemas.errors import ContractError

__all__ = ["nrrd_header"]

_TYPES: Final[dict[str, str]] = {
    name: code
    for code, names in {
        "i1": "signed char,int8,int8_t",
        "u1": "uchar,unsigned char,uint8,uint8_t",
        "i2": "short,short int,signed short,signed short int,int16,int16_t",
        "u2": "ushort,unsigned short,unsigned short int,uint16,uint16_t",
        "i4": "int,signed int,int32,int32_t",
        "u4": "uint,unsigned int,uint32,uint32_t",
        "i8": "longlong,long long,long long int,signed long long,signed long long int,int64,int64_t",
        "u8": "ulonglong,unsigned long long,unsigned long long int,uint64,uint64_t",
        "f4": "float",
        "f8": "double",
    }.items()
    for name in names.split(",")
}
_WRITTEN = {
    "i1": "int8", "u1": "uint8", "i2": "int16", "u2": "uint16", "i4": "int32", "u4": "uint32", "i8": "int64",
    "u8": "uint64", "f4": "float", "f8": "double",
}  # fmt: skip
_ENCODINGS: Final[dict[str, Encoding]] = {
    "raw": "raw", "gz": "gzip", "gzip": "gzip", "txt": "text", "text": "text", "ascii": "text", "hex": "hex",
}  # fmt: skip
_FIELDS = frozenset(
    (
        "datafile", "number", "type", "blocksize", "dimension", "space", "spacedimension", "sizes", "spacings",
        "thicknesses", "axismins", "axismaxs", "spacedirections", "centers", "centerings", "kinds", "labels", "units",
        "min", "max", "oldmin", "oldmax", "endian", "encoding", "lineskip", "byteskip", "content", "sampleunits",
        "spaceunits", "spaceorigin", "measurementframe",
    )
)  # fmt: skip
_FREE = frozenset(("datafile", "content", "labels", "sampleunits", "units", "spaceunits"))
_SPACES = {
    name: long
    for long, names in {
        "right-anterior-superior": ("ras",),
        "left-anterior-superior": ("las",),
        "left-posterior-superior": ("lps",),
        "scanner-xyz": (),
        "3D-right-handed": (),
        "3D-left-handed": (),
    }.items()
    for name in (long.lower(), *names)
}
_SPACES |= {f"{name}-time": long for name, long in _SPACES.items() if len(name) > 3}
_SPACES |= {f"{name}t": _SPACES[name] for name in ("ras", "las", "lps")}
_SPATIAL = {"domain", "space", "time", "???", "none"}
_MOST_AXES = 16
_FURTHEST = 2**40


def nrrd_header(content: bytes) -> TextHeader:
    """Return the header that a NRRD file begins with.

    Raises
    ------
    ContractError
        When it is not one of the format, or is none of a volume with a spacing in millimetres.
    """
    end = re.search(rb"\r?\n\r?\n", content)
    text = content[: end.start() if end else len(content)].decode("latin-1")
    fields, following = _fields(text)
    if end is None and "datafile" not in fields:
        raise ContractError("the header of a NRRD file ends before its blank line: the file is incomplete")
    return _Header(fields).text_header(following, end.end() if end else len(content))


def _fields(text: str) -> tuple[dict[str, str], list[str]]:
    """Return a header's fields by their names, lower case without blanks, and the lines of a list of data files."""
    magic, *lines = (line.rstrip("\r") for line in text.split("\n"))
    if not re.fullmatch(r"NRRD000[1-6]", magic):
        raise ContractError("is no NRRD file of a version from 1 to 6")
    fields: dict[str, str] = {}
    for number, line in enumerate(lines, start=2):
        if line.startswith("#") or not line.strip():
            continue
        match = re.fullmatch(r"([A-Za-z][A-Za-z ]{0,40}):(?!=) *(.*)", line)
        name = match[1].lower().replace(" ", "") if match else ""
        if match is None or name not in _FIELDS:
            if re.match(r"[^:]+:=", line):
                continue  # a key and its value, which say nothing of voxels and geometry
            raise ContractError(f"line {number} of the header is no field of NRRD: the header is damaged")
        if name in fields:
            raise ContractError(f"the header gives '{match[1]}' twice")
        if name not in _FREE:
            refuse_odd_characters(match[2], match[1])
        fields[name] = match[2].strip()
        if name == "datafile" and fields[name].split()[:1] == ["LIST"]:
            return fields, [each.strip() for each in lines[number - 1 :]]
    return fields, []


@dataclass
class _Header:
    """The fields of a header, and what they mean together."""

    fields: dict[str, str]

    def __post_init__(self) -> None:
        for name in ("dimension", "sizes", "type", "encoding"):
            if name not in self.fields:
                raise ContractError(f"the header of a NRRD file lacks '{name}'")
        (self.dimension,) = whole_numbers(self.fields["dimension"], "dimension", least=1, most=_MOST_AXES, count=1)
        self.sizes = whole_numbers(self.fields["sizes"], "sizes", least=1, most=_FURTHEST, count=self.dimension)
        self.axes: list[int] = []

    def text_header(self, following: list[str], length: int) -> TextHeader:
        """Return what the header says, every part of it checked."""
        encoding = self._encoding()
        dtype = self._dtype(encoding)
        self._take_spatial_axes(dtype)
        (line_skip,) = whole_numbers(self.fields.get("lineskip", "0"), "line skip", least=0, most=10**6, count=1)
        (byte_skip,) = whole_numbers(self.fields.get("byteskip", "0"), "byte skip", least=-1, most=_FURTHEST, count=1)
        if byte_skip and encoding != "raw":
            raise ContractError(f"byte skip is {byte_skip}, which is read with the encoding 'raw' only")
        data = data_names(self.fields["datafile"], following, self.dimension) if "datafile" in self.fields else ()
        geometry = self._geometry()
        x, y, z = (self.sizes[axis] for axis in self.axes[:3])
        lines = [
            "NRRD0005",
            f"type: {_WRITTEN[dtype.kind + str(dtype.itemsize)]}",
            "dimension: 3",
            *geometry[:1],
            f"sizes: {x} {y} {z}",
            *geometry[1:],
            "kinds: domain domain domain",
            f"endian: {'big' if dtype.byteorder == '>' else 'little'}",
            "encoding: raw",
        ]
        return TextHeader(
            format="nrrd",
            sizes=(x, y, z),
            dtype=dtype,
            encoding=encoding,
            data=data,
            length=length,
            line_skip=line_skip,
            byte_skip=byte_skip,
            geometry=("\n".join(line for line in lines if line) + "\n\n").encode(),
            has_orientation="spacedirections" in self.fields,
        )

    def _encoding(self) -> Encoding:
        written = self.fields["encoding"].lower()
        if written not in _ENCODINGS:
            raise ContractError(f"the voxels are stored as {shown(written)}, which is not read: save with gzip or raw")
        return _ENCODINGS[written]

    def _dtype(self, encoding: Encoding) -> np.dtype[np.generic]:
        written = " ".join(self.fields["type"].lower().split())
        if written not in _TYPES:
            raise ContractError(f"the voxels' type is {shown(self.fields['type'])}, which is not read")
        code, endian = _TYPES[written], self.fields.get("endian", "").lower()
        if endian not in ("", "little", "big") or (not endian and code[1] != "1" and encoding != "text"):
            raise ContractError("the header does not say whether its voxels' bytes are little or big endian")
        return np.dtype((">" if endian == "big" else "<") + code)

    def _take_spatial_axes(self, dtype: np.dtype[np.generic]) -> None:
        """Keep the axes of space, where all others hold one number each."""
        kinds = self.fields.get("kinds", " ".join(["???"] * self.dimension)).lower().split()
        if len(kinds) != self.dimension:
            raise ContractError(f"kinds names {len(kinds)} axes, and the image has {self.dimension}")
        self.axes = [axis for axis, kind in enumerate(kinds) if kind in _SPATIAL]
        components = math.prod(size for size, kind in zip(self.sizes, kinds, strict=True) if kind not in _SPATIAL)
        spatial = tuple(self.sizes[axis] for axis in self.axes)
        refuse_not_a_volume(spatial, components, dtype, is_complex="complex" in kinds and components == 2)
        self.axes = self.axes[:3]

    def _geometry(self) -> list[str]:
        """Return the lines of spacing and orientation: that of the space, if any, is the first one."""
        self._refuse_units()
        if "spacedirections" in self.fields:
            return self._oriented()
        given = numbers(self.fields.get("spacings", ""), "spacings")
        if given and len(given) != self.dimension:
            raise ContractError(f"spacings has {len(given)} numbers where {self.dimension} belong")
        spacings = [given[axis] for axis in self.axes if given]
        refuse_spacing(spacings, "spacings" if given else "space directions")
        if "space" in self.fields or "spacedimension" in self.fields:
            raise ContractError("the header names a space and gives spacings: it lacks the space directions")
        lines = ["", f"spacings: {self._of_axes('spacings')}"]
        for name, written in (("axismins", "axis mins"), ("axismaxs", "axis maxs")):
            if name in self.fields:
                each = numbers(self.fields[name], written)
                if len(each) != self.dimension or any(math.isinf(each[axis]) for axis in self.axes):
                    raise ContractError(f"the orientation ({written}) has numbers that are not finite, or too few")
                lines.append(f"{written}: {self._of_axes(name)}")
        if (centers := self._centers()) is not None:
            lines.append(f"centers: {centers}")
        return lines

    def _centers(self) -> str | None:
        written = self.fields.get("centers", self.fields.get("centerings"))
        if written is None:
            return None
        words = written.lower().split()
        if len(words) != self.dimension or not set(words) <= {"cell", "node", "none", "???"}:
            raise ContractError("centers of the header's axes cannot be read: each is cell, node or ???")
        return " ".join(words[axis] for axis in self.axes)

    def _of_axes(self, name: str) -> str:
        words = self.fields[name].split()
        return " ".join(words[axis] for axis in self.axes)

    def _oriented(self) -> list[str]:
        if {"spacings", "axismins", "axismaxs"} & self.fields.keys():
            raise ContractError("the header gives space directions and spacings: one of them is right")
        if "space" in self.fields:
            named = self.fields["space"].lower()
            if named not in _SPACES:
                raise ContractError(f"the space of the header, {shown(self.fields['space'])}, is none of NRRD's")
            count, lines = (4 if named.endswith(("time", "rast", "last", "lpst")) else 3), [f"space: {_SPACES[named]}"]
        else:
            written = self.fields.get("spacedimension", "0")
            (count,) = whole_numbers(written, "space dimension", least=3, most=_MOST_AXES, count=1)
            lines = ["space dimension: 3"]
        vectors = re.findall(r"none|\([^()]*\)|[^\s()]+", self.fields["spacedirections"], re.IGNORECASE)
        if len(vectors) != self.dimension:
            raise ContractError(f"space directions has {len(vectors)} vectors where {self.dimension} belong")
        of_axes = [
            _vector(vectors[axis], count, "space directions") if vectors[axis].lower() != "none" else ["0"] * 3
            for axis in self.axes
        ]
        # A vector of numbers that are too large for a float has no length.
        refuse_spacing([math.hypot(*map(float, each)) for each in of_axes], "space directions")
        lines.append("space directions: " + " ".join(f"({','.join(each)})" for each in of_axes))
        if "spaceorigin" in self.fields:
            lines.append(f"space origin: ({','.join(_vector(self.fields['spaceorigin'], count, 'space origin'))})")
        return lines

    def _refuse_units(self) -> None:
        of_axes = re.findall(r'"([^"]*)"', self.fields.get("units", ""))
        units = [of_axes[axis] for axis in self.axes if axis < len(of_axes)]
        for unit in (*units, *re.findall(r'"([^"]*)"', self.fields.get("spaceunits", ""))[:3]):
            if unit.strip().lower() not in MILLIMETRES:
                raise ContractError(f"the spacing is in {shown(unit)}, and must be in mm: save the image in mm")


def _vector(text: str, count: int, field: str) -> list[str]:
    """Return the first three numbers of a vector as they are written; what is beyond them must be 0."""
    match = re.fullmatch(r"\(([^()]*)\)", text.strip())
    words = [word.strip() for word in match[1].split(",")] if match else []
    values = numbers_of(" ".join(words), field, count) if match else []
    if len(values) != count or any(values[3:]):
        raise ContractError(f"{field} of the header cannot be read: vectors of {count} numbers belong there")
    return words[:3]
