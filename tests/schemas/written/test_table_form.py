"""The form of a table as a study file declares it: what goes together, and what old studies are on record as."""

from __future__ import annotations

import pytest

from schemas.errors import ContractError
from schemas.study.text import parsed_study
from schemas.written.levels import side_of
from schemas.written.table_form import column_of

STUDY = """[study]
id = "s"
title = "t"

[cohort]
table = "patients.csv"

[imported.mine]
table = "features.csv"

[[readings]]
where = "reread"

[outcome]
kind = "binary"
name = "o"
column = "o"
"""


def refused(old: str, new: str) -> str:
    """Return the faults of the study with another text."""
    assert old in STUDY
    with pytest.raises(ContractError) as caught:
        parsed_study(STUDY.replace(old, new), "study.toml")
    return str(caught.value)


def test_a_study_that_declares_no_form_is_on_record_as_before():
    """Keys of this and of former releases are the recorded ones: the hash of a stored study does not move."""
    recorded = parsed_study(STUDY, "study.toml").model_dump(mode="json")
    assert recorded["cohort"] == {
        "table": "patients.csv",
        "patient": "patient",
        "prefix": "",
        "person": None,
        "same_person": [],
        "repeated": False,
        "missing": [],
        "max_removed_share": 0.2,
        "exam": "baseline",
        "exam_date": None,
        "reference_date": None,
        "exam_window_days": None,
    }
    assert recorded["clinical"] == {"table": None, "observed_at": None, "window_days": None, "variables": {}}
    assert recorded["readings"] == [{"reader": "R1", "reading": 1, "where": "reread"}]
    assert recorded["outcome"] == {"kind": "binary", "name": "o", "column": "o", "positive": "1", "negative": "0"}
    assert sorted(recorded["imported"]["mine"]) == [
        *("columns", "description", "lesion", "missing", "patient", "phase", "phases", "source", "table"),
    ]


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("[study]", '[clinical]\ndates = "DD.MM.YYYY"\n[study]', 2, "give dates under [cohort], or table here"),
        ('"patients.csv"', '"patients.csv"\nthousands = "."', 7, "give decimal too, '.' or ','"),
        ('"patients.csv"', '"patients.csv"\ndecimal = "."\nthousands = "."', 8, "cannot stand before decimals and"),
        ('"patients.csv"', '"patients.csv"\nheader_row = 3\nfirst_row = 3', 8, "is below the header, row 3"),
        ('"patients.csv"', '"patients.csv"\nencoding = "windows"', 7, "'cp1252'"),
        ('"patients.csv"', '"patients.csv"\ndates = "DD.MM.YY"', 7, "'DD.MM.YYYY'"),
        ('"patients.csv"', '"patients.csv"\npatient = ["id"]', 7, 'a list of two to five names: ["site", "id"]'),
        ('"features.csv"', '"features.csv"\ndates = "DD.MM.YYYY"', 10, "unknown key"),
        ('where = "reread"', 'equals = "yes"', 12, "give where too"),
        ('where = "reread"', 'where = "reread"\nequals = "*"', 13, "'*' stands for every other level"),
        ('column = "o"', 'column = "o"\npositive = ["a", "0"]', 14, "level '0' is positive and negative"),
        ('column = "o"', 'column = "o"\nnegative = ["a", "*"]', 14, "for no more beside levels"),
        ('column = "o"', 'column = "o"\npositive = []', 18, 'a list of levels: ["A", "B"]'),
        (
            'binary"\nname = "o"\ncolumn = "o"',
            'time_to_event"\nname = "o"\nevent = "e"\ntime = "t"\nunit = "mo"\nhorizon = 2\npositive = "dead"',
            14,
            "positive says which cells are an event, give negative too",
        ),
    ],
)
def test_keys_that_have_no_meaning_together_are_refused_with_their_line(old, new, line, words):
    """A form that would be read in two ways, or in none, is a fault of the study file."""
    message = refused(old, new)
    assert words in message
    assert f"study.toml:{line}:" in message


def test_a_level_is_of_one_side_of_every_other_or_of_neither():
    """Lists count alike, whole numbers with decimals are themselves, and a misspelt level is not every other one."""
    assert side_of("2.0", ("1", "2"), "0") is True
    assert side_of("0", "1", ("0", "2")) is False
    assert side_of("3", "1", ("0", "2")) is None
    assert side_of("late", "early", "*") is False
    assert side_of(" early recurrence".strip(), "Early  recurrence", "*") is None


def test_a_joined_column_is_called_as_its_parts_joined():
    """One name stands for the columns wherever a fault names one."""
    assert (column_of("id"), column_of(("site", "id"))) == ("id", "site-id")
