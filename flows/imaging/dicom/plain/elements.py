"""Where each element of a plain DICOM file lies, found in its bytes: what pydicom finds, in a tenth of its time.

A file is plain where it has its preamble and file meta information, names a transfer syntax of little-endian elements
that is not deflated, and each of its elements is whole and in order: of a known VR, its length within the file, each
sequence of unknown length made of items that are so themselves. Of such a file there is one reading. Of any other
nothing is said here: pydicom reads it, with its rules for what others got wrong, or refuses it.

Encoding: DICOM PS3.5, sections 7.1 and 7.5; PS3.10, section 7.1.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from struct import Struct
from typing import Final, NamedTuple

from pydicom import uid
from pydicom.datadict import dictionary_VR, keyword_for_tag
from pydicom.valuerep import EXPLICIT_VR_LENGTH_32, VR

from schemas.errors import ContractError

__all__ = ["HEAD", "NATIVE", "PIXELS", "Content", "Element", "PlainFile", "is_deflated", "plain_file", "value_of"]

Content = bytes | bytearray | memoryview


Element = tuple[str | None, int, int]
"""VR, None where the transfer syntax leaves it to the dictionary, and where the value begins and how long it is."""


class PlainFile(NamedTuple):
    """The elements of a plain file that were asked for."""

    syntax: str
    """Transfer Syntax UID."""
    is_implicit: bool
    elements: dict[int, Element]
    """By tag."""


NATIVE: Final = (str(uid.ImplicitVRLittleEndian), str(uid.ExplicitVRLittleEndian))
"""Transfer syntaxes whose pixels are no code."""
PIXELS: Final = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))
"""FloatPixelData, DoubleFloatPixelData and PixelData."""

HEAD: Final = 4096
"""Bytes in which file meta information stands."""

_DEFLATED: Final = b"\x02\x00\x10\x00UI\x16\x001.2.840.10008.1.2.1.99"
_IS_IMPLICIT: Final = {
    str(each).encode(): each == uid.ImplicitVRLittleEndian
    for each in uid.AllTransferSyntaxes
    if each.is_little_endian and not each.is_deflated
}
_NAMES: Final[Mapping[bytes, str]] = {each.value.encode(): each.value for each in VR if len(each.value) == 2}
_LONG: Final = frozenset(each.value.encode() for each in EXPLICIT_VR_LENGTH_32)
_SYNTAX, _CHARACTERS = 0x00020010, 0x00080005
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_DELIMITERS = 0xFFFE
"""Group of the items and delimiters of sequences."""
_UNKNOWN_LENGTH = 0xFFFFFFFF
_DEEPEST = 32
_PREAMBLE = 132

_explicit = Struct("<HH2sH").unpack_from
_implicit = Struct("<HHL").unpack_from
_length = Struct("<L").unpack_from


class _OtherError(Exception):
    """What is read is no plain file, or no more of it than was given is known."""


def plain_file(content: Content, wanted: frozenset[int], *, is_whole: bool, to_pixels: bool) -> PlainFile | None:
    """Return where elements of a plain file lie, None where the file is another, or more of it is needed to know.

    Parameters
    ----------
    content : bytes, bytearray or memoryview
        The file, from its first byte; at least to the pixels where ``to_pixels``.
    wanted : frozenset of int
        Tags of the elements that are returned where the file has them; SpecificCharacterSet is among them always.
    is_whole : bool
        Whether the content is the whole file: one without pixels ends where it does.
    to_pixels : bool
        Whether what comes from the pixels on is passed over; otherwise each element to the file's last byte is looked
        at, and a file that ends within one is not plain.

    Raises
    ------
    ContractError
        When one of the elements stands twice: pydicom takes the last, others the first.
    """
    if len(content) < _PREAMBLE or content[128:_PREAMBLE] != b"DICM" or is_deflated(bytes(content[:HEAD])):
        return None
    meta: dict[int, Element] = {}
    elements: dict[int, Element] = {}
    try:
        start = _explicit_elements(content, _PREAMBLE, len(content), frozenset((_SYNTAX,)), meta, group=2)
        syntax = value_of(content, meta[_SYNTAX]).rstrip(b"\0")
        is_implicit = _IS_IMPLICIT[syntax]
        group, _, letters, _ = _explicit(content, start)
        if group == 0 or is_implicit == (letters.isalpha() and letters.isupper()):
            return None
        read = _implicit_elements if is_implicit else _explicit_elements
        end = read(content, start, len(content), wanted | {_CHARACTERS}, elements, to_pixels=to_pixels)
    except (_OtherError, LookupError, struct.error):
        return None
    if end == len(content) and not is_whole:
        return None
    return PlainFile(syntax.decode(), is_implicit, elements)


def is_deflated(head: bytes) -> bool:
    """Return whether a file's first bytes name Deflated Explicit VR Little Endian."""
    return _DEFLATED in head


