"""A quick share of tests/attacks/tables.py: hostile tables and study files end in one line, or are read."""

import pytest

from tests.attacks.made.table_cases import CASES
from tests.attacks.tables import attack, handmade, mutants, written

SHARE = [
    "pattern '{reading:>2000000000}'",
    "pattern '{patient:{x}}'",
    "id '../../x'",
    "an id with NUL",
    "a feature 1e999",
    "a feature \uff11\uff12",
    "a patient without a row",
    "a row without values",
    "a lone surrogate",
    "a quote that is not closed",
    "a zip whose directory lies",
    "Parquet whose footer is zeros",
    "a pipe",
    "a table at '/dev/zero'",
    "study: a number of 5,000 digits",
    "study: brackets that are closed",
    "study: a pipe",
]


def test_the_valid_study_is_committed(tmp_path):
    """What the attacks alter is itself without fault."""
    written(tmp_path / "s")
    result = attack("valid", tmp_path / "s", dry_run=False, expected=frozenset({0}))
    assert result.fault == ""


def test_there_are_as_many_hand_made_ones_as_promised():
    """The list has more than 120 entries, each with the exit codes that it may end with."""
    assert len(CASES) > 250
    assert all(case.codes <= {0, 4, 5} for case in CASES.values())


@pytest.mark.parametrize("name", SHARE)
def test_a_hand_made_input_ends_as_it_should(tmp_path, name):
    """One of each kind is ingested: an exit code of the project's own and a line with a next step."""
    (result,) = handmade(tmp_path, {name: CASES[name]})
    assert result.fault == ""


def test_mutants_end_as_they_should(tmp_path):
    """Twelve mutants, drawn by their numbers, end without a traceback."""
    assert [result.fault for result in mutants(12, 500, tmp_path) if result.fault] == []
