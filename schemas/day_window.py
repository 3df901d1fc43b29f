"""Windows of days before a study's reference date."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from pydantic import AfterValidator

__all__ = ["DayWindow", "WrittenWindow", "days"]


class DayWindow(NamedTuple):
    """Days relative to a reference date, both ends included; days before it are negative."""

    first: int | None = None
    """None: as long ago as may be."""
    last: int = 0

    def __contains__(self, day: object) -> bool:
        """Return whether a day lies in the window."""
        return isinstance(day, int) and (self.first is None or self.first <= day) and day <= self.last

    def __str__(self) -> str:
        if self.first is None:
            return "up to the reference date" if self.last == 0 else f"up to {days(-self.last)} before"
        return days(-self.first) if self.last == 0 else f"{-self.first} to {days(-self.last)} before"


def days(number: int) -> str:
    """Return a number of days in words."""
    return f"{number} day" if number == 1 else f"{number} days"


_LONGEST = 100_000
"""Days: no value is older than a patient."""


def _in_the_past(window: tuple[int, int]) -> tuple[int, int]:
    first, last = window
    if first < -_LONGEST:
        raise ValueError(f"the window {list(window)} begins more than {_LONGEST} days before the reference date")
    if first > last:
        raise ValueError(f"the window {list(window)} is upside down: the earlier day comes first, as in [-30, 0]")
    if last > 0:
        raise ValueError(
            f"the window {list(window)} ends after the reference date: what is known later would be a leak; "
            "days before it are negative, as in [-30, 0]"
        )
    return window


WrittenWindow = Annotated[tuple[int, int], AfterValidator(_in_the_past)]
"""A window as a study file writes it: the first and the last day."""
