"""Patients' ids as tables write them: one rule for cohort, clinical and imported tables.

A cell is taken without blanks at its ends. A column of whole numbers that a program wrote with decimals (1.0, 2.0) is
whole numbers. Leading zeros and capitals count: nothing is guessed, and ids that differ in these alone are named.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import replace

import polars as pl

from flows.tables.text_table import TextTable
from schemas.errors import ContractError
from schemas.fault_list import LISTED_FAULTS
from schemas.nearest import nearest_words
from schemas.written.levels import whole_number_text
from schemas.written.table_form import PatientColumns, column_of

__all__ = ["KnownIds", "pseudonym_fault", "with_ids", "with_patients"]

_SHORTENED = r"^[0-9](?:[.,][0-9]+)?[eE]\+[0-9]+$|^[0-9][.,][0-9]+[eE][0-9]+$"
_EXACT = 2**53
"""Above it floating-point numbers do not hold every whole number."""


def with_ids(table: TextTable, *columns: str) -> TextTable:
    """Return a table whose columns of ids are text by the rule of this module.

    Raises
    ------
    ContractError
        Where a column holds floating-point numbers that are no whole ones, or a long number in short.
    """
    return replace(table, frame=table.frame.with_columns(_ids(table, column) for column in columns))


def with_patients(table: TextTable, patient: PatientColumns) -> TextTable:
    """Return a table that has its patients' ids, by the rule of this module, in the one column that names them.

    Of several columns the ids are their cells joined by ``-``, in a further column; where one of them is empty, so is
    the id. Two patients never join to one id: ``-`` stands in cells of the last column alone.

    Parameters
    ----------
    table : TextTable
        The table, which has the columns.
    patient : str or tuple of str
        The column with the pseudonym, or the columns.

    Raises
    ------
    ContractError
        Where a column holds no ids, or ``-`` in another column than the last.
    """
    if isinstance(patient, str):
        return with_ids(table, patient)
    joined = column_of(patient)
    if joined in table.frame.columns:
        raise ContractError(
            f"'{table.file.name}' has a column '{joined}', as the columns {' and '.join(patient)} are called joined",
            where=str(table.file),
            hint=f'where it is the pseudonym, patient = "{joined}" in the study file; else rename it in the table',
        )
    frame = with_ids(table, *dict.fromkeys(patient)).frame.with_columns(
        pl.when(pl.col(each).is_in([*table.missing, ""])).then(None).otherwise(pl.col(each)).alias(each)
        for each in dict.fromkeys(patient)
    )
    for column in patient[:-1]:
        wrong = frame[column].str.contains("-", literal=True).fill_null(value=False)
        if wrong.any():
            row = int(wrong.arg_true()[0])
            raise table.fault(
                table.line_of(row),
                column,
                f"'{frame[column][row]}' has '-', which joins {' and '.join(patient)}: two patients might join to one; "
                "name the column that has it last",
            )
    cells = pl.concat_str([pl.col(each) for each in patient], separator="-", ignore_nulls=False).alias(joined)
    return replace(table, frame=table.frame.with_columns(frame.select(cells)[joined]))


def _ids(table: TextTable, column: str) -> pl.Series:
    series = table.frame[column]
    if series.dtype.is_float():
        there = series.drop_nulls().drop_nans()
        wrong = (there.round() != there) | (there.abs() >= _EXACT)
        if wrong.any():
            cell = there.filter(wrong)[0]
            row = int((series == cell).arg_true()[0])
            what = "this" if table.hides_ids else repr(cell)
            words = f"{what} is no id: ids are text, or whole numbers below {_EXACT}"
            raise table.fault(table.line_of(row), column, words)
        return series.fill_nan(None).cast(pl.Int64).cast(pl.String)
    text = series.cast(pl.String).str.strip_chars()
    cells = text.filter(text.is_not_null() & (text != ""))
    shortened = text.str.contains(_SHORTENED).fill_null(value=False)
    if shortened.any():
        row = int(shortened.arg_true()[0])
        raise table.fault(table.line_of(row), column, pseudonym_fault(text[row], is_hidden=table.hides_ids))
    if not cells.is_empty() and cells.str.contains(r"^-?[0-9]+(?:\.0+)?$").all():
        return text.map_elements(whole_number_text, return_dtype=pl.String)
    return text


def pseudonym_fault(cell: str, *, is_empty_row: bool = False, is_joined: bool = False, is_hidden: bool = False) -> str:
    """Return what is wrong with a cell that is no pseudonym.

    Parameters
    ----------
    cell : str
        The cell.
    is_empty_row : bool
        No other cell of its row has a value: it is an empty line.
    is_joined : bool
        It is put together from several columns.
    is_hidden : bool
        Say it without the cell.
    """
    if not cell:
        empty = "one of these cells is empty" if is_joined else "the cell is empty"
        return f"'' is no pseudonym: {'the row is empty, delete it' if is_empty_row else empty}"
    what = "this id" if is_hidden else f"'{cell}'"
    if re.fullmatch(_SHORTENED, cell):
        return f"{what} is no pseudonym: a program has shortened a long number; format the column as text"
    foreign = sorted(set(re.findall(r"[^A-Za-z0-9._:-]", cell)))
    if foreign and is_hidden:
        return f"{what} has characters that no id has: letters, digits and . _ : - are read"
    if foreign:
        return f"{what} is no pseudonym: it has {', '.join(map(_character, foreign[:3]))}"
    return f"{what} is no pseudonym: it " + ("is too long" if len(cell) > 64 else "begins with no letter or digit")


class KnownIds:
    """The ids of a cohort, and what an id of another table is that is not among them.

    Parameters
    ----------
    ids : iterable of str
        As the cohort table writes them.
    is_hidden : bool
        Say what is wrong without naming an id.
    """

    def __init__(self, ids: Iterable[str], *, is_hidden: bool = False) -> None:
        self._ids = list(ids)
        self._is_hidden = is_hidden
        # Each compares an id with thousands, and no more faults are listed.
        self._look_ups = LISTED_FAULTS
        self._alike = {_without_all(each): each for each in reversed(self._ids)}

    def like(self, patient: str) -> str | None:
        """Return the id that differs from this one in capitals, blanks or leading zeros only."""
        known = self._alike.get(_without_all(patient))
        return None if known == patient else known

    def stranger(self, patient: str) -> str:
        """Return the fault of an id that the cohort table does not have, with the nearest one that it has."""
        known = self.like(patient)
        if self._is_hidden:
            return "this id is not in the cohort table" + (
                "" if known is None else f", which has one like it: {_difference(patient, known)}"
            )
        if known is None:
            self._look_ups -= 1
            nearest = nearest_words(patient, self._ids) if self._look_ups >= 0 else ""
            return f"'{patient}' is not in the cohort table{nearest}"
        return f"'{patient}' is not in the cohort table, which has '{known}': {_difference(patient, known)}"

    def twin(self, patient: str) -> str | None:
        """Return the fault of an id of the cohort that is probably that of another of its rows, None where none is."""
        known = self._alike.get(_without_all(patient))
        if known is None or known == patient:
            return None
        if self._is_hidden:
            return f"this id and that of another row are probably one patient: {_difference(patient, known)}"
        return f"'{patient}' and '{known}' are probably one patient: {_difference(patient, known)}"


def _difference(one: str, other: str) -> str:
    for words, without in (
        ("capitals", str.casefold),
        ("blanks", _without_blanks),
        ("leading zeros", _without_zeros),
    ):
        if without(one) == without(other):
            return f"they differ in {words} only"
    return "they differ in capitals, blanks and leading zeros only"


def _without_blanks(text: str) -> str:
    return "".join(each for each in text if unicodedata.category(each) not in ("Zs", "Cf", "Cc"))


def _without_zeros(text: str) -> str:
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", text)


def _without_all(text: str) -> str:
    return _without_zeros(_without_blanks(text).casefold())


def _character(each: str) -> str:
    if each.isspace() or not each.isprintable():
        return f"a {unicodedata.name(each, 'control character').lower()} (U+{ord(each):04X})"
    return f"'{each}'"
