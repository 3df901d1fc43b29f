"""Blood-count ratios: values, directions, units, one draw, zero counts."""

from __future__ import annotations

import pytest

from zoo.staging.blood_ratios import LMR, NLR, PLR
from zoo.staging.description import Comparator
from zoo.staging.inputs import Observation
from zoo.staging.results import Score

COUNTS = {
    "neutrophils": Observation(4.5, "10*9/L"),
    "lymphocytes": Observation(1.5, "10*9/L"),
    "monocytes": Observation(0.5, "10*9/L"),
    "platelets": Observation(180.0, "10*9/L"),
}


@pytest.mark.parametrize(
    ("comparator", "ratio", "worse"), [(NLR, 3.0, "high"), (PLR, 120.0, "high"), (LMR, 3.0, "low")]
)
def test_ratios(comparator: Comparator, ratio: float, worse: str) -> None:
    """Each ratio is the quotient of its counts, with its published direction."""
    assert comparator.assess(COUNTS) == Score(ratio, None, None)
    assert comparator.worse == worse


@pytest.mark.parametrize("unit", ["10*3/uL", "/nL", "10*9/L"])
def test_units_are_converted(unit: str) -> None:
    """Counts in other units of the same quantity give the same ratio."""
    assert NLR.assess(COUNTS | {"neutrophils": Observation(4.5, unit)}) == Score(3.0, None, None)
    assert NLR.assess(COUNTS | {"neutrophils": Observation(4500.0, "{cells}/uL")}).value == 3.0


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (Observation(60.0, "%"), "neutrophils is in '%', which cannot be expressed in 10*9/L"),
        # International units have no dimension: only their name tells them from a count.
        (Observation(4.5, "[IU]/mL"), "neutrophils is in '[IU]/mL', which cannot be expressed in 10*9/L"),
        (Observation(4.5), "neutrophils has no unit, a number in 10*9/L is needed"),
        (Observation(level="high"), "neutrophils is 'high', a number in 10*9/L is needed"),
        (Observation(-1.0, "10*9/L"), "neutrophils is impossible: -1 10*9/L, it must be at least 0"),
        (Observation(float("nan"), "10*9/L"), "neutrophils is missing"),
        (Observation(), "neutrophils is missing"),
    ],
)
def test_unusable_counts(seen: Observation, reason: str) -> None:
    """A count that is missing, impossible or of another quantity gives no ratio and is named."""
    assert NLR.assess(COUNTS | {"neutrophils": seen}) == Score(None, None, reason)


def test_zero_counts() -> None:
    """A numerator of 0 gives 0; a denominator of 0 gives no ratio."""
    zero = Observation(0.0, "10*9/L")

    assert NLR.assess(COUNTS | {"neutrophils": zero}).value == 0.0
    assert LMR.assess(COUNTS | {"lymphocytes": zero}).value == 0.0
    for comparator in (NLR, PLR):
        assert comparator.assess(COUNTS | {"lymphocytes": zero}).reason == (
            "lymphocytes is impossible: 0 10*9/L, it must be above 0"
        )


def test_counts_of_different_draws() -> None:
    """Counts observed at different times give no ratio; other counts may be of any time."""
    seen = {
        name: Observation(count.value, count.unit, observed_at="2020-01-02" if name == "monocytes" else "2020-01-01")
        for name, count in COUNTS.items()
    }

    assert NLR.assess(seen).value == 3.0
    assert LMR.assess(seen).reason == "not of one draw: lymphocytes 2020-01-01, monocytes 2020-01-02"
