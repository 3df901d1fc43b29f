"""Tables as text cells, whose every fault can be named by line and column."""

from __future__ import annotations

import math
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from schemas.errors import ContractError
from schemas.nearest import nearest_words
from schemas.shown_text import shown_text
from schemas.written.dates import DateOrder, written_day
from schemas.written.levels import level_of
from schemas.written.numbers import NumberForm, number_doubt, written_number

__all__ = ["TextTable"]

_FIRST_LINE = 2
_SHOWN_COLUMNS = 12
_SHOWN_OF_CELL = 400
_PLAIN = NumberForm()
_NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*")
_MOST_ABOVE = 20
_CORRECT = "correct the table and run the command again"


@dataclass(frozen=True)
class TextTable:
    """A delimited or Parquet file as text cells, with the line each row stands on."""

    file: Path
    frame: pl.DataFrame
    lines: Sequence[int] | None = field(default=None, repr=False)
    """The line of each row; None where the header is line 1 and each row one line."""
    missing: Collection[str] = ()
    """Cells that mean 'not given', as an empty one does."""
    numbers: NumberForm = _PLAIN
    """How its numbers are written."""
    notes: tuple[str, ...] = ()
    """How the file was read, where that is not what its name says."""
    dates: DateOrder | None = None
    """How its days are written besides ISO 8601, as the study file declares."""
    whole: pl.DataFrame | None = field(default=None, repr=False)
    """All columns, where the table was narrowed to those that a study reads."""
    hides_ids: bool = False
    """Faults name the line of a patient, and never the id."""

    def hiding_ids(self) -> TextTable:
        """Return the table with faults that name no id."""
        return replace(self, hides_ids=True)

    def narrowed(self, columns: Iterable[str]) -> TextTable:
        """Return the table with these of its columns alone: a row of the others is not made text cell by cell."""
        wanted = {*columns}
        kept = [name for name in self.frame.columns if name in wanted]
        return replace(self, frame=self.frame.select(kept), whole=self.frame if self.whole is None else self.whole)

    def is_empty_line(self, line: int) -> bool:
        """Return whether no cell of a row has a value, whatever columns a study reads."""
        row = line - _FIRST_LINE if self.lines is None else bisect_left(self.lines, line)
        frame = self.frame if self.whole is None else self.whole
        return not any(str(cell).strip() for cell in frame.row(row) if cell is not None)

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
                    whose = key if self.hides_ids else f"{key} '{row[key]}'"
                    said = f"'{row[column]}' here, '{known[column]}' on line {known_line}, {whose} both times"
                    raise self.fault(line, column, said)
        whole = None if self.whole is None else self.whole[kept]
        return replace(self, frame=self.frame[kept], lines=[self.line_of(number) for number in kept], whole=whole)

    def without(self, column: str, cells: Collection[str]) -> TextTable:
        """Return the table without the rows that have one of some cells in a column."""
        if not cells:
            return self
        kept = [number for number, cell in enumerate(self.frame[column]) if self._cell(cell) not in cells]
        whole = None if self.whole is None else self.whole[kept]
        return replace(self, frame=self.frame[kept], lines=[self.line_of(number) for number in kept], whole=whole)

    def require(self, column: str, where: str) -> None:
        """Refuse a table without a column that the study file, or an option such as ``--patient``, names.

        Raises
        ------
        ContractError
            Where there is no such column; the message has the first ones and the nearest names.
        """
        names = (self.frame if self.whole is None else self.whole).columns
        if column not in names:
            more = f", ... and {len(names) - _SHOWN_COLUMNS} more" if len(names) > _SHOWN_COLUMNS else ""
            there_are = f"{shown_text(', '.join(names[:_SHOWN_COLUMNS]), 1_000)}{more}"
            is_option = where.startswith("--")
            line = self._line_with(column)
            key = f"--header-row {line}" if is_option else f"header_row = {line} beside 'table'"
            below = f"; line {line} has it: where that is the header, say {key}"
            raise ContractError(
                f"column '{column}' is not in {self.file.name}; it has {there_are}"
                + (nearest_words(column, names) if line is None else below),
                where=where,
                hint=f"{f'{where} COLUMN' if is_option else 'correct the column name in the study file'}; "
                "nothing was written",
            )

    def _line_with(self, column: str) -> int | None:
        """Return the line of the first row that has a cell as a column is called: the header may stand there."""
        frame = self.frame if self.whole is None else self.whole
        for number, row in enumerate(frame.head(_MOST_ABOVE).iter_rows()):
            # Of titles that stand alone the separator is not known: their table is one column.
            cells = [part.strip(' "') for cell in row if cell is not None for part in re.split(r"[,;\t|]", str(cell))]
            if column in cells:
                return self.line_of(number)
        return None

    def fault(self, line: int, column: str, message: str, hint: str = _CORRECT) -> ContractError:
        """Return the error of a cell."""
        return ContractError(
            shown_text(f"column '{column}': {message}", _SHOWN_OF_CELL),
            where=f"{self.file}:{line}",
            hint=f"{hint}; nothing was written",
        )

    def levels(self, column: str) -> list[tuple[str, int]]:
        """Return the different cells of a column but empty ones, with the number of their rows, frequent ones first."""
        cells = (self._cell(None if cell is None else str(cell)) for cell in self.frame[column])
        return Counter(cell for cell in cells if cell).most_common()

    def second_header(self, line: int) -> str:
        """Return the words about a row that looks like a second row of the header, with units; '' about any other."""
        if self.frame.height < 2 or line != self.line_of(0):
            return ""
        frame = self.frame if self.whole is None else self.whole
        first, second = ([("" if cell is None else str(cell)).strip() for cell in frame.row(at)] for at in (0, 1))
        if any(map(_NUMBER.fullmatch, first)) or not any(map(_NUMBER.fullmatch, second)):
            return ""
        return f"; where it belongs to the header, say first_row = {self.line_of(1)} beside 'table' in the study file"

    def number(self, line: int, column: str, cell: str) -> float:
        """Return a cell as a finite number."""
        try:
            value = written_number(cell, self.numbers)
        except ValueError as error:
            doubt = number_doubt(cell, self.numbers)
            raise self.fault(line, column, f"'{cell}' is no number" + (f": {doubt}" if doubt else "")) from error
        if not math.isfinite(value):
            raise self.fault(line, column, f"'{cell}' is no finite number")
        return value

    def date(self, line: int, column: str | None, row: dict[str, str]) -> str | None:
        """Return a column's date, ISO 8601, or None where there is no column or the cell is empty."""
        if column is None or not row[column]:
            return None
        try:
            return written_day(row[column], self.dates)
        except ValueError as error:
            raise self.fault(line, column, str(error)) from error

    def level(self, line: int, column: str, cell: str, levels: Sequence[str], message: str) -> str:
        """Return the level of a list that a cell stands for; ``1.0`` stands for ``1``, as Parquet may write it."""
        found = level_of(cell, levels)
        if found is None:
            raise self.fault(line, column, f"'{cell}' {message}{nearest_words(cell, levels)}")
        return found
