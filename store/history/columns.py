"""Rows as columns of Arrow, made of their buffers: Arrow's own way from Python's values loads pandas first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

__all__ = ["arrow_columns", "no_rows"]

_LONGEST = 2**31 - 1
"""The most bytes of texts in one array."""


def arrow_columns(kinds: Mapping[str, pa.DataType], rows: Iterable[Sequence[Any]]) -> pa.Table:
    """Return rows as a table.

    Parameters
    ----------
    kinds : mapping of str to DataType
        The columns: 64-bit integers, doubles and texts.
    rows : iterable of sequence
        Their values, each None where there is none.

    Raises
    ------
    ValueError, TypeError, OverflowError
        When a value is not of its column's type.
    """
    # Column by column: a dictionary for each of a hundred thousand rows takes five times as long.
    values = list(zip(*rows, strict=True)) or [()] * len(kinds)
    arrays = [_array(each, kind) for each, kind in zip(values, kinds.values(), strict=True)]
    return pa.Table.from_arrays(arrays, schema=pa.schema(list(kinds.items())))


def no_rows(schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch without rows."""
    return pa.RecordBatch.from_arrays([pa.nulls(0, each.type) for each in schema], schema=schema)


def _array(values: tuple[Any, ...], kind: pa.DataType) -> pa.Array:
    missing = np.fromiter((value is None for value in values), np.bool_, len(values)) if None in values else None
    valid = None if missing is None else pa.py_buffer(np.packbits(~missing, bitorder="little"))
    if kind != pa.string():
        numbers = _numbers(values, kind)
        return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(numbers)])
    texts = [b"" if value is None else value.encode() for value in values]
    ends = np.zeros(len(values) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, texts), np.int64, len(texts)), out=ends[1:])
    if ends[-1] > _LONGEST:
        # Arrow itself makes several arrays of so much.
        return pa.array(values, kind)
    buffers = [valid, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(b"".join(texts))]
    return pa.Array.from_buffers(kind, len(values), buffers)


def _numbers(values: tuple[Any, ...], kind: pa.DataType) -> NDArray[Any]:
    numbers = [0 if value is None else value for value in values]
    is_whole = kind == pa.int64()
    kinds = int if is_whole else (int, float)
    if other := [value for value in numbers if not isinstance(value, kinds)][:1]:
        # numpy would make numbers of texts, and whole ones of others.
        raise TypeError(f"{other[0]!r} is no {'whole ' if is_whole else ''}number")
    return np.array(numbers, np.int64 if is_whole else np.float64)
