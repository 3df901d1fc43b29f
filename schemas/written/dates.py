"""Dates as tables write them: a day, or what another notation looks like. Nothing is guessed."""

from __future__ import annotations

import re
from datetime import date, timedelta

__all__ = ["iso_date"]

_MIDNIGHT = re.compile(
    r"(?P<day>\d{4}-?\d{2}-?\d{2})[T ]00:?00(?::?00(?:[.,]0+)?)?"
    r"\s*(?:Z|[A-Z]{3,5}|[+-]\d{2}(?::?\d{2})?|[A-Za-z]+/[A-Za-z_]+)?"
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}")
_TIME_OF_DAY = re.compile(r"\d{4}-?\d{2}-?\d{2}[T ]\d{1,2}:?\d{2}.*")
_DAY_NUMBER = re.compile(r"[2-5]\d{4}(?:\.\d+)?")
_SPREADSHEET_EPOCH = date(1899, 12, 30)
_SHAPES = (
    (re.compile(r"\d{1,2}\.\s?\d{1,2}\.\s?(?:\d{4}|\d{2})"), "it looks like day.month.year"),
    (re.compile(r"\d{1,2}/\d{1,2}/(?:\d{4}|\d{2})(?: .*)?"), "it does not tell whether the day or the month is first"),
    (re.compile(r"\d{1,2}-\d{1,2}-(?:\d{4}|\d{2})"), "it does not tell whether the day or the month is first"),
    (re.compile(r"\d{4}[/.]\d{1,2}[/.]\d{1,2}"), "it looks like year, month and day with other separators"),
    (re.compile(r"\d{4}-\d{1,2}-\d{1,2}"), "month and day have two digits each"),
    (re.compile(r"\d{4}(?:-\d{2})?"), "it is no single day"),
    (re.compile(r"\d{10}(?:\d{3})?(?:\.0+)?"), "it looks like seconds or milliseconds since 1970"),
    (re.compile(r"\d{1,2}[- ]?[A-Za-z]{3,9}\.?[- ,]*\d{2,4}"), "it writes the month as a word"),
    (re.compile(r"(?i)na|nat|n/a|nan|none|null|unknown|-+|\?+"), "where it means 'not given', list it under 'missing'"),
)


def iso_date(cell: str) -> str:
    """Return the day that a cell writes, as YYYY-MM-DD.

    A day is ``YYYY-MM-DD`` or ``YYYYMMDD``; midnight of a day is that day, with or without a time zone. A time of
    day is refused, for in another time zone it may be of another day, and so is every other notation.

    Parameters
    ----------
    cell : str
        The cell, without blanks at its ends.

    Raises
    ------
    ValueError
        With what the cell looks like.

    Examples
    --------
    >>> iso_date("2020-01-01 00:00:00")
    '2020-01-01'
    """
    midnight = _MIDNIGHT.fullmatch(cell)
    day = midnight["day"] if midnight else re.sub(r"^(\d{8})\.0+$", r"\1", cell)
    try:
        # Python reads weeks (2020-W01-1) as well.
        if _DAY.fullmatch(day):
            return date.fromisoformat(day).isoformat()
    except ValueError:
        pass
    raise ValueError(f"'{cell}' is no date (YYYY-MM-DD){_looks_like(cell)}")


def _looks_like(cell: str) -> str:
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", cell):
        return ": the calendar has no such day"
    if _TIME_OF_DAY.fullmatch(cell):
        return ": it has a time of day; write the day alone"
    if _DAY_NUMBER.fullmatch(cell):
        day = _SPREADSHEET_EPOCH + timedelta(days=float(cell))
        return f": it looks like a spreadsheet's day number, which would be {day}; save the column as YYYY-MM-DD"
    for shape, words in _SHAPES:
        if shape.fullmatch(cell):
            return f": {words}"
    return ""
