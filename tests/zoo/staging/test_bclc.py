"""BCLC 2022: the truth table, cut points, precedence, missing inputs, monotonicity."""

from __future__ import annotations

from typing import Any

import pytest
from builders.completions import POSSIBLE, stages_of_completions
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.staging.bclc import BCLC, BCLC_STAGES, bclc, bclc_comparator
from zoo.staging.inputs import Observation
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
    ("number", "diameter_mm", "stage", "stage_with_switch"),
    [
        (1, 5.0, "0", "0"),
        (1, 20.0, "0", "0"),
        (1, 20.1, "A", "A"),
        (1, 30.1, "A", "A"),
        (1, 50.0, "A", "A"),
        (1, 50.1, "A", "B"),
        (1, 150.0, "A", "B"),
        (2, 10.0, "A", "A"),
        (2, 30.0, "A", "A"),
        (2, 30.1, "B", "B"),
        (3, 30.0, "A", "A"),
        (3, 30.1, "B", "B"),
        (4, 10.0, "B", "B"),
        (4, 60.0, "B", "B"),
    ],
)
def test_tumour_burden(number: int, diameter_mm: float, stage: str, stage_with_switch: str) -> None:
    """Number and largest diameter give 0, A or B, cut points included in the lower stage."""
    patient = FIT | {"tumour_number": number, "diameter_mm": diameter_mm}

    assert bclc(**patient) == Stage(stage, BCLC_STAGES.index(stage), None)
    assert bclc(**patient, single_over_5cm_is_b=True).value == stage_with_switch


@pytest.mark.parametrize(
    ("change", "stage"),
    [
        ({"ecog_ps": 1}, "C"),
        ({"ecog_ps": 2}, "C"),
        ({"ecog_ps": 3}, "D"),
        ({"ecog_ps": 4}, "D"),
        ({"child_pugh": "B"}, "A"),
        ({"child_pugh": "C"}, "D"),
        ({"vascular_invasion": "present"}, "C"),
        ({"extrahepatic_spread": "present"}, "C"),
        ({"vascular_invasion": "present", "extrahepatic_spread": "present", "ecog_ps": 2}, "C"),
        ({"vascular_invasion": "present", "ecog_ps": 3}, "D"),
        ({"extrahepatic_spread": "present", "child_pugh": "C"}, "D"),
    ],
)
@pytest.mark.parametrize(("number", "diameter_mm"), [(1, 40.0), (2, 30.0)])
def test_condition_and_spread(change: dict[str, Any], stage: str, number: int, diameter_mm: float) -> None:
    """Performance status, liver function and spread come before the tumour burden, D before C."""
    assert bclc(**FIT | {"tumour_number": number, "diameter_mm": diameter_mm} | change).value == stage


@pytest.mark.parametrize("name", FIT)
def test_needed_inputs(name: str) -> None:
    """For a fit patient with one tumour no input can be spared, and the reason names the missing one."""
    assert bclc(**FIT | {name: None}) == Stage(None, None, f"{name} is missing")


@pytest.mark.parametrize(
    ("known", "stage"),
    [
        ({"ecog_ps": 3}, "D"),
        ({"child_pugh": "C"}, "D"),
        ({"ecog_ps": 1, "child_pugh": "A"}, "C"),
        ({"ecog_ps": 0, "child_pugh": "B", "extrahepatic_spread": "present"}, "C"),
        (FIT | {"tumour_number": 4, "diameter_mm": None}, "B"),
    ],
)
def test_decided_without_the_rest(known: dict[str, Any], stage: str) -> None:
    """A stage that no missing value could change is given."""
    assert bclc(**NOTHING | known).value == stage


