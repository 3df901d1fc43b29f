"""Criteria of inclusion and exclusion: what each asks of a patient, by a column of the cohort table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from schemas.shown_text import control_character
from schemas.written.levels import level_of
from schemas.written.values import Written

__all__ = ["Condition", "Criterion", "CriterionName", "criteria_faults"]

_LONGEST = 100_000
"""Days: no patient is older."""


def _plain_words(name: str) -> str:
    if fault := control_character(name):
        raise ValueError(f"it has {fault}")
    return name


CriterionName = Annotated[
    str, StringConstraints(min_length=1, max_length=120, strip_whitespace=True), AfterValidator(_plain_words)
]
"""What the flow chart says, such as ``no prior treatment``."""

Bound = Annotated[float, Field(allow_inf_nan=False)]


def _days(window: tuple[int, int]) -> tuple[int, int]:
    first, last = window
    if first > last:
        raise ValueError(f"the days {list(window)} are upside down: the earlier day comes first, as in [-14, 0]")
    if not -_LONGEST <= first <= last <= _LONGEST:
        raise ValueError(f"the days {list(window)} are more than {_LONGEST} from the reference date")
    return window


class Condition(Written):
    """What a column of the cohort table is asked: exactly one thing."""

    column: str
    equals: str | None = None
    """The cell is this level; ``1.0`` stands for ``1``."""
    one_of: Annotated[tuple[str, ...], Field(min_length=1, max_length=1_000)] | None = None
    """The cell is one of these levels."""
    above: Bound | None = None
    """The cell is a number larger than this one."""
    below: Bound | None = None
    """The cell is a number smaller than this one."""
    missing: Literal[True] | None = None
    """The cell is empty, or one of ``[cohort] missing``."""
    days_from_reference: Annotated[tuple[int, int], AfterValidator(_days)] | None = None
    """The cell is a date of one of these days relative to the reference date, both ends included."""

    @model_validator(mode="after")
    def _asks_one_thing(self) -> Self:
        if len(self._asked()) != 1:
            raise ValueError("give exactly one of equals, one_of, above, below, missing and days_from_reference")
        return self

    def _asked(self) -> list[str]:
        asked = (name for name in type(self).model_fields if name != "column")
        return [name for name in asked if getattr(self, name) is not None]

    @property
    def kind(self) -> str:
        """Return which key it gives."""
        return self._asked()[0]

    @property
    def levels(self) -> tuple[str, ...]:
        """Return the levels that it names, none where it compares a number or a date."""
        return self.one_of or (() if self.equals is None else (self.equals,))

    def holds_of_level(self, cell: str) -> bool:
        """Return whether a cell that is not empty is one of the levels."""
        return level_of(cell, self.levels) is not None

    def holds_of_number(self, value: float) -> bool:
        """Return whether a number lies beyond the bound; one at it does not."""
        if self.above is not None:
            return value > self.above
        return self.below is not None and value < self.below

    def holds_of_day(self, day: int) -> bool:
        """Return whether a day relative to the reference date is one of those asked for."""
        window = self.days_from_reference
        return window is not None and window[0] <= day <= window[1]


class Criterion(Written):
    """One step of the flow chart: who does not meet it is excluded, and is asked no later one."""

    name: CriterionName
    include: Condition | None = None
    """Of whom this does not hold is excluded."""
    exclude: Condition | None = None
    """Of whom this holds is excluded."""
    missing: Literal["keep", "exclude"] | None = None
    """What becomes of a patient whose cell is empty; where absent, such a cell is a fault of the table."""

    @model_validator(mode="after")
    def _says_what_becomes_of_whom(self) -> Self:
        if (self.include is None) == (self.exclude is None):
            raise ValueError("give exactly one of include and exclude")
        if self.condition.missing is not None and self.missing is not None:
            raise ValueError(f"it asks whether the cell is empty: leave out missing = '{self.missing}'")
        return self

    @property
    def condition(self) -> Condition:
        """Return what it asks."""
        condition = self.include or self.exclude
        if condition is None:
            raise AssertionError("validated above")
        return condition

    @property
    def key(self) -> Literal["include", "exclude"]:
        """Return under which key the condition stands."""
        return "exclude" if self.include is None else "include"

    def excludes(self, *, holds: bool) -> bool:
        """Return whether a patient of whom the condition holds, or does not, is excluded."""
        return holds == (self.include is None)


class CriterionFault(NamedTuple):
    """What is wrong with a criterion among the others, and where in the study file."""

    message: str
    path: tuple[str | int, ...]


def criteria_faults(criteria: Sequence[Criterion], *, has_reference: bool) -> Iterator[CriterionFault]:
    """Yield what is wrong with criteria beside one another.

    Parameters
    ----------
    criteria : sequence of Criterion
        In their order.
    has_reference : bool
        The cohort has reference dates.
    """
    names = [each.name for each in criteria]
    for position, each in enumerate(criteria):
        if each.name in names[:position]:
            yield CriterionFault(f"two criteria are called '{each.name}'", ("criteria", position, "name"))
        if each.condition.days_from_reference is not None and not has_reference:
            message = "days_from_reference needs reference_date or exam_date under [cohort]"
            yield CriterionFault(message, ("criteria", position, each.key, "days_from_reference"))
