"""What a comparator wants to know of a patient, and how observations in other units become that."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from schemas.clinical import converted

__all__ = ["Category", "Input", "Observation", "Quantity", "Reading", "Value", "impossible", "missing", "reading"]

Value = float | str | None
"""A quantity in the unit that the comparator wants, a level, or None where it is missing."""

# 5 cm must be the 50 mm of a cut point, whatever the last bits of a unit conversion are.
_CONVERTED_DIGITS = 9
_ANNOTATION = re.compile(r"\{[^}]*\}")
_ARBITRARY_UNIT = re.compile(r"\[[^\]]*u\]", re.IGNORECASE)


@dataclass(frozen=True)
class Observation:
    """One clinical value as the store holds it.

    Attributes
    ----------
    value : float or None
        The number, for a quantity; NaN counts as missing.
    unit : str or None
        Its UCUM unit.
    level : str or None
        The level, for a category.
    observed_at : str or None
        When it was true, for comparators whose inputs must come from one blood draw.
    """

    value: float | None = None
    unit: str | None = None
    level: str | None = None
    observed_at: str | None = None


@dataclass(frozen=True)
class Quantity:
    """A number that a comparator wants.

    Attributes
    ----------
    unit : str
        UCUM unit that the comparator's function takes.
    least : float
        The smallest possible value.
    is_least_possible : bool
        Whether ``least`` itself is possible.
    most : float
        The largest possible value.
    is_whole : bool
        Whether only whole numbers are possible.
    factors : tuple of (str, float)
        Units of another quantity that are accepted by convention, and how many of ``unit`` one of them is.
    """

    unit: str
    least: float = 0.0
    is_least_possible: bool = True
    most: float = math.inf
    is_whole: bool = False
    factors: tuple[tuple[str, float], ...] = ()

    def problem(self, value: float) -> str | None:
        """Return what is impossible about a value in ``unit``, None where it is possible."""
        if not math.isfinite(value):
            return f"{value} is no number"
        seen = f"{value:g}" if self.unit == "1" else f"{value:g} {self.unit}"
        if value < self.least or (value == self.least and not self.is_least_possible):
            return f"{seen}, it must be {'at least' if self.is_least_possible else 'above'} {self.least:g}"
        if value > self.most:
            return f"{seen}, it must be at most {self.most:g}"
        if self.is_whole and value != int(value):
            return f"{seen}, it must be a whole number"
        return None


@dataclass(frozen=True)
class Category:
    """A level that a comparator wants, one of ``levels``, spelt exactly so."""

    levels: tuple[str, ...]

    def problem(self, value: str) -> str | None:
        """Return what is impossible about a level, None where it is one of ``levels``."""
        return None if value in self.levels else f"'{value}', it must be one of {', '.join(self.levels)}"


Input = Quantity | Category


@dataclass(frozen=True)
class Reading:
    """One patient's observations in the units that a comparator wants.

    Attributes
    ----------
    values : Mapping[str, Value]
        Every input, None where it is missing.
    notes : tuple of str
        Conversions by a convention, as opposed to those between units of one quantity.
    reason : str or None
        Which observation cannot be read, and why; None where all can.
    """

    values: Mapping[str, Value]
    notes: tuple[str, ...] = ()
    reason: str | None = None


def impossible(inputs: Mapping[str, Input], values: Mapping[str, Value]) -> str | None:
    """Return the first input whose value cannot be, with the reason; None where all can. Missing ones can."""
    for name, wanted in inputs.items():
        value = values.get(name)
        if value is None:
            continue
        if isinstance(wanted, Quantity):
            problem = f"'{value}' is no number" if isinstance(value, str) else wanted.problem(value)
        else:
            problem = wanted.problem(value) if isinstance(value, str) else f"{value:g} is no level"
        if problem is not None:
            return f"{name} is impossible: {problem}"
    return None


def missing(values: Mapping[str, Value], names: Iterable[str] | None = None) -> str | None:
    """Return the sentence that says which of the values (of ``names``, or all) are missing, None where none is."""
    absent = [name for name in (values if names is None else names) if values[name] is None]
    if not absent:
        return None
    return f"{', '.join(absent)} {'is' if len(absent) == 1 else 'are'} missing"


def reading(inputs: Mapping[str, Input], observations: Mapping[str, Observation]) -> Reading:
    """Return the observations of one patient in the units and levels of ``inputs``.

    Parameters
    ----------
    inputs : Mapping[str, Input]
        By the name of the input.
    observations : Mapping[str, Observation]
        By the same names; what is not there is missing.
    """
    values: dict[str, Value] = dict.fromkeys(inputs)
    notes: list[str] = []
    for name, wanted in inputs.items():
        seen = observations.get(name, Observation())
        number = None if seen.value is None or math.isnan(seen.value) else seen.value
        if number is None and seen.level is None:
            continue
        if isinstance(wanted, Category):
            if seen.level is None:
                return Reading(values, reason=f"{name} is a number, one of {', '.join(wanted.levels)} is needed")
            values[name] = seen.level
            continue
        if number is None:
            return Reading(values, reason=f"{name} is '{seen.level}', a number in {wanted.unit} is needed")
        if seen.unit is None:
            return Reading(values, reason=f"{name} has no unit, a number in {wanted.unit} is needed")
        try:
            values[name], note = _in_wanted_unit(name, number, seen.unit, wanted)
        except ValueError:
            return Reading(values, reason=f"{name} is in '{seen.unit}', which cannot be expressed in {wanted.unit}")
        notes += [note] if note else []
    return Reading(values, tuple(notes))


def _in_wanted_unit(name: str, value: float, unit: str, wanted: Quantity) -> tuple[float, str | None]:
    # UCUM gives annotations no meaning: {nodules} is 1, {cells}/uL is /uL.
    unit = _ANNOTATION.sub("", unit) or "1"
    targets = {wanted.unit: 1.0, **dict(wanted.factors)}
    # A unit that is already there by its name needs no parser of units.
    for target in sorted(targets, key=lambda target: target != unit):
        if not _of_one_scale(unit, target):
            continue
        try:
            number = converted(value, unit, target)
        except ValueError:
            continue
        if unit != target:
            number = float(f"{number:.{_CONVERTED_DIGITS}g}")
        if target == wanted.unit:
            return number, None
        factor = targets[target]
        return number * factor, f"{name} was converted with 1 {target} = {factor:g} {wanted.unit}"
    raise ValueError(f"{name} in '{unit}'")


def _of_one_scale(unit: str, target: str) -> bool:
    # International units have no dimension, so that [IU]/mL would pass for a count in 10*9/L.
    one, other = (sorted(found.lower() for found in _ARBITRARY_UNIT.findall(text)) for text in (unit, target))
    return one == other
