"""Which rows of a sheet are the table: header and rows, of whose cells none are merged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from flows.tables.header_lines import skipped_note
from schemas.errors import ContractError
from schemas.header_row import HeaderRowError

__all__ = ["table_rows"]

_NAMED = 8
_MOST_ABOVE = 20
"""Rows of titles that a header may stand below, to be offered."""

Rows = dict[int, dict[int, str]]


def table_rows(
    cells: Any, filled: Rows, where: str, header_row: int | None, first_row: int | None
) -> tuple[Rows, int, tuple[str, ...]]:
    """Return the header and the rows of a sheet, the number of the header, and what is not read.

    Parameters
    ----------
    cells : openpyxl.worksheet.worksheet.Worksheet
        The sheet.
    filled : dict of int to dict of int to str
        Its filled cells by the numbers of row and column.
    where : str
        File and sheet, for faults.
    header_row, first_row : int or None
        What the study file says; the header is the first filled row where it says nothing.

    Raises
    ------
    ContractError
        Where no cell of the header that is declared is filled, or cells of header or rows are merged: all but the first
        of them would be missing. A name that is merged with cells above or below it is one.
    """
    header = header_row or min(filled)
    if not filled.get(header):
        below = next((number for number in sorted(filled) if number > header), None)
        raise ContractError(
            f"header_row is {header}, and row {header} has no filled cell"
            + (f"; the next one that has is row {below}" if below is not None else ""),
            where=where,
            hint="correct header_row in the study file; nothing was written",
        )
    first = first_row or header + 1
    if first_row is not None and first_row > max(filled):
        raise ContractError(
            f"first_row is {first_row}, and the last row with a filled cell is row {max(filled)}",
            where=where,
            hint="correct first_row in the study file; nothing was written",
        )
    rows = {number: row for number, row in filled.items() if number == header or number >= first}
    is_declared = header_row is not None or first_row is not None
    wrong = []
    for merged in cells.merged_cells.ranges:
        if merged.max_row < header or header < merged.min_row <= merged.max_row < first:
            continue
        if is_declared and merged.min_row <= header <= merged.max_row < first and merged.min_col == merged.max_col:
            # Its text stands in the topmost cell.
            rows[header] = {**rows[header], merged.min_col: filled.get(merged.min_row, {}).get(merged.min_col, "")}
            continue
        wrong.append(merged)
    if wrong:
        raise _merged_fault(wrong, filled, where)
    above = [number for number in filled if number < header]
    between = [number for number in filled if header < number < first]
    notes = skipped_note([(number, _words(filled[number])) for number in above], "above the header")
    notes += skipped_note([(number, _words(filled[number])) for number in between], "between header and first row")
    return rows, header, notes


def _words(row: Mapping[int, str]) -> str:
    return ", ".join(row.values())


def _merged_fault(merged: Iterable[Any], filled: Rows, where: str) -> ContractError:
    listed = sorted(str(each) for each in merged)
    more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    lowest = max(each.max_row for each in merged)
    # A merged name reaches down to the header; a title of several columns stands above it.
    is_title = any(each.max_row == lowest and each.min_col != each.max_col for each in merged)
    header = lowest + is_title
    is_offered = header <= min(filled) + _MOST_ABOVE and max(filled) > header and header in filled
    offered = f"where row {header} has the names of the columns, say header_row = {header} beside table; else "
    return HeaderRowError(
        f"cells are merged: {', '.join(listed[:_NAMED])}{more}",
        where=where,
        hint=f"{offered if is_offered else ''}unmerge the cells and fill them: the table has one header row, and each "
        "row its own cells; nothing was written",
        header_row=header if is_offered else None,
    )
