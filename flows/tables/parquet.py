"""Parquet files, read in a child process: one may be made to crash its reader, or to take all memory."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from flows.tables.content import refuse_many_cells, refuse_many_megabytes
from schemas.errors import ContractError
from store.limits.process import LimitedProcess, LimitedProcessError, Limits

__all__ = ["parquet_frame"]

_SECONDS = 60.0
_MEMORY = 2 << 30
_HINT = "write the file again, or copy it again; nothing was written"
_PLAIN: dict[Any, Any] = {
    **dict.fromkeys((pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32), pl.Int64),
    **dict.fromkeys((pl.Float32, pl.Float64), pl.Float64),
    pl.Boolean: pl.Boolean,
    pl.Date: pl.Date,
}
"""Types whose values come back as arrays, and as which type."""


class _Column(NamedTuple):
    """A column as it comes back from the child: an array and where it has no value, or texts, or one text for all."""

    name: str
    kind: str
    values: Any
    is_absent: Any = None


def parquet_frame(file: Path, content: bytes, *, as_text: bool) -> pl.DataFrame:
    """Return a Parquet file's table.

    Parameters
    ----------
    file : Path
        The file, for faults.
    content : bytes
        What it holds.
    as_text : bool
        Every column as text.

    Raises
    ------
    ContractError
        When it is damaged, has no rows or too many, or cannot be read within the limits of time and memory.
    """
    try:
        with LimitedProcess(Limits(_SECONDS, _MEMORY, readable=()), modules=(__name__,)) as child:
            columns = child.call(_columns, str(file), content, as_text)
    except LimitedProcessError as error:
        raise ContractError(f"'{file.name}' cannot be read as Parquet: {error}", where=str(file), hint=_HINT) from error
    return pl.DataFrame([_series(_Column(*each)) for each in columns])


def _series(column: _Column) -> pl.Series:
    if column.kind == "same":
        text, rows = column.values
        return pl.Series(column.name, [text] * rows, dtype=pl.String)
    if column.kind == "text":
        return pl.Series(column.name, column.values, dtype=pl.String)
    series = pl.Series(column.name, column.values)
    if column.kind == "Date":
        series = series.cast(pl.Date)
    elif column.kind == "Datetime":
        series = series.cast(pl.Datetime("us"))
    return series.set(pl.Series(column.is_absent), None)


def _columns(file: str, content: bytes, as_text: bool) -> Sequence[tuple[Any, ...]]:
    """Return the columns of a file; called in the child."""
    name = Path(file).name
    try:
        said = pq.read_metadata(io.BytesIO(content))
        unpacked = sum(said.row_group(at).total_byte_size for at in range(said.num_row_groups))
        rows, columns = said.num_rows, said.num_columns
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise _damaged(name, file, error) from error
    refuse_many_cells(file, max(0, rows), columns)
    refuse_many_megabytes(file, max(0, unpacked))
    try:
        frame = pl.read_parquet(io.BytesIO(content))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError, OSError) as error:
        raise _damaged(name, file, error) from error
    if frame.is_empty():
        raise ContractError(
            f"'{name}' has columns and no rows", where=file, hint="add a row for each patient; nothing was written"
        )
    refuse_many_cells(file, frame.height, frame.width)
    return [tuple(_plain(series, as_text=as_text)) for series in frame]


def _damaged(name: str, file: str, error: BaseException) -> ContractError:
    words = (str(error).splitlines() or [type(error).__name__])[0]
    return ContractError(f"'{name}' is damaged Parquet: {words[:300]}", where=file, hint=_HINT)


def _plain(series: pl.Series, *, as_text: bool) -> _Column:
    kind = series.dtype
    if kind.is_nested() or kind in (pl.Binary, pl.Object):
        # Whatever reads the column as a number, a date or a name refuses this cell with its line.
        return _Column(series.name, "same", (f"<{kind}>", len(series)))
    absent = series.is_null().to_numpy()
    if not as_text and kind in _PLAIN:
        whole = series.cast(pl.Int64) if kind == pl.Date else series.cast(_PLAIN[kind])
        values = whole.fill_null(strategy="zero") if kind != pl.Boolean else whole.fill_null(value=False)
        return _Column(series.name, str(kind), np.array(values.to_numpy()), absent)
    if not as_text and isinstance(kind, pl.Datetime):
        values = series.dt.replace_time_zone(None).dt.cast_time_unit("us").cast(pl.Int64).fill_null(0)
        return _Column(series.name, "Datetime", np.array(values.to_numpy()), absent)
    text = series.dt.to_string("iso") if kind == pl.Duration else series.cast(pl.String)
    return _Column(series.name, "text", text.to_list())
