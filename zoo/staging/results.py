"""What a comparator says of one patient: a stage or a score, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Score", "Stage", "staged"]


@dataclass(frozen=True)
class Stage:
    """One patient's stage.

    Attributes
    ----------
    value : str or None
        The stage's name, None where it cannot be told.
    order : int or None
        Its place among the system's stages, 0 the mildest.
    reason : str or None
        Why there is no stage; names the input.
    """

    value: str | None
    order: int | None
    reason: str | None


@dataclass(frozen=True)
class Score:
    """One patient's score.

    Attributes
    ----------
    value : float or None
        The score, None where it cannot be told.
    grade : str or None
        The grade or risk group that the score falls into, where the system has such.
    reason : str or None
        Why there is no score; names the input.
    notes : tuple of str
        What was done to an input: a conversion by a convention, a value raised to the assay's floor.
    """

    value: float | None
    grade: str | None
    reason: str | None
    notes: tuple[str, ...] = ()


def staged(value: str, stages: Sequence[str]) -> Stage:
    """Return the stage of that name with its place in ``stages``, which run from mild to worst."""
    return Stage(value, stages.index(value), None)
