"""Expectations: one rule each of what must hold of a study's data, and a policy for where it does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from schemas.clinical import ClinicalVariable
from schemas.keys import Name
from schemas.shown_text import control_character
from schemas.written.values import Written

__all__ = ["COUNTED_COLUMNS", "Expectation", "ExpectationFault", "Policy", "expectation_faults"]

Policy = Literal["refuse", "quarantine", "warn"]
"""``refuse``: nothing lands. ``quarantine``: no model reads whom the rows name. ``warn``: it is said."""

COUNTED_COLUMNS = ("manufacturer", "scanner_model", "field_strength_t", "kernel")
"""What patients can be counted by besides variables that have levels: columns of the view ``acquisitions``."""

_KINDS = ("sql", "variable", "count", "grey_levels", "spacing_mm", "same_spacing", "volume_ratio", "duplicates")
_OF_WHOLE_STUDIES = ("count", "missing")

Bound = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]


def _one_line(text: str) -> str:
    if fault := control_character(text):
        raise ValueError(f"it has {fault}")
    return text


def _ascending(ends: tuple[float, float]) -> tuple[float, float]:
    if not ends[0] <= ends[1]:
        raise ValueError(f"{list(ends)} is upside down: the lower end comes first")
    return ends


class Expectation(Written):
    """What must hold: exactly one of ``sql``, ``variable``, ``count`` and the rules for images."""

    policy: Policy = "warn"
    description: Annotated[str, StringConstraints(max_length=300), AfterValidator(_one_line)] = ""
    """Why it is expected, in words."""
    sql: Annotated[str, StringConstraints(min_length=1, max_length=20_000)] | None = None
    """A question of which each row breaks the rule; ``$study`` stands for the study's id."""
    variable: Name | None = None
    """A clinical variable, with ``low`` or ``high`` or both, or with ``missing``."""
    low: Bound | None = None
    high: Bound | None = None
    missing: Share | None = None
    """The largest share of the study's patients who may lack a value that models may read."""
    count: Name | None = None
    """What the study's patients are counted by: a variable with levels, or how images were acquired."""
    at_least: Annotated[int, Field(ge=1)] | None = None
    """Patients of each level."""
    grey_levels: Annotated[int, Field(ge=2, le=65_536)] | None = None
    """Different intensities that the image has inside each mask, at the least."""
    spacing_mm: Annotated[tuple[Bound, Bound], AfterValidator(_ascending)] | None = None
    """Between which sizes a voxel of each image lies along each axis, both ends included."""
    same_spacing: Annotated[float, Field(gt=0, lt=1)] | None = None
    """By which share the spacing of an image may differ, on any axis, from the median of its phase."""
    volume_ratio: Annotated[float, Field(gt=1, allow_inf_nan=False)] | None = None
    """By how much a lesion's volume may differ from the median of the exam's other phases, up or down."""
    duplicates: Literal["images", "masks"] | None = None
    """No two patients have the same image, or mask, by its content."""

    declared_later: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="after")
    def _is_one_rule(self) -> Self:
        given = [name for name in _KINDS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(_KINDS[:-1])} and {_KINDS[-1]}")
        is_range = self.low is not None or self.high is not None
        if given[0] != "variable" and (is_range or self.missing is not None):
            raise ValueError("low, high and missing belong to variable")
        if given[0] == "variable" and is_range == (self.missing is not None):
            raise ValueError("of a variable give low or high or both, or missing; two rules are two expectations")
        if self.low is not None and self.high is not None and self.low > self.high:
            raise ValueError(f"low = {self.low:g} is above high = {self.high:g}")
        if (given[0] == "count") != (self.at_least is not None):
            raise ValueError("count and at_least belong together")
        if self.policy == "quarantine" and self.kind in _OF_WHOLE_STUDIES:
            raise ValueError(f"'{self.kind}' is a matter of the whole study and names nobody: refuse, or warn")
        return self

    @property
    def kind(self) -> str:
        """Return which rule it is: the key that gives it; of a variable ``range`` or ``missing``."""
        if self.variable is not None:
            return "range" if self.missing is None else "missing"
        return next(name for name in _KINDS if getattr(self, name) is not None)


class ExpectationFault(NamedTuple):
    """What an expectation names that the study does not have."""

    message: str
    path: tuple[str, ...]
    """The key's place in the study file."""


def expectation_faults(
    expectations: Mapping[str, Expectation], variables: Mapping[str, ClinicalVariable]
) -> Iterator[ExpectationFault]:
    """Yield what is wrong with the variables that expectations name.

    Parameters
    ----------
    expectations : mapping of str to Expectation
        By name.
    variables : mapping of str to ClinicalVariable
        The study's, findings among them.
    """
    for name, each in expectations.items():
        at = ("expectations", name)
        if each.variable is not None:
            variable = variables.get(each.variable)
            if variable is None:
                yield ExpectationFault(f"'{each.variable}' is no variable of [clinical]", (*at, "variable"))
            elif each.kind == "range" and variable.kind == "category":
                message = f"'{each.variable}' is a category and has no range: its levels are checked at ingest"
                yield ExpectationFault(message, (*at, "variable"))
        if each.count is not None and each.count not in COUNTED_COLUMNS:
            counted = variables.get(each.count)
            if counted is None or counted.kind == "number":
                columns = ", ".join(COUNTED_COLUMNS)
                message = f"patients are counted by a variable with levels or by {columns}; '{each.count}' is neither"
                yield ExpectationFault(message, (*at, "count"))
