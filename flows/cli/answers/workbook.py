"""The answer to a question as an Excel workbook of one sheet: numbers as numbers, dates as dates, texts as texts."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import IO, Any

import pyarrow as pa

from flows.cli.answers.text import cells
from flows.cli.outcome import json_text
from schemas.errors import ContractError, UsageError
from store.analyst.plain_rows import PlainColumn

__all__ = ["write_workbook"]

_MOST_ROWS = 1_048_575  # one of 1,048,576 is the header
_MOST_COLUMNS = 16_384
_LONGEST_TEXT = 32_767
_EXACT = 10**15  # Excel keeps 15 digits of a number
_FIRST_DATE = date(1900, 3, 1)  # before it Excel's calendar has a day that never was


def write_workbook(batches: Iterable[pa.RecordBatch], columns: Sequence[PlainColumn], stream: IO[bytes]) -> None:
    """Write rows into the sheet ``answer`` of a workbook.

    A whole number of more than 15 digits, a number that is none (NaN, infinity) and a date before March 1900 are
    texts: Excel has no such values. Text that begins like a formula stays text.

    Parameters
    ----------
    batches : iterable of RecordBatch
        From `store.analyst.plain_rows.plain_batches`.
    columns : sequence of PlainColumn
        Their columns.
    stream : file
        Open for writing bytes.

    Raises
    ------
    UsageError
        When the library that writes workbooks is not installed.
    ContractError
        When a sheet cannot hold the answer.
    """
    try:
        import xlsxwriter
    except ImportError as error:
        raise UsageError(
            "a workbook needs the package xlsxwriter", hint="pip install xlsxwriter, or name FILE.csv"
        ) from error
    if len(columns) > _MOST_COLUMNS:
        raise ContractError(
            f"a sheet holds {_MOST_COLUMNS:,} columns, the answer has {len(columns):,}",
            hint="ask for fewer columns, or name FILE.csv or FILE.parquet",
        )
    with tempfile.TemporaryDirectory(prefix="radzoo-workbook-") as folder:
        # Row by row it goes to a file; nothing of it stays where the disk is full.
        book = xlsxwriter.Workbook(stream, {"constant_memory": True, "tmpdir": folder})
        formats = {
            "date": book.add_format({"num_format": "yyyy-mm-dd"}),
            "timestamp": book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        }
        sheet = book.add_worksheet("answer")
        sheet.freeze_panes(1, 0)
        header = book.add_format({"bold": True})
        try:
            for at, column in enumerate(columns):
                _write_text(sheet, 0, at, column.name, column.name, header)
            _write_rows(sheet, batches, columns, formats)
        except BaseException:
            # Its file of rows would stay open.
            if sheet.row_data_fh is not None:
                sheet.row_data_fh.close()
            raise
        try:
            book.close()
        except xlsxwriter.exceptions.FileCreateError as error:
            raise OSError(*getattr(error.args[0], "args", (str(error),))) from error


def _write_rows(
    sheet: Any, batches: Iterable[pa.RecordBatch], columns: Sequence[PlainColumn], formats: dict[str, Any]
) -> None:
    line = 0
    for batch in batches:
        if line + batch.num_rows > _MOST_ROWS:
            raise ContractError(
                f"a sheet holds {_MOST_ROWS:,} rows below its header, the answer has more",
                hint="add limit or where to the query, or name FILE.csv or FILE.parquet",
            )
        for row in cells(batch, columns):
            line += 1
            for at, column in enumerate(columns):
                _write_cell(sheet, line, at, row[column.name], column, formats)


def _write_cell(sheet: Any, line: int, at: int, value: Any, column: PlainColumn, formats: dict[str, Any]) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(line, at, value)
    elif isinstance(value, (int, float, Decimal)) and math.isfinite(value) and _is_exact(value):
        sheet.write_number(line, at, value)
    elif (moment := _moment(value, column.kind)) is not None:
        sheet.write_datetime(line, at, moment, formats[column.kind])
    else:
        text = json_text(value, indent=None) if isinstance(value, (dict, list)) else str(value)
        _write_text(sheet, line, at, text, column.name)


def _write_text(sheet: Any, line: int, at: int, text: str, column: str, form: Any = None) -> None:
    if len(text) > _LONGEST_TEXT:
        raise ContractError(
            f"a cell holds {_LONGEST_TEXT:,} characters, row {line:,} of {column[:60]} has {len(text):,}",
            hint="shorten it (left(column, 1000)), or name FILE.csv or FILE.parquet",
        )
    sheet.write_string(line, at, text, form)


def _is_exact(value: float | Decimal) -> bool:
    return isinstance(value, float) or abs(value) < _EXACT


def _moment(value: Any, kind: str) -> date | datetime | None:
    """Return the date or time of a text, None where it is none that Excel has."""
    if kind not in ("date", "timestamp") or not isinstance(value, str):
        return None
    try:
        moment = date.fromisoformat(value) if kind == "date" else datetime.fromisoformat(value)
    except ValueError:
        return None
    if isinstance(moment, datetime):
        # What a cell shows ends with the second.
        return moment if moment.date() >= _FIRST_DATE and not moment.microsecond and "." not in value else None
    return moment if moment >= _FIRST_DATE else None