def test_undecided_by_several() -> None:
    """The reason names every missing input of the rule that cannot be decided, and only those."""
    assert bclc(**NOTHING).reason == "ecog_ps, child_pugh are missing"
    undecided = bclc(**NOTHING | {"ecog_ps": 0, "child_pugh": "A"})
    assert undecided.reason == "vascular_invasion, extrahepatic_spread are missing"
    unknown_number = FIT | {"tumour_number": None, "diameter_mm": 60.0}
    assert bclc(**unknown_number).reason == "tumour_number is missing"
    # One tumour or several, over 5 cm it is B by the switch.
    assert bclc(**unknown_number, single_over_5cm_is_b=True).value == "B"


@settings(max_examples=60, deadline=None)
@given(data=st.data(), switch=st.booleans())
def test_missing_inputs_are_neither_guessed_nor_overrated(
    data: st.DataObject,
    switch: bool,
) -> None:
    """A stage is given exactly where every filling of the gaps has that stage."""
    patient = {name: data.draw(st.sampled_from((None, *POSSIBLE[name]))) for name in FIT}

    def stage_of(**values: Any) -> Stage:
        return bclc(**values, single_over_5cm_is_b=switch)

    stages, given_stage = stages_of_completions(stage_of, patient), stage_of(**patient)
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
    ecog_ps=st.integers(0, 4),
    switch=st.booleans(),
)
def test_order_is_monotone(
    number: int, diameter_mm: float, more: int, larger: float, ecog_ps: int, switch: bool
) -> None:
    """More or larger tumours never lower the stage."""
    before = FIT | {"ecog_ps": ecog_ps, "tumour_number": number, "diameter_mm": diameter_mm}
    after = before | {"tumour_number": number + more, "diameter_mm": diameter_mm + larger}
    orders = [bclc(**patient, single_over_5cm_is_b=switch).order for patient in (before, after)]

    assert None not in orders
    assert orders == sorted(orders, key=lambda order: order or 0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ecog_ps": 5}, "ecog_ps is impossible: 5, it must be at most 4"),
        ({"ecog_ps": 0.5}, "ecog_ps is impossible: 0.5, it must be a whole number"),
        ({"child_pugh": "D"}, "child_pugh is impossible: 'D', it must be one of A, B, C"),
        ({"diameter_mm": -3.0}, "diameter_mm is impossible: -3 mm, it must be above 0"),
        ({"second_diameter_mm": 10.0}, "tumour_number is impossible: 1, although there is a second_diameter_mm"),
        (
            {"tumour_number": 2, "second_diameter_mm": 50.0},
            "second_diameter_mm is impossible: 50 mm, larger than diameter_mm, 40 mm",
        ),
        # A stage that is certain does not hide a fault of the data.
        ({"ecog_ps": 4, "diameter_mm": -3.0}, "diameter_mm is impossible: -3 mm, it must be above 0"),
    ],
)
def test_impossible_inputs(change: dict[str, Any], reason: str) -> None:
    """An impossible input, or one that contradicts another, gives no stage and a reason."""
    assert bclc(**FIT | change) == Stage(None, None, reason)


@pytest.mark.parametrize(("size_cm", "number", "stage"), [(2.0, 1, "0"), (3.0, 2, "A"), (3.1, 2, "B"), (5.0, 1, "A")])
def test_sizes_in_centimetres(size_cm: float, number: int, stage: str) -> None:
    """A size in cm meets the cut points exactly; a count may carry an annotation; a mass is no size."""
    observations = {
        "ecog_ps": Observation(0.0, "1"),
        "child_pugh": Observation(level="A"),
        "vascular_invasion": Observation(level="absent"),
        "extrahepatic_spread": Observation(level="absent"),
        "tumour_number": Observation(float(number), "1"),
        "diameter_mm": Observation(size_cm, "cm"),
    }

    assert BCLC.assess(observations).value == stage
    assert bclc_comparator(single_over_5cm_is_b=True).assess(observations).value == stage
    assert BCLC.assess(observations | {"tumour_number": Observation(float(number), "{nodules}")}).value == stage
    assert BCLC.assess(observations | {"diameter_mm": Observation(size_cm, "g")}).reason == (
        "diameter_mm is in 'g', which cannot be expressed in mm"
    )
