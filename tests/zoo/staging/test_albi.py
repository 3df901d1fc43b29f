"""ALBI: worked examples, grade boundaries, units, missing and impossible inputs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.staging.albi import ALBI, albi, albi_grade
from zoo.staging.inputs import Observation
from zoo.staging.results import Score

TBIL, ALB = Observation(20.0, "umol/L"), Observation(35.0, "g/L")


@pytest.mark.parametrize(
    ("tbil", "alb", "score", "grade"),
    [
        # .66 x log10(10) - .085 x 40 = .66 - 3.40
        (10.0, 40.0, -2.74, "1"),
        # .66 x log10(20) - .085 x 35 = .66 x 1.3010300 - 2.975 = .8586798 - 2.975
        (20.0, 35.0, -2.1163202, "2"),
        # .66 x log10(100) - .085 x 28 = 1.32 - 2.38
        (100.0, 28.0, -1.06, "3"),
    ],
)
def test_worked_examples(tbil: float, alb: float, score: float, grade: str) -> None:
    """Score and grade are those computed by hand from the formula of Johnson 2015."""
    result = albi(tbil=tbil, alb=alb)

    assert result.value == pytest.approx(score, abs=1e-7)
    assert (result.grade, result.reason, result.notes) == (grade, None, ())


@pytest.mark.parametrize(
    ("score", "grade"),
    [(-3.0, "1"), (-2.60, "1"), (-2.5999, "2"), (-2.0, "2"), (-1.39, "2"), (-1.3899, "3"), (0.0, "3")],
)
def test_grade_boundaries(score: float, grade: str) -> None:
    """Grade 1 ends at -2.60 and grade 2 at -1.39, both included."""
    assert albi_grade(score) == grade


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"alb": 40.0}, "tbil is missing"),
        ({"tbil": 10.0}, "alb is missing"),
        ({}, "tbil, alb are missing"),
        ({"tbil": 0.0, "alb": 40.0}, "tbil is impossible: 0 umol/L, it must be above 0"),
        ({"tbil": 10.0, "alb": -4.0}, "alb is impossible: -4 g/L, it must be above 0"),
        ({"tbil": float("nan"), "alb": 40.0}, "tbil is impossible: nan is no number"),
    ],
)
def test_without_a_score_there_is_a_reason(values: dict[str, float], reason: str) -> None:
    """A missing or impossible input gives no score and is named."""
    assert albi(**values) == Score(None, None, reason)


def test_units_are_converted() -> None:
    """Albumin in g/dL and bilirubin in mg/dL give the score of g/L and umol/L; only the latter needs a note."""
    # 20 umol/L x 584.66 g/mol = 11.6932 mg/L = 1.16932 mg/dL
    result = ALBI.assess({"tbil": Observation(1.16932, "mg/dL"), "alb": Observation(3.5, "g/dL")})

    assert isinstance(result, Score)
    assert result.value == pytest.approx(-2.1163202, abs=1e-5)
    assert result.notes == ("tbil was converted with 1 mg/dL = 17.104 umol/L",)
    assert ALBI.assess({"tbil": TBIL, "alb": ALB}) == albi(tbil=20.0, alb=35.0)


@given(tbil=st.floats(1, 500), alb=st.floats(10, 60), more=st.floats(0, 100))
def test_worse_liver_function_has_a_higher_score(tbil: float, alb: float, more: float) -> None:
    """More bilirubin raises the score and the grade, more albumin lowers both."""
    base, icteric, nourished = (
        albi(tbil=tbil, alb=alb),
        albi(tbil=tbil + more, alb=alb),
        albi(tbil=tbil, alb=alb + more),
    )

    assert base.value is not None
    assert nourished.value is not None
    assert icteric.value is not None
    assert nourished.value <= base.value <= icteric.value
    assert str(nourished.grade) <= str(base.grade) <= str(icteric.grade)
