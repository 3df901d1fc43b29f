"""MetaImage headers: the fields that decide voxels and geometry, each once and of the right count.

References
----------
https://itk.org/Wiki/ITK/MetaIO/Documentation
"""

from __future__ import annotations

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

__all__ = ["metaimage_header"]

_TYPES: Final[dict[str, str]] = {
    "MET_CHAR": "i1", "MET_ASCII_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2",
    "MET_INT": "i4", "MET_LONG": "i4", "MET_UINT": "u4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
_WRITTEN = {
    "i1": "MET_CHAR", "u1": "MET_UCHAR", "i2": "MET_SHORT", "u2": "MET_USHORT", "i4": "MET_INT", "u4": "MET_UINT",
    "i8": "MET_LONG_LONG", "u8": "MET_ULONG_LONG", "f4": "MET_FLOAT", "f8": "MET_DOUBLE",
}  # fmt: skip
_ORIGINS = ("offset", "position", "origin")
_MATRICES = ("transformmatrix", "rotation", "orientation")
_ORDERS = ("binarydatabyteordermsb", "elementbyteordermsb")
_MEANT = frozenset(
    (
        *_ORIGINS, *_MATRICES, *_ORDERS, "ndims", "dimsize", "elementtype", "elementspacing", "elementsize",
        "elementnumberofchannels", "elementdatafile", "elementtointensityfunctionslope", "binarydata",
        "elementtointensityfunctionoffset", "compresseddata", "headersize", "distanceunits",
    )
)  # fmt: skip
"""The fields that decide voxels and geometry, lower case. Others may follow: ITK writes all it knows of an image."""
_MOST_AXES = 10
_FURTHEST = 2**40


def metaimage_header(content: bytes) -> TextHeader:
    """Return the header that a MetaImage begins with.

    Raises
    ------
    ContractError
        When it is incomplete, contradicts itself, or is none of a volume with a spacing in millimetres.
    """
    fields, following, length = _fields(content)
    for name, written in (("ndims", "NDims"), ("dimsize", "DimSize"), ("elementtype", "ElementType")):
        if name not in fields:
            raise ContractError(f"the header of a MetaImage lacks {written}: the file is incomplete or damaged")
    for names in (_ORIGINS, _MATRICES, _ORDERS):
        if len(several := [name for name in names if name in fields]) > 1:
            raise ContractError(f"the header gives {' and '.join(several)}, which mean the same")
    (axes,) = whole_numbers(fields["ndims"], "NDims", least=1, most=_MOST_AXES, count=1)
    sizes = whole_numbers(fields["dimsize"], "DimSize", least=1, most=_FURTHEST, count=axes)
    if fields["elementtype"].removesuffix("_ARRAY") not in _TYPES:
        raise ContractError(f"the voxels' type is {shown(fields['elementtype'])}, which is not read")
    code = _TYPES[fields["elementtype"].removesuffix("_ARRAY")]
    is_big_endian = any(_is_true(fields, name, "False") for name in _ORDERS)
    dtype = np.dtype((">" if is_big_endian else "<") + code)
    written = fields.get("elementnumberofchannels", "1")
    (channels,) = whole_numbers(written, "ElementNumberOfChannels", least=1, most=2**16, count=1)
    refuse_not_a_volume(tuple(sizes), channels, dtype)
    x, y, z = sizes[:3]
    named = fields["elementdatafile"]
    data = () if named.upper() == "LOCAL" else data_names(named, following, axes)
    encoding, skip = _encoding_and_skip(fields, data)
    _refuse_scale(fields)
    return TextHeader(
        format="metaimage",
        sizes=(x, y, z),
        dtype=dtype,
        encoding=encoding,
        data=data,
        length=length,
        line_skip=0,
        byte_skip=skip,
        geometry=_geometry(fields, axes, (x, y, z), code),
        has_orientation=any(name in fields for name in _MATRICES),
    )


def _fields(content: bytes) -> tuple[dict[str, str], list[str], int]:
    """Return a header's fields by their names in lower case, the lines after it, and its length in bytes."""
    fields: dict[str, str] = {}
    position = 0
    while position < len(content):
        end = content.find(b"\n", position)
        end = len(content) if end < 0 else end
        line = content[position:end].decode("latin-1").rstrip("\r")
        position = end + 1
        name, is_field, written = line.partition("=")
        name, value = name.strip(), written.strip()
        if not is_field:
            if not line.strip():
                continue
            raise ContractError("a line of the header is no field of a MetaImage: the header is damaged")
        key = name.lower()
        if key not in _MEANT:
            _refuse_near_name(name)
            continue
        if key in fields:
            raise ContractError(f"the header gives '{name}' twice")
        if key not in ("elementdatafile", "distanceunits"):
            refuse_odd_characters(written, name)
        fields[key] = value
        if key == "elementdatafile":
            following = [each.decode("latin-1").strip() for each in content[position:].split(b"\n")]
            return fields, following if value.split()[:1] == ["LIST"] else [], min(position, len(content))
    raise ContractError("the header of a MetaImage ends before ElementDataFile: the file is incomplete")


def _refuse_near_name(name: str) -> None:
    """Refuse a name that one character parts from a field that matters: what was meant would be passed over."""
    key = name.lower()
    for known in _MEANT:
        if len(known) < 5 or abs(len(known) - len(key)) > 1:
            continue
        start = next((i for i, (a, b) in enumerate(zip(known, key, strict=False)) if a != b), min(len(known), len(key)))
        if any(known[start + a :] == key[start + b :] for a, b in ((1, 1), (1, 0), (0, 1))):
            raise ContractError(f"the header's field {shown(name)} is none: '{known}' is, in any case of its letters")


def _is_true(fields: dict[str, str], name: str, default: str) -> bool:
    value = fields.get(name, default).lower()
    if value not in ("true", "false", "1", "0", "t", "f"):
        raise ContractError(f"{name} is {shown(value)}, and must be True or False")
    return value[0] in "t1"


def _encoding_and_skip(fields: dict[str, str], data: tuple[str, ...]) -> tuple[Encoding, int]:
    is_packed = _is_true(fields, "compresseddata", "False")
    is_binary = _is_true(fields, "binarydata", "True")
    if is_packed and not is_binary:
        raise ContractError("the header says that its voxels are packed and that they are text")
    if is_packed and len(data) > 1:
        raise ContractError("several packed data files, which no reader defines: save the image as one file")
    (skip,) = whole_numbers(fields.get("headersize", "0"), "HeaderSize", least=-1, most=_FURTHEST, count=1)
    if skip > 0 and (not data or is_packed):
        raise ContractError(f"HeaderSize is {skip}: the voxels would begin within the header")
    if is_packed or not is_binary:
        skip = 0
    return ("gzip" if is_packed else "raw" if is_binary else "text"), skip


def _refuse_scale(fields: dict[str, str]) -> None:
    unit = fields.get("distanceunits", "mm")
    if unit.strip().lower() not in {*MILLIMETRES, "?"}:
        raise ContractError(f"the spacing is in {shown(unit)} (DistanceUnits), and must be in mm: save the image in mm")
    for field, neutral in (("elementtointensityfunctionslope", 1.0), ("elementtointensityfunctionoffset", 0.0)):
        if field in fields and numbers(fields[field], field) != [neutral]:
            raise ContractError(
                f"{field} is {shown(fields[field])}, a scale that no reader applies: save the scaled intensities"
            )


def _geometry(fields: dict[str, str], axes: int, sizes: tuple[int, int, int], code: str) -> bytes:
    """Return a header for ITK with the geometry of the first three axes."""
    spacing = fields.get("elementspacing", fields.get("elementsize", ""))
    spacings = numbers(spacing, "ElementSpacing")
    if spacings and len(spacings) != axes:
        raise ContractError(f"ElementSpacing has {len(spacings)} numbers where {axes} belong")
    refuse_spacing(spacings, "ElementSpacing")
    lines = ["ObjectType = Image", "NDims = 3", "BinaryData = True", "BinaryDataByteOrderMSB = False"]
    for names, written, count in ((_ORIGINS, "Offset", axes), (_MATRICES, "TransformMatrix", axes * axes)):
        for name in names:
            if name not in fields:
                continue
            numbers_of(fields[name], name, count)
            words = fields[name].split()
            rows = range(3) if written == "TransformMatrix" else range(1)
            kept = [words[row * axes + column] for row in rows for column in range(3)]
            lines.append(f"{written} = {' '.join(kept)}")
    lines += [f"ElementSpacing = {' '.join(spacing.split()[:3])}", f"DimSize = {' '.join(map(str, sizes))}"]
    lines += [f"ElementType = {_WRITTEN[code]}", "ElementDataFile = LOCAL"]
    return ("\n".join(lines) + "\n").encode()
