"""What an Excel workbook's archive holds, opened by openpyxl: sheets of cells alone, for charts hold none."""

from __future__ import annotations

import io
import mimetypes
import re
import warnings
import zipfile
from pathlib import Path
from typing import Any

from schemas.errors import ContractError

__all__ = ["has_formulas", "opened_workbook"]

_HINT = "open it in Excel, save it again as .xlsx, or save the sheet as CSV (UTF-8); nothing was written"
_FORMULA = re.compile(rb"<(?:[A-Za-z0-9_]+:)?f[ \t\r\n/>]")
_BLOCK = 1 << 20
_LONGEST_TAG = 64


def has_formulas(content: bytes) -> bool:
    """Return whether a part of a workbook has a formula: without one the values of its sheets are all that there is.

    Every part is looked into, for a sheet may have any name; a chart's formula counts too, and costs no more than time.

    Parameters
    ----------
    content : bytes
        What the file holds.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            rest = b""
            with archive.open(name) as part:
                while block := part.read(_BLOCK):
                    if _FORMULA.search(rest + block):
                        return True
                    rest = block[-_LONGEST_TAG:]
    return False


def opened_workbook(file: str, content: bytes, *, calculated: bool) -> Any:
    """Return a workbook as openpyxl opens it.

    Parameters
    ----------
    file : str
        Its name, for faults.
    content : bytes
        What it holds.
    calculated : bool
        Of a formula what it came to, and not itself.

    Raises
    ------
    ContractError
        Where it is damaged.
    """
    # The system's list of types, which openpyxl looks into, may not be read here, and names nothing of a workbook.
    mimetypes.knownfiles.clear()
    # Imported here: no one else needs it, and it takes a tenth of a second.
    from openpyxl.reader.excel import ExcelReader

    class Reader(ExcelReader):  # type: ignore[misc]  # openpyxl has no types
        def read_chartsheet(self, sheet: Any, _: Any) -> None:
            """Keep a chart sheet's place: it has no cells, and openpyxl fails on one without a chart."""
            self.wb.create_chartsheet(sheet.name).sheet_state = sheet.state

    try:
        with warnings.catch_warnings():
            # Of styles and validations that it leaves out, which hold no values.
            warnings.simplefilter("ignore")
            reader = Reader(io.BytesIO(content), data_only=calculated, keep_links=False)
            reader.read()
            return reader.wb
    except MemoryError:
        raise
    except Exception as error:
        name = Path(file).name
        raise ContractError(
            f"'{name}' is a damaged workbook: {type(error).__name__}", where=file, hint=_HINT
        ) from error
