"""Decisions on incomplete data, in Kleene's three-valued logic: True, False, and None for what is not known.

A staging asks its rules in order of precedence. A rule that holds decides, one that does not passes on, and one
that depends on a missing value ends without a stage. A stage is therefore given in spite of a missing value
exactly where no possible value would change any rule that was asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zoo.staging.inputs import Value, missing
from zoo.staging.results import Stage, staged

__all__ = ["Rule", "Truth", "at_most", "every", "exceeds", "first_that_holds", "is_level", "negation", "some"]

Truth = bool | None


@dataclass(frozen=True)
class Rule:
    """One stage, whether its criterion holds, and the inputs which that depends on."""

    stage: str
    holds: Truth
    reads: tuple[str, ...] = ()


def negation(truth: Truth) -> Truth:
    """Return the opposite, unknown of the unknown."""
    return None if truth is None else not truth


def every(*truths: Truth) -> Truth:
    """Return whether all hold: False as soon as one does not, else unknown as soon as one is."""
    if any(truth is False for truth in truths):
        return False
    return None if any(truth is None for truth in truths) else True


def some(*truths: Truth) -> Truth:
    """Return whether one holds: True as soon as one does, else unknown as soon as one is."""
    if any(truth is True for truth in truths):
        return True
    return None if any(truth is None for truth in truths) else False


def at_most(value: float | None, limit: float) -> Truth:
    """Return whether a value is no larger than ``limit``."""
    return None if value is None else value <= limit


def exceeds(value: float | None, limit: float) -> Truth:
    """Return whether a value is larger than ``limit``."""
    return negation(at_most(value, limit))


def is_level(value: str | None, level: str) -> Truth:
    """Return whether a category has that level."""
    return None if value is None else value == level


def first_that_holds(rules: Sequence[Rule], stages: Sequence[str], values: Mapping[str, Value]) -> Stage:
    """Return the stage of the first rule that holds.

    Parameters
    ----------
    rules : sequence of Rule
        In order of precedence; the last one holds where no other does.
    stages : sequence of str
        All stages from mild to worst.
    values : Mapping[str, Value]
        What the rules read, to name what is missing.
    """
    for rule in rules:
        if rule.holds is None:
            return Stage(None, None, missing(values, rule.reads))
        if rule.holds:
            return staged(rule.stage, stages)
    raise ValueError("the last rule of a staging must hold where no other does")
