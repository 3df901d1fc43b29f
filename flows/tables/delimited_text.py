"""Delimited text as a table: its encoding, what separates its cells, how it writes decimals, and its faults by line."""

from __future__ import annotations

import csv
import re
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import polars as pl

from flows.tables.content import refuse_many_cells
from flows.tables.encoded_text import decoded_text
from flows.tables.header_lines import Body, table_body, text_lines, unnamed
from schemas.errors import ContractError
from schemas.header_row import HeaderRowError
from schemas.written.numbers import NumberForm
from schemas.written.table_form import TableForm

__all__ = ["DelimitedTable", "delimited_table"]

_SEPARATORS = {",": "','", ";": "';'", "\t": "tabs", "|": "'|'"}
_AS_FOUND = TableForm()
_MOST_ABOVE = 20
"""Lines of titles that a header may stand below, to be offered."""
_FEWEST_ALIKE = 2
_SAMPLED_ROWS = 50
_SAMPLED_CHARACTERS = 500_000
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\r?\n', re.IGNORECASE)
_MISSING_WORDS = ["", "NA", "N/A", "NaN", "nan", "?", "-", "NULL", "null"]
_COMMA_OR_WHOLE = r"^[+-]?(?:\d+(?:,\d+)?|,\d+)(?:[eE][+-]?\d+)?$"
_POINT_OR_WHOLE = r"^[+-]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?$"
_GROUPED = r"^[+-]?[1-9]\d{0,2},\d{3}$"
_GROUPED_BY_POINTS = r"^[+-]?[1-9]\d{0,2}(?:\.\d{3})+$"
"""A decimal number with three decimals, or a whole one with its thousands apart."""


@dataclass(frozen=True)
class DelimitedTable:
    """The cells of a delimited text."""

    frame: pl.DataFrame
    lines: Sequence[int] | None
    """The line of each row; None where the header is line 1 and each row one line."""
    numbers: NumberForm
    """How its numbers are written."""
    notes: tuple[str, ...]
    """How it was read, where that is not what its name says."""
    header: int
    """The line of the header."""


