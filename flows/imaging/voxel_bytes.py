"""The bytes of an image's voxels as a stream: unpacked, skipped, read from text; and the array that they fill.

Nothing is taken in whole but the array itself, whose length the header gives and the caller bounds. A stream that has
a byte more than that is refused at that byte, however small the file is that it comes from.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from itertools import chain
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from flows.imaging.opened_files import CHUNK
from schemas.errors import ContractError

__all__ = [
    "bytes_of_hex",
    "bytes_of_text",
    "file_parts",
    "filled",
    "raw_parts",
    "skipped",
    "skipped_lines",
    "unpacked_parts",
]

Parts = Iterator[bytes]

_ZLIB_OR_GZIP = 47  # zlib's own number for either
_GZIP = b"\x1f\x8b"
_LONGEST_WORD = 64


def file_parts(stream: IO[bytes]) -> Parts:
    """Give a file's bytes from where it stands, unpacked where it is packed as a whole."""
    first = stream.read(CHUNK)
    parts = chain([first] if first else [], raw_parts(stream))
    return unpacked_parts(parts) if first.startswith(_GZIP) else parts


def raw_parts(stream: IO[bytes]) -> Parts:
    """Give a file's bytes from where it stands, as they are."""
    return iter(lambda: stream.read(CHUNK), b"")


def unpacked_parts(parts: Parts) -> Parts:
    """Give the bytes that were packed with gzip or zlib, in pieces of bounded length; checksums are compared.

    Raises
    ------
    ContractError
        When they are cut off or damaged, or something follows them.
    """
    unpacking: Any = zlib.decompressobj(_ZLIB_OR_GZIP)
    rest = b""
    has_any = False
    try:
        for part in parts:
            rest += part
            while rest:
                has_any = True
                if unpacking.eof:
                    if not rest.strip(b"\x00"):
                        rest = b""  # what tapes and some writers fill up with
                        break
                    if len(rest) < len(_GZIP):
                        break
                    if not rest.startswith(_GZIP):
                        raise ContractError("file is incomplete or damaged: something follows its packed voxels")
                    unpacking = zlib.decompressobj(_ZLIB_OR_GZIP)
                piece = unpacking.decompress(rest, CHUNK)
                rest = unpacking.unused_data if unpacking.eof else unpacking.unconsumed_tail
                if piece:
                    yield piece
                elif not unpacking.eof:
                    break
        while not unpacking.eof and (piece := unpacking.decompress(rest, CHUNK)):
            rest = unpacking.unconsumed_tail
            yield piece
    except zlib.error as error:
        raise ContractError("file is incomplete or damaged: its packed bytes cannot be unpacked") from error
    if rest.strip(b"\x00"):
        raise ContractError("file is incomplete or damaged: something follows its packed voxels")
    if not unpacking.eof:
        what = "its packed voxels end early" if has_any else "it holds no packed voxels"
        raise ContractError(f"file is incomplete: {what}")


def skipped(parts: Parts, count: int) -> Parts:
    """Give what follows the first ``count`` bytes; nothing where there are fewer."""
    for part in parts:
        if count >= len(part):
            count -= len(part)
            continue
        yield part[count:]
        count = 0


def skipped_lines(parts: Parts, count: int) -> Parts:
    """Give what follows the first ``count`` lines."""
    for part in parts:
        while count and part:
            _, end, part = part.partition(b"\n")
            count -= bool(end)
        if part:
            yield part


def bytes_of_text(parts: Parts, dtype: np.dtype[np.generic]) -> Parts:
    """Give the bytes of voxels that are written as numbers, separated by blanks or commas.

    Raises
    ------
    ContractError
        When one of them is no number of the voxels' type.
    """
    rest = b""
    for part in chain(parts, [b" "]):
        text = (rest + part).replace(b",", b" ")
        end = max(text.rfind(b" "), text.rfind(b"\n"), text.rfind(b"\t"), text.rfind(b"\r"))
        words, rest = text[: end + 1].split(), text[end + 1 :]
        if len(rest) > _LONGEST_WORD or any(len(word) > _LONGEST_WORD for word in words):
            raise ContractError("the voxels are text, and a word of it is too long for a number")
        if words:
            yield _numbers(words, dtype)


def _numbers(words: list[bytes], dtype: np.dtype[np.generic]) -> bytes:
    expression = rb"[+-]?\d+" if dtype.kind in "iu" else rb"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?:nan|inf)"
    pattern = re.compile(expression, re.IGNORECASE)
    if not all(pattern.fullmatch(word) for word in words):
        raise ContractError("the voxels are text, and a word of it is no number of their type")
    if dtype.kind not in "iu":
        return np.array([float(word) for word in words]).astype(dtype).tobytes()
    values = [int(word) for word in words]
    limits = np.iinfo(np.dtype(dtype.kind + str(dtype.itemsize)))
    if min(values) < limits.min or max(values) > limits.max:
        raise ContractError("the voxels are text, and a number of it is beyond what their type holds")
    return np.array(values, dtype=dtype).tobytes()


def bytes_of_hex(parts: Parts) -> Parts:
    """Give the bytes that are written as pairs of hexadecimal digits.

    Raises
    ------
    ContractError
        When there are others.
    """
    rest = b""
    for part in parts:
        digits = rest + b"".join(part.split())
        even = len(digits) - len(digits) % 2
        rest = digits[even:]
        try:
            yield bytes.fromhex(digits[:even].decode("ascii"))
        except ValueError:
            raise ContractError("the voxels are hexadecimal digits, and there is another character") from None
    if rest:
        raise ContractError("the voxels are hexadecimal digits, and one has no second")


def filled(
    parts: Parts,
    count: int,
    dtype: np.dtype[np.generic],
    *,
    of_header: int = 0,
    stored: np.dtype[np.generic] | None = None,
) -> NDArray[Any]:
    """Return ``count`` voxels of a stream that has exactly these.

    Parameters
    ----------
    parts : iterator of bytes
        The stream.
    count : int
        How many.
    dtype : numpy.dtype
        Of each, in the stream's byte order.
    of_header : int
        Bytes before them in the file, which messages count.
    stored : numpy.dtype, optional
        Of each in the file, where the stream has made another type of it.

    Raises
    ------
    ContractError
        When the stream has fewer bytes, or more.
    """
    voxels: NDArray[Any] = np.empty(count, dtype)
    room = voxels.view(np.uint8).data
    expected = len(room)
    length = 0
    for part in parts:
        if length + len(part) > expected:
            raise ContractError(f"the file has more voxels than its header counts, which are {count}")
        room[length : length + len(part)] = part
        length += len(part)
    if length < expected:
        size = (stored or dtype).itemsize
        there, needed = length // dtype.itemsize * size, count * size
        if stored is None:
            there = length
        counted = f"{there + of_header} of {needed + of_header} bytes{'' if of_header else ' of voxels'}"
        raise ContractError(f"file is incomplete: {counted}, as its header counts them")
    return voxels
