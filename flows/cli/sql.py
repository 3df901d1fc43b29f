"""The verb ``sql``."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Annotated, Any, Literal

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from cyclopts import Parameter

from flows.cli.outcome import Context, Outcome, fitting_columns, json_text, table_text
from schemas.errors import UsageError
from store.home import Store
from store.query import answer
from store.snapshot import snapshot_as_of

__all__ = ["sql"]

Format = Literal["table", "json", "csv", "parquet"]


def sql(
    query: str,
    *,
    as_of: int | None = None,
    param: tuple[str, ...] = (),
    format: Format = "table",  # noqa: A002  (the option's name)
    out: Path | None = None,
    context: Annotated[Context, Parameter(parse=False)],
) -> Outcome:
    """Ask the store one read-only SQL question, in DuckDB's dialect.

    Parameters
    ----------
    query
        One SELECT, FROM, DESCRIBE, SHOW or EXPLAIN statement; - reads it from standard input.
    as_of
        Answer as of this commit (radzoo store log lists them).
    param
        A value for $name in the query, as name=value; may be given several times.
    format
        How to write the answer.
    out
        Write the answer to this file instead of stdout.
    """
    text = sys.stdin.read() if query == "-" else query
    table = _with_distinct_names(answer(snapshot_as_of(Store(context.store), as_of), text, _parameters(param)))
    rows = table.to_pylist()
    if out is not None and not out.parent.is_dir():
        raise UsageError("there is no such folder", where=str(out.parent), hint="make it, or name another --out FILE")
    if out is not None and out.is_dir():
        raise UsageError("this is a folder", where=str(out), hint="name a file below it")
    if format == "parquet":
        if out is None:
            raise UsageError("a Parquet answer needs a file", hint="add --out FILE.parquet")
        pq.write_table(table, out)
        written = ""
    elif format == "csv":
        written = _csv_text(table)
    else:
        written = json_text(rows) if format == "json" else _table_text(rows, table.column_names)
    if out is not None:
        if format != "parquet":
            out.write_text(written + "\n", encoding="utf-8")
        return Outcome(f"{table.num_rows} rows in {out}", {"rows": table.num_rows, "file": str(out)})
    return Outcome(written, rows)


def _table_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    shown = fitting_columns(rows, columns)
    more = len(columns) - len(shown)
    return table_text(rows, shown) + (f"\nand {more} more columns; all with --format csv" if more else "")


def _with_distinct_names(table: pa.Table) -> pa.Table:
    """Return a table whose columns can be told apart: a join may give two the same name."""
    names: list[str] = []
    for name in table.column_names:
        free = (f"{name}_{number}" for number in count(1) if f"{name}_{number}" not in names)
        names.append(next(free) if name in names else name)
    return table.rename_columns(names)


def _parameters(pairs: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--param '{pair}' is not name=value")
        found[name] = value
    return found


def _csv_text(table: pa.Table) -> str:
    """Return a table as CSV with a header; numbers keep all their digits, nested values are JSON."""
    columns = [
        pa.array([None if v is None else json_text(v, indent=None) for v in column.to_pylist()], pa.string())
        if pa.types.is_nested(column.type)
        else column
        for column in table.columns
    ]
    sink = pa.BufferOutputStream()
    options = pyarrow.csv.WriteOptions(quoting_style="needed", quoting_header="needed")
    pyarrow.csv.write_csv(pa.table(columns, names=table.column_names), sink, options)
    return str(sink.getvalue().to_pybytes().decode()).removesuffix("\n")