def value_of(content: Content, element: Element) -> bytes:
    """Return an element's value as it is stored."""
    _, start, length = element
    return bytes(content[start : start + length])


def _explicit_elements(
    content: Content,
    at: int,
    end: int,
    wanted: frozenset[int],
    found: dict[int, Element],
    *,
    group: int | None = None,
    to_pixels: bool = False,
    depth: int = 0,
    is_open: bool = False,
) -> int:
    """Walk over elements of an explicit VR, put the wanted ones into ``found``, and return where they end.

    That is where the bytes do, where another ``group`` begins, where the pixels do, or behind the delimiter of an item
    that ``is_open``.
    """
    while at < end:
        of_group, number, vr, length = _explicit(content, at)
        if group is not None and of_group != group:
            return at
        tag = of_group << 16 | number
        start = at + 8
        if vr in _LONG:
            start = at + 12
            length = _length(content, at + 8)[0]
        elif vr not in _NAMES:
            return _item_end(content, at, end, is_open=is_open)
        if of_group == _DELIMITERS:
            raise _OtherError
        if to_pixels and tag in PIXELS:
            return at
        if length == _UNKNOWN_LENGTH and start == at + 12:
            if vr != b"SQ" or tag in wanted:
                raise _OtherError
            at = _sequence_end(content, start, end, depth, is_implicit=False)
        else:
            at = start + length
            if at > end or (depth and tag == _CHARACTERS):
                raise _OtherError
            if tag in wanted:
                _refuse_repeated(tag, found)
                found[tag] = (_NAMES[vr], start, length)
    if is_open:
        raise _OtherError
    return at


def _implicit_elements(
    content: Content,
    at: int,
    end: int,
    wanted: frozenset[int],
    found: dict[int, Element],
    *,
    to_pixels: bool = False,
    depth: int = 0,
    is_open: bool = False,
) -> int:
    """Do what `_explicit_elements` does, of elements whose VR the dictionary has."""
    while at < end:
        group, number, length = _implicit(content, at)
        tag = group << 16 | number
        if group == _DELIMITERS:
            return _item_end(content, at, end, is_open=is_open)
        if to_pixels and tag in PIXELS:
            return at
        if length == _UNKNOWN_LENGTH:
            if tag in wanted or not _is_sequence(content, at):
                raise _OtherError
            at = _sequence_end(content, at + 8, end, depth, is_implicit=True)
        else:
            start, at = at + 8, at + 8 + length
            if at > end or (depth and tag == _CHARACTERS):
                raise _OtherError
            if tag in wanted:
                _refuse_repeated(tag, found)
                found[tag] = (None, start, length)
    if is_open:
        raise _OtherError
    return at


def _refuse_repeated(tag: int, found: Mapping[int, Element]) -> None:
    if tag in found:
        raise ContractError(f"{keyword_for_tag(tag) or hex(tag)} stands in it twice, and readers take one or the other")


def _is_sequence(content: Content, at: int) -> bool:
    """Return whether an element of unknown length is a sequence: by the dictionary, a private one by its first item."""
    group, number, _ = _implicit(content, at)
    if group % 2 == 0:
        return dictionary_VR(group << 16 | number) == "SQ"
    first, second, _ = _implicit(content, at + 8)
    return bool(first << 16 | second == _ITEM)


def _sequence_end(content: Content, at: int, end: int, depth: int, *, is_implicit: bool) -> int:
    """Return where a sequence of unknown length ends, behind its delimiter."""
    if depth == _DEEPEST:
        raise _OtherError
    read = _implicit_elements if is_implicit else _explicit_elements
    while True:
        group, number, length = _implicit(content, at)
        tag, at = group << 16 | number, at + 8
        if at > end or (tag == _SEQUENCE_END and length):
            raise _OtherError
        if tag == _SEQUENCE_END:
            return at
        if tag != _ITEM:
            raise _OtherError
        is_open = length == _UNKNOWN_LENGTH
        stop = end if is_open else at + length
        if stop > end:
            raise _OtherError
        at = read(content, at, stop, frozenset(), {}, depth=depth + 1, is_open=is_open)


def _item_end(content: Content, at: int, end: int, *, is_open: bool) -> int:
    """Return where the delimiter of an item ends, which must stand here."""
    group, number, length = _implicit(content, at)
    if not is_open or group << 16 | number != _ITEM_END or length or at + 8 > end:
        raise _OtherError
    return at + 8
