"""CNLC: the truth table, cut points, precedence, missing inputs, monotonicity."""

from __future__ import annotations

from typing import Any

import pytest
from builders.completions import POSSIBLE, stages_of_completions
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.staging.cnlc import CNLC_STAGES, cnlc
from zoo.staging.results import Stage

FIT: dict[str, Any] = {
    "ecog_ps": 0,
    "child_pugh": "A",
    "vascular_invasion": "absent",
    "extrahepatic_spread": "absent",
    "tumour_number": 1,
    "diameter_mm": 40.0,
}
NOTHING: dict[str, Any] = dict.fromkeys(FIT)


@pytest.mark.parametrize(
    ("number", "diameter_mm", "stage"),
    [
        (1, 5.0, "Ia"),
        (1, 50.0, "Ia"),
        (1, 50.1, "Ib"),
        (1, 150.0, "Ib"),
        (2, 10.0, "Ib"),
        (2, 30.0, "Ib"),
        (2, 30.1, "IIa"),
        (3, 30.0, "Ib"),
        (3, 30.1, "IIa"),
        (3, 90.0, "IIa"),
        (4, 10.0, "IIb"),
        (4, 90.0, "IIb"),
    ],
)
@pytest.mark.parametrize("condition", [{}, {"ecog_ps": 2}, {"child_pugh": "B"}])
def test_tumour_burden(number: int, diameter_mm: float, stage: str, condition: dict[str, Any]) -> None:
    """Number and largest diameter give Ia to IIb up to performance status 2 and Child-Pugh B."""
    patient = FIT | condition | {"tumour_number": number, "diameter_mm": diameter_mm}

    assert cnlc(**patient) == Stage(stage, CNLC_STAGES.index(stage), None)


@pytest.mark.parametrize(
    ("change", "stage"),
    [
        ({"vascular_invasion": "present"}, "IIIa"),
        ({"extrahepatic_spread": "present"}, "IIIb"),
        ({"vascular_invasion": "present", "extrahepatic_spread": "present"}, "IIIb"),
        ({"ecog_ps": 3}, "IV"),
        ({"ecog_ps": 4}, "IV"),
        ({"child_pugh": "C"}, "IV"),
        ({"child_pugh": "C", "extrahepatic_spread": "present"}, "IV"),
        ({"ecog_ps": 3, "vascular_invasion": "present"}, "IV"),
    ],
)
def test_condition_and_spread(change: dict[str, Any], stage: str) -> None:
    """IV comes before IIIb, IIIb before IIIa, and all before the tumour burden."""
    assert cnlc(**FIT | change).value == stage


@pytest.mark.parametrize("name", FIT)
def test_needed_inputs(name: str) -> None:
    """For a fit patient with one tumour no input can be spared, and the reason names the missing one."""
    assert cnlc(**FIT | {name: None}) == Stage(None, None, f"{name} is missing")


@pytest.mark.parametrize(
    ("known", "stage"),
    [
        ({"ecog_ps": 4}, "IV"),
        ({"child_pugh": "C"}, "IV"),
        ({"ecog_ps": 2, "child_pugh": "A", "extrahepatic_spread": "present"}, "IIIb"),
        (FIT | {"vascular_invasion": "present", "tumour_number": None, "diameter_mm": None}, "IIIa"),
        (FIT | {"tumour_number": 5, "diameter_mm": None}, "IIb"),
    ],
)
def test_decided_without_the_rest(known: dict[str, Any], stage: str) -> None:
    """A stage that no missing value could change is given."""
    assert cnlc(**NOTHING | known).value == stage


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_missing_inputs_are_neither_guessed_nor_overrated(
    data: st.DataObject,
) -> None:
    """A stage is given exactly where every filling of the gaps has that stage."""
    patient = {name: data.draw(st.sampled_from((None, *POSSIBLE[name]))) for name in FIT}
    stages, given_stage = stages_of_completions(cnlc, patient), cnlc(**patient)

    if len(stages) == 1:
        assert {given_stage.value} == stages
    else:
        assert given_stage.value is None
        assert any(name in str(given_stage.reason) for name, value in patient.items() if value is None)


@given(
    number=st.integers(1, 8),
    diameter_mm=st.floats(1, 200),
    more=st.integers(0, 4),
    larger=st.floats(0, 100),
    vascular=st.sampled_from(["present", "absent"]),
)
def test_order_is_monotone(number: int, diameter_mm: float, more: int, larger: float, vascular: str) -> None:
    """More or larger tumours never lower the stage."""
    before = FIT | {"vascular_invasion": vascular, "tumour_number": number, "diameter_mm": diameter_mm}
    after = before | {"tumour_number": number + more, "diameter_mm": diameter_mm + larger}
    orders = [cnlc(**patient).order for patient in (before, after)]

    assert None not in orders
    assert orders == sorted(orders, key=lambda order: order or 0)


def test_impossible_inputs() -> None:
    """An impossible input, or one that contradicts another, gives no stage and a reason."""
    assert cnlc(**FIT | {"tumour_number": 0}).reason == "tumour_number is impossible: 0, it must be at least 1"
    assert cnlc(**FIT | {"vascular_invasion": "yes"}).reason == (
        "vascular_invasion is impossible: 'yes', it must be one of present, absent"
    )
    assert cnlc(**FIT | {"tumour_number": 3, "second_diameter_mm": 41.0}).reason == (
        "second_diameter_mm is impossible: 41 mm, larger than diameter_mm, 40 mm"
    )
    assert cnlc(**FIT | {"tumour_number": 3, "second_diameter_mm": 40.0}).value == "IIa"