def delimited_table(
    content: bytes, file: str, separator: str, form: TableForm = _AS_FOUND, line: int = 1
) -> DelimitedTable:
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
    form : TableForm
        What the study file says about it.
    line : int
        The line on which the text begins, of what was written from something else.

    Raises
    ------
    ContractError
        Where the content is no text, empty, or no table, or is not what the study file says.
    """
    text, notes = decoded_text(content, file, form.encoding)
    if not text.strip():
        raise _fault("the file is empty", file, "save the table with one header line and a row for each patient")
    named = _SEPARATOR_LINE.match(text)
    body = table_body(text[named.end() :] if named else text, file, form, line + 1 if named else line)
    text = body.text
    notes += body.notes
    found = named[1] if named else _separator(text, separator)
    if found != separator:
        notes += (f"cells are separated by {_SEPARATORS.get(found, repr(found))}",)
    # Before any cell is an object of its own; a separator within quotes counts here, which a table of this size bears.
    rows = text.count("\n") - text.endswith("\n")
    refuse_many_cells(file, rows, text.count(found) // (rows + 1) + 1)
    header = _header(body, found, file)
    refuse_many_cells(file, rows, len(header))
    starts, widths = _records(body, found, file)
    _refuse_ragged(body, file, len(header), starts, widths)
    if len(starts) < 2:
        raise _fault("the table has no rows, only a header", f"{file}:{body.line}", "add a row for each patient")
    frame = _frame(text, found, header, len(starts) - 1)
    numbers = _numbers(form, frame, text, found, file)
    if numbers.decimal == "," and not numbers.is_declared:
        notes += ("decimal commas are read as decimal points",)
    is_plain = body.line_of(2) == 2 and '"' not in text
    return DelimitedTable(frame, None if is_plain else starts[1:], numbers, notes, body.line)


def _numbers(form: TableForm, frame: pl.DataFrame, text: str, separator: str, file: str) -> NumberForm:
    if form.decimal is not None:
        return NumberForm(form.decimal, form.thousands, is_declared=True)
    may_have_commas = re.search(r"\d,\d", text) and (separator != "," or '"' in text)
    return NumberForm("," if may_have_commas and _has_decimal_commas(frame, file) else ".")


def _fault(message: str, where: str, hint: str) -> ContractError:
    return ContractError(message, where=where, hint=f"{hint}; nothing was written")


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


def _sampled(sample: str, separator: str) -> list[list[str]]:
    try:
        return list(islice(csv.reader(text_lines(sample), delimiter=separator), _SAMPLED_ROWS))
    except csv.Error:  # a cell longer than any is: of 20,000 columns the header is one, with another separator
        return []


def _header(body: Body, separator: str, file: str) -> list[str]:
    line = body.line
    # The header is read here: polars renames a column that stands twice, and leaves quotes in quoted names.
    try:
        header = [each.strip() for each in next(csv.reader(text_lines(body.text), delimiter=separator), [])]
    except csv.Error as error:
        raise _unreadable(error, f"{file}:{line}") from error
    if twice := next((each for each, number in Counter(header).items() if each and number > 1), None):
        raise _fault(f"column '{twice}' stands twice in the header", f"{file}:{line}", "name each column once")
    return [each or unnamed(number) for number, each in enumerate(header, start=1)]


def _unreadable(error: csv.Error, where: str) -> ContractError:
    words = str(error)
    if "field limit" in words:
        words = f"a cell has more than {csv.field_size_limit():,} characters"
        return _fault(words, where, "shorten it, or close the quote that it begins with")
    message = "a cell's quote is not closed" if "unexpected end" in words else f"cannot be read: {words}"
    return _fault(message, where, 'close it, or write a quote within a quoted cell as ""')


def _records(body: Body, separator: str, file: str) -> tuple[Sequence[int], Sequence[int]]:
    """Return the line on which each record begins, the header's first, and how many cells it has.

    A quoted cell may hold line breaks, which makes its row several lines long.
    """
    records = csv.reader(text_lines(body.text), delimiter=separator, strict=True)
    starts, widths = array("q"), array("q")
    line = 1
    try:
        for record in records:
            starts.append(body.line_of(line))
            widths.append(len(record))
            line = records.line_num + 1
    except csv.Error as error:
        raise _unreadable(error, f"{file}:{body.line_of(line)}") from error
    while len(widths) > 1 and not widths[-1]:  # blank lines at the end
        starts.pop()
        widths.pop()
    return starts, widths


def _refuse_ragged(body: Body, file: str, columns: int, starts: Sequence[int], widths: Sequence[int]) -> None:
    wrong = [at for at, width in enumerate(widths) if width not in (0, columns)]
    if not wrong:
        return
    rows = widths[1:]
    if len(wrong) == len(rows) and all(width == columns + 1 for width in rows):
        raise _ragged(
            f"every row has {columns + 1} cells and the header {columns}: it lacks a name, as for R's row names",
            f"{file}:{starts[0]}",
            "give every column a name",
            _other_header(body),
        )
    more = f" ({len(wrong) - 1} more such rows)" if len(wrong) > 1 else ""
    cells = widths[wrong[0]]
    raise _ragged(
        f"the row has {cells} cell{'s' if cells > 1 else ''}, the header {columns}{more}",
        f"{file}:{starts[wrong[0]]}",
        "give the row as many cells as the header, and put a cell that holds the separator in quotes",
        _other_header(body) if len(wrong) * 2 > len(rows) else None,
    )


def _ragged(message: str, where: str, hint: str, header_row: int | None) -> ContractError:
    """Return the fault of rows that are not as wide as the header, with the line that may be the header."""
    if header_row is None:
        return _fault(message, where, hint)
    offered = f"; where the header is line {header_row}, say header_row = {header_row} beside table in the study file"
    return HeaderRowError(message, where=where, hint=f"{hint}{offered}; nothing was written", header_row=header_row)


def _other_header(body: Body) -> int | None:
    """Return the line below the first that may be the header: the first one that is as wide as most."""
    best, at = 0, 0
    for separator in _SEPARATORS:
        widths = [len(record) for record in _sampled(body.text[:_SAMPLED_CHARACTERS], separator)]
        usual, rows = next(iter(Counter(width for width in widths if width > 1).most_common(1)), (0, 0))
        if rows > best:
            best, at = rows, widths.index(usual)
    return None if best < _FEWEST_ALIKE or not 0 < at <= _MOST_ABOVE else body.line_of(at + 1)


def _frame(text: str, separator: str, header: Sequence[str], rows: int) -> pl.DataFrame:
    try:
        frame = pl.read_csv(text.encode(), separator=separator, infer_schema=False)
        if frame.height == rows:
            return frame.rename(dict(zip(frame.columns, header, strict=True)))
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError):
        pass
    # The two readers differ, as on quotes within a cell: the one that counted the rows decides.
    records = list(islice(csv.reader(text_lines(text), delimiter=separator), 1, rows + 1))
    columns = {name: [record[at] if at < len(record) else None for record in records] for at, name in enumerate(header)}
    return pl.DataFrame(columns, schema=dict.fromkeys(header, pl.String))


def _has_decimal_commas(frame: pl.DataFrame, file: str) -> bool:
    """Return whether the table's numbers have decimal commas: some surely do, and none has a decimal point.

    Raises
    ------
    ContractError
        Where points may be decimal points or stand between thousands: 2.864 beside 1,65 is 2864 where both are German.
    """
    commas = points = grouped = ""
    for series in frame:
        cells = series.str.strip_chars()
        cells = cells.filter(cells.is_not_null() & ~cells.is_in(_MISSING_WORDS))
        if cells.is_empty():
            continue
        if cells.str.contains(_COMMA_OR_WHOLE).all():
            with_comma = cells.filter(cells.str.contains(",", literal=True))
            commas = commas if with_comma.str.contains(_GROUPED).all() else series.name
        elif cells.str.contains(_POINT_OR_WHOLE).all():
            with_point = cells.filter(cells.str.contains(".", literal=True))
            if with_point.str.contains(_GROUPED_BY_POINTS).all():
                grouped = series.name
            else:
                points = series.name
    if commas and grouped and not points:
        raise _fault(
            f"column '{commas}' has decimal commas and column '{grouped}' points before three digits: decimals, or "
            "thousands?",
            file,
            'say it beside the table in the study file: decimal = "," and thousands = "." where they are thousands, '
            'else decimal = "."',
        )
    return bool(commas) and not (points or grouped)
