"""Elements of a DICOM header, read without the pixels, as numbers and texts that were checked."""

from __future__ import annotations

import io
import math
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Literal

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from flows.imaging.dicom.plain.elements import HEAD, is_deflated, plain_file
from flows.imaging.dicom.plain.values import dataset_of_plain, element_value, tags_of
from flows.imaging.labels import StructureAbsentError
from flows.imaging.opened_files import opened, system_words
from schemas.errors import ContractError
from schemas.settings import IMAGE_BYTES, limit_setting
from schemas.shown_text import shown_text

__all__ = [
    "DECISIVE",
    "INCOMPLETE",
    "complete_dataset",
    "dataset_of",
    "dicom_reading",
    "items_of",
    "largest_file",
    "number_of",
    "numbers_of",
    "shown_label",
    "text_of",
    "whole_of",
]

_PARTS = (1 << 13, 1 << 16, 1 << 20)
"""Bytes of a file that are read for its header: more where those are too few."""
_LONGEST_SHOWN = 64
DECISIVE = (
    *("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "ImagePositionPatient", "ImageOrientationPatient"),
    *("PixelSpacing", "Rows", "Columns", "BitsAllocated", "BitsStored", "PixelRepresentation"),
    *("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"),
)
"""Elements by which pixels become voxels: they are read from what stands before the pixels, where they belong."""
_TRAILER, _END = 0xFFFCFFFC, b"the file's end\0\0"
"""DataSetTrailingPadding, the highest of all elements, and what it holds here."""
INCOMPLETE = "the file is incomplete or damaged: its last element does not end where the file does"
"""What is said of a file that was cut off."""
_FILE_SHARE = 2
"""A file of several times or segments may be larger than the one image that is read of it."""


@contextmanager
def dicom_reading(source: Path) -> Iterator[None]:
    """Read DICOM within: each fault becomes a ContractError that names a place and repeats nothing of the file.

    pydicom's warnings quote the header and are not shown.

    Raises
    ------
    ContractError
        When anything fails.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except ContractError as error:
        # An absent structure is told from a fault: a study may name more than each patient has.
        kind = StructureAbsentError if isinstance(error, StructureAbsentError) else ContractError
        raise kind(error.message, where=error.where or str(source), hint=error.hint) from error
    except MemoryError as error:
        raise ContractError("there is not enough memory to read it", where=str(source)) from error
    except OSError as error:
        raise ContractError(f"cannot be read: {system_words(error)}", where=str(source)) from error
    except Exception as error:
        raise ContractError(f"reading it ends in a {type(error).__name__}", where=str(source)) from error


def dataset_of(file: Path, tags: Sequence[str]) -> Dataset:
    """Return some elements of a file's header, without its pixels.

    Parameters
    ----------
    file : Path
        A DICOM file, with its preamble or without.
    tags : sequence of str
        Keywords of the elements.

    Raises
    ------
    ContractError
        When the header is damaged or cut off before it says what the file is, or is packed as a whole.
    """
    with opened(file) as stream:
        for length in _PARTS:
            stream.seek(0)
            content = stream.read(length)
            is_whole = len(content) < length
            if (found := _plain(content, tags, is_whole=is_whole)) is not None:
                return found
            if is_whole:
                break
        stream.seek(0)
        return _parsed(stream, file, tags, stop_before_pixels=True)


def complete_dataset(file: Path, tags: Sequence[str] | None = None) -> Dataset:
    """Return a file's elements with its pixels, known to be all that the file was written with.

    pydicom takes a file that was cut off for a shorter one. Here an element of our own is put after the file's last
    byte: it is found there, and whole, only where each element before it ends where its length says.

    Parameters
    ----------
    file : Path
        A DICOM file.
    tags : sequence of str, optional
        Keywords of the elements that are kept; all where absent.

    Raises
    ------
    ContractError
        As `dataset_of` raises it, when the file is incomplete, when it is larger than is read, or when something stands
        behind its pixels by which they become voxels.
    """
    most = largest_file()
    with opened(file) as stream:
        if (length := os.fstat(stream.fileno()).st_size) > most:
            raise ContractError(
                f"has {length} bytes, and at most {most} are read",
                where=str(file),
                hint=f"set {IMAGE_BYTES.variable} to more, where it is that large",
            )
        content = io.BytesIO(stream.read(length))
    head = _parsed(content, file, ("SOPClassUID", *DECISIVE), stop_before_pixels=True)
    is_implicit, is_little = head.original_encoding
    content.seek(0, io.SEEK_END)
    order: Literal["little", "big"] = "little" if is_little else "big"
    content.write(b"".join(each.to_bytes(2, order) for each in (_TRAILER >> 16, _TRAILER & 0xFFFF)))
    content.write((b"" if is_implicit else b"OB\0\0") + len(_END).to_bytes(4, order) + _END)
    content.seek(0)
    kept = None if tags is None else ("SOPClassUID", "DataSetTrailingPadding", *DECISIVE, *tags)
    dataset = _parsed(content, file, kept, fault=INCOMPLETE)
    if _TRAILER not in dataset or dataset.get_item(_TRAILER).value != _END:
        raise ContractError(INCOMPLETE, where=str(file))
    del dataset[_TRAILER]
    for keyword in DECISIVE:
        if keyword in dataset and (keyword not in head or _is_another(head, dataset, keyword)):
            raise ContractError(f"{keyword} stands behind the pixels, where nobody looks for it", where=str(file))
    return dataset


def _is_another(head: Dataset, dataset: Dataset, keyword: str) -> bool:
    """Return whether an element of the whole file is not the one that stands before the pixels."""
    one, other = head.get_item(keyword), dataset.get_item(keyword)
    return getattr(one, "value_tell", None) != getattr(other, "value_tell", None)


def largest_file() -> int:
    """Return how many bytes a file has at most whose pixels are read."""
    return _FILE_SHARE * limit_setting(IMAGE_BYTES, os.environ)


def _plain(content: bytes, tags: Sequence[str], *, is_whole: bool) -> Dataset | None:
    """Return the header of a plain file, None of any other and where more of the file is needed."""
    plain = plain_file(content, tags_of(tuple(tags)), is_whole=is_whole, to_pixels=True)
    dataset = None if plain is None else dataset_of_plain(content, plain)
    # What lacks its class, and what nothing can be made of, is refused in pydicom's words.
    return dataset if dataset is not None and _is_known(dataset) else None


def _is_known(dataset: Dataset) -> bool:
    try:
        return text_of(dataset, "SOPClassUID") != ""
    except ContractError:
        return False


def _parsed(
    stream: IO[bytes],
    file: Path,
    tags: Sequence[str] | None,
    *,
    stop_before_pixels: bool = False,
    fault: str = "its DICOM header is cut off or damaged",
) -> Dataset:
    """Return what pydicom reads from a stream, or raise an error with the words for a fault."""
    head = stream.read(HEAD)
    if is_deflated(head):
        # It is unpacked as a whole, to any length.
        raise ContractError(
            "its transfer syntax, Deflated Explicit VR Little Endian, is not read: save it without", where=str(file)
        )
    stream.seek(0)
    try:
        dataset = pydicom.dcmread(
            stream,
            stop_before_pixels=stop_before_pixels,
            force=head[128:132] != b"DICM",
            specific_tags=None if tags is None else list(tags),
        )
        is_known = text_of(dataset, "SOPClassUID") != ""
    except (MemoryError, OSError):
        raise
    except Exception as error:
        raise ContractError(fault, where=str(file)) from error
    if not is_known:
        raise ContractError(fault, where=str(file))
    if "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = _plain_syntax(dataset)
    return dataset


def _plain_syntax(dataset: Dataset) -> UID:
    """Return the transfer syntax of a file that does not name it, as it was read."""
    is_implicit, is_little = dataset.original_encoding
    if is_implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if is_little else ExplicitVRBigEndian


def _value(dataset: Dataset, keyword: str) -> Any:
    """Return what pydicom makes of an element, None where it is absent; what it cannot make anything of is refused."""
    try:
        return element_value(dataset, keyword)
    except MemoryError:
        raise
    except Exception as error:
        raise ContractError(f"{keyword} is damaged, or no value of its kind") from error


def text_of(dataset: Dataset, keyword: str) -> str:
    """Return an element's text, empty where it is absent; several values stand with a backslash between them."""
    value = _value(dataset, keyword)
    if value is None:
        return ""
    if isinstance(value, (list, pydicom.multival.MultiValue)):
        return "\\".join(str(each) for each in value)
    return str(value).strip(" \0")


def numbers_of(dataset: Dataset, keyword: str, count: int) -> tuple[float, ...] | None:
    """Return an element's numbers, None where it is absent or empty.

    Raises
    ------
    ContractError
        When it has another count of numbers, or some that are none or not finite.
    """
    value = _value(dataset, keyword)
    if value is None or value == "":
        return None
    try:
        values = [value] if isinstance(value, (str, int, float)) else list(value)
        if not values:
            return None
        found = tuple(float(each) for each in values)
    except (TypeError, ValueError, OverflowError) as error:
        raise ContractError(f"{keyword} holds what are no numbers") from error
    if len(found) != count:
        raise ContractError(f"{keyword} has {len(found)} numbers where {count} belong")
    if not all(math.isfinite(each) for each in found):
        raise ContractError(f"{keyword} has numbers that are not finite")
    return found


def number_of(dataset: Dataset, keyword: str) -> float | None:
    """Return an element's one number, None where it is absent or empty; errors as those of `numbers_of`."""
    found = numbers_of(dataset, keyword, 1)
    return None if found is None else found[0]


def whole_of(dataset: Dataset, keyword: str) -> int | None:
    """Return an element's one whole number, None where it is absent or empty; errors as those of `numbers_of`."""
    found = number_of(dataset, keyword)
    if found is not None and found % 1:
        raise ContractError(f"{keyword} is no whole number")
    return None if found is None else int(found)


def items_of(dataset: Dataset | None, keyword: str) -> Sequence[Dataset]:
    """Return the items of a sequence, none where it is absent."""
    value = None if dataset is None else _value(dataset, keyword)
    if value is not None and not isinstance(value, Items):
        raise ContractError(f"{keyword} is no sequence")
    return value or []


def shown_label(text: str) -> str:
    """Return the name of a series, segment or ROI as a message may have it: short, in quotes, printable."""
    return f"'{shown_text(text, _LONGEST_SHOWN)}'"
