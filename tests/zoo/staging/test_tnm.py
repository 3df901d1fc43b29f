"""The clinical T category: the truth table, cut points, missing inputs, monotonicity."""

from __future__ import annotations

from typing import Any

import pytest
from builders.completions import POSSIBLE, stages_of_completions
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.staging.results import Stage
from zoo.staging.tnm import T_CATEGORIES, TNM, t_category

CONFINED: dict[str, Any] = {
    "major_branch_invasion": "absent",
    "vascular_invasion": "absent",
    "tumour_number": 1,
    "diameter_mm": 40.0,
}


@pytest.mark.parametrize(
    ("number", "diameter_mm", "without_invasion", "with_invasion"),
    [
        (1, 5.0, "T1a", "T1a"),
        (1, 20.0, "T1a", "T1a"),
        (1, 20.1, "T1b", "T2"),
        (1, 50.1, "T1b", "T2"),
        (1, 150.0, "T1b", "T2"),
        (2, 5.0, "T2", "T2"),
        (2, 50.0, "T2", "T2"),
        (2, 50.1, "T3", "T3"),
        (9, 50.0, "T2", "T2"),
        (9, 50.1, "T3", "T3"),
    ],
)
def test_truth_table(number: int, diameter_mm: float, without_invasion: str, with_invasion: str) -> None:
    """Number, largest diameter and vascular invasion give T1a to T3; a major branch makes each of them T4."""
    patient = CONFINED | {"tumour_number": number, "diameter_mm": diameter_mm}

    assert t_category(**patient) == Stage(without_invasion, T_CATEGORIES.index(without_invasion), None)
    assert t_category(**patient | {"vascular_invasion": "present"}).value == with_invasion
    major = {"vascular_invasion": "present", "major_branch_invasion": "present"}
    assert t_category(**patient | major) == Stage("T4", 4, None)


@pytest.mark.parametrize(
    ("change", "stage", "reason"),
    [
        ({"vascular_invasion": None}, None, "vascular_invasion is missing"),
        ({"vascular_invasion": None, "diameter_mm": 20.0}, "T1a", None),
        ({"vascular_invasion": None, "tumour_number": 2}, "T2", None),
        ({"major_branch_invasion": None}, "T1b", None),
        ({"major_branch_invasion": None, "vascular_invasion": "present"}, None, "major_branch_invasion is missing"),
        (
            {"major_branch_invasion": None, "vascular_invasion": None},
            None,
            "major_branch_invasion, vascular_invasion are missing",
        ),
        ({"tumour_number": None}, None, "tumour_number is missing"),
        ({"tumour_number": None, "vascular_invasion": "present"}, "T2", None),
        ({"diameter_mm": None}, None, "diameter_mm is missing"),
        ({"diameter_mm": None, "tumour_number": 2}, None, "diameter_mm is missing"),
        ({"major_branch_invasion": "present"}, None, "major_branch_invasion is impossible: present, although"),
    ],
)
def test_missing_and_contradicting_inputs(change: dict[str, Any], stage: str | None, reason: str | None) -> None:
    """A category that no missing value could change is given, else the reason names the input."""
    result = t_category(**CONFINED | change)

    assert result.value == stage
    assert str(result.reason).startswith(str(reason))


def test_major_branch_alone_decides() -> None:
    """T4 needs nothing but the major branch."""
    assert t_category(major_branch_invasion="present").value == "T4"


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_missing_inputs_are_neither_guessed_nor_overrated(
    data: st.DataObject,
) -> None:
    """A category is given exactly where every consistent filling of the gaps has it."""
    patient = {name: data.draw(st.sampled_from((None, *POSSIBLE[name]))) for name in CONFINED}
    stages, given_stage = stages_of_completions(t_category, patient), t_category(**patient)

    if len(stages) == 1:
        assert {given_stage.value} == stages
    else:
        assert given_stage.value is None
        assert given_stage.reason is not None


@given(
    number=st.integers(1, 8),
    diameter_mm=st.floats(1, 200),
    more=st.integers(0, 4),
    larger=st.floats(0, 100),
    invasion=st.sampled_from([("absent", "absent"), ("absent", "present"), ("present", "present")]),
)
def test_order_is_monotone(
    number: int, diameter_mm: float, more: int, larger: float, invasion: tuple[str, str]
) -> None:
    """More or larger tumours never lower the category."""
    before = {
        "major_branch_invasion": invasion[0],
        "vascular_invasion": invasion[1],
        "tumour_number": number,
        "diameter_mm": diameter_mm,
    }
    after = before | {"tumour_number": number + more, "diameter_mm": diameter_mm + larger}
    orders = [t_category(**patient).order for patient in (before, after)]  # type: ignore[arg-type]

    assert None not in orders
    assert orders == sorted(orders, key=lambda order: order or 0)


def test_nodes_and_metastases_are_stated() -> None:
    """The description says what is assumed on N and M, which are not read."""
    assert any("N0 M0" in assumption for assumption in TNM.assumptions)
    assert "extrahepatic_spread" not in TNM.inputs
