"""What a study's models are to tell, and who trains: the outcome and the splits of a study file."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from schemas.clinical import UcumUnit
from schemas.keys import Name
from schemas.written.levels import Levels, levels_fault
from schemas.written.values import Written

__all__ = ["BinaryOutcome", "Censoring", "ColumnSplit", "EventOutcome", "StratifiedSplit"]

Censoring = Literal["complete-cases", "weights"]
"""How models are fitted where patients are censored before the horizon: to those with a label as they are, or each with
the weight of those like them who lost theirs."""


class BinaryOutcome(Written):
    """An outcome known for every patient: 1 where the column has a level of ``positive``, 0 of ``negative``."""

    kind: Literal["binary"]
    name: Name
    column: str
    positive: Levels = "1"
    negative: Levels = "0"
    """``*`` for every level but the positive ones."""

    @model_validator(mode="after")
    def _has_two_sides(self) -> Self:
        if fault := levels_fault(self.positive, self.negative):
            raise ValueError(fault)
        return self


class EventOutcome(Written):
    """An event and its time; the label is derived at a declared horizon.

    1: event at or before the horizon. 0: free of it beyond the horizon. No label: censored before.
    """

    declared_later: ClassVar[frozenset[str]] = frozenset({"positive", "negative", "censoring"})

    kind: Literal["time_to_event"]
    name: Name
    event: str
    positive: Levels | None = None
    """Cells of ``event`` that say that it was; yes, true, y and 1 where absent."""
    negative: Levels | None = None
    """Cells that say that it was not, ``*`` for all others; no, false, n, 0 and empty ones where absent."""
    time: str
    unit: UcumUnit
    horizon: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    censoring: Censoring = "complete-cases"
    """How the study's models are fitted; a model may say otherwise."""

    @model_validator(mode="after")
    def _has_two_sides_or_none(self) -> Self:
        if (self.positive is None) != (self.negative is None):
            given, lacking = ("positive", "negative") if self.negative is None else ("negative", "positive")
            raise ValueError(f"{given} says which cells are an event, give {lacking} too")
        if self.positive is None or self.negative is None:
            return self
        if fault := levels_fault(self.positive, self.negative):
            raise ValueError(fault)
        return self

    def label(self, *, event: bool, time: float) -> tuple[int | None, str | None]:
        """Return the label at the horizon, or None and the reason why there is none."""
        if event and time <= self.horizon:
            return 1, None
        if time > self.horizon or (not event and time == self.horizon):
            return 0, None
        return None, f"censored at {time:g} {self.unit}, before the horizon of {self.horizon:g} {self.unit}"


class ColumnSplit(Written):
    """A split that the cohort table already holds."""

    kind: Literal["column"]
    column: str
    training: str = "training"
    validation: str = "validation"


class StratifiedSplit(Written):
    """A split drawn by patient, stratified by label, with a seed."""

    kind: Literal["stratified"]
    validation_fraction: Annotated[float, Field(gt=0, lt=1)] = 0.2
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 0
