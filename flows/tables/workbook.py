"""A sheet of an Excel workbook as delimited text, read in a child process; no cell that looks filled is left out."""

from __future__ import annotations

import csv
import datetime as dt
import io
import zipfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

from flows.tables.content import refuse_many_cells, refuse_many_megabytes
from flows.tables.sheet_rows import table_rows
from flows.tables.workbook_parts import has_formulas, opened_workbook
from schemas.errors import ContractError
from schemas.nearest import nearest_words
from schemas.written.table_form import TableForm
from store.limits.process import LimitedProcess, LimitedProcessError, Limits

__all__ = ["Sheet", "is_workbook", "sheet_names", "sheet_text"]

P = ParamSpec("P")
T = TypeVar("T")

_SECONDS = 120.0
_MEMORY = 4 << 30
_NAMED = 8
_HINT = "open it in Excel, save it again as .xlsx, or save the sheet as CSV (UTF-8); nothing was written"


class Sheet(NamedTuple):
    """A sheet's used cells as text."""

    name: str
    text: bytes
    """Comma-separated, every cell in quotes, the header first."""
    header: int
    """The number that Excel gives the header's row."""
    rows: Sequence[int]
    """The number that Excel gives each row below the header."""
    others: tuple[str, ...]
    """The workbook's other sheets that are shown and not empty."""
    hidden: int
    """Rows below the header that Excel does not show, hidden or filtered: they are read."""
    notes: tuple[str, ...]
    """What was not read of it."""


def is_workbook(content: bytes) -> bool:
    """Return whether a file's content is an Excel workbook, .xlsx or .xlsm."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return any(name.lower() == "xl/workbook.xml" for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def sheet_names(file: Path, content: bytes) -> tuple[str, ...]:
    """Return the names of the sheets that are shown and not empty.

    Raises
    ------
    ContractError
        As `sheet_text` does.
    """
    return tuple(_in_child(file, _names, str(file), content))


def sheet_text(file: Path, content: bytes, form: TableForm) -> Sheet:
    """Return a sheet of a workbook.

    Parameters
    ----------
    file : Path
        The workbook, for faults.
    content : bytes
        What it holds.
    form : TableForm
        What the study file says: the sheet, the only one that is shown and not empty where absent; ``header_row`` and
        ``first_row``; ``decimal``, with which numbers are written here too.

    Raises
    ------
    ContractError
        When there is no such sheet or row, or several sheets could be meant; cells of the table are merged, or formulas
        were never calculated; the workbook is damaged, or too large.
    """
    asked = _Asked(form.sheet, form.header_row, form.first_row, form.decimal or ".")
    return Sheet(*_in_child(file, _sheet, str(file), content, tuple(asked)))


def _in_child(file: Path, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        with LimitedProcess(Limits(_SECONDS, _MEMORY, readable=()), modules=(__name__,)) as child:
            return child.call(function, *args, **kwargs)
    except LimitedProcessError as error:
        raise ContractError(
            f"'{file.name}' cannot be read as a workbook: {error}", where=str(file), hint=_HINT
        ) from error


class _Asked(NamedTuple):
    """What the child is told."""

    sheet: str | None
    header_row: int | None
    first_row: int | None
    decimal: str


def _names(file: str, content: bytes) -> list[str]:
    """Return what `sheet_names` does; called in the child."""
    _refuse_large(file, content)
    return _shown(opened_workbook(file, content, calculated=True))


def _sheet(file: str, content: bytes, told: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a sheet's parts; called in the child."""
    asked = _Asked(*told)
    _refuse_large(file, content)
    values = opened_workbook(file, content, calculated=True)
    chosen, others = _chosen(values, file, asked.sheet)
    cells = values[chosen]
    where = f"{file}, sheet '{chosen}'"
    rows, header, notes = table_rows(cells, _rows(cells, asked.decimal), where, asked.header_row, asked.first_row)
    if has_formulas(content):
        formulas = opened_workbook(file, content, calculated=False)[chosen]
        _refuse_uncalculated(cells, formulas, rows.keys(), where)
    used = sorted({column for row in rows.values() for column in row})
    refuse_many_cells(file, len(rows), len(used))
    written = io.StringIO()
    writer = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for row in rows.values():
        writer.writerow(row.get(column, "") for column in used)
    below = list(rows)[1:]
    hidden = sum(bool(cells.row_dimensions[number].hidden) for number in below if number in cells.row_dimensions)
    return chosen, written.getvalue().encode(), header, below, others, hidden, notes


