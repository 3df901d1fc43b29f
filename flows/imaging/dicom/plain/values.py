"""What pydicom makes of elements, made once of each value: slices of a series have most of theirs in common."""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence
from functools import lru_cache
from typing import Any, Final

from pydicom.charset import convert_encodings, default_encoding
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import RawDataElement, convert_raw_data_element, empty_value_for_VR
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import BaseTag, Tag
from pydicom.uid import UID

from flows.imaging.dicom.plain.elements import Content, PlainFile

__all__ = ["dataset_of_plain", "element_value", "tags_of"]

_KEPT = 4096
_LONGEST = 256
"""How many values are kept, and how many bytes one of them has at most."""
_CHARACTERS: Final = BaseTag(0x00080005)
_SIMPLE: Final = frozenset(("CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "SH", "SL", "SS", "TM", "UI", "UL", "US"))
"""VRs whose values depend on no other element but SpecificCharacterSet."""


@lru_cache(maxsize=64)
def tags_of(keywords: tuple[str, ...]) -> frozenset[int]:
    """Return the tags of elements."""
    return frozenset(int(Tag(each)) for each in keywords)


def dataset_of_plain(content: Content, plain: PlainFile) -> Dataset | None:
    """Return the elements of a plain file as pydicom reads them, None where it must say what SpecificCharacterSet is.

    Each is converted when it is asked for. The dataset's ``file_meta`` has the transfer syntax alone, and is that of
    other files.
    """
    raw: dict[BaseTag, Any] = {}
    is_implicit, is_little = plain.is_implicit, True
    for number, (vr, start, length) in plain.elements.items():
        tag = _base(number)
        value: Any = bytes(content[start : start + length]) if length else empty_value_for_VR(vr, raw=True)
        raw[tag] = RawDataElement(tag, vr, length, value, start, is_implicit, is_little)
    dataset = Dataset(raw)
    characters: str | MutableSequence[str] = default_encoding
    if (named := raw.get(_CHARACTERS)) is not None:
        try:
            characters = list(_encodings(named.VR, named.value, is_implicit))
        except (AttributeError, LookupError, NotImplementedError, TypeError, ValueError):
            return None
    dataset.set_original_encoding(is_implicit, is_little, characters)
    dataset.file_meta = _meta(plain.syntax)
    return dataset


def element_value(dataset: Dataset, keyword: str) -> Any:
    """Return what pydicom makes of an element, None where it is absent; it is not to be changed.

    Raises
    ------
    Exception
        Whatever pydicom raises of a value that is none.
    """
    tag = _tag(keyword)
    element: Any = None if tag is None else dataset.get_item(tag)
    if element is None:
        return None
    if type(element) is not RawDataElement or not _is_simple(element.tag, element.VR):
        return dataset.get(keyword)
    if element.value is None or len(element.value) > _LONGEST:
        return dataset.get(keyword)
    if not (characters := dataset.original_character_set):
        return dataset.get(keyword)
    return _converted(
        element.tag,
        element.VR,
        bytes(element.value),
        element.is_implicit_VR,
        element.is_little_endian,
        characters if isinstance(characters, str) else tuple(characters),
    )


@lru_cache(maxsize=_KEPT)
def _converted(
    tag: BaseTag, vr: str | None, value: bytes, is_implicit: bool, is_little: bool, characters: str | tuple[str, ...]
) -> Any:
    raw = RawDataElement(tag, vr, len(value), value, 0, is_implicit, is_little)
    encoding = characters if isinstance(characters, str) else list(characters)
    return convert_raw_data_element(raw, encoding=encoding).value


@lru_cache(maxsize=_KEPT)
def _is_simple(tag: BaseTag, vr: str | None) -> bool:
    """Return whether the value of an element of a dictionary's keyword needs nothing else of its header."""
    return (dictionary_VR(tag) if vr is None else vr) in _SIMPLE


@lru_cache(maxsize=_KEPT)
def _encodings(vr: str | None, value: bytes | None, is_implicit: bool) -> Sequence[str]:
    raw = RawDataElement(_CHARACTERS, vr, len(value or b""), value, 0, is_implicit, is_little_endian=True)
    found: Any = convert_raw_data_element(raw).value
    return tuple(convert_encodings(found))


@lru_cache(maxsize=_KEPT)
def _base(tag: int) -> BaseTag:
    return BaseTag(tag)


@lru_cache(maxsize=_KEPT)
def _tag(keyword: str) -> BaseTag | None:
    """Return a keyword's tag, None where the dictionary has none: ContentDateTime, say, beside AcquisitionDateTime."""
    tag = tag_for_keyword(keyword)
    return None if tag is None else BaseTag(tag)


@lru_cache(maxsize=64)
def _meta(syntax: str) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(syntax)
    return meta
