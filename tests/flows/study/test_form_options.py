"""``radzoo ingest --features``: how the table is written, as options, which the study file keeps."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from builders.command_line import printed

from flows.study.file import study_file_text
from schemas.study.text import parsed_study

ROWS = [f"P{number};{number % 2};1.{number:03},5;{number * 7 % 10},5" for number in range(20)]
TABLE = "\n".join(["Werte 2020", "id;rezidiv;Größe;Höhe", ";;mm;mm", *ROWS]) + "\n"
OPTIONS = ("--encoding", "cp1252", "--decimal", ",", "--thousands", ".", "--header-row", "2", "--first-row", "4")


@pytest.fixture
def ingested(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    """Return a function that ingests the table with options, without writing."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_bytes(TABLE.encode("cp1252"))

    def run(*options: str, dry: bool = True) -> tuple[int, str, str]:
        named = ("--features", "t.csv", "--patient", "id", "--outcome", "rezidiv", "--models", "radiomics_lr")
        return printed(capsys, "--store", tmp_path / "s", "ingest", *named, *options, *(["--dry-run"] if dry else []))

    return run


def test_the_options_are_kept_in_the_study_file(ingested):
    """Cohort and feature set are one table, and both say how it is written; its values are those of the form."""
    code, out, err = ingested(*OPTIONS, dry=False)
    assert code == 0, err
    assert "t: 20 patients (20 labelled, 10 events)" in out
    assert "rows: 20 added" in out
    study = parsed_study(study_file_text(Path("t/study.toml")), "study.toml")
    for form in (study.cohort, study.imported["t"]):
        assert (form.encoding, form.decimal, form.thousands) == ("cp1252", ",", ".")
        assert (form.header_row, form.first_row) == (2, 4)


def test_what_is_not_said_is_refused_with_the_option(ingested):
    """Each run names the next option that the table needs, and leaves no study file."""
    code, _, err = ingested()
    assert code == 4
    assert "encoding = \"cp1252\" would read 'Größe'" in err
    assert "as an option, each _ of the key being -" in err
    code, _, err = ingested("--encoding", "cp1252")
    assert code == 4
    assert "header_row = 2 beside table" in err
    code, _, err = ingested("--encoding", "cp1252", "--header-row", "2", "--first-row", "4")
    assert code == 4
    assert 'decimal = "," and thousands = "."' in err
    assert not os.path.lexists("t")


def test_options_without_meaning_are_a_usage_error(ingested):
    """Thousands without decimals tell nothing, and neither does a first row above the header."""
    assert ingested("--thousands", ".")[0] == 2
    code, _, err = ingested("--header-row", "4", "--first-row", "3")
    assert (code, "--first-row: the first patient's row is below the header, row 4" in err) == (2, True)
