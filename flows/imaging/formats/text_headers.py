"""What a text header says of an image, as NRRD and MetaImage have them: read strictly, and written again for ITK.

ITK's own parsers trust a header: memory is damaged by one that lies. What reaches them here is written by us, of
numbers that were checked.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from flows.imaging.image_limits import refuse_extreme_spacing
from schemas.errors import ContractError

__all__ = [
    "MILLIMETRES",
    "Encoding",
    "TextHeader",
    "data_names",
    "numbers",
    "numbers_of",
    "refuse_not_a_volume",
    "refuse_odd_characters",
    "refuse_spacing",
    "shown",
    "shown_name",
    "whole_numbers",
]

Encoding = Literal["raw", "gzip", "text", "hex"]

MILLIMETRES = {"mm", "millimeter", "millimeters", "millimetre", "millimetres", "", "???"}

_NUMBER = re.compile(
    r"[+-]?(?:\d{1,400}\.?\d{0,400}|\.\d{1,400})(?:e[+-]?\d{1,5})?|[+-]?(?:nan|inf(?:inity)?)", re.IGNORECASE | re.ASCII
)
_WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_SHOWN = re.compile(r"[\w .+-]{0,24}", re.ASCII)
_SHOWN_NAME = re.compile(r"[\w .+/-]{1,100}", re.ASCII)
_PATTERN = re.compile(r"([^%]*%0?\d?d[^%]*)\s+(-?\d{1,9})\s+(-?\d{1,9})\s+(-?\d{1,9})(?:\s+(\d{1,2}))?")
_MOST_FILES = 10_000
_NOT_REPEATED = "(words that are not repeated here)"


@dataclass(frozen=True)
class TextHeader:
    """A header whose every field was checked.

    Attributes
    ----------
    sizes : tuple of 3 ints
        Voxels along each axis; the first one runs fastest in the file.
    dtype : numpy.dtype
        Of a voxel, in the file's byte order.
    data : tuple of str
        The names of the files that hold the voxels, in order; empty where they follow the header.
    length : int
        Bytes of the header.
    line_skip, byte_skip : int
        What stands before the voxels in each file; a ``byte_skip`` of -1 means that they stand at its end.
    geometry : bytes
        A header for ITK with the same geometry and type, and no more.
    """

    format: Literal["nrrd", "metaimage"]
    sizes: tuple[int, int, int]
    dtype: np.dtype[np.generic]
    encoding: Encoding
    data: tuple[str, ...]
    length: int
    line_skip: int
    byte_skip: int
    geometry: bytes
    has_orientation: bool


def refuse_odd_characters(value: str, field: str) -> None:
    """Refuse a field with a character that readers take for a blank, or for none."""
    if not re.fullmatch(r"[\t\x20-\x7e]*", value):
        raise ContractError(f"the header's {field} holds a character that belongs to no number or word of it")


def shown(text: str) -> str:
    """Return a header's words as a message may repeat them: short ones, of plain characters."""
    return f"'{text}'" if _SHOWN.fullmatch(text) and ".." not in text else _NOT_REPEATED


def shown_name(name: str) -> str:
    """Return the name of a data file as a message may repeat it: one that leads nowhere else."""
    is_plain = _SHOWN_NAME.fullmatch(name) and ".." not in name and not name.startswith("/")
    return f"'{name}'" if is_plain else _NOT_REPEATED


def numbers(text: str, field: str) -> list[float]:
    """Return the numbers that a field holds, separated by blanks.

    Raises
    ------
    ContractError
        When one of them is none.
    """
    words = text.split()
    if not all(_NUMBER.fullmatch(word) for word in words):
        raise ContractError(f"{field} is {shown(text)}: these are no numbers")
    return [float(word) for word in words]


def numbers_of(text: str, field: str, count: int) -> list[float]:
    """Return ``count`` numbers that are finite.

    Raises
    ------
    ContractError
        When the field has others, or another count.
    """
    found = numbers(text, field)
    if len(found) != count:
        raise ContractError(f"{field} has {len(found)} numbers where {count} belong")
    if not all(math.isfinite(each) for each in found):
        raise ContractError(f"the orientation ({field}) has numbers that are not finite")
    return found


