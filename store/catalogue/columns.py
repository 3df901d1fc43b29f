"""Values of the catalogue as columns of Arrow, made of their bytes.

``pyarrow.array`` loads pandas to see whether a list is one of its series: half a second for nothing, as long as nobody
asks for pandas.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Float, Integer

__all__ = [
    "arrow_column",
    "arrow_columns",
    "arrow_kinds",
    "arrow_numbers",
    "arrow_positions",
    "arrow_scalar",
    "live_columns",
    "no_rows",
]

_MOST_BYTES = 2**31 - 1
"""Of one chunk of texts, whose places are numbers of 32 bits."""


def arrow_kinds(columns: Iterable[ColumnElement[Any]]) -> dict[str, pa.DataType]:
    """Return the types that columns of the catalogue have in Arrow, by their names."""
    return {column.key: _arrow_kind(column.type) for column in columns if column.key is not None}


def _arrow_kind(column_type: Any) -> pa.DataType:
    if isinstance(column_type, Integer):
        return pa.int64()
    return pa.float64() if isinstance(column_type, Float) else pa.string()


def arrow_column(values: Sequence[Any], kind: pa.DataType) -> pa.Array | pa.ChunkedArray:
    """Return values as Arrow, None as NULL.

    Parameters
    ----------
    values : sequence
        Texts, or numbers.
    kind : pyarrow.DataType
        ``string``, ``int64`` or ``float64``.

    Raises
    ------
    TypeError
        When a value is of another kind.
    """
    lacking = np.fromiter((value is None for value in values), dtype=np.bool_, count=len(values))
    has_nulls = bool(lacking.any())
    validity = pa.py_buffer(np.packbits(~lacking, bitorder="little")) if has_nulls else None
    if not pa.types.is_string(kind):
        wanted, kinds = (np.int64, "ib") if pa.types.is_integer(kind) else (np.float64, "iubf")
        numbers = np.array([0 if value is None else value for value in values] if has_nulls else values)
        if len(values) and numbers.dtype.kind not in kinds:
            raise TypeError(f"a column of {kind} holds {numbers.dtype}")
        numbers = numbers.astype(wanted)
        return pa.Array.from_buffers(kind, len(values), [validity, pa.py_buffer(numbers)])
    texts = [b"" if value is None else value.encode() for value in values]
    ends = np.zeros(len(texts) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(map(len, texts), dtype=np.int64, count=len(texts)), out=ends[1:])
    if ends[-1] > _MOST_BYTES and len(values) > 1:
        half = len(values) // 2
        parts = (arrow_column(values[:half], kind), arrow_column(values[half:], kind))
        return pa.chunked_array([chunk for part in parts for chunk in getattr(part, "chunks", [part])], kind)
    places = pa.py_buffer(ends.astype(np.int32))
    return pa.Array.from_buffers(kind, len(values), [validity, places, pa.py_buffer(b"".join(texts))])


def arrow_numbers(rows: Iterable[Sequence[float | None]], many: int, width: int) -> list[pa.Array]:
    """Return the columns of rows of numbers as Arrow, None as NULL.

    For a thousand columns: a row's numbers lie together, and taken column by column each is fetched from afar.

    Parameters
    ----------
    rows : iterable of sequence
        Each of ``width`` numbers.
    many : int
        How many rows.
    width : int
        How many columns.

    Raises
    ------
    TypeError
        When a value is no number.
    ValueError
        When a row has another width, or there are more or fewer.
    """
    numbers, is_there = np.empty((many, width)), np.ones((many, width), dtype=np.bool_)
    for at, row in zip(range(many), rows, strict=True):
        if None in row:
            is_there[at] = [value is not None for value in row]
            row = [0.0 if value is None else value for value in row]
        own = np.array(row)
        if own.shape != (width,):
            raise ValueError(f"a row of {width} numbers has the shape {own.shape}")
        if width and own.dtype.kind not in "iubf":
            raise TypeError(f"a row of numbers holds {own.dtype}")
        numbers[at] = own
    columns = []
    for column, there in zip(np.ascontiguousarray(numbers.T), np.ascontiguousarray(is_there.T), strict=True):
        validity = None if there.all() else pa.py_buffer(np.packbits(there, bitorder="little"))
        columns.append(pa.Array.from_buffers(pa.float64(), many, [validity, pa.py_buffer(column)]))
    return columns


def arrow_scalar(value: Any, kind: pa.DataType) -> pa.Scalar:
    """Return one value as Arrow, as `arrow_column` takes it."""
    return arrow_column([value], kind)[0]


def arrow_columns(kinds: Mapping[str, pa.DataType], rows: Iterable[Sequence[Any]]) -> pa.Table:
    """Return rows as a table.

    Parameters
    ----------
    kinds : mapping of str to DataType
        The columns, as `arrow_column` takes them.
    rows : iterable of sequence
        Their values, each None where there is none.

    Raises
    ------
    TypeError
        When a value is of another kind than its column.
    """
    # Column by column: a dictionary for each of a hundred thousand rows takes five times as long.
    values = list(zip(*rows, strict=True)) or [()] * len(kinds)
    arrays = [arrow_column(each, kind) for each, kind in zip(values, kinds.values(), strict=True)]
    return pa.table(arrays, schema=pa.schema(list(kinds.items())))


def no_rows(schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch without rows."""
    return pa.RecordBatch.from_arrays([pa.nulls(0, each.type) for each in schema], schema=schema)


def arrow_positions(positions: NDArray[np.integer[Any]]) -> pa.Array:
    """Return positions as Arrow, for ``take``; a negative one is NULL, and takes NULL."""
    numbers = np.ascontiguousarray(positions, dtype=np.int64)
    is_there = numbers >= 0
    validity = None if is_there.all() else pa.py_buffer(np.packbits(is_there, bitorder="little"))
    return pa.Array.from_buffers(pa.int64(), len(numbers), [validity, pa.py_buffer(numbers)])


def live_columns(rows: pa.Table, commit_id: int, equal: Mapping[str, Any]) -> pa.Table:
    """Return the rows of a versioned table that were live at a commit, in their order.

    Parameters
    ----------
    rows : pyarrow.Table
        All rows, with ``added_commit`` and ``removed_commit``.
    commit_id : int
        The commit.
    equal : mapping of str to value
        Only rows whose columns have these values; None is NULL.
    """
    # Loaded for large tables alone.
    import pyarrow.compute as pc

    removed = rows["removed_commit"]
    commit = arrow_scalar(commit_id, pa.int64())
    is_live = pc.less_equal(rows["added_commit"], commit)
    if removed.null_count < len(removed):
        is_live = pc.and_(is_live, pc.or_kleene(pc.is_null(removed), pc.greater(removed, commit)))
    for name, value in equal.items():
        column = rows[name]
        same = pc.is_null(column) if value is None else pc.equal(column, arrow_scalar(value, column.type))
        is_live = pc.and_(is_live, same)
    # What is neither equal nor unequal, for it is NULL, is filtered out.
    return rows if pc.all(is_live, skip_nulls=False).as_py() else rows.filter(is_live)
