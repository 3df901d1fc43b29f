"""Dates as tables write them: a day, or what another notation looks like. Nothing is guessed."""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import cache
from typing import Final, Literal, get_args

__all__ = ["DATE_ORDERS", "DateOrder", "written_day"]

DateOrder = Literal[
    "YYYY-MM-DD",
    "DD.MM.YYYY",
    "DD/MM/YYYY",
    "MM/DD/YYYY",
    "DD-MM-YYYY",
    "MM-DD-YYYY",
    "YYYY/MM/DD",
    "YYYY.MM.DD",
]
"""The order of day, month and year, and what stands between them."""

DATE_ORDERS: Final[tuple[DateOrder, ...]] = get_args(DateOrder)

_MIDNIGHT = re.compile(
    r"(?P<day>\d{4}-?\d{2}-?\d{2})[T ]00:?00(?::?00(?:[.,]0+)?)?"
    r"\s*(?:Z|[A-Z]{3,5}|[+-]\d{2}(?::?\d{2})?|[A-Za-z]+/[A-Za-z_]+)?"
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}")
_TIME_OF_DAY = re.compile(r"\d{4}-?\d{2}-?\d{2}[T ]\d{1,2}:?\d{2}.*")
_DAY_NUMBER = re.compile(r"[2-5]\d{4}(?:\.\d+)?")
_SPREADSHEET_EPOCH = date(1899, 12, 30)
_MIDNIGHT_BEHIND = r"(?: +(?:0?0:00(?::00(?:\.0+)?)?|12:00(?::00)? ?[Aa][Mm]))?"
"""As spreadsheets and databases write a day that they hold as a moment."""
_SHORT_YEAR = re.compile(r"\d{1,2}[./-]\s?\d{1,2}[./-]\s?\d{2}(?: .*)?")
_NATIONAL = re.compile(r"\d{1,4}(?P<mark>[./-])\s?\d{1,2}(?P=mark)\s?\d{1,4}(?P<time> .*)?")
_SHAPES = (
    (re.compile(r"\d{4}-\d{1,2}-\d{1,2}"), "month and day have two digits each"),
    (re.compile(r"\d{4}(?:-\d{2})?"), "it is no single day"),
    (re.compile(r"\d{10}(?:\d{3})?(?:\.0+)?"), "it looks like seconds or milliseconds since 1970"),
    (re.compile(r"\d{1,2}[- ]?[A-Za-z]{3,9}\.?[- ,]*\d{2,4}"), "it writes the month as a word"),
    (re.compile(r"(?i)na|nat|n/a|nan|none|null|unknown|-+|\?+"), "where it means 'not given', list it under 'missing'"),
)


def written_day(cell: str, order: DateOrder | None = None) -> str:
    """Return the day that a cell writes, as YYYY-MM-DD.

    A day is ``YYYY-MM-DD`` or ``YYYYMMDD``, or written in the order that the study file declares, where day and month
    may have one digit; midnight of a day is that day, with or without a time zone. A time of day is refused, for in
    another time zone it may be of another day, and so is every other notation.

    Parameters
    ----------
    cell : str
        The cell, without blanks at its ends.
    order : DateOrder, optional
        What the study file declares.

    Raises
    ------
    ValueError
        With what the cell looks like, and the key that would declare it.

    Examples
    --------
    >>> written_day("2020-01-01 00:00:00")
    '2020-01-01'
    >>> written_day("1.2.2020", "DD.MM.YYYY")
    '2020-02-01'
    """
    if order is not None and (found := _shape(order).fullmatch(cell)):
        try:
            return date(*(int(found[part]) for part in ("Y", "M", "D"))).isoformat()
        except ValueError:
            raise ValueError(f"'{cell}' is no date ({order}): the calendar has no such day") from None
    midnight = _MIDNIGHT.fullmatch(cell)
    day = midnight["day"] if midnight else re.sub(r"^(\d{8})\.0+$", r"\1", cell)
    try:
        # Python reads weeks (2020-W01-1) as well.
        if _DAY.fullmatch(day):
            return date.fromisoformat(day).isoformat()
    except ValueError:
        pass
    asked = order if order is not None and order != "YYYY-MM-DD" else "YYYY-MM-DD"
    raise ValueError(f"'{cell}' is no date ({asked}){_looks_like(cell, order)}")


@cache
def _shape(order: DateOrder) -> re.Pattern[str]:
    mark = re.search(r"[./-]", order)
    between = re.escape(mark[0] if mark else "-") + r"\s?"
    parts = [rf"(?P<{part[0]}>[0-9]{{{'4' if part[0] == 'Y' else '1,2'}}})" for part in re.split(r"[./-]", order)]
    return re.compile(between.join(parts) + _MIDNIGHT_BEHIND)


def _looks_like(cell: str, declared: DateOrder | None) -> str:
    if re.fullmatch(r"\d{4}-\d{2}-\d{2}", cell):
        return ": the calendar has no such day"
    if _TIME_OF_DAY.fullmatch(cell):
        return ": it has a time of day; write the day alone"
    if _DAY_NUMBER.fullmatch(cell):
        day = _SPREADSHEET_EPOCH + timedelta(days=float(cell))
        return f": it looks like a spreadsheet's day number, which would be {day}; save the column as YYYY-MM-DD"
    if words := _national(cell, declared):
        return f": {words}"
    for shape, words in _SHAPES:
        if shape.fullmatch(cell):
            return f": {words}"
    return ""


def _national(cell: str, declared: DateOrder | None) -> str | None:
    """Return what is to be known of a day in the order of a country, None of any other cell."""
    if _SHORT_YEAR.fullmatch(cell):
        return "its year has two digits; write all four"
    national = _NATIONAL.fullmatch(cell)
    if national is None:
        return None
    day = cell[: national.start("time")] if national["time"] else cell
    orders = [each for each in DATE_ORDERS if each != "YYYY-MM-DD" and _shape(each).fullmatch(day)]
    possible = [each for each in orders if _is_day(day, each)]
    if not orders:
        return None
    if not possible:
        return "the calendar has no such day, whichever part is the month"
    if national["time"] and not any(_shape(each).fullmatch(cell) for each in possible):
        return "it has a time of day; write the day alone"
    if declared is not None:
        return f'it looks like {" or ".join(possible)}, and the study file says dates = "{declared}" for this table'
    keys = " or ".join(f'dates = "{each}"' for each in possible)
    doubt = "does not tell whether the day or the month is first" if len(possible) > 1 else f"looks like {possible[0]}"
    return f"it {doubt}; where days are written so, say it beside 'table' in the study file: {keys}"


def _is_day(cell: str, order: DateOrder) -> bool:
    try:
        written_day(cell, order)
    except ValueError:
        return False
    return True