def _refuse_large(file: str, content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        refuse_many_megabytes(file, sum(member.file_size for member in archive.infolist()))


def _chosen(workbook: Any, file: str, sheet: str | None) -> tuple[str, tuple[str, ...]]:
    names = [each.title for each in workbook.worksheets]
    shown = _shown(workbook)
    if sheet is None and len(shown) == 1:
        return shown[0], ()
    if sheet in names:
        return str(sheet), tuple(name for name in shown if name != sheet)
    if not shown:
        hidden = [each.title for each in workbook.worksheets if _rows(each)]
        if hidden:
            listed = ", ".join(f"'{name}'" for name in hidden[:_NAMED])
            raise ContractError(
                f"'{Path(file).name}' has no sheet with cells that is shown; hidden: {listed}",
                where=file,
                hint='name one beside table: sheet = "NAME"; nothing was written',
            )
        raise ContractError(f"'{Path(file).name}' has no sheet with cells", where=file, hint=_HINT)
    listed = ", ".join(f"'{name}'" for name in shown[:_NAMED])
    if sheet is None:
        raise ContractError(
            f"'{Path(file).name}' has {len(shown)} sheets: {listed}",
            where=file,
            hint='say which one in the study file, beside table: sheet = "NAME"; with --features, --sheet NAME; '
            "nothing was written",
        )
    raise ContractError(
        f"'{Path(file).name}' has no sheet '{sheet}'; it has {listed}{nearest_words(sheet, names)}",
        where=file,
        hint="correct sheet in the study file; nothing was written",
    )


def _shown(workbook: Any) -> list[str]:
    return [each.title for each in workbook.worksheets if each.sheet_state == "visible" and _rows(each)]


def _refuse_uncalculated(values: Any, formulas: Any, read: Collection[int], where: str) -> None:
    """Refuse formulas of the rows read that no program has calculated: they would be missing."""
    for (row, column), formula in _cells(formulas):
        if formula.data_type == "f" and row in read:
            value = values.cell(row, column)
            # Calculated to an empty text, the cell has the type of a text.
            if value.value is None and value.data_type == "n":
                raise ContractError(
                    f"cell {formula.coordinate} is a formula that no program has calculated",
                    where=where,
                    hint="open the workbook in Excel or LibreOffice, save it, and run the command again; nothing was "
                    "written",
                )


def _rows(cells: Any, decimal: str = ".") -> dict[int, dict[int, str]]:
    """Return the cells that are filled, by the numbers of row and column; formats beyond them count for nothing."""
    found: dict[int, dict[int, str]] = {}
    for (row, column), cell in _cells(cells):
        if text := _text(cell.value, decimal):
            found.setdefault(row, {})[column] = text
    return found


def _cells(sheet: Any) -> list[tuple[tuple[int, int], Any]]:
    """Return a sheet's cells, in order, those alone that the file has: one of its own format may stand in row 1048576.

    openpyxl's own iterators make every cell up to that.
    """
    return sorted(sheet._cells.items())


def _text(value: Any, decimal: str) -> str:
    """Return a cell as text: numbers as they are to the last digit, days as ISO 8601 has them.

    A number has the decimal mark that the study file declares: beside cells of text it is read as they are.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"  # as Excel shows and saves them
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(sep=" ")
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value).replace(".", decimal)
    return str(value).strip()
