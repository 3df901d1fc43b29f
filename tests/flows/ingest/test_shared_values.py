"""Studies that share patients: equal values are one row, other values are refused or accepted as the correction."""

import json

import pytest

from flows.cli.main import exit_code
from schemas.errors import ContractError

AFP = "select value from clinical where patient = 'P2' and variable = 'afp'"
TIME_TO_EVENT = (
    'kind = "time_to_event"\nname = "recurrence"\nevent = "recurrence"\ntime = "afp"\nunit = "mo"\nhorizon = 5'
)
DATED = '[clinical]\nobserved_at = "drawn"\n\n[clinical.variables.afp]'
BINARY = 'kind = "binary"\nname = "recurrence"\ncolumn = "recurrence"'


@pytest.fixture
def second(small_study):
    """Return a second study with the tables and images of the first, which is ingested."""
    small_study.ingest()
    return small_study.another()


def test_equal_values_are_shared(small_study, second):
    """What both studies say is one row, known since the first said it."""
    before = small_study.snapshot.rows("clinical")
    second.ingest()
    assert small_study.snapshot.rows("clinical") == before
    second.edit("420", "420.0", file="patients.csv")
    assert second.ingest().commit_id is None


def test_another_value_of_the_same_date_is_refused_with_both_values(small_study, second, capsys):
    """The patient, the variable, both values and the other study are named, with exit code 4; nothing is written."""
    second.edit("420", "402", file="patients.csv")
    arguments = ["--json", "--store", str(second.store_root), "ingest", str(second.file)]
    assert exit_code([*arguments, "--dry-run"]) == exit_code(arguments) == 4
    text = capsys.readouterr().err
    error = json.loads(text[text.rindex("\n{") :])
    assert error["message"] == "patient 'P2' has afp 402 [IU]/mL here and 420 [IU]/mL in study 'small'"
    assert "prefix" in error["hint"]
    assert "--supersede" in error["hint"]
    assert small_study.sql(AFP) == [{"value": 420.0}]
    assert len(small_study.sql("from commits")) == 1


def test_supersede_makes_it_the_correction_and_the_commit_says_so(small_study, second, capsys):
    """The value is superseded for both studies, the commit's message tells whose it was, old commits keep it."""
    second.edit("420", "402", file="patients.csv")
    second.edit("12,male", "12,female", file="patients.csv")
    assert exit_code(["--store", str(second.store_root), "ingest", str(second.file), "--supersede"]) == 0
    assert "commit 2:" in capsys.readouterr().out
    assert small_study.sql(AFP) == [{"value": 402.0}]
    assert small_study.sql("select message from commits order by commit_id desc limit 1") == [
        {"message": "ingest second, superseding 2 values of small"}
    ]
    assert small_study.run_json("sql", AFP, "--as-of", "1") == (0, [{"value": 420.0}])
    small_study.edit("12,male", "12,female", file="patients.csv")
    # The other study's table still has the old value: it is told so, and does not silently win back.
    with pytest.raises(ContractError, match=r"420 .* here and 402 .* in study 'second'"):
        small_study.ingest()


def test_a_study_corrects_what_no_other_study_declares(small_study, second):
    """A second study without the variable, or without the patient, does not hold up a correction."""
    text = second.file.read_text()
    start, end = text.index("[clinical.variables.afp]"), text.index("[clinical.variables.sex]")
    second.file.write_text(text[:start] + text[end:])
    second.ingest()
    small_study.edit("420", "402", file="patients.csv")
    small_study.ingest()
    assert small_study.sql(AFP) == [{"value": 402.0}]
    second.file.write_text(text)
    second.keep("P1")
    second.ingest(allow_removals=True)
    small_study.edit("402", "403", file="patients.csv")
    small_study.ingest()
    assert small_study.sql(AFP) == [{"value": 403.0}]


def test_values_of_other_dates_and_other_people_are_no_conflict(small_study, second):
    """Another date is another value, and a prefix makes another patient."""
    table = second.folder / "patients.csv"
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([f"{header},drawn", *(f"{row},2020-01-02" for row in rows)]) + "\n")
    second.edit("420", "402", file="patients.csv")
    second.edit("[clinical.variables.afp]", DATED)
    second.ingest()
    assert small_study.sql(f"{AFP} order by value") == [{"value": 402.0}, {"value": 420.0}]
    third = small_study.another("third")
    third.edit("[clinical.variables.afp]", DATED)
    (third.folder / "patients.csv").write_text(table.read_text())
    third.edit("402", "411", file="patients.csv")
    with pytest.raises(ContractError, match=r"afp of 2020-01-02 411 .* and 402 .* in study 'second'"):
        third.ingest()
    third.edit('table = "patients.csv"', 'table = "patients.csv"\nprefix = "B-"')
    assert third.ingest().failures == ()


def test_another_outcome_is_refused(small_study, second):
    """The same outcome of the same patient cannot be an event in one study and none in another."""
    second.edit("P1,1", "P1,0", file="patients.csv")
    second.edit("P2,0", "P2,1", file="patients.csv")
    message = r"patient 'P1' has outcome recurrence no event here and event in study 'small' \(1 more\)"
    with pytest.raises(ContractError, match=message):
        second.ingest()
    second.ingest(supersede=True)
    events = small_study.sql("select patient, event from labels where study = 'small' order by all")
    assert [row["event"] for row in events] == [0, 1, 1, 0]
    assert "superseding 2 values of small" in small_study.sql("from commits order by commit_id desc")[0]["message"]


def test_another_time_is_refused_and_an_outcome_of_another_name_is_not(small_study, second):
    """Event and time belong together; a study whose outcome has another name has values of its own."""
    second.edit(BINARY, TIME_TO_EVENT)
    second.edit("[splits.fixed]", '[clinical.variables.months]\nunit = "mo"\ncolumn = "afp"\n\n[splits.fixed]')
    second.keep("P1", "P2", "P3")
    with pytest.raises(ContractError, match="event at 12 mo here and event in study 'small'"):
        second.ingest()
    second.edit('name = "recurrence"', 'name = "relapse"')
    second.ingest()
    assert len(small_study.sql("from labels where study = 'second'")) == 3


def test_an_outcome_that_is_not_given_takes_none_away(small_study, second):
    """A study that does not know an outcome leaves the one that another study knows, and has no label itself."""
    second.edit("P4,0", "P4,", file="patients.csv")
    second.keep("P1", "P2", "P3", "P4")
    second.ingest()
    labels = small_study.sql("select study, event, label, reason from labels where patient = 'P4' order by all")
    assert [(row["study"], row["event"], row["label"]) for row in labels] == [("second", 0, None), ("small", 0, 0)]
    small_study.edit("P3,1", "P3,", file="patients.csv")
    small_study.keep("P1", "P2", "P3", "P4")
    small_study.ingest()
    assert small_study.sql("select event from labels where patient = 'P3' and study = 'second'") == [{"event": 1}]
