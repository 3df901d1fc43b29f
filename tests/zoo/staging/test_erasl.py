"""ERASL-pre: worked examples, risk groups, the assay's floor, units, real data."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.evaluation.auc import auc
from zoo.staging.albi import ALBI
from zoo.staging.erasl import ERASL_PRE, erasl_group, erasl_pre, erasl_pre_with_floor
from zoo.staging.frame import comparator_frame
from zoo.staging.inputs import Observation
from zoo.staging.results import Score

# ALBI .66 x log10(17) - .085 x 40 = .8120963 - 3.40 = -2.5879037: grade 2 by a hair.
LOW_RISK: dict[str, Any] = {
    "sex": "female",
    "tbil": 10.0,
    "alb": 45.0,
    "afp": 10.0,
    "diameter_mm": 20.0,
    "tumour_number": 1.0,
}
MEDIUM_RISK: dict[str, Any] = {
    "sex": "male",
    "tbil": 17.0,
    "alb": 40.0,
    "afp": 100.0,
    "diameter_mm": 50.0,
    "tumour_number": 2.0,
}
HIGH_RISK: dict[str, Any] = {
    "sex": "male",
    "tbil": 100.0,
    "alb": 28.0,
    "afp": 1210.0,
    "diameter_mm": 100.0,
    "tumour_number": 4.0,
}


@pytest.mark.parametrize(
    ("patient", "score", "group"),
    [
        # 0 + 0 + .1 x ln 10 + .58 x ln 2 + 0 = .2302585 + .4020254
        (LOW_RISK, 0.6322839, "low"),
        # .818 + .447 + .1 x ln 100 + .58 x ln 5 + .492 = 1.757 + .4605170 + .9334740
        (MEDIUM_RISK, 3.1509910, "intermediate"),
        # .818 + .447 + .1 x ln 1210 + .58 x ln 10 + 2 x .492 = 2.249 + .7098376 + 1.3354994
        (HIGH_RISK, 4.2943370, "high"),
    ],
)
def test_worked_examples(patient: dict[str, Any], score: float, group: str) -> None:
    """Score and risk group are those computed by hand from the formula of Chan 2018."""
    result = erasl_pre(**patient)

    assert result.value == pytest.approx(score, abs=1e-6)
    assert (result.grade, result.reason, result.notes) == (group, None, ())


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"sex": "female"}, -0.818),
        ({"tbil": 16.0}, -0.447),  # .66 x log10(16) - 3.4 = -2.6052808: grade 1
        ({"alb": 20.0}, 0.0),  # grade 3 counts as grade 2
        ({"tumour_number": 1.0}, -0.492),
        ({"tumour_number": 3.0}, 0.0),
        ({"tumour_number": 4.0}, 0.492),
        ({"tumour_number": 9.0}, 0.492),
        ({"afp": 100.0 * math.e}, 0.100),
        ({"diameter_mm": 50.0 * math.e}, 0.580),
    ],
)
def test_each_term(change: dict[str, Any], difference: float) -> None:
    """One changed input moves the score by its own term."""
    changed, base = erasl_pre(**MEDIUM_RISK | change), erasl_pre(**MEDIUM_RISK)

    assert changed.value is not None
    assert base.value is not None
    assert changed.value - base.value == pytest.approx(difference, abs=1e-12)


@pytest.mark.parametrize(
    ("score", "group"),
    [(0.0, "low"), (2.558, "low"), (2.5581, "intermediate"), (3.521, "intermediate"), (3.5211, "high")],
)
def test_group_boundaries(score: float, group: str) -> None:
    """Low risk ends at 2.558 and intermediate at 3.521, both included."""
    assert erasl_group(score) == group


@pytest.mark.parametrize("name", LOW_RISK)
def test_every_input_is_needed(name: str) -> None:
    """Without any one input there is no score, and the reason names it."""
    assert erasl_pre(**LOW_RISK | {name: None}) == Score(None, None, f"{name} is missing")


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("sex", "unknown", "'unknown', it must be one of female, male"),
        ("afp", -1.0, "-1 ug/L, it must be at least 0"),
        ("diameter_mm", 0.0, "0 mm, it must be above 0"),
        ("tumour_number", 0.0, "0, it must be at least 1"),
        ("tumour_number", 1.5, "1.5, it must be a whole number"),
        ("alb", math.inf, "inf is no number"),
    ],
)
def test_impossible_inputs(name: str, value: Any, problem: str) -> None:
    """An impossible input gives no score, and the reason says what is wrong."""
    assert erasl_pre(**LOW_RISK | {name: value}) == Score(None, None, f"{name} is impossible: {problem}")


@pytest.mark.parametrize("afp", [0.0, 0.3])
def test_afp_below_the_floor(afp: float) -> None:
    """AFP of 0 or below detection counts as the assay's floor, and a note says so."""
    floored = erasl_pre(**LOW_RISK | {"afp": afp})

    assert floored.value == erasl_pre(**LOW_RISK | {"afp": 0.605}).value
    assert floored.notes == (f"afp {afp:g} ug/L was raised to the assay's floor, 0.605 ug/L",)
    assert erasl_pre(**LOW_RISK | {"afp": 0.605}).notes == ()


def test_floor_of_another_assay() -> None:
    """A laboratory's own floor is used."""
    observations = observed(LOW_RISK) | {"afp": Observation(0.0, "ug/L")}
    result = erasl_pre_with_floor(2.0).assess(observations)

    assert result.value == erasl_pre(**LOW_RISK | {"afp": 2.0}).value


