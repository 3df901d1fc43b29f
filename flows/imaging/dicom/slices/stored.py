"""The stored values of plain files of one frame, as they lie in the file."""

from __future__ import annotations

import os
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from flows.imaging.dicom.frames import Frame
from flows.imaging.dicom.headers import DECISIVE
from flows.imaging.dicom.plain.elements import NATIVE, PlainFile, plain_file, value_of
from flows.imaging.dicom.plain.values import tags_of
from flows.imaging.opened_files import opened

__all__ = ["PlainFrames", "is_within"]

_SAMPLES, _MEANING, _COUNT, _ROWS, _COLUMNS = 0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011
_ALLOCATED, _STORED, _SIGN = 0x00280100, 0x00280101, 0x00280103
_CLASS, _PIXELS = 0x00080016, 0x7FE00010
_NUMBERS: Final = (_SAMPLES, _ROWS, _COLUMNS, _ALLOCATED, _STORED, _SIGN)
_OTHERS: Final = tags_of(
    ("FloatPixelData", "DoubleFloatPixelData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths")
)
_DECISIVE: Final = tags_of(DECISIVE)
_WANTED: Final = _OTHERS | _DECISIVE | {_CLASS, _MEANING, _COUNT, _PIXELS, *_NUMBERS}
_BESIDE_PIXELS = 4 << 20


class PlainFrames:
    """Reads frames by turns into the same memory.

    Parameters
    ----------
    largest : int
        How many bytes a file has at most.
    """

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._memory = bytearray()

    def stored(self, frame: Frame) -> NDArray[Any] | None:
        """Return the stored values of the one frame of a file, None where another reader must say what it holds.

        Parameters
        ----------
        frame : Frame
            Of a file of one frame.

        Returns
        -------
        ndarray of shape (rows, columns) or None
            It holds until the next frame is read. None where the file is not plain and complete to its last byte, its
            pixels are a code or floating-point numbers or not as many as they should be, one of them takes more bits
            than are used, or its header says by now what the frame does not.

        Raises
        ------
        ContractError
            When the file cannot be read.
        """
        expected = frame.rows * frame.columns * frame.bits // 8
        with opened(frame.file) as stream:
            length = os.fstat(stream.fileno()).st_size
            if length > min(expected + _BESIDE_PIXELS, self._largest):
                return None
            if len(self._memory) < length:
                self._memory = bytearray(length)
            content = memoryview(self._memory)[:length]
            if stream.readinto(content) != length:
                return None
        plain = plain_file(content, _WANTED, is_whole=True, to_pixels=False)
        if plain is None or not _is_described(content, plain, frame):
            return None
        _, start, length = plain.elements[_PIXELS]
        if length not in (expected, expected + expected % 2):
            return None
        dtype = np.dtype(f"<{'u' if frame.lowest == 0 else 'i'}{frame.bits // 8}")
        values = np.frombuffer(content, dtype, frame.rows * frame.columns, start)
        stored = values.reshape(frame.rows, frame.columns)
        return stored if is_within(stored, frame) else None


def is_within(stored: NDArray[Any], frame: Frame) -> bool:
    """Return whether whole numbers lie within the bits that a header says are used."""
    if frame.lowest is None or frame.highest is None:
        return False
    bounds = np.iinfo(stored.dtype)
    return bool(
        (bounds.min >= frame.lowest or frame.lowest <= stored.min())
        and (bounds.max <= frame.highest or stored.max() <= frame.highest)
    )


def _is_described(content: memoryview, plain: PlainFile, frame: Frame) -> bool:
    """Return whether a file has all that its pixels are decoded by, as the frame has it, and nothing that matters."""
    found = plain.elements
    if plain.syntax not in NATIVE or not _OTHERS.isdisjoint(found) or not {_CLASS, _MEANING, _PIXELS} <= found.keys():
        return False
    if any(found[tag][1] > found[_PIXELS][1] for tag in _DECISIVE & found.keys()):
        return False
    if found[_PIXELS][0] not in (None, "OB", "OW") or not value_of(content, found[_CLASS]).strip(b" \0"):
        return False
    if value_of(content, found[_MEANING]).rstrip(b" ") not in (b"MONOCHROME1", b"MONOCHROME2"):
        return False
    if _COUNT in found and value_of(content, found[_COUNT]).strip(b" ") != b"1":
        return False
    numbers = []
    for tag in _NUMBERS:
        vr, _, length = found.get(tag, ("", 0, 0))
        if vr not in (None, "US") or length != 2:
            return False
        numbers.append(int.from_bytes(value_of(content, found[tag]), "little"))
    samples, rows, columns, allocated, bits, sign = numbers
    highest = (1 << (bits - sign)) - 1 if sign in (0, 1) and 1 <= bits <= allocated else None
    return (
        (samples, rows, columns, allocated) == (1, frame.rows, frame.columns, frame.bits)
        and highest is not None
        and (frame.lowest, frame.highest) == (-(highest + 1) if sign else 0, highest)
    )
