"""The stored values of frames, decoded by pydicom, and the voxels that they become."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.pixels.utils import iter_pixels
from pydicom.uid import UID

from flows.imaging.dicom.frames import Frame
from flows.imaging.dicom.headers import complete_dataset, largest_file, whole_of
from flows.imaging.dicom.slices.stored import PlainFrames, is_within
from flows.imaging.image_limits import refuse_large
from schemas.errors import ContractError

__all__ = ["decoded_frames", "has_same_pixels", "voxels_of"]

_PIXELS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_TAGS = (
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "ExtendedOffsetTable"),
    *("ExtendedOffsetTableLengths", *_PIXELS),
)
_INTEGERS = (np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32)


def voxels_of(frames: Sequence[Frame]) -> NDArray[Any]:
    """Return the voxels of slices: stored value times RescaleSlope plus RescaleIntercept.

    Parameters
    ----------
    frames : sequence of Frame
        Of one size, in order.

    Returns
    -------
    ndarray of shape (n_slices, rows, columns)
        Of the smallest integer type that holds whatever the headers let a pixel be, where each slope is 1 and each
        intercept a whole number; of the stored type where floating-point numbers are not scaled; else float64.

    Raises
    ------
    ContractError
        When the image is larger than is read, its pixels are missing, cut off or damaged, no decoder reads them, or
        values are not finite.
    """
    first = frames[0]
    dtype = _voxel_type(frames)
    refuse_large((first.columns, first.rows, len(frames)), dtype.itemsize)
    voxels = np.empty((len(frames), first.rows, first.columns), dtype)
    slices: dict[Path, dict[int, int]] = {}
    for place, frame in enumerate(frames):
        slices.setdefault(frame.file, {})[frame.index] = place
    plain = PlainFrames(largest_file())
    for file, places in slices.items():
        indices = sorted(places)
        one = plain.stored(frames[places[0]]) if indices == [0] else None
        decoded = [one] if one is not None else decoded_frames(complete_dataset(file, _TAGS), indices, file)
        for index, stored in zip(indices, decoded, strict=True):
            _rescale(stored, frames[places[index]], voxels[places[index]])
    return voxels


def _voxel_type(frames: Sequence[Frame]) -> np.dtype[Any]:
    is_scaled = any(frame.slope != 1.0 or frame.intercept % 1 for frame in frames)
    lowest = [frame.lowest + frame.intercept for frame in frames if frame.lowest is not None]
    highest = [frame.highest + frame.intercept for frame in frames if frame.highest is not None]
    if not lowest:
        is_short = not is_scaled and all(frame.bits == 32 and not frame.intercept for frame in frames)
        return np.dtype(np.float32 if is_short else np.float64)
    for integer in () if is_scaled or len(lowest) < len(frames) else _INTEGERS:
        if np.iinfo(integer).min <= min(lowest) and max(highest) <= np.iinfo(integer).max:
            return np.dtype(integer)
    return np.dtype(np.float64)


def _rescale(stored: NDArray[Any], frame: Frame, voxels: NDArray[Any]) -> None:
    """Lay a frame's rescaled pixels into its slice of the volume."""
    is_float = frame.lowest is None or frame.highest is None
    if stored.shape != (frame.rows, frame.columns) or (stored.dtype.kind == "f") != is_float:
        raise ContractError("its pixels are not what its header says", where=str(frame.file))
    if is_float and not np.isfinite(stored).all():
        raise ContractError("it has voxels that are not finite (NaN or infinity)", where=str(frame.file))
    if not is_float and not is_within(stored, frame):
        raise ContractError("it has pixels beyond the bits that its header says are used", where=str(frame.file))
    np.copyto(voxels, stored, casting="unsafe")
    if voxels.dtype.kind != "f":
        if frame.intercept:
            # What overflows on the way comes back: each sum fits the type, which was chosen so.
            voxels += np.int64(frame.intercept).astype(voxels.dtype)
        return
    if frame.slope != 1.0:
        voxels *= frame.slope
    if frame.intercept:
        voxels += frame.intercept


def decoded_frames(dataset: Dataset, indices: Sequence[int], file: Path) -> Iterator[NDArray[Any]]:
    """Give the stored values of some frames of a file, each of shape (rows, columns).

    Parameters
    ----------
    dataset : pydicom.Dataset
        The complete file.
    indices : sequence of int
        The frames that are wanted, from 0, in the order of the file.
    file : Path
        Where it lies.

    Raises
    ------
    ContractError
        When the pixels are missing, fewer than the header counts or damaged, or no decoder reads their transfer syntax.
    """
    syntax = UID(dataset.file_meta.TransferSyntaxUID)
    try:
        is_read = get_decoder(syntax).is_available
    except NotImplementedError:
        is_read = False
    if not is_read:
        named = "a private one" if syntax.is_private else syntax.name
        raise ContractError(
            f"its transfer syntax, {named}, is one that no decoder reads: save it uncompressed",
            where=str(file),
        )
    damaged = f"its pixels cannot be decoded ({syntax.name}): they are missing, incomplete or damaged"
    if not syntax.is_compressed and _plain_bits(dataset) > 8 * max(len(dataset.get(each, b"")) for each in _PIXELS):
        raise ContractError(damaged, where=str(file))
    if (
        not syntax.is_compressed
        and dataset.get("BitsAllocated") == 1
        and dataset.file_meta.TransferSyntaxUID.is_little_endian
    ):
        yield from _frames_of_bits(dataset, indices)
        return
    try:
        yield from iter_pixels(dataset, indices=list(indices), raw=True)
    except (MemoryError, OSError):
        raise
    except Exception as error:
        raise ContractError(damaged, where=str(file)) from error


def _frames_of_bits(dataset: Dataset, indices: Sequence[int]) -> Iterator[NDArray[Any]]:
    """Give frames of one bit a pixel, packed without padding between them (DICOM PS3.5, section 8.1.1).

    pydicom 3.0.2 takes too few bytes for a frame that begins within a byte, where rows times columns is odd, say.
    """
    shape = (whole_of(dataset, "Rows") or 0, whole_of(dataset, "Columns") or 0)
    packed = np.frombuffer(dataset.PixelData, np.uint8)
    for index in indices:
        first, last = index * math.prod(shape), (index + 1) * math.prod(shape)
        bits = np.unpackbits(packed[first // 8 : -(-last // 8)], bitorder="little")
        yield bits[first % 8 : first % 8 + math.prod(shape)].reshape(shape)


def _plain_bits(dataset: Dataset) -> int:
    """Return how many bits the pixels of a file have that is not compressed, as its header counts them."""
    counts = [whole_of(dataset, each) for each in ("Rows", "Columns", "BitsAllocated", "NumberOfFrames")]
    return math.prod(1 if count is None else count for count in counts)


def has_same_pixels(one: Frame, other: Frame) -> bool:
    """Return whether two frames store the same values."""
    first, second = (
        next(decoded_frames(complete_dataset(frame.file, _TAGS), [frame.index], frame.file)) for frame in (one, other)
    )
    return bool(np.array_equal(first, second))
