"""Numbers as tables write them: what stands before decimals and between thousands, declared and never guessed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

__all__ = ["NumberForm", "number_doubt", "written_number"]

_BLANKS, _APOSTROPHES = "\u00a0\u2009\u202f", "\u2019"
_MARKS = ",.'\u2019 \u00a0\u2009\u202f"
_WITH_THOUSANDS = re.compile(rf"[+-]?[1-9]\d{{0,2}}(?P<mark>[{_MARKS}])\d{{3}}(?:(?P=mark)\d{{3}})*(?P<rest>[.,]\d*)?")
_COMMA = re.compile(r"[+-]?(?:\d+,\d*|,\d+)(?:[eE][+-]?\d+)?")
_ONE_GROUP = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")


@dataclass(frozen=True)
class NumberForm:
    """How the numbers of a table are written."""

    decimal: str = "."
    thousands: str | None = None
    is_declared: bool = False
    """The study file says so."""

    @property
    def is_plain(self) -> bool:
        """Return whether numbers are written as programs write them."""
        return self.decimal == "." and self.thousands is None

    @cached_property
    def pattern(self) -> str:
        """Return the regular expression of a number, in the syntax that Python and Rust share."""
        decimal = re.escape(self.decimal)
        whole = r"\d+"
        if self.thousands is not None:
            whole = rf"(?:[1-9]\d{{0,2}}(?:{re.escape(self.thousands)}\d{{3}})+|\d+)"
        return rf"^[+-]?(?:{whole}(?:{decimal}\d*)?|{decimal}\d+)(?:[eE][+-]?\d+)?$"

    @property
    def alike(self) -> str:
        """Return the characters that count as the one between thousands: blanks that do not break, a typeset '."""
        return {" ": _BLANKS, "'": _APOSTROPHES}.get(self.thousands or "", "")

    @property
    def words(self) -> str:
        """Return the form as the study file writes it."""
        return _keys(self.decimal, self.thousands)


def written_number(cell: str, form: NumberForm) -> float:
    """Return the number that a cell writes; it may be infinite or none (NaN), where it says so.

    Parameters
    ----------
    cell : str
        The cell, without blanks at its ends.
    form : NumberForm
        How the table writes numbers.

    Raises
    ------
    ValueError
        Where it writes none in this form.

    Examples
    --------
    >>> written_number("1.234,5", NumberForm(",", "."))
    1234.5
    """
    text = cell
    if not form.is_plain and not re.fullmatch(r"(?i)[+-]?(inf|infinity|nan)", cell):
        for each in form.alike:
            text = text.replace(each, str(form.thousands))
        if not re.fullmatch(form.pattern, text):
            raise ValueError(cell)
        text = text.replace(form.thousands or "\0", "").replace(form.decimal, ".")
    # Python reads 1_000 as a thousand, and digits of all scripts.
    return float(text.replace("_", "?") if text.isascii() else "?")


def number_doubt(cell: str, form: NumberForm) -> str | None:
    """Return what is to be known of a cell that is no number in a form and would be one in another.

    Parameters
    ----------
    cell : str
        The cell, without blanks at its ends.
    form : NumberForm
        How the table writes numbers.
    """
    grouped = _WITH_THOUSANDS.fullmatch(cell)
    if grouped is None and not _COMMA.fullmatch(cell) and not (form.decimal == "," and _is_pointed(cell)):
        return None
    if form.is_declared:
        says = f"the study file says {form.words} for this table"
        if grouped is not None and form.thousands is None and grouped["mark"] != form.decimal:
            mark = _mark(grouped["mark"])
            return f'{says}; where a digit group is set apart here, add thousands = "{mark}"'
        return says
    if _ONE_GROUP.fullmatch(cell):
        if form.decimal == ",":
            return "it has a point in a table whose decimals are commas; where it separates thousands, say " + _keys(
                ",", "."
            )
        return (
            "its comma may separate decimals or thousands; say so beside 'table' in the study file: "
            f"{_keys(',', None)}, or {_keys('.', ',')}"
        )
    if grouped is not None:
        mark, rest = _mark(grouped["mark"]), (grouped["rest"] or "")[:1]
        if rest == mark:
            return None
        decimal = rest or {",": ".", ".": ","}.get(mark, form.decimal)
        return f"its thousands are set apart; say so beside 'table' in the study file: {_keys(decimal, mark)}"
    if form.decimal == ",":
        return "it has a point in a table whose decimals are commas; write one mark throughout"
    return (
        "its comma may separate decimals, and other numbers of the table have points; write points throughout, or, "
        f"where points set thousands apart, say {_keys(',', '.')}"
    )


def _is_pointed(cell: str) -> bool:
    return re.fullmatch(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?", cell) is not None


def _mark(mark: str) -> str:
    return "'" if mark == _APOSTROPHES else " " if mark in _BLANKS else mark


def _keys(decimal: str, thousands: str | None) -> str:
    return f'decimal = "{decimal}"' + (f' and thousands = "{thousands}"' if thousands is not None else "")
