"""A sheet of an Excel workbook as delimited text, read in a child process; no cell that looks filled is left out."""

from __future__ import annotations

import csv
import datetime as dt
import io
import mimetypes
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, ParamSpec, TypeVar

from flows.tables.content import refuse_many_cells, refuse_many_megabytes
from schemas.errors import ContractError
from schemas.nearest import nearest_words
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
    rows: Sequence[int]
    """The number that Excel gives each row below the header."""
    others: tuple[str, ...]
    """The workbook's other sheets that are shown and not empty."""
    hidden: int
    """Rows below the header that Excel does not show, hidden or filtered: they are read."""


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


def sheet_text(file: Path, content: bytes, sheet: str | None) -> Sheet:
    """Return a sheet of a workbook.

    Parameters
    ----------
    file : Path
        The workbook, for faults.
    content : bytes
        What it holds.
    sheet : str or None
        The sheet's name; the only one that is shown and not empty where None.

    Raises
    ------
    ContractError
        When there is no such sheet, or several could be meant; cells are merged, or formulas were never calculated;
        the workbook is damaged, or too large.
    """
    return Sheet(*_in_child(file, _sheet, str(file), content, sheet))


def _in_child(file: Path, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        with LimitedProcess(Limits(_SECONDS, _MEMORY, readable=())) as child:
            return child.call(function, *args, **kwargs)
    except LimitedProcessError as error:
        raise ContractError(
            f"'{file.name}' cannot be read as a workbook: {error}", where=str(file), hint=_HINT
        ) from error


def _names(file: str, content: bytes) -> list[str]:
    """Return what `sheet_names` does; called in the child."""
    _refuse_large(file, content)
    return _shown(_opened(file, content, calculated=True))


def _sheet(file: str, content: bytes, sheet: str | None) -> tuple[str, bytes, list[int], tuple[str, ...], int]:
    """Return a sheet's parts; called in the child."""
    _refuse_large(file, content)
    values, formulas = (_opened(file, content, calculated=calculated) for calculated in (True, False))
    chosen, others = _chosen(values, file, sheet)
    cells = values[chosen]
    where = f"{file}, sheet '{chosen}'"
    _refuse_merged(cells, where)
    _refuse_uncalculated(cells, formulas[chosen], where)
    rows = _rows(cells)
    used = sorted({column for row in rows.values() for column in row})
    refuse_many_cells(file, len(rows), len(used))
    written = io.StringIO()
    writer = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for row in rows.values():
        writer.writerow(row.get(column, "") for column in used)
    below = list(rows)[1:]
    hidden = sum(bool(cells.row_dimensions[number].hidden) for number in below if number in cells.row_dimensions)
    return chosen, written.getvalue().encode(), below, others, hidden


def _refuse_large(file: str, content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        refuse_many_megabytes(file, sum(member.file_size for member in archive.infolist()))


def _opened(file: str, content: bytes, *, calculated: bool) -> Any:
    # The system's list of types, which openpyxl looks into, may not be read here, and names nothing of a workbook.
    mimetypes.knownfiles.clear()
    # Imported here: no one else needs it, and it takes a tenth of a second.
    import openpyxl

    try:
        with warnings.catch_warnings():
            # Of styles and validations that it leaves out, which hold no values.
            warnings.simplefilter("ignore")
            return openpyxl.load_workbook(io.BytesIO(content), data_only=calculated, keep_links=False)
    except MemoryError:
        raise
    except Exception as error:
        name = Path(file).name
        raise ContractError(
            f"'{name}' is a damaged workbook: {type(error).__name__}", where=file, hint=_HINT
        ) from error


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
            hint='say which one in the study file, beside table: sheet = "NAME"; with --features, save it as CSV; '
            "nothing was written",
        )
    raise ContractError(
        f"'{Path(file).name}' has no sheet '{sheet}'; it has {listed}{nearest_words(sheet, names)}",
        where=file,
        hint="correct sheet in the study file; nothing was written",
    )


def _shown(workbook: Any) -> list[str]:
    return [each.title for each in workbook.worksheets if each.sheet_state == "visible" and _rows(each)]


def _refuse_merged(cells: Any, where: str) -> None:
    """Refuse merged cells: all but the first of them would be missing."""
    merged = sorted(str(each) for each in cells.merged_cells.ranges)
    if merged:
        more = f" and {len(merged) - _NAMED} more" if len(merged) > _NAMED else ""
        raise ContractError(
            f"cells are merged: {', '.join(merged[:_NAMED])}{more}",
            where=where,
            hint="the table has one header row, and each row its own cells: take titles out, unmerge the cells and "
            "fill them; nothing was written",
        )


def _refuse_uncalculated(values: Any, formulas: Any, where: str) -> None:
    """Refuse formulas that no program has calculated: they would be missing."""
    for (row, column), formula in _cells(formulas):
        if formula.data_type == "f":
            value = values.cell(row, column)
            # Calculated to an empty text, the cell has the type of a text.
            if value.value is None and value.data_type == "n":
                raise ContractError(
                    f"cell {formula.coordinate} is a formula that no program has calculated",
                    where=where,
                    hint="open the workbook in Excel or LibreOffice, save it, and run the command again; nothing was "
                    "written",
                )


def _rows(cells: Any) -> dict[int, dict[int, str]]:
    """Return the cells that are filled, by the numbers of row and column; formats beyond them count for nothing."""
    found: dict[int, dict[int, str]] = {}
    for (row, column), cell in _cells(cells):
        if text := _text(cell.value):
            found.setdefault(row, {})[column] = text
    return found


def _cells(sheet: Any) -> list[tuple[tuple[int, int], Any]]:
    """Return a sheet's cells, in order, those alone that the file has: one of its own format may stand in row 1048576.

    openpyxl's own iterators make every cell up to that.
    """
    return sorted(sheet._cells.items())


def _text(value: Any) -> str:
    """Return a cell as text: numbers as they are to the last digit, days as ISO 8601 has them."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"  # as Excel shows and saves them
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(sep=" ")
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value).strip()
