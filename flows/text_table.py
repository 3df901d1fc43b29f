"""Tables as text cells: delimited or Parquet files whose every fault can be named by line and column."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from schemas.errors import ContractError

__all__ = ["TextTable", "read_table"]

_YES = {"yes", "true", "1", "y"}
_NO = {"no", "false", "0", "n", ""}


@dataclass(frozen=True)
class TextTable:
    """A delimited or Parquet file as text cells, with the line each row stands on."""

    file: Path
    frame: pl.DataFrame
    lines: Sequence[int] | None = None
    """The line of each row; None where the header is line 1 and each row one line."""

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield each row with the line it stands on."""
        lines = range(2, self.frame.height + 2) if self.lines is None else self.lines
        for line, row in zip(lines, self.frame.iter_rows(named=True), strict=True):
            yield line, {name: (value or "").strip() for name, value in row.items()}

    def require(self, column: str, where: str) -> None:
        """Refuse a table without a column that the study file names at ``where``."""
        if column not in self.frame.columns:
            raise ContractError(
                f"column '{column}' is not in {self.file.name}; it has {', '.join(self.frame.columns[:12])}",
                where=where,
                hint="mend the column's name in the study file; nothing was written",
            )

    def fault(self, line: int, column: str, message: str) -> ContractError:
        """Return the error of a cell."""
        return ContractError(
            f"column '{column}': {message}",
            where=f"{self.file}:{line}",
            hint="mend the table and run the command again; nothing was written",
        )

    def number(self, line: int, column: str, cell: str) -> float:
        """Return a cell as a finite number."""
        try:
            value = float(cell)
        except ValueError as error:
            raise self.fault(line, column, f"'{cell}' is no number") from error
        if not math.isfinite(value):
            raise self.fault(line, column, f"'{cell}' is no finite number")
        return value

    def date(self, line: int, column: str | None, row: dict[str, str]) -> str | None:
        """Return a column's date, ISO 8601, or None where there is no column or the cell is empty."""
        if column is None or not row[column]:
            return None
        try:
            return date.fromisoformat(row[column]).isoformat()
        except ValueError as error:
            raise self.fault(line, column, f"'{row[column]}' is no date (YYYY-MM-DD)") from error

    def is_yes(self, line: int, column: str, row: dict[str, str]) -> bool:
        """Return whether a column says yes; an empty cell says no."""
        cell = row[column].lower()
        if cell not in _YES | _NO:
            raise self.fault(line, column, f"'{row[column]}' is neither yes nor no")
        return cell in _YES


def read_table(file: Path, where: str) -> TextTable:
    """Return the table in a .csv, .tsv or .parquet file.

    Raises
    ------
    ContractError
        When the file is missing, with ``where`` it is named, or cannot be read.
    """
    if not file.is_file():
        raise ContractError(
            f"file '{file}' is missing",
            where=where,
            hint="mend the path in the study file; nothing was written",
        )
    try:
        if file.suffix == ".parquet":
            return TextTable(file, pl.read_parquet(file).with_columns(pl.all().cast(pl.String)))
        separator = "\t" if file.suffix == ".tsv" else ","
        frame = pl.read_csv(file, separator=separator, infer_schema=False)
        return TextTable(file, frame, _first_lines(file, separator, frame.height))
    except pl.exceptions.PolarsError as error:
        raise ContractError(
            f"cannot be read as a table: {str(error).splitlines()[0]}",
            where=str(file),
            hint="save it as UTF-8 text with one header line, as many cells in each line, or as Parquet",
        ) from error


def _first_lines(file: Path, separator: str, rows: int) -> Sequence[int] | None:
    """Return the line on which each row begins; None where a row is a line, or where that cannot be told.

    A quoted cell may hold line breaks, which makes its row several lines long.
    """
    text = file.read_text(encoding="utf-8-sig")
    if '"' not in text:
        return None
    records = csv.reader(io.StringIO(text), delimiter=separator)
    starts, line = [], 1
    try:
        for _ in records:
            starts.append(line)
            line = records.line_num + 1
    except csv.Error:
        return None
    return starts[1 : rows + 1] if len(starts) > rows else None
