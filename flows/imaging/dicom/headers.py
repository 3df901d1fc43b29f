"""Elements of a DICOM header, read without the pixels, as numbers and texts that were checked."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from flows.imaging.opened_files import opened, system_words
from schemas.errors import ContractError
from schemas.shown_text import shown_text

__all__ = ["dataset_of", "dicom_reading", "items_of", "number_of", "numbers_of", "shown_label", "text_of", "whole_of"]

_HEAD = 4096
_DEFLATED = b"1.2.840.10008.1.2.1.99"
_LONGEST_SHOWN = 64
_BYTES_OF_HEADERS = 1 << 30


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
        raise ContractError(error.message, where=error.where or str(source), hint=error.hint) from error
    except MemoryError as error:
        raise ContractError("there is not enough memory to read it", where=str(source)) from error
    except OSError as error:
        raise ContractError(f"cannot be read: {system_words(error)}", where=str(source)) from error
    except Exception as error:
        raise ContractError(f"reading it ends in a {type(error).__name__}", where=str(source)) from error


def dataset_of(file: Path, tags: Sequence[str] | None = None) -> Dataset:
    """Return a file's header, without its pixels.

    Parameters
    ----------
    file : Path
        A DICOM file, with its preamble or without.
    tags : sequence of str, optional
        Keywords of the elements that are read; all where absent.

    Raises
    ------
    ContractError
        When the header is damaged or cut off before it says what the file is, or is packed as a whole.
    """
    with opened(file) as stream:
        head = stream.read(_HEAD)
        if _DEFLATED in head:
            # It is unpacked as a whole, to any length.
            raise ContractError(
                "its transfer syntax, Deflated Explicit VR Little Endian, is not read: save it without", where=str(file)
            )
        if tags is None and os.fstat(stream.fileno()).st_size > _BYTES_OF_HEADERS:
            raise ContractError(f"is larger than the {_BYTES_OF_HEADERS} bytes that are read", where=str(file))
        stream.seek(0)
        try:
            dataset = pydicom.dcmread(
                stream,
                stop_before_pixels=True,
                force=head[128:132] != b"DICM",
                specific_tags=None if tags is None else list(tags),
            )
            if not text_of(dataset, "SOPClassUID"):
                raise ContractError("its DICOM header is cut off or damaged", where=str(file))
        except (ContractError, MemoryError, OSError):
            raise
        except Exception as error:
            raise ContractError("its DICOM header is cut off or damaged", where=str(file)) from error
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


def text_of(dataset: Dataset, keyword: str) -> str:
    """Return an element's text, empty where it is absent; several values stand with a backslash between them."""
    try:
        value = dataset.get(keyword)
    except (TypeError, ValueError, NotImplementedError) as error:
        raise ContractError(f"{keyword} is damaged") from error
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
    try:
        value = dataset.get(keyword)
        if value is None or value == "":
            return None
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
    value: Any = None if dataset is None else dataset.get(keyword)
    return [] if value is None else list(value)


def shown_label(text: str) -> str:
    """Return the name of a series, segment or ROI as a message may have it: short, in quotes, printable."""
    return f"'{shown_text(text, _LONGEST_SHOWN)}'"
