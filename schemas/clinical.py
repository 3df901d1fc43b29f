"""Clinical variables: their UCUM units, plausible ranges and levels.

A study declares each variable with the unit its table is written in. Where a variable is one of
`KNOWN_VARIABLES`, the declared unit must measure the same quantity and values must lie in its range;
any other variable is stored under the unit and range the study gives.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from schemas.day_window import WrittenWindow

if TYPE_CHECKING:
    import pint

__all__ = ["COMMON_UNITS", "KNOWN_VARIABLES", "ClinicalVariable", "KnownVariable", "UcumUnit", "converted"]


class KnownVariable(NamedTuple):
    """A laboratory or clinical quantity whose unit and plausible range are common knowledge."""

    description: str
    unit: str
    low: float
    high: float
    also: tuple[str, float, float] | None = None
    """A unit of another kind of quantity that laboratories report it in as well, with the range in that unit."""


KNOWN_VARIABLES: dict[str, KnownVariable] = {
    "age": KnownVariable("age at the exam", "a", 0, 120),
    "afp": KnownVariable("alpha-fetoprotein, serum", "[IU]/mL", 0, 5e6, ("ng/mL", 0, 6e6)),
    "alt": KnownVariable("alanine aminotransferase, serum", "U/L", 1, 20000),
    "ast": KnownVariable("aspartate aminotransferase, serum", "U/L", 1, 20000),
    "ggt": KnownVariable("gamma-glutamyl transferase, serum", "U/L", 1, 10000),
    "tbil": KnownVariable("total bilirubin, serum", "umol/L", 0.5, 1500, ("mg/dL", 0.03, 88)),
    "alb": KnownVariable("albumin, serum", "g/L", 5, 70),
    "neutrophils": KnownVariable("neutrophils, absolute count", "10*9/L", 0, 200),
    "lymphocytes": KnownVariable("lymphocytes, absolute count", "10*9/L", 0, 500),
    "monocytes": KnownVariable("monocytes, absolute count", "10*9/L", 0, 100),
    "platelets": KnownVariable("platelets, absolute count", "10*9/L", 1, 3000),
}


@lru_cache(maxsize=1)
def _registry() -> pint.UnitRegistry[Any]:
    # Imported here: the UCUM grammar takes a second to build, and few verbs need it.
    from ucumvert import PintUcumRegistry

    registry: pint.UnitRegistry[Any] = PintUcumRegistry()
    return registry


@lru_cache(maxsize=512)
def _parsed(unit: str) -> pint.Quantity[Any]:
    try:
        read: Any = _registry().from_ucum(unit)  # type: ignore[operator]  # pint reads attributes as units
        # An annotation alone, such as {score}, is the unit 1; the parser gives it back as a word.
        quantity: pint.Quantity[Any] = _registry().Quantity(1) if re.fullmatch(r"\{[^{}]*\}", unit) else read
        _ = quantity.dimensionality
    except Exception as error:  # the grammar raises its own tree of parser errors
        raise ValueError(
            f"'{unit}' is not a UCUM unit (examples: mm, U/L, umol/L, [IU]/mL, 10*9/L, a, mo, 1)"
        ) from error
    return quantity


COMMON_UNITS = frozenset(
    [
        *("1", "%", "a", "mo", "wk", "d", "h", "min", "mm", "cm", "mm2", "cm2", "mm3", "cm3", "mL", "L", "kg", "kg/m2"),
        *("U/L", "[IU]/L", "[IU]/mL", "g/L", "g/dL", "mg/L", "mg/dL", "ng/mL", "mmol/L", "umol/L", "10*9/L", "T"),
    ]
)
"""Units that are known to be ones: the grammar is not built for them."""


def _ucum(unit: str) -> str:
    if unit not in COMMON_UNITS:
        _parsed(unit)
    return unit


UcumUnit = Annotated[str, StringConstraints(max_length=80), AfterValidator(_ucum)]
"""A unit in the Unified Code for Units of Measure (ucum.org), case-sensitive; ``1`` is dimensionless."""


def converted(value: float, unit: str, to: str) -> float:
    """Return ``value`` given in UCUM ``unit``, expressed in ``to``.

    Raises
    ------
    ValueError
        When the two units measure different quantities.
    """
    if unit == to:
        return value
    source, target = _parsed(unit), _parsed(to)
    if source.dimensionality != target.dimensionality:
        raise ValueError(f"a value in '{unit}' cannot be expressed in '{to}'")
    # Not value * source: degrees Celsius are no multiple of anything.
    quantity = _registry().Quantity(value * source.magnitude, source.units)
    return float(quantity.to(target.units).magnitude / target.magnitude)


class ClinicalVariable(BaseModel):
    """One variable of a study's clinical table.

    A variable is a number (``unit``) or a category (``levels``), never both.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    column: str | None = None
    """The table's column; the variable's own name where absent."""
    unit: UcumUnit | None = None
    levels: Annotated[tuple[str, ...], Field(max_length=1_000)] | None = None
    range: tuple[float, float] | None = None
    """Plausible values, both ends included, in ``unit``."""
    window_days: WrittenWindow | None = None
    """Which days before the study's reference date count for this variable, in place of the study's."""
    description: str = ""

    @model_validator(mode="after")
    def _is_number_or_category(self) -> Self:
        if (self.unit is None) == (self.levels is None):
            raise ValueError("give either a UCUM unit (a number) or levels (a category)")
        if self.levels is not None and not 0 < len(set(self.levels)) == len(self.levels):
            raise ValueError("levels are one or more different names")
        if self.range is not None and self.unit is None:
            raise ValueError("a range is that of a number; a category has levels alone")
        if self.range is not None and not self.range[0] <= self.range[1]:
            raise ValueError(f"range {list(self.range)} is upside down")
        return self

    @property
    def kind(self) -> Literal["number", "category"]:
        """Return whether the variable is a number with a unit or one of a few levels."""
        return "number" if self.levels is None else "category"

    def plausible_range(self, name: str) -> tuple[float, float]:
        """Return the lowest and highest believable value in this variable's own unit.

        Raises
        ------
        ValueError
            When ``name`` is a known variable and the unit measures another quantity.
        """
        if self.unit is None or name not in KNOWN_VARIABLES:
            return self.range or (float("-inf"), float("inf"))
        known = KNOWN_VARIABLES[name]
        scales = [(known.unit, known.low, known.high)] + ([] if known.also is None else [known.also])
        for unit, low, high in scales:
            with suppress(ValueError):
                own = converted(low, unit, self.unit), converted(high, unit, self.unit)
                return self.range or own
        units = " or ".join(f"'{unit}'" for unit, *_ in scales)
        raise ValueError(
            f"'{self.unit}' measures no {known.description}, which '{name}' stands for: give a unit like {units}, or "
            "call another quantity otherwise"
        )
