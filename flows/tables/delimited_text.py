"""Delimited text as a table: its encoding, what separates its cells, how it writes decimals, and its faults by line."""

from __future__ import annotations

import codecs
import csv
import re
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import polars as pl

from flows.tables.content import refuse_many_cells
from schemas.errors import ContractError

__all__ = ["DelimitedTable", "comma_number", "delimited_table"]

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", ""),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
_SEPARATORS = {",": "','", ";": "';'", "\t": "tabs", "|": "'|'"}
_SAMPLED_ROWS = 50
_SAMPLED_CHARACTERS = 500_000
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\r?\n', re.IGNORECASE)
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_NEXT = "save the table as CSV (UTF-8) or Parquet"
_MISSING_WORDS = ["", "NA", "N/A", "NaN", "nan", "?", "-", "NULL", "null"]
_COMMA_OR_WHOLE = r"^[+-]?(?:\d+(?:,\d+)?|,\d+)(?:[eE][+-]?\d+)?$"
_POINT_OR_WHOLE = r"^[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?$"
_GROUPED = r"^[+-]?[1-9]\d{0,2},\d{3}$"
"""A decimal number with three decimals, or a whole one with its thousands apart."""


@dataclass(frozen=True)
class DelimitedTable:
    """The cells of a delimited text."""

    frame: pl.DataFrame
    lines: Sequence[int] | None
    """The line of each row; None where the header is line 1 and each row one line."""
    has_decimal_commas: bool
    notes: tuple[str, ...]
    """How it was read, where that is not what its name says."""


