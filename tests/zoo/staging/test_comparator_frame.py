"""Comparators on a clinical table: one row a patient, other names and words, faults of the table."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from schemas.clinical import UcumUnit
from schemas.errors import ContractError, UsageError
from zoo.staging.bclc import BCLC
from zoo.staging.blood_ratios import LMR, NLR
from zoo.staging.erasl import ERASL_PRE
from zoo.staging.frame import COMPARATOR_SCHEMA, COMPARATORS, comparator_frame
from zoo.staging.inputs import Category, Quantity

UNITS: TypeAdapter[str] = TypeAdapter(UcumUnit)


def row(patient: str, variable: str, value: float | str, unit: str | None = None) -> dict[str, Any]:
    """Return one row of the store's clinical table."""
    is_level = isinstance(value, str)
    return {
        "patient": patient,
        "variable": variable,
        "value": None if is_level else value,
        "level": value if is_level else None,
        "unit": unit,
        "observed_at": "2020-01-01",
    }


def staging_rows(patient: str, number: float, diameter_mm: float) -> list[dict[str, Any]]:
    """Return what BCLC reads of a fit patient without spread."""
    return [
        row(patient, "ecog_ps", 0.0, "1"),
        row(patient, "child_pugh", "A"),
        row(patient, "vascular_invasion", "absent"),
        row(patient, "extrahepatic_spread", "absent"),
        row(patient, "tumour_number", number, "1"),
        row(patient, "diameter_mm", diameter_mm, "mm"),
        row(patient, "age", 60.0, "a"),
    ]


def test_stages_of_patients() -> None:
    """Each patient has one row, in order, with the stage and its order or with the reason why not."""
    rows = staging_rows("P2", 1, 20.0) + staging_rows("P1", 2, 31.0) + staging_rows("P3", 1, 20.0)[:-2]
    frame = comparator_frame(BCLC, rows)

    assert frame.schema == COMPARATOR_SCHEMA
    assert frame.rows() == [
        ("P1", 2.0, "B", None, []),
        ("P2", 0.0, "0", None, []),
        ("P3", None, None, "diameter_mm is missing", []),
    ]


def test_scores_carry_their_notes() -> None:
    """A score's conversions are told with it; the score is not turned by its direction."""
    erasl_rows = [
        row("P1", "sex", "male"),
        row("P1", "tbil", 17.0, "umol/L"),
        row("P1", "alb", 40.0, "g/L"),
        row("P1", "afp", 0.0, "[IU]/mL"),
        row("P1", "diameter_mm", 50.0, "mm"),
        row("P1", "tumour_number", 1.0, "1"),
    ]
    (score, grade, notes), *_ = comparator_frame(ERASL_PRE, erasl_rows).select("score", "grade", "notes").rows()
    # .818 + .447 + .1 x ln .605 + .58 x ln 5 = 1.265 - .0502527 + .9334740
    assert score == pytest.approx(2.1482213, abs=1e-6)
    assert (grade, len(notes)) == ("low", 2)

    counts = [row("P1", "lymphocytes", 1.5, "10*9/L"), row("P1", "monocytes", 0.5, "10*9/L")]
    assert comparator_frame(LMR, counts)["score"].to_list() == [3.0]


def test_chosen_patients() -> None:
    """A patient without any clinical value gets a reason, and nobody else gets a row."""
    frame = comparator_frame(BCLC, staging_rows("P1", 1, 20.0), patients=["P9", "P8"])

    assert frame["patient"].to_list() == ["P8", "P9"]
    assert frame["reason"].to_list() == ["ecog_ps, child_pugh are missing"] * 2


def test_other_names_and_words() -> None:
    """A study's own variable names and levels are translated."""
    rows = staging_rows("P1", 1, 40.0)
    for each in rows:
        if each["variable"] == "vascular_invasion":
            each |= {"variable": "pvtt", "level": "ja"}
    plain = comparator_frame(BCLC, rows, variables={"vascular_invasion": "pvtt"})
    translated = comparator_frame(
        BCLC,
        rows,
        variables={"vascular_invasion": "pvtt"},
        words={"vascular_invasion": {"ja": "present", "nein": "absent"}},
    )

    assert comparator_frame(BCLC, rows)["reason"].item() == "vascular_invasion is missing"
    assert plain["reason"].item() == "vascular_invasion is impossible: 'ja', it must be one of present, absent"
    assert translated["grade"].item() == "C"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"variables": {"gender": "sex"}}, "comparator 'bclc' has no input 'gender'"),
        ({"words": {"gender": {"m": "male"}}}, "comparator 'bclc' has no input 'gender'"),
        ({"words": {"child_pugh": {"1": "class A"}}}, "the words of 'child_pugh' lead to levels"),
        ({"words": {"ecog_ps": {"well": "0"}}}, "the words of 'ecog_ps' lead to levels"),
    ],
)
def test_unknown_names_are_refused(names: dict[str, Any], message: str) -> None:
    """A mapping that names what the comparator does not have is an error, not ignored."""
    with pytest.raises(UsageError, match=message):
        comparator_frame(BCLC, staging_rows("P1", 1, 20.0), **names)


def test_two_values_are_refused() -> None:
    """Which of two values holds at the reference date is not for a comparator to decide."""
    rows = [*staging_rows("P1", 1, 20.0), row("P1", "diameter_mm", 25.0, "mm")]

    with pytest.raises(ContractError, match="patient 'P1' has two values of 'diameter_mm'"):
        comparator_frame(BCLC, rows)


def test_a_category_given_as_a_number() -> None:
    """A number where a level is needed is named, not interpreted."""
    rows = [each for each in staging_rows("P1", 1, 20.0) if each["variable"] != "child_pugh"]
    frame = comparator_frame(BCLC, [*rows, row("P1", "child_pugh", 5.0, "1")])

    assert frame["reason"].item() == "child_pugh is a number, one of A, B, C is needed"


def test_counts_of_different_days() -> None:
    """A ratio of counts of different draws is refused from the table's own times."""
    rows = [
        row("P1", "neutrophils", 3.0, "10*9/L"),
        row("P1", "lymphocytes", 1.0, "10*9/L") | {"observed_at": "2020-02-01"},
    ]

    assert comparator_frame(NLR, rows)["reason"].item() == (
        "not of one draw: neutrophils 2020-01-01, lymphocytes 2020-02-01"
    )


@pytest.mark.parametrize("name", COMPARATORS)
def test_descriptions(name: str) -> None:
    """Each comparator has a source with a DOI, units that parse, and a reason for a patient without data."""
    comparator = COMPARATORS[name]

    assert comparator.name == name
    assert comparator.doi.startswith("10.")
    assert comparator.citation
    for wanted in comparator.inputs.values():
        if isinstance(wanted, Category):
            assert len(wanted.levels) > 1
        else:
            assert isinstance(wanted, Quantity)
            for unit in (wanted.unit, *dict(wanted.factors)):
                assert UNITS.validate_python(unit) == unit
    nobody = comparator.assess({})
    assert nobody.value is None
    assert any(variable in str(nobody.reason) for variable in comparator.inputs)


def test_members() -> None:
    """The comparators are those of the leaderboard, with ALBI and the T category beside them."""
    assert set(COMPARATORS) == {"bclc", "cnlc", "tnm", "erasl_pre", "albi", "nlr", "plr", "lmr"}
    assert [name for name, each in COMPARATORS.items() if each.worse == "low"] == ["lmr"]
