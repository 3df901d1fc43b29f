"""Dates and times of a DICOM header as seconds, which are compared and never shown."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

from pydicom.dataset import Dataset

from flows.imaging.dicom.headers import text_of
from schemas.errors import ContractError

__all__ = ["are_comparable", "bolus_delay", "moment", "moment_of_text", "seconds_of_day", "zone_of_text"]

_DAY = 86_400.0
_TIME = re.compile(r"(\d\d)(?::?(\d\d)(?::?(\d\d)(\.\d{1,9})?)?)?", re.ASCII)
_DATE = re.compile(r"(\d{4})[.-]?(\d\d)[.-]?(\d\d)", re.ASCII)
_DATE_TIME = re.compile(r"(\d{8})(\d{2,6}(?:\.\d{1,6})?)([+-]\d{4})?", re.ASCII)


def moment(dataset: Dataset, event: str) -> float | None:
    """Return when something happened, None where the header does not say.

    Parameters
    ----------
    dataset : pydicom.Dataset
        A header.
    event : str
        ``Acquisition`` or ``Content``: what the elements' names begin with.

    Returns
    -------
    float or None
        Seconds since a fixed day; since midnight where the header has a time without a date.

    Raises
    ------
    ContractError
        When an element is no date or time (DICOM PS3.5, section 6.2).
    """
    if joined := text_of(dataset, f"{event}DateTime"):
        return moment_of_text(joined, f"{event}DateTime")
    if not (clock := text_of(dataset, f"{event}Time")):
        return None
    day = text_of(dataset, f"{event}Date")
    return _day(day, f"{event}Date") * _DAY + seconds_of_day(clock, f"{event}Time")


def moment_of_text(text: str, keyword: str) -> float:
    """Return the seconds since a fixed day of a date with a time, as an element of type DT has them."""
    if (found := _DATE_TIME.fullmatch(text)) is None:
        raise ContractError(f"{keyword} is no date with a time")
    return _day(found[1], keyword) * _DAY + seconds_of_day(found[2], keyword)


def zone_of_text(text: str) -> str | None:
    """Return the offset from UTC that a date with a time gives, such as ``+0100``; None where it gives none."""
    found = _DATE_TIME.fullmatch(text)
    return None if found is None else found[3]


def are_comparable(times: Iterable[float]) -> bool:
    """Return whether moments tell what was earlier.

    With dates all of them do. Without, a time after midnight would come before one of the evening: they do where all
    lie within half a day. Some with a date and some without tell nothing.
    """
    known = sorted(times)
    has_date = [time >= _DAY for time in known]
    return not known or all(has_date) or (not any(has_date) and known[-1] - known[0] < _DAY / 2)


def bolus_delay(dataset: Dataset, acquired: float | None) -> float | None:
    """Return the seconds from the contrast agent's start to the acquisition's, None where the header lacks either.

    Parameters
    ----------
    dataset : pydicom.Dataset
        A header. Its ContrastBolusStartTime has no date: the start nearest to the acquisition is meant.
    acquired : float or None
        When the acquisition began, as `moment` gives it.

    Raises
    ------
    ContractError
        When an element is no time.
    """
    started = text_of(dataset, "ContrastBolusStartTime")
    if not started or acquired is None:
        return None
    return (acquired - seconds_of_day(started, "ContrastBolusStartTime") + _DAY / 2) % _DAY - _DAY / 2


def _day(text: str, keyword: str) -> int:
    if not text:
        return 0
    if (found := _DATE.fullmatch(text)) is not None:
        try:
            return date(int(found[1]), int(found[2]), int(found[3])).toordinal()
        except ValueError:
            pass
    raise ContractError(f"{keyword} is no date")


def seconds_of_day(text: str, keyword: str) -> float:
    """Return the seconds since midnight of an element of type TM."""
    if (found := _TIME.fullmatch(text)) is None:
        raise ContractError(f"{keyword} is no time of day")
    hours, minutes, seconds = (int(each or 0) for each in found.groups()[:3])
    if hours > 23 or minutes > 59 or seconds > 60:
        raise ContractError(f"{keyword} is no time of day")
    return hours * 3600 + minutes * 60 + seconds + float(found[4] or 0)
