"""What a study's models are to tell, and who trains: the outcome and the splits of a study file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.clinical import UcumUnit
from schemas.keys import Name
from schemas.written.values import Written

__all__ = ["BinaryOutcome", "ColumnSplit", "EventOutcome", "StratifiedSplit"]


class BinaryOutcome(Written):
    """An outcome known for every patient: 1 where the column equals ``positive``."""

    kind: Literal["binary"]
    name: Name
    column: str
    positive: str = "1"
    negative: str = "0"


class EventOutcome(Written):
    """An event and its time; the label is derived at a declared horizon.

    1: event at or before the horizon. 0: free of it beyond the horizon. No label: censored before.
    """

    kind: Literal["time_to_event"]
    name: Name
    event: str
    time: str
    unit: UcumUnit
    horizon: Annotated[float, Field(gt=0, allow_inf_nan=False)]

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
