"""The answer to a question as text: a table for people, and CSV or JSON row by row, however many rows there are."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from flows.cli.outcome import fitting_columns, json_text, table_text
from schemas.foreign_text import printable, sheet_text
from store.analyst.plain_rows import PlainColumn

__all__ = ["cells", "csv_chunks", "json_chunks", "shown_cells", "shown_table"]

_LONGEST_CELL = 400
_MOST_WIDTH = 4000
_PLAN = ["explain_key", "explain_value"]
"""DuckDB draws a plan in one cell."""


def cells(batch: pa.RecordBatch, columns: Sequence[PlainColumn]) -> Iterator[dict[str, Any]]:
    """Yield a batch's rows with the values that JSON has: whole numbers of any length, nested ones as such."""
    kinds = {each.name: each.kind for each in columns}
    for row in batch.to_pylist():
        yield {name: _value(value, kinds[name]) for name, value in row.items()}


def csv_chunks(
    batches: Iterable[pa.RecordBatch], columns: Sequence[PlainColumn], delimiter: str = ",", *, verbatim: bool = False
) -> Iterator[bytes]:
    """Yield an answer as CSV with a header; numbers keep all their digits, nested values are JSON.

    Parameters
    ----------
    batches : iterable of RecordBatch
        From `store.analyst.plain_rows.plain_batches`.
    columns : sequence of PlainColumn
        Their columns.
    delimiter : str
        Between cells.
    verbatim : bool
        Leave texts as they are; else one that a spreadsheet would run gets a quote in front
        (`schemas.foreign_text.sheet_text`).
    """
    import pyarrow.csv

    options = pyarrow.csv.WriteOptions(quoting_style="needed", quoting_header="needed", delimiter=delimiter)
    nested = [place for place, each in enumerate(columns) if each.kind == "json"]
    texts_of = [place for place, each in enumerate(columns) if each.kind == "text"]
    shown = (lambda text: text) if verbatim else sheet_text
    names = [shown(each.name) for each in columns]
    for number, batch in enumerate(batches):
        table = pa.Table.from_batches([batch])
        for place in nested:
            texts = [
                None if text is None else json_text(json.loads(text), indent=None) for text in batch[place].to_pylist()
            ]
            table = table.set_column(place, table.field(place), pa.array(texts, pa.string()))
        for place in () if verbatim else texts_of:
            texts = [None if text is None else sheet_text(text) for text in batch[place].to_pylist()]
            table = table.set_column(place, table.field(place), pa.array(texts, pa.string()))
        table = table.rename_columns(names)
        sink = pa.BufferOutputStream()
        options.include_header = number == 0
        pyarrow.csv.write_csv(table, sink, options)
        yield sink.getvalue().to_pybytes()


def json_chunks(batches: Iterable[pa.RecordBatch], columns: Sequence[PlainColumn]) -> Iterator[bytes]:
    """Yield an answer as a JSON list of objects; NaN and infinity, which JSON lacks, are null."""
    is_first = True
    for batch in batches:
        lines = [
            ("" if is_first and not place else ",") + _json_row(row) for place, row in enumerate(cells(batch, columns))
        ]
        if lines:
            yield f"{'[' if is_first else ''}{''.join(lines)}".encode()
            is_first = False
    yield b"[]\n" if is_first else b"\n]\n"


def shown_cells(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as a terminal may have it: no control characters, and of a long text the beginning."""
    return {name: _shown(value) for name, value in row.items()}


def shown_table(shown: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    """Return rows of `shown_cells` as an aligned table that fits the terminal.

    A line says how many columns it has no room for.
    """
    fitting = fitting_columns(shown, columns)
    if not sys.stdout.isatty():
        fitting = _narrower(shown, fitting)
    more = len(columns) - len(fitting)
    return table_text(shown, fitting, with_breaks=list(columns) == _PLAN) + (
        f"\nand {more} more column{'s' if more > 1 else ''}; --format csv or --out FILE has all" if more else ""
    )


def _narrower(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> Sequence[str]:
    left = _MOST_WIDTH
    for number, name in enumerate(columns):
        left -= max([len(name), *(len(str(row[name])) for row in rows)]) + 3
        if left < 0 and number:
            return columns[:number]
    return columns


def _value(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == "integer":
        return int(value)
    return json.loads(value) if kind == "json" else value


def _json_row(row: dict[str, Any]) -> str:
    return "\n  " + json_text(row).replace("\n", "\n  ")


def _shown(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, (dict, list)):
        value = json_text(value, indent=None)
    if not isinstance(value, str):
        return value
    text = printable(value[: _LONGEST_CELL + 1])
    return text if len(value) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}…"