def delimited_table(content: bytes, file: str, separator: str) -> DelimitedTable:
    """Return the table in a delimited text.

    Parameters
    ----------
    content : bytes
        The text.
    file : str
        Its name, for faults.
    separator : str
        What stands between cells by the file's name; another one is recognised where it alone gives every row as
        many cells as the header.

    Raises
    ------
    ContractError
        Where the content is no text, empty, or no table.
    """
    text, notes = _decoded(content, file)
    if not text.strip():
        raise _fault("the file is empty", file, "save the table with one header line and a row for each patient")
    first_line = 1
    if named := _SEPARATOR_LINE.match(text):
        text, first_line, found = text[named.end() :], 2, named[1]
    else:
        found = _separator(text, separator)
    if found != separator:
        notes += (f"cells are separated by {_SEPARATORS.get(found, repr(found))}",)
    # Before any cell is an object of its own; a separator within quotes counts here, which a table of this size bears.
    rows = text.count("\n") - text.endswith("\n")
    refuse_many_cells(file, rows, text.count(found) // (rows + 1) + 1)
    header = _header(text, found, file, first_line)
    refuse_many_cells(file, rows, len(header))
    starts, widths = _records(text, found, file, first_line)
    _refuse_ragged(file, len(header), starts, widths)
    if len(starts) < 2:
        raise _fault("the table has no rows, only a header", f"{file}:{first_line}", "add a row for each patient")
    frame = _frame(text, found, header, len(starts) - 1)
    commas = _has_decimal_commas(frame) if re.search(r"\d,\d", text) and (found != "," or '"' in text) else False
    if commas:
        notes += ("decimal commas are read as decimal points",)
    is_plain = first_line == 1 and '"' not in text
    return DelimitedTable(frame, None if is_plain else starts[1:], commas, notes)


def comma_number(cell: str) -> str | None:
    """Return what is to be known of a cell that would be a number but for its comma, None for any other cell."""
    if not re.fullmatch(_COMMA_OR_WHOLE, cell) or "," not in cell:
        return None
    if re.fullmatch(_GROUPED, cell):
        return "its comma may separate decimals or thousands; write a decimal point, and thousands together"
    return "its comma may separate decimals, and other numbers of the table have points; write points throughout"


def _fault(message: str, where: str, hint: str) -> ContractError:
    return ContractError(message, where=where, hint=f"{hint}; nothing was written")


def _decoded(content: bytes, file: str) -> tuple[str, tuple[str, ...]]:
    mark = next((each for each in _MARKS if content.startswith(each[0])), None)
    _, encoding, name = mark or (b"", "utf-8", "")
    if not name and b"\0" in content:
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise _fault(
            "the file has NUL bytes: it is no text, or UTF-16 without a byte-order mark",
            f"{file}:{line}",
            "save it as UTF-8 text",
        )
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        if re.search(rb"[\x01-\x08\x0e-\x1f]", content[:10_000]):
            raise _fault("the file is no text, and no table of a known kind", file, _NEXT) from error
        start = max(content.rfind(b"\n", 0, error.start) + 1, error.start - 10)
        cell = re.split(rb"[,;\t|\r\n]", content[error.start :], maxsplit=1)[0][:20]
        shown = re.split(r"[,;\t|]", (content[start : error.start] + cell).decode("cp1252", "replace"))[-1]
        raise _fault(
            f"not UTF-8 text: byte 0x{content[error.start]:02x}, which in Windows-1252 (Latin-1) would read '{shown}'",
            f"{file}:{line}",
            f"iconv -f WINDOWS-1252 -t UTF-8 '{file}' > NEW.csv where it is that, or save it as UTF-8",
        ) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise _fault("the file has NUL characters: it is no table", f"{file}:{line}", "save it as UTF-8 text")
    return text, ((f"the text is {name}",) if name else ())


def _separator(text: str, default: str) -> str:
    """Return what separates the cells: the default, or else what gives each row as many cells as the header."""
    sample = text[:_SAMPLED_CHARACTERS]
    widths: dict[str, list[int]] = {}
    for each in (default, *(other for other in _SEPARATORS if other != default)):
        records = _sampled(sample, each)
        # The sample's last record may be cut.
        whole = records[:-1] if len(sample) < len(text) and len(records) > 1 else records
        widths[each] = [len(record) for record in whole if record] or [0]
    fitting = [each for each, counts in widths.items() if counts[0] > 1 and len(set(counts)) == 1]
    if default in fitting:
        return default
    if fitting:
        return max(fitting, key=lambda each: widths[each][0])
    if widths[default][0] > 1:
        return default
    return max(widths, key=lambda each: widths[each][0])


def _lines(text: str) -> Iterator[str]:
    """Yield a text's lines with their breaks; StringIO would take four bytes a character."""
    return (match[0] for match in _LINE.finditer(text))


def _sampled(sample: str, separator: str) -> list[list[str]]:
    try:
        return list(islice(csv.reader(_lines(sample), delimiter=separator), _SAMPLED_ROWS))
    except csv.Error:  # a cell longer than any is: of 20,000 columns the header is one, with another separator
        return []


def _header(text: str, separator: str, file: str, line: int) -> list[str]:
    # The header is read here: polars renames a column that stands twice, and leaves quotes in quoted names.
    try:
        header = [each.strip() for each in next(csv.reader(_lines(text), delimiter=separator), [])]
    except csv.Error as error:
        raise _unreadable(error, f"{file}:{line}") from error
    if twice := next((each for each, number in Counter(header).items() if each and number > 1), None):
        raise _fault(f"column '{twice}' stands twice in the header", f"{file}:{line}", "name each column once")
    return [each or f"(column {number}, without a name)" for number, each in enumerate(header, start=1)]


def _unreadable(error: csv.Error, where: str) -> ContractError:
    words = str(error)
    if "field limit" in words:
        words = f"a cell has more than {csv.field_size_limit():,} characters"
        return _fault(words, where, "shorten it, or close the quote that it begins with")
    message = "a cell's quote is not closed" if "unexpected end" in words else f"cannot be read: {words}"
    return _fault(message, where, 'close it, or write a quote within a quoted cell as ""')


def _records(text: str, separator: str, file: str, first_line: int) -> tuple[Sequence[int], Sequence[int]]:
    """Return the line on which each record begins, the header's first, and how many cells it has.

    A quoted cell may hold line breaks, which makes its row several lines long.
    """
    records = csv.reader(_lines(text), delimiter=separator, strict=True)
    starts, widths = array("q"), array("q")
    line = 1
    try:
        for record in records:
            starts.append(first_line - 1 + line)
            widths.append(len(record))
            line = records.line_num + 1
    except csv.Error as error:
        raise _unreadable(error, f"{file}:{first_line - 1 + line}") from error
    while len(widths) > 1 and not widths[-1]:  # blank lines at the end
        starts.pop()
        widths.pop()
    return starts, widths


def _refuse_ragged(file: str, columns: int, starts: Sequence[int], widths: Sequence[int]) -> None:
    wrong = [at for at, width in enumerate(widths) if width not in (0, columns)]
    if not wrong:
        return
    if len(wrong) == len(widths) - 1 and all(widths[at] == columns + 1 for at in wrong):
        raise _fault(
            f"every row has {columns + 1} cells and the header {columns}: it lacks a name, as for R's row names",
            f"{file}:{starts[0]}",
            "give every column a name",
        )
    more = f" ({len(wrong) - 1} more such rows)" if len(wrong) > 1 else ""
    cells = widths[wrong[0]]
    raise _fault(
        f"the row has {cells} cell{'s' if cells > 1 else ''}, the header {columns}{more}",
        f"{file}:{starts[wrong[0]]}",
        "give the row as many cells as the header, and put a cell that holds the separator in quotes",
    )


def _frame(text: str, separator: str, header: Sequence[str], rows: int) -> pl.DataFrame:
    try:
        frame = pl.read_csv(text.encode(), separator=separator, infer_schema=False)
        if frame.height == rows:
            return frame.rename(dict(zip(frame.columns, header, strict=True)))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError):
        pass
    # The two readers differ, as on quotes within a cell: the one that counted the rows decides.
    records = list(islice(csv.reader(_lines(text), delimiter=separator), 1, rows + 1))
    columns = {name: [record[at] if at < len(record) else None for record in records] for at, name in enumerate(header)}
    return pl.DataFrame(columns, schema=dict.fromkeys(header, pl.String))


def _has_decimal_commas(frame: pl.DataFrame) -> bool:
    """Return whether the table's numbers have decimal commas: some surely do, and none has a decimal point."""
    is_sure = False
    for series in frame:
        cells = series.str.strip_chars()
        cells = cells.filter(cells.is_not_null() & ~cells.is_in(_MISSING_WORDS))
        if cells.is_empty():
            continue
        if cells.str.contains(_COMMA_OR_WHOLE).all():
            with_comma = cells.filter(cells.str.contains(",", literal=True))
            is_sure |= not with_comma.str.contains(_GROUPED).all()
        elif cells.str.contains(_POINT_OR_WHOLE).all():
            return False
    return is_sure
