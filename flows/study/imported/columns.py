"""The columns of a feature table from elsewhere: which are features, which are left out and why, and their numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.study.imported.column_review import ColumnNote
from flows.study.source import StudySource
from flows.tables.text_table import TextTable
from schemas.errors import ContractError
from schemas.fault_list import LISTED_FAULTS
from schemas.nearest import nearest_words
from schemas.study.bookkeeping import bookkeeping_reason
from schemas.study.imported import ImportedTable
from schemas.written.numbers import NumberForm, number_doubt

__all__ = ["ChosenColumns", "chosen_columns", "column_numbers"]

_AS_TEXT = "as text"
_AS_DATE = "as a date or a time"
_NO_PREFIX = "as a column of no phase"


@dataclass(frozen=True)
class ChosenColumns:
    """Which columns of a table are read as features."""

    chosen: tuple[str, ...]
    left_out: tuple[ColumnNote, ...]
    excluded: tuple[str, ...]
    warned: tuple[ColumnNote, ...]
    """Columns that are known to be no features, and that the study file includes."""


def chosen_columns(
    source: StudySource, name: str, table: ImportedTable, frame: TextTable, never: Collection[str]
) -> ChosenColumns:
    """Return the columns that are features by their names and by what the study file says.

    Columns that are known to be no features are left out, unless ``include`` names patterns: then what fits them is
    taken, with a warning.

    Parameters
    ----------
    source : StudySource
        The study file, which takes the faults.
    name : str
        The feature set.
    table : ImportedTable
        What the study file says about it.
    frame : TextTable
        The table.
    never : collection of str
        Keys, the outcome and splits.
    """
    rule, at = table.columns, ("imported", name, "columns")
    if forbidden := sorted({*never} & set(rule.include)):
        source.faults.add(
            ContractError(
                f"column '{forbidden[0]}' is a key, the outcome or a split, and no feature",
                where=source.at(*at, "include"),
                hint="leave it out; nothing was written",
            )
        )
    columns = [column for column in frame.frame.columns if column not in never]
    fits = {key: _Patterns.of(patterns) for key, patterns in (("include", rule.include), ("exclude", rule.exclude))}
    for key, patterns in fits.items():
        for number, pattern in enumerate(patterns.without_column(frame.frame.columns)):
            nearest = nearest_words(pattern, columns) if number < LISTED_FAULTS else ""
            source.faults.add(
                ContractError(
                    f"no column of {frame.file.name} fits '{pattern}'{nearest}",
                    where=source.at(*at, key),
                    hint="correct the pattern in the study file; nothing was written",
                )
            )
    prefixes = tuple(table.phases.values())
    chosen: list[str] = []
    left_out: list[ColumnNote] = []
    excluded: list[str] = []
    warned: list[ColumnNote] = []
    for column in columns:
        reason = bookkeeping_reason(column, prefixes)
        if (rule.include and not fits["include"].fit(column)) or fits["exclude"].fit(column):
            excluded.append(column)
        elif column.startswith("(column ") or (reason and not rule.include):
            left_out.append(ColumnNote(column, reason or "as an index of rows"))
        elif prefixes and not column.startswith(prefixes):
            left_out.append(ColumnNote(column, _NO_PREFIX))
        else:
            chosen.append(column)
            if reason:
                warned.append(ColumnNote(column, f"is included, and is known {reason}"))
    return ChosenColumns(tuple(chosen), tuple(left_out), tuple(excluded), tuple(warned))


@dataclass(frozen=True)
class _Patterns:
    """Patterns of columns; names are looked up, for a list of them may be as long as the table is wide."""

    names: dict[str, None]
    """All of them: a column may itself hold what a pattern gives a meaning to, such as [mm]."""
    wild: tuple[str, ...]

    @classmethod
    def of(cls, patterns: Collection[str]) -> _Patterns:
        return cls(dict.fromkeys(patterns), tuple(each for each in patterns if any(mark in each for mark in "*?[")))

    def fit(self, column: str) -> bool:
        return column in self.names or any(fnmatchcase(column, each) for each in self.wild)

    def without_column(self, columns: Collection[str]) -> Iterator[str]:
        """Yield the patterns that no column fits."""
        there, wild = {*columns}, {*self.wild}
        for each in self.names:
            if each not in there and not (each in wild and any(fnmatchcase(column, each) for column in columns)):
                yield each


def column_numbers(
    source: StudySource, frame: TextTable, columns: Sequence[str], *, is_asked: bool
) -> tuple[Mapping[str, NDArray[np.float64]], list[ColumnNote]]:
    """Return each numeric column's values, NaN where missing, and the columns that hold only text or dates.

    Parameters
    ----------
    source : StudySource
        The study file, which takes the faults: the first cell of each column that is neither number nor missing.
    frame : TextTable
        The table.
    columns : sequence of str
        The columns to read.
    is_asked : bool
        The study file names the columns: one of text is at fault.
    """
    numbers: dict[str, NDArray[np.float64]] = {}
    left_out: list[ColumnNote] = []
    plain = _plain_numbers(frame.frame, columns) if frame.numbers.is_plain else {}
    for column in columns:
        if column in plain:
            numbers[column] = plain[column]
            continue
        series = frame.frame[column]
        if series.dtype.is_temporal() and not is_asked:
            left_out.append(ColumnNote(column, _AS_DATE))
            continue
        if series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Object):
            series = pl.Series(column, [f"<{series.dtype}>"] * len(series))
        if series.dtype.is_numeric() or series.dtype == pl.Boolean:
            values = series.cast(pl.Float64)
            wrong = values.is_infinite().fill_null(value=False)
        else:
            cells = series.cast(pl.String).str.strip_chars()
            cells = cells.set((cells == "") | cells.is_in([*frame.missing]), None)
            values = _parsed(cells, frame.numbers)
            wrong = cells.is_not_null() & ~values.is_finite().fill_null(value=False)
            if not is_asked and wrong.any() and not values.is_not_null().any():
                first = cells.drop_nulls()[0]
                if number_doubt(first, frame.numbers) is None:
                    left_out.append(ColumnNote(column, _AS_TEXT))
                    continue
        if wrong.any():
            row = int(wrong.arg_true()[0])
            source.faults.add(_no_number(frame, column, row, str(series[row]).strip(), int(wrong.sum()) - 1))
        numbers[column] = values.fill_null(float("nan")).to_numpy()
    return numbers, left_out


def _plain_numbers(frame: pl.DataFrame, columns: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Return the columns of text whose every cell is a finite number, all read at once: of most tables nearly all."""
    schema = frame.schema
    texts = [column for column in columns if schema[column] == pl.String]
    values = frame.select(pl.col(texts).str.strip_chars().cast(pl.Float64, strict=False))
    return {
        series.name: array
        for series in values
        if not series.null_count() and np.isfinite(array := series.to_numpy()).all()
    }


def _parsed(cells: pl.Series, form: NumberForm) -> pl.Series:
    if not form.is_plain:
        for each in form.alike:
            cells = cells.str.replace_all(each, str(form.thousands), literal=True)
        cells = cells.set(~cells.str.contains(form.pattern).fill_null(value=True), "?")
        if form.thousands is not None:
            cells = cells.str.replace_all(form.thousands, "", literal=True)
        cells = cells.str.replace(form.decimal, ".", literal=True)
    return cells.cast(pl.Float64, strict=False)


def _no_number(frame: TextTable, column: str, row: int, cell: str, more: int) -> ContractError:
    is_infinite = cell.lstrip("+-").lower() in ("inf", "infinity")
    known = number_doubt(cell, frame.numbers)
    return ContractError(
        f"column '{column}': '{cell}' is no {'finite ' if is_infinite else ''}number"
        + (f": {known}" if known else "")
        + (f" ({more} more such cell{'s' if more > 1 else ''})" if more else ""),
        where=f"{frame.file}:{frame.line_of(row)}",
        hint="correct the cell, exclude the column, or name the text among 'missing'; nothing was written",
    )
