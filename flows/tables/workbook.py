"""A sheet of an Excel workbook as delimited text, read in a child process; no cell that looks filled is left out."""

from __future__ import annotations

import csv
import datetime as dt
import io
import mimetypes
import warnings
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from flows.tables.content import refuse_many_cells, refuse_many_megabytes
from schemas.errors import ContractError
from schemas.nearest import nearest_words
from store.limits.process import LimitedProcess, LimitedProcessError, Limits

__all__ = ["Sheet", "is_workbook", "sheet_text"]

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


def is_workbook(content: bytes) -> bool:
    """Return whether a file's content is an Excel workbook, .xlsx or .xlsm."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return any(name.lower() == "xl/workbook.xml" for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


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
    try:
        with LimitedProcess(Limits(_SECONDS, _MEMORY, readable=())) as child:
            return Sheet(*child.call(_sheet, str(file), content, sheet))
    except LimitedProcessError as error:
        raise ContractError(
            f"'{file.name}' cannot be read as a workbook: {error}", where=str(file), hint=_HINT
        ) from error


def _sheet(file: str, content: bytes, sheet: str | None) -> tuple[str, bytes, list[int], tuple[str, ...]]:
    """Return a sheet's parts; called in the child."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        refuse_many_megabytes(file, sum(member.file_size for member in archive.infolist()))
    values, formulas = (_opened(file, content, calculated=calculated) for calculated in (True, False))
    chosen, others = _chosen(values, file, sheet)
    cells = values[chosen]
    refuse_many_cells(file, cells.max_row, cells.max_column)
    where = f"{file}, sheet '{chosen}'"
    _refuse_merged(cells, where)
    rows = [(number, row) for number, row in _rows(cells) if any(text for text in row)]
    _refuse_uncalculated(cells, formulas[chosen], where)
    used = [at for at in range(cells.max_column) if any(row[at] for _, row in rows)]
    written = io.StringIO()
    writer = csv.writer(written, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for _, row in rows:
        writer.writerow(row[at] for at in used)
    return chosen, written.getvalue().encode(), [number for number, _ in rows[1:]], others


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
    shown = [
        each.title
        for each in workbook.worksheets
        if each.sheet_state == "visible" and any(text for _, row in _rows(each) for text in row)
    ]
    if sheet is None and len(shown) == 1:
        return shown[0], ()
    if sheet in names:
        return str(sheet), tuple(name for name in shown if name != sheet)
    if not shown:
        raise ContractError(f"'{Path(file).name}' has no sheet with cells", where=file, hint=_HINT)
    listed = ", ".join(f"'{name}'" for name in shown[:_NAMED])
    if sheet is None:
        raise ContractError(
            f"'{Path(file).name}' has {len(shown)} sheets: {listed}",
            where=file,
            hint='say which one beside table: sheet = "NAME"; nothing was written',
        )
    raise ContractError(
        f"'{Path(file).name}' has no sheet '{sheet}'; it has {listed}{nearest_words(sheet, names)}",
        where=file,
        hint="correct sheet in the study file; nothing was written",
    )


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
    for of_value, of_formula in zip(values.iter_rows(), formulas.iter_rows(), strict=True):
        for value, formula in zip(of_value, of_formula, strict=True):
            if value.value is None and formula.data_type == "f":
                raise ContractError(
                    f"cell {formula.coordinate} is a formula that no program has calculated",
                    where=where,
                    hint="open the workbook in Excel or LibreOffice, save it, and run the command again; nothing was "
                    "written",
                )


def _rows(cells: Any) -> Iterable[tuple[int, list[str]]]:
    for number, row in enumerate(cells.iter_rows(values_only=True), start=1):
        yield number, [_text(value) for value in row]


def _text(value: Any) -> str:
    """Return a cell as text: numbers as they are to the last digit, days as ISO 8601 has them."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(sep=" ")
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value).strip()
