"""Outcomes, events and readings by the levels that a study file names: lists, every other one, and what is neither."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.study.tables import study_tables
from schemas.errors import ContractError
from schemas.study.text import parsed_study

HEAD = '[study]\nid = "s"\ntitle = "t"\n[cohort]\ntable = "t.csv"\n[imported.f]\ntable = "f.csv"\n'
BINARY = '[outcome]\nkind = "binary"\nname = "o"\ncolumn = "o"\n'
EVENT = '[outcome]\nkind = "time_to_event"\nname = "o"\nevent = "o"\ntime = "t"\nunit = "mo"\nhorizon = 2\n'


def tables_of(folder: Path, levels: list[str], text: str):
    """Return what a study says whose column ``o`` has these cells."""
    rows = "".join(f"P{number},{level},{number}\n" for number, level in enumerate(levels))
    (folder / "t.csv").write_text(f"patient,o,t\n{rows}")
    return study_tables(parsed_study(HEAD + text, "study.toml"), HEAD + text, folder / "study.toml")


def labels(tables) -> list[int | None]:
    """Return the patients' labels in the table's order."""
    return [row["label"] for row in tables.labels]


def test_levels_of_a_list_count_alike(tmp_path):
    """Two levels are label 1, two are label 0; an empty cell has no label."""
    text = BINARY + 'positive = ["local", "distant"]\nnegative = ["none", "stable"]\n'
    found = tables_of(tmp_path, ["local", "none", "distant", "stable", ""], text)
    assert (labels(found), found.notes) == ([1, 0, 1, 0, None], ())


def test_one_level_stands_against_every_other(tmp_path):
    """The note names what became label 0, with the number of rows: a misspelt level is not overlooked."""
    found = tables_of(tmp_path, ["CR", "PR", "SD", "PD", "PR"], BINARY + 'positive = "PD"\nnegative = "*"\n')
    assert labels(found) == [0, 0, 0, 1, 0]
    assert found.notes == ("column 'o': 'PD' (1) is a yes, every other level a no: 'PR' (2), 'CR' (1), 'SD' (1)",)
    found = tables_of(tmp_path, ["CR", "PR"], BINARY + 'positive = "PD"\nnegative = "*"\n')
    assert found.notes == ("column 'o' has no 'PD', and every level is a no: 'CR' (1), 'PR' (1)",)
    with pytest.raises(ContractError, match="'pd' differs from a level of positive in capitals or blanks only"):
        tables_of(tmp_path, ["CR", "pd"], BINARY + 'positive = "PD"\nnegative = "*"\n')


def test_an_undeclared_level_is_offered_with_those_of_the_column(tmp_path):
    """The hint has every level with its rows, and the keys to write."""
    with pytest.raises(ContractError, match="'recurrence' is neither '1' nor '0'") as caught:
        tables_of(tmp_path, ["none", "recurrence", "none"], BINARY)
    assert "column 'o' has 'none' (2), 'recurrence' (1)" in caught.value.hint
    assert 'positive = "recurrence", or a list of levels, and negative = "none", or "*"' in caught.value.hint
    with pytest.raises(ContractError, match="'C' is neither 'A' nor 'B'") as caught:
        tables_of(tmp_path, ["A", "B", "C"], BINARY + 'positive = "A"\nnegative = "B"\n')
    assert 'negative = "*" for every other level' in caught.value.hint


def test_an_event_has_words_of_its_own(tmp_path):
    """Yes and no where nothing is said; levels such as 2 for dead where they are, and the fault offers them."""
    assert labels(tables_of(tmp_path, ["yes", "no", "1", "no"], EVENT)) == [1, None, 1, 0]
    found = tables_of(tmp_path, ["2", "1", "2.0", "1"], EVENT + 'positive = "2"\nnegative = "1"\n')
    assert labels(found) == [1, None, 1, 0]
    with pytest.raises(ContractError, match="'dead' is neither yes nor no") as caught:
        tables_of(tmp_path, ["dead", "alive", "alive"], EVENT)
    assert 'say under [outcome] which of them is a yes, such as positive = "dead"' in caught.value.hint


def test_who_has_a_reading_is_told_by_a_level(tmp_path):
    """``equals`` is the yes of ``where``; other levels are noted as a no, and without it they are a fault."""
    readings = '[[readings]]\nreader = "R1"\n[[readings]]\nreader = "R2"\nwhere = "o"\n'
    found = tables_of(tmp_path, ["both", "first", "", "second"], readings + 'equals = ["both", "second"]\n')
    assert [len(each.readings) for each in found.patients] == [2, 1, 1, 2]
    assert found.notes == ("column 'o': 'both' (1), 'second' (1) is a yes, every other level a no: 'first' (1)",)
    with pytest.raises(ContractError, match="'both' is neither yes nor no") as caught:
        tables_of(tmp_path, ["both", "no"], readings)
    assert 'under [[readings]] which of them is a yes, such as equals = "no", or a list' in caught.value.hint
