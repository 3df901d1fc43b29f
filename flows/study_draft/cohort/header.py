"""Which row of a table has the names of its columns, where titles may stand above it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from flows.tables.files import read_table
from flows.tables.text_table import TextTable
from flows.tables.title_rows import columns_without_a_name, names_row
from schemas.errors import ContractError
from schemas.header_row import HeaderRowError
from schemas.written.table_form import TableForm

__all__ = ["HeaderRow", "table_below_titles"]


class HeaderRow(NamedTuple):
    """The row of a table's header, where it is not the first one."""

    row: int
    is_sure: bool
    """Whether all above it is a title: one cell, or lines narrower than the table."""


def table_below_titles(
    file: Path, path: str, sheet: str | None, ids_among: Callable[[Sequence[str]], Collection[str]]
) -> tuple[TextTable, HeaderRow | None]:
    """Return a table from its header on, and the header's row where it has to be declared.

    Parameters
    ----------
    file : Path
        The table's file.
    path : str
        What it is called.
    sheet : str or None
        Of a workbook with several.
    ids_among : callable
        Gives those of some cells that are patients' ids: a row with one of them is a patient's, not a header.

    Raises
    ------
    ContractError
        As `read_table` does.
    """
    try:
        table = read_table(file, path, form=TableForm(sheet=sheet))
    except HeaderRowError as error:
        row, found = error.header_row, error.found_row
        below = _table_of(file, path, sheet, row, ids_among)
        if below is not None and row is not None:
            return below, HeaderRow(row, is_sure=True)
        if found is None:
            raise
        return read_table(file, path, form=TableForm(sheet=sheet, header_row=found)), HeaderRow(found, is_sure=False)
    if len(columns_without_a_name(table)) * 2 > len(table.frame.columns):
        row = names_row(table)
        below = _table_of(file, path, sheet, row, ids_among)
        if below is not None and row is not None:
            return below, HeaderRow(row, is_sure=False)
    return table, None


def _table_of(
    file: Path, path: str, sheet: str | None, row: int | None, ids_among: Callable[[Sequence[str]], Collection[str]]
) -> TextTable | None:
    """Return the table below a row, None where the row is no header, or nothing can be read there."""
    if row is None:
        return None
    try:
        table = read_table(file, path, form=TableForm(sheet=sheet, header_row=row))
    except ContractError:
        return None
    if ids_among(table.frame.columns) or columns_without_a_name(table)[1:]:
        return None
    return None if any(_is_like_an_id(name, table, ids_among) for name in table.frame.columns) else table


def _is_like_an_id(name: str, table: TextTable, ids_among: Callable[[Sequence[str]], Collection[str]]) -> bool:
    """Return whether a column's name is written as the ids below it are: a patient of whom there are no images."""
    below = [str(cell).strip() for cell in table.frame[name].to_list() if cell is not None]
    return _shape(name) in {_shape(each) for each in ids_among(below)}


def _shape(text: str) -> str:
    """Return a text with one letter for all letters, and one digit for all digits."""
    return re.sub(r"[0-9]", "0", re.sub(r"[^\W\d_]", "a", text.strip()))
