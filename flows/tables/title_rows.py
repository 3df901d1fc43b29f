"""Titles above a table that were taken for its header, and the row below them that has the names of the columns."""

from __future__ import annotations

import re
from typing import Final

from flows.tables.header_lines import unnamed
from flows.tables.text_table import TextTable
from schemas.header_row import HeaderRowError

__all__ = ["columns_without_a_name", "names_row", "refuse_title"]

_LOOKED_AT: Final = 20
"""Rows of titles that a header may stand below."""
_FEWEST_NAMED: Final = 0.8
"""Of the columns: a header may lack the name of a remark."""
_NO_NAME = re.compile(r"[+-]?[\d.,:/ -]+")


def columns_without_a_name(table: TextTable) -> list[str]:
    """Return what stands for the names of columns that have none."""
    return [name for number, name in enumerate(table.frame.columns, start=1) if name == unnamed(number)]


def names_row(table: TextTable) -> int | None:
    """Return the line of the first row that may be the header: nearly all cells filled, no two alike, none a number.

    None where there is no such row among the first ones, or none below it.
    """
    rows = table.frame.head(_LOOKED_AT + 1).rows()
    for number, row in enumerate(rows[:-1]):
        cells = [str(cell).strip() for cell in row if cell is not None and str(cell).strip()]
        is_full = len(cells) >= max(2, _FEWEST_NAMED * len(row))
        if is_full and len({*cells}) == len(cells) and not any(map(_NO_NAME.fullmatch, cells)):
            return table.line_of(number)
    return None


def refuse_title(table: TextTable, header: int) -> None:
    """Refuse a table whose header names one column, while rows below it fill others: it is a title.

    A first column without a name, as of row names, is none for that.

    Parameters
    ----------
    table : TextTable
        The table.
    header : int
        The line or row of its header.

    Raises
    ------
    HeaderRowError
        With the row that may be the header.
    """
    names = table.frame.columns
    nameless = columns_without_a_name(table)
    if len(names) - len(nameless) != 1 or not nameless or nameless == names[:1]:
        return
    filled = [name for name in nameless if table.frame[name].str.strip_chars().fill_null("").ne("").any()]
    if not filled:
        return
    row = names_row(table)
    hint = "give every column a name, or take what stands without one out; nothing was written"
    if row is not None:
        hint = f"where row {row} is the header, say header_row = {row} beside table in the study file; else {hint}"
    raise HeaderRowError(
        f"row {header} names one of {len(names)} columns, and rows below fill {len(filled)} of the others: it is a "
        "title, or names are missing",
        where=f"{table.file}:{header}",
        hint=hint,
        header_row=row,
        found_row=header,
    )
