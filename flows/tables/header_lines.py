"""Which lines of a text are the table: from the header that the study file declares, or the first line, on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from schemas.errors import ContractError
from schemas.header_row import HeaderRowError
from schemas.shown_text import shown_text
from schemas.written.table_form import TableForm

__all__ = ["Body", "skipped_note", "table_body", "text_lines", "unnamed"]

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_WITHOUT_CELLS = re.compile(r'[\s,;|"]*')
_LOOKED_AT = 50
_SHOWN = 80


@dataclass(frozen=True)
class Body:
    """The header and the rows of a text."""

    text: str
    line: int
    """The line of the header."""
    header_lines: int = 1
    gap: int = 0
    """Lines between the header and the first row that are not in the text."""
    notes: tuple[str, ...] = ()
    """What was not read."""

    def line_of(self, at: int) -> int:
        """Return the line of the file that a line of the text is, counted from 1."""
        return self.line - 1 + at + (self.gap if at > self.header_lines else 0)


def unnamed(number: int) -> str:
    """Return what stands for the name of a column that has none, the first one being 1."""
    return f"(column {number}, without a name)"


def text_lines(text: str) -> Iterator[str]:
    """Yield a text's lines with their breaks; StringIO would take four bytes a character."""
    return (match[0] for match in _LINE.finditer(text))


def table_body(text: str, file: str, form: TableForm, line: int) -> Body:
    """Return the table's part of a text.

    Parameters
    ----------
    text : str
        The text.
    file : str
        Its name, for faults.
    form : TableForm
        What the study file says: ``header_row`` and ``first_row``.
    line : int
        The line on which the text begins.

    Raises
    ------
    ContractError
        Where the first line has no cells and no other is declared, or the one that is declared is not there.
    """
    notes: tuple[str, ...] = ()
    if form.header_row is not None and form.header_row != line:
        if form.header_row < line:
            raise _fault(f"line {form.header_row} is no header: it names the separator", f"{file}:{line}")
        above = list(islice(text_lines(text), form.header_row - line))
        text = text[sum(map(len, above)) :]
        if not text:
            raise _fault(f"header_row is {form.header_row}, and the last line is {line + len(above) - 1}", file)
        notes += skipped_note([*enumerate(above, start=line)], "above the header")
        line = form.header_row
    head = _record(text)
    if _WITHOUT_CELLS.fullmatch(head):
        below = enumerate(islice(text_lines(text), _LOOKED_AT), start=line)
        named = next((at for at, each in below if not _WITHOUT_CELLS.fullmatch(each)), None)
        raise HeaderRowError(
            f"line {line} has no names of columns, it is blank",
            where=f"{file}:{line}",
            hint=f"delete it, or say which line is the header beside table in the study file, header_row = {named}; "
            "nothing was written",
            header_row=named,
        )
    header_lines = sum(1 for _ in text_lines(head))
    if form.first_row is None or form.first_row == line + header_lines:
        return Body(text, line, header_lines, 0, notes)
    if form.first_row < line + header_lines:
        raise _fault(f"first_row is {form.first_row}, and the header ends on line {line + header_lines - 1}", file)
    gap = form.first_row - line - header_lines
    left_out = list(islice(text_lines(text[len(head) :]), gap))
    if len(left_out) < gap:
        raise _fault(
            f"first_row is {form.first_row}, and the last line is {line + header_lines - 1 + len(left_out)}", file
        )
    notes += skipped_note([*enumerate(left_out, start=line + header_lines)], "between header and first row")
    return Body(head + text[len(head) + sum(map(len, left_out)) :], line, header_lines, gap, notes)


def skipped_note(lines: Sequence[tuple[int, str]], where: str) -> tuple[str, ...]:
    """Return the note of lines or rows that are not read, with the first words of them."""
    if not lines:
        return ()
    words = " / ".join(" ".join(text.split()) or "(blank)" for _, text in lines)
    one = len(lines) == 1
    named = f"row {lines[0][0]}" if one else f"rows {lines[0][0]} to {lines[-1][0]}"
    return (f"{named} {where} {'is' if one else 'are'} not read: {shown_text(words, _SHOWN)}",)


def _record(text: str) -> str:
    """Return the first record of a text: as many lines as it takes to close every quote."""
    end, quotes = 0, 0
    for match in _LINE.finditer(text):
        end = match.end()
        quotes += match[0].count('"')
        if quotes % 2 == 0:
            break
    return text[:end] if quotes % 2 == 0 else next(text_lines(text), "")


def _fault(message: str, where: str) -> ContractError:
    return ContractError(
        message, where=where, hint="correct header_row or first_row in the study file; nothing was written"
    )
