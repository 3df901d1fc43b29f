"""Table files: what a file holds by its content, read as a table or named for what it is."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from flows.tables.content import PackedTable, table_content
from flows.tables.delimited_text import delimited_table
from flows.tables.file_faults import FILE_ERRORS, file_fault
from flows.tables.parquet import parquet_frame
from flows.tables.text_table import TextTable
from flows.tables.title_rows import refuse_title
from flows.tables.workbook import is_workbook, sheet_text
from schemas.errors import ContractError, NotFoundError
from schemas.written.table_form import DatedTableForm, TableForm

__all__ = ["read_table"]

_AS_FOUND = TableForm()
# All that zipfile raises for an archive that somebody altered.
_DAMAGED = (OSError, EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, ValueError, KeyError, IndexError)
_UNREADABLE = (*_DAMAGED, NotImplementedError, RuntimeError, OverflowError, struct.error)
_PARQUET = b"PAR1"
_ARCHIVE = b"PK\x03\x04"
_MIME_LENGTH = 200
_SAVE = "save its table as CSV (UTF-8) or Parquet, and name that file"
_KINDS = {
    b"\xd0\xcf\x11\xe0": "an Excel workbook (.xls), or one that a password protects: save it without",
    b"$FL2": "an SPSS file (.sav)",
    b"$FL3": "an SPSS file (.zsav)",
    b"<stata_dta>": "a Stata file (.dta)",
    b"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xc2\xea\x81\x60": "a SAS file (.sas7bdat)",
    b"HEADER RECORD": "a SAS transport file (.xpt)",
    b"RDX": "an R data file (.RData)",
    b"X\n": "an R data file (.rds)",
    b"A\n": "an R data file (.rds)",
    b"ARROW1": "an Arrow file (.feather)",
    b"\x89HDF": "an HDF5 file",
    b"\x93NUMPY": "a NumPy array",
    b"\x80\x04": "a Python pickle, which may run code when it is opened",
    b"\x80\x05": "a Python pickle, which may run code when it is opened",
    b"SQLite format 3": "an SQLite database",
    b"%PDF": "a PDF document",
    b"{\\rtf": "a rich text document",
    b"BZh": "compressed by bzip2, which is not read here",
    b"\x28\xb5\x2f\xfd": "compressed by Zstandard, which is not read here",
    b"7z\xbc\xaf": "a 7-Zip archive",
}
_MARKUP = ((b"<!doctype html", "an HTML page"), (b"<html", "an HTML page"), (b"<?xml", "an XML file"))
_MEMBERS = (
    ("xl/workbook", "an Excel workbook (.xlsb)"),
    ("word/document", "a Word document (.docx)"),
    ("index/tables", "an Apple Numbers sheet"),
)


def read_table(
    file: Path, where: str, *, missing: Collection[str] = (), as_text: bool = True, form: TableForm = _AS_FOUND
) -> TextTable:
    """Return the table in a .csv, .tsv, .parquet or .xlsx file; text may be compressed as .gz or .xz.

    What a file is, its content tells: Parquet and compressed text are read under any name. Separators other than
    the name's, and decimal commas, are recognised and noted; encodings, digit groups, titles above the header and
    orders of day and month are not: the study file declares them.

    Parameters
    ----------
    file : Path
        The file.
    where : str
        What names the file, for its fault.
    missing : collection of str
        Cells that mean 'not given', as an empty one does.
    as_text : bool
        Turn the numbers of a Parquet file into text, as those of a delimited file are.
    form : TableForm
        What the study file says about how the table is written.

    Raises
    ------
    ContractError
        When the file is missing, with ``where`` it is named, or cannot be read, or is no table.
    NotFoundError
        When the file is missing and an option of the command line names it.
    """
    try:
        packed = table_content(file)
    except FILE_ERRORS as error:
        is_option = where.startswith("--")
        is_absent = isinstance(error, (FileNotFoundError, NotADirectoryError))
        # A path with NUL is shown escaped: a terminal would swallow it.
        name = str(file).replace("\0", "\\0")
        raise (NotFoundError if is_absent and is_option else ContractError)(
            f"file '{name}' {file_fault(file, error)}",
            where=where,
            hint=f"{where} TABLE; nothing was written"
            if is_option
            else f"correct the {'path in the study file' if is_absent else 'file or its path'}; nothing was written",
        ) from error
    dates = form.dates if isinstance(form, DatedTableForm) else None
    try:
        return replace(_table(file, packed, form, as_text=as_text), missing=missing, dates=dates)
    except ContractError as error:
        if not where.startswith("--") or "study file" not in str(error.hint):
            raise
        hint = f"as an option, each _ of the key being -, or else {error.hint}"
        raise ContractError(error.message, where=error.where, hint=hint) from error


def _table(file: Path, packed: PackedTable, form: TableForm, *, as_text: bool) -> TextTable:
    content, name = packed
    if content.startswith(_ARCHIVE) and is_workbook(content):
        _refuse_keys(file, form, "a workbook", ("encoding",))
        return _of_sheet(file, content, form)
    if form.sheet is not None:
        raise _fault(f"is no workbook, and has no sheet '{form.sheet}'", file, "take sheet out of the study file")
    if content.startswith(_PARQUET):
        _refuse_keys(file, form, "Parquet", tuple(TableForm.model_fields))
        return TextTable(file, parquet_frame(file, content, as_text=as_text))
    if (kind := _kind(content)) is not None:
        raise _fault(f"is {kind}, not a table", file, _SAVE)
    if name.suffix.lower() == ".parquet":
        raise _fault("is not Parquet, whatever its name says", file, "name it .csv if it is text, or write it again")
    read = delimited_table(content, str(file), "\t" if name.suffix.lower() == ".tsv" else ",", form)
    notes = tuple(f"{file.name}: {note}" for note in read.notes)
    return _without_title(TextTable(file, read.frame, read.lines, numbers=read.numbers, notes=notes), read.header, form)


def _without_title(table: TextTable, header: int, form: TableForm) -> TextTable:
    if form.header_row is None:
        refuse_title(table, header)
    return table


def _refuse_keys(file: Path, form: TableForm, kind: str, unfit: Collection[str]) -> None:
    """Refuse what a study file says about a table that says it itself."""
    if given := [key for key in form.declared if key in unfit]:
        says = f"has {'its own' if len(given) == 1 else 'all of that itself'}"
        keys = " and ".join(given)
        raise _fault(f"is {kind}, which {says}: {keys} is of text tables", file, f"take {keys} out of the study file")


def _of_sheet(file: Path, content: bytes, form: TableForm) -> TextTable:
    sheet = sheet_text(file, content, form)
    of_cells = TableForm(decimal=form.decimal, thousands=form.thousands)
    read = delimited_table(sheet.text, str(file), ",", of_cells, sheet.header)
    others = ", ".join(f"'{other}'" for other in sheet.others)
    aside = f", and not {others}" if others else ""
    hidden = f"; {sheet.hidden} of its rows are hidden in Excel, and read" if sheet.hidden else ""
    notes = (
        f"{file.name}: sheet '{sheet.name}' is read{aside}{hidden}",
        *(f"{file.name}: {note}" for note in (*sheet.notes, *read.notes)),
    )
    table = TextTable(file, read.frame, sheet.rows, numbers=read.numbers, notes=notes)
    return _without_title(table, sheet.header, form)


def _fault(message: str, file: Path, hint: str) -> ContractError:
    return ContractError(f"'{file.name}' {message}", where=str(file), hint=f"{hint}; nothing was written")


def _kind(content: bytes) -> str | None:
    """Return what a file is that is no text, None where it may be text."""
    if content.startswith(_ARCHIVE):
        return _archive_kind(content)
    start = content[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for mark, kind in _MARKUP:
        if start.startswith(mark):
            return f"{kind} (some programs save one as .xls or .csv)"
    return next((kind for mark, kind in _KINDS.items() if content.startswith(mark)), None)


def _archive_kind(content: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [name.lower() for name in archive.namelist()]
            if "mimetype" in archive.namelist():
                with archive.open("mimetype") as member:  # of which no more is read than a word's length
                    if b"opendocument" in member.read(_MIME_LENGTH):
                        return "an OpenDocument file (.ods)"
    except _UNREADABLE:
        return "a damaged zip archive"
    return next((kind for start, kind in _MEMBERS if any(name.startswith(start) for name in names)), "a zip archive")