@pytest.mark.parametrize("floor", [0.0, -1.0, math.nan, math.inf])
def test_impossible_floor(floor: float) -> None:
    """A floor that has no finite logarithm is refused in words, by the score and by its description."""
    with pytest.raises(ValueError, match="floor must be above 0 ug/L and finite"):
        erasl_pre(**LOW_RISK | {"afp": 0.0}, afp_floor_ug_l=floor)
    with pytest.raises(ValueError, match="floor must be above 0 ug/L and finite"):
        erasl_pre_with_floor(floor)


def observed(patient: dict[str, Any]) -> dict[str, Observation]:
    """Return a patient's values as observations in the units of the formula."""
    units = {"tbil": "umol/L", "alb": "g/L", "afp": "ug/L", "diameter_mm": "mm", "tumour_number": "1"}
    return {
        name: Observation(level=value) if name == "sex" else Observation(value, units[name])
        for name, value in patient.items()
    }


def test_units_are_converted() -> None:
    """AFP in IU/mL or kIU/L is taken times 1.21 with a note, in ng/mL as it is; size in cm is ten times mm."""
    exact = ERASL_PRE.assess(observed(HIGH_RISK))
    note = ("afp was converted with 1 [IU]/mL = 1.21 ug/L",)

    assert isinstance(exact, Score)
    assert exact == erasl_pre(**HIGH_RISK)
    for afp, notes in (
        (Observation(1000.0, "[IU]/mL"), note),
        (Observation(1000.0, "k[IU]/L"), note),
        (Observation(1210.0, "ng/mL"), ()),
    ):
        result = ERASL_PRE.assess(observed(HIGH_RISK) | {"afp": afp, "diameter_mm": Observation(10.0, "cm")})
        assert isinstance(result, Score)
        assert result.value == pytest.approx(exact.value, abs=1e-12)
        assert result.notes == notes


def test_two_notes() -> None:
    """A converted AFP below the floor carries both notes."""
    result = ERASL_PRE.assess(observed(LOW_RISK) | {"afp": Observation(0.0, "[IU]/mL")})

    assert isinstance(result, Score)
    assert [note.split(" ug/L")[0] for note in result.notes] == ["afp was converted with 1 [IU]/mL = 1.21", "afp 0"]


@given(
    afp=st.floats(0, 1e6),
    diameter=st.floats(1, 300),
    number=st.integers(1, 10),
    more=st.floats(0, 100),
    extra=st.integers(0, 5),
)
def test_score_grows_with_the_tumour(afp: float, diameter: float, number: int, more: float, extra: int) -> None:
    """More AFP, a larger tumour or more of them never lower the score or the risk group."""
    base = MEDIUM_RISK | {"afp": afp, "diameter_mm": diameter, "tumour_number": number}
    worse = {"afp": afp + more, "diameter_mm": diameter + more, "tumour_number": number + extra}
    before = erasl_pre(**base)
    groups = ERASL_PRE.grades

    assert before.value is not None
    for name, value in worse.items():
        after = erasl_pre(**base | {name: value})
        assert after.value is not None
        assert after.value >= before.value
        assert groups.index(str(after.grade)) >= groups.index(str(before.grade))


UCI_COLUMNS = {
    "afp": ("Alpha-Fetoprotein (ng/mL)", "ng/mL"),
    # The table's heading says mg/dL; its values, 1.9 to 4.9, are g/dL.
    "alb": ("Albumin (mg/dL)", "g/dL"),
    "tbil": ("Total Bilirubin(mg/dL)", "mg/dL"),
    "diameter_mm": ("Major dimension of nodule (cm)", "cm"),
    "tumour_number": ("Number of Nodules", "1"),
}


def test_real_patients(shared_data: Callable[[str], Path]) -> None:
    """Of the 165 patients of the UCI HCC table exactly the complete ones get a score; ALBI predicts their death."""
    with (shared_data("uci_hcc_survival") / "hcc-data.txt").open() as file:
        table = {f"UCI-{number:03d}": row for number, row in enumerate(csv.DictReader(file))}
    rows: list[dict[str, Any]] = []
    for patient, row in table.items():
        rows.append({"patient": patient, "variable": "sex", "level": "male" if row["Gender"] == "1" else "female"})
        rows += [
            {"patient": patient, "variable": name, "value": float(row[column]), "unit": unit}
            for name, (column, unit) in UCI_COLUMNS.items()
            if row[column].strip() != "?"
        ]
    erasl, liver = comparator_frame(ERASL_PRE, rows), comparator_frame(ALBI, rows)

    for patient, score, reason in zip(erasl["patient"], erasl["score"], erasl["reason"], strict=True):
        row = table[patient]
        absent = [name for name, (column, _) in UCI_COLUMNS.items() if row[column].strip() == "?"]
        is_without_nodule = row["Number of Nodules"].strip() == "0"
        assert (score is None) == bool(absent or is_without_nodule)
        assert (reason is not None) == (score is None)
        if absent and not is_without_nodule:
            assert all(name in reason for name in absent)
        elif is_without_nodule:
            assert reason == "tumour_number is impossible: 0, it must be at least 1"
    assert 120 < erasl["score"].drop_nulls().len() < 165
    scored = liver.filter(liver["score"].is_not_null())
    died = [1 - int(table[patient]["survived"]) for patient in scored["patient"]]
    assert auc(died, scored["score"]) > 0.6
    assert set(scored["grade"]) == {"1", "2", "3"}