def whole_numbers(text: str, field: str, *, least: int, most: int, count: int | None = None) -> list[int]:
    """Return the whole numbers that a field holds.

    Raises
    ------
    ContractError
        When one of them is none, is beyond ``least`` or ``most``, or another count of them is given.
    """
    words = text.split()
    found = [int(word) for word in words if _WHOLE.fullmatch(word)]
    if len(found) != len(words) or not all(least <= each <= most for each in found):
        raise ContractError(f"{field} is {shown(text)}: whole numbers from {least} to {most} belong there")
    if count is not None and len(found) != count:
        raise ContractError(f"{field} has {len(found)} numbers where {count} belong")
    return found


def refuse_not_a_volume(
    spatial: tuple[int, ...], components: int, dtype: np.dtype[np.generic], *, is_complex: bool = False
) -> None:
    """Refuse what has another number of axes than three, or several numbers a voxel.

    Parameters
    ----------
    spatial : tuple of int
        Voxels along each axis of space and time.
    components : int
        Numbers a voxel.
    dtype : numpy.dtype
        Of each number.
    """
    kind = None
    if is_complex:
        kind = "a complex image"
    elif components > 1:
        is_rgb = components == 3 and dtype.kind + str(dtype.itemsize) == "u1"
        kind = f"{'an RGB' if is_rgb else 'a vector'} image, {components} components a voxel"
    elif len(spatial) < 3:
        kind = f"an image of {len(spatial)} dimensions"
    elif any(length > 1 for length in spatial[3:]):
        kind = f"a series of {spatial[3]} volumes: split it into phases" if len(spatial) == 4 else "a series of series"
    if kind is not None:
        raise ContractError(f"is no single-channel volume (size {'x'.join(str(n) for n in spatial)}): {kind}")


def refuse_spacing(spacings: list[float], field: str) -> None:
    """Refuse a spacing that is absent, zero, negative, not finite, or none of an image."""
    if len(spacings) < 3 or not all(math.isfinite(each) and each > 0 for each in spacings[:3]):
        written = ", ".join(f"{each:g}" for each in spacings) or "not given"
        raise ContractError(f"the spacing is missing: {field} is {written}, and must be above 0 along each axis")
    refuse_extreme_spacing(spacings[:3])


def data_names(value: str, following: list[str], axes: int) -> tuple[str, ...]:
    """Return the files that hold the voxels: one, those of a list, or those of a numbered pattern.

    Parameters
    ----------
    value : str
        What the header gives: a name, ``LIST``, or a pattern, its first and last number and its step.
    following : list of str
        The lines after it, which are the files of a ``LIST``.
    axes : int
        Of the image.

    Raises
    ------
    ContractError
        When the pattern or the list is none.
    """
    words = value.split()
    if words[:1] == ["LIST"]:
        names = tuple(each for each in following if each)
        of_each = words[1:]
    elif (match := _PATTERN.fullmatch(value)) is not None:
        first, last, step = int(match[2]), int(match[3]), int(match[4])
        count = 0 if step == 0 else (last - first) // step + 1
        if not 0 < count <= _MOST_FILES:
            raise ContractError(f"its numbered data files are {max(count, 0)}, and 1 to {_MOST_FILES} are read")
        names = tuple(match[1] % number for number in range(first, first + count * step, step))
        of_each = [match[5]] if match[5] else []
    elif any(word.startswith("%") or re.search(r"%\d*[a-zA-Z]", word) for word in words[:1]):
        raise ContractError("its pattern of data files cannot be read: NAME%03d.raw FIRST LAST STEP is one")
    else:
        names, of_each = (value,), []
    # A header is read byte by byte; a name is in the system's encoding.
    names = tuple(os.fsdecode(name.encode("latin-1")) for name in names)
    if not 0 < len(names) <= _MOST_FILES or not names[0]:
        raise ContractError(f"its data files are {len(names) if any(names) else 0}, and 1 to {_MOST_FILES} are read")
    if of_each and (len(of_each) > 1 or not of_each[0].isdigit() or not 0 < int(of_each[0]) <= axes):
        raise ContractError(f"the axes of its data files are {shown(' '.join(of_each))}, and the image has {axes}")
    return names
