"""Tables as text cells: delimited or Parquet files whose every fault can be named by line and column."""

from __future__ import annotations

import csv
import gzip
import io
import lzma
import math
import re
import zlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from difflib import get_close_matches
from pathlib import Path

import polars as pl

from schemas.errors import ContractError, NotFoundError

__all__ = ["TextTable", "read_table"]

_DECOMPRESSED = {".gz": gzip.decompress, ".xz": lzma.decompress}
_UNREADABLE = (pl.exceptions.PolarsError, csv.Error, ValueError, OSError, EOFError, lzma.LZMAError, zlib.error)
_FIRST_LINE = 2
_SHOWN_COLUMNS = 12
_YES = {"yes", "true", "1", "y"}
_NO = {"no", "false", "0", "n", ""}


@dataclass(frozen=True)
class TextTable:
    """A delimited or Parquet file as text cells, with the line each row stands on."""

    file: Path
    frame: pl.DataFrame
    lines: Sequence[int] | None = field(default=None, repr=False)
    """The line of each row; None where the header is line 1 and each row one line."""
    missing: Collection[str] = ()
    """Cells that mean 'not given', as an empty one does."""

    def line_of(self, row: int) -> int:
        """Return the line on which a row stands, the first row being 0."""
        return row + _FIRST_LINE if self.lines is None else self.lines[row]

    def rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        """Yield each row with the line it stands on."""
        for number, row in enumerate(self.frame.iter_rows(named=True)):
            yield self.line_of(number), {name: self._cell(value) for name, value in row.items()}

    def _cell(self, value: str | None) -> str:
        text = (value or "").strip()
        return "" if text in self.missing else text

    def first_of_each(self, key: str, columns: Collection[str]) -> TextTable:
        """Return the table with the first row of each ``key``, whose further rows must agree in ``columns``.

        Raises
        ------
        ContractError
            Where two rows of one key differ.
        """
        first: dict[str, tuple[int, dict[str, str]]] = {}
        kept: list[int] = []
        for number, (line, row) in enumerate(self.rows()):
            known_line, known = first.setdefault(row[key], (line, row))
            if known is row:
                kept.append(number)
            for column in columns:
                if row[column] != known[column]:
                    said = (
                        f"'{row[column]}' here, '{known[column]}' on line {known_line}, {key} '{row[key]}' both times"
                    )
                    raise self.fault(line, column, said)
        return replace(self, frame=self.frame[kept], lines=[self.line_of(number) for number in kept])

    def require(self, column: str, where: str) -> None:
        """Refuse a table without a column that the study file, or an option such as ``--patient``, names.

        Raises
        ------
        ContractError
            Where there is no such column; the message has the first ones and the nearest names.
        """
        names = self.frame.columns
        if column not in names:
            more = f", ... and {len(names) - _SHOWN_COLUMNS} more" if len(names) > _SHOWN_COLUMNS else ""
            there_are = f"{', '.join(names[:_SHOWN_COLUMNS])}{more}"
            nearest = _nearest(column, names)
            raise ContractError(
                f"column '{column}' is not in {self.file.name}; it has {there_are}"
                + (f"; nearest: {', '.join(nearest)}" if nearest else ""),
                where=where,
                hint=f"{_to_mend(where, 'COLUMN', 'the column name')}; nothing was written",
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


def read_table(file: Path, where: str, *, missing: Collection[str] = (), as_text: bool = True) -> TextTable:
    """Return the table in a .csv, .tsv or .parquet file; text may be compressed as .gz or .xz.

    Parameters
    ----------
    file : Path
        The file; text is UTF-8 with one header line.
    where : str
        What names the file, for its fault.
    missing : collection of str
        Cells that mean 'not given', as an empty one does.
    as_text : bool
        Turn the numbers of a Parquet file into text, as those of a delimited file are.

    Raises
    ------
    ContractError
        When the file is missing, with ``where`` it is named, or cannot be read, or names a column twice.
    NotFoundError
        When the file is missing and an option of the command line names it.
    """
    if not file.is_file():
        missing_file = NotFoundError if _is_option(where) else ContractError
        raise missing_file(
            f"file '{file}' is missing",
            where=where,
            hint=f"{_to_mend(where, 'TABLE', 'the path')}; nothing was written",
        )
    try:
        if file.suffix == ".parquet":
            frame = pl.read_parquet(file)
            frame = frame.with_columns(pl.all().cast(pl.String)) if as_text else frame
            return TextTable(file, frame, missing=missing)
        frame, lines = _delimited(file)
        return TextTable(file, frame, lines, missing)
    except _UNREADABLE as error:
        raise ContractError(
            f"cannot be read as a table: {str(error).splitlines()[0]}",
            where=str(file),
            hint="save it as UTF-8 text with one header line, as many cells in each line, or as Parquet",
        ) from error


def _nearest(name: str, names: Sequence[str]) -> list[str]:
    """Return at most three names that are written nearly so, or else that have it for one of their words."""
    known = {each.casefold(): each for each in names}
    near = get_close_matches(name.casefold(), known)
    near = near or [each for each in known if name.casefold() in re.split(r"[^a-z0-9]+", each)][:3]
    return [known[each] for each in near]


def _is_option(where: str) -> bool:
    return where.startswith("--")


def _to_mend(where: str, value: str, what: str) -> str:
    """Return the next step: another value of the option, or the study file where that is what names it."""
    return f"{where} {value}" if _is_option(where) else f"mend {what} in the study file"


def _delimited(file: Path) -> tuple[pl.DataFrame, Sequence[int] | None]:
    content, name = file.read_bytes(), file
    if file.suffix in _DECOMPRESSED:
        content, name = _DECOMPRESSED[file.suffix](content), file.with_suffix("")
    separator = "\t" if name.suffix == ".tsv" else ","
    text = content.decode("utf-8-sig")
    # The header is read here: polars renames a column that stands twice, and leaves quotes in quoted names.
    header = [each.strip() for each in next(csv.reader(io.StringIO(text), delimiter=separator), [])]
    if twice := next((each for each in header if each and header.count(each) > 1), None):
        raise ContractError(
            f"column '{twice}' stands twice in the header",
            where=f"{file}:1",
            hint="name each column once; nothing was written",
        )
    names = [each or f"(column {number}, without a name)" for number, each in enumerate(header, start=1)]
    frame = pl.read_csv(content, separator=separator, infer_schema=False)
    frame = frame.rename(dict(zip(frame.columns, names, strict=True)))
    return frame, _first_lines(text, separator, frame.height)


def _first_lines(text: str, separator: str, rows: int) -> Sequence[int] | None:
    """Return the line on which each row begins; None where a row is a line, or where that cannot be told.

    A quoted cell may hold line breaks, which makes its row several lines long.
    """
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
