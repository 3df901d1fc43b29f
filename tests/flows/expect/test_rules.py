"""Each kind of expectation, broken by a study that was built to break it, and held after its correction."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from builders.study import SmallStudy

from flows.ingest.run import ingest
from schemas.errors import ContractError
from schemas.foreign_text import printable

RULES = """
[expectations.range]
variable = "afp"
low = 10
high = 400

[expectations.missing]
variable = "afp"
missing = 0.2

[expectations.count]
count = "sex"
at_least = 2

[expectations.grey]
grey_levels = 20

[expectations.spacing]
spacing_mm = [0.9, 2.1]

[expectations.same]
same_spacing = 0.02

[expectations.jump]
volume_ratio = 1.5

[expectations.duplicates]
duplicates = "images"

[expectations.sql]
sql = "select patient, volume_mm3 from masks where volume_mm3 > 300"
"""
BROKEN = {
    "range": {"P2", "P3"},
    "missing": set(),
    "count": set(),
    "grey": {"P2"},
    "spacing": {"P1"},
    "same": {"P1"},
    "jump": {"P3"},
    "duplicates": {"P3", "P4"},
    "sql": {"P3"},
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory) -> SmallStudy:
    """Return a study whose images, masks and table break each rule once, not yet ingested."""
    study = SmallStudy.below(tmp_path_factory.mktemp("broken"))
    study.edit("P4,0,validation,,male", "P4,0,validation,,female", file="patients.csv")
    wide = study.image("P1", "DP")
    wide.SetSpacing((1.0, 1.0, 2.5))
    study.write_image("P1", "DP", image=wide)
    drawn = sitk.GetImageFromArray(sitk.GetArrayFromImage(study.mask("P1", "DP")))
    drawn.CopyInformation(wide)
    study.write_mask("P1", "DP", mask=drawn)
    flat = sitk.GetImageFromArray(np.full((8, 10, 12), 500, np.float32))
    flat.CopyInformation(study.image("P2"))
    study.write_image("P2", image=flat)
    study.write_mask("P3", mask=study.mask("P3", grow=3))
    study.write_mask("P3", "DP", mask=study.mask("P3", "DP", grow=-3))
    study.write_image("P4", image=study.image("P3"))
    study.file.write_text(study.file.read_text() + RULES)
    return study


def with_patients_in_rows(broken: SmallStudy) -> None:
    """Put the table's cells right that break a rule."""
    broken.edit("420", "42", file="patients.csv")
    broken.edit("8.5", "18.5", file="patients.csv")
    broken.edit("P4,0,validation,,female", "P4,0,validation,40,male", file="patients.csv")


def test_each_kind_of_rule_finds_what_breaks_it_and_holds_when_it_is_corrected(broken) -> None:
    """All rules are broken, by the patients that break them; after correction all hold, and each commit says so."""
    first = broken.ingest()
    found = {each.expectation: each for each in first.expectations}
    assert {name: each.status for name, each in found.items()} == dict.fromkeys(BROKEN, "broken")
    assert {name: {row["patient"] for row in each.shown if "patient" in row} for name, each in found.items()} == BROKEN
    assert found["missing"].shown == ({"variable": "afp", "patients": "4", "missing": "1", "share": "0.25"},)
    assert found["count"].shown == ({"level": "male", "patients": "1"},)
    assert first.failures == ()

    with_patients_in_rows(broken)
    for patient in broken.patients:
        for phase in broken.phases:
            broken.write_image(patient, phase)
            broken.write_mask(patient, phase)
    second = broken.ingest()
    assert {each.expectation: each.status for each in second.expectations} == dict.fromkeys(BROKEN, "held")
    recorded = "select expectation, status from expectations"
    for commit, status in ((first.commit_id, "broken"), (second.commit_id, "held")):
        rows = broken.run_json("sql", "--as-of", str(commit), recorded)[1]
        assert {row["expectation"]: row["status"] for row in rows} == dict.fromkeys(BROKEN, status)


def test_a_recorded_question_gives_the_rows_again(broken) -> None:
    """The SQL that the view expectations has of a rule of ours is one that anybody can ask, and answers the same."""
    broken.ingest()
    rows = broken.sql("select expectation, broken_rows, question from expectations")
    assert {row["expectation"]: len(broken.sql(row["question"])) for row in rows} == {
        row["expectation"]: row["broken_rows"] for row in rows
    }


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("from maskes", "there is no view 'maskes'; nearest: masks"),
        ("from catalogue.maskes", "there is no table 'catalogue.maskes'; nearest: masks"),
        ("select patint from masks", 'Referenced column "patint" not found'),
        ("copy masks to 'out.csv'", "COPY is not allowed"),
        ("with x as (copy masks to 'out.csv') from x", "is not allowed"),
        ("delete from masks", "DELETE is not allowed"),
        ("from masks; drop view masks", "one statement is asked for, 2 were given"),
        ("from read_csv('/etc/passwd')", "read_csv"),
        ("select count(*) as masks from masks", "its rows have no column patient"),
    ],
)
def test_sql_that_cannot_be_asked_is_a_fault_of_the_study_file(tmp_path, sql, said) -> None:
    """A question that writes, reads elsewhere or names what nobody has is refused with its line, before all else."""
    study = SmallStudy.below(tmp_path)
    study.file.write_text(f'{study.file.read_text()}\n[expectations.bad]\npolicy = "quarantine"\nsql = """{sql}"""\n')
    with pytest.raises(ContractError, match="expectation 'bad'") as caught:
        study.ingest()
    assert said in caught.value.message
    assert caught.value.where == f"{study.file}:{study.line_of('sql = ')}"
    assert not study.store_root.exists()


def test_all_faulty_questions_are_reported_with_the_tables_faults(tmp_path) -> None:
    """Two questions and a cell are wrong: one error lists the three."""
    study = SmallStudy.below(tmp_path)
    study.edit("P2,0,training,420", "P2,0,training,many", file="patients.csv")
    study.file.write_text(
        study.file.read_text() + '\n[expectations.a]\nsql = "from nowhere"\n[expectations.b]\nsql = "drop view masks"\n'
    )
    with pytest.raises(ContractError, match="3 faults") as caught:
        study.ingest()
    for said in ("'nowhere'", "DROP is not allowed", "'many'"):
        assert said in caught.value.message


def test_a_question_that_never_ends_is_ended_and_refuses_where_the_policy_says_so(tmp_path, monkeypatch) -> None:
    """Beyond its time a warning says that it was not checked, and a gate stays shut."""
    monkeypatch.setenv("RADZOO_SQL_SECONDS", "1")
    study = SmallStudy.below(tmp_path, patients=("P1", "P2", "P3", "P4"), phases=("AP", "DP"))
    endless = "select a.range as n from range(1000000000) a, range(1000000000) b where a.range * b.range % 7 = 9"
    study.file.write_text(f'{study.file.read_text()}\n[expectations.endless]\nsql = "{endless}"\n')
    (found,) = study.ingest().expectations
    assert (found.status, found.detail) == ("not_checked", "the question takes longer than 1 s")
    study.file.write_text(study.file.read_text() + 'policy = "refuse"\n')
    with pytest.raises(ContractError, match="cannot be answered, and its policy is to refuse"):
        study.ingest()


def test_what_duckdb_quotes_of_a_row_is_not_stored(tmp_path) -> None:
    """A question that fails on a patient's name is not checked, and no row of the store has DuckDB's quotation."""
    study = SmallStudy.below(tmp_path)
    study.file.write_text(study.file.read_text() + '\n[expectations.x]\nsql = "select patient::int as n from masks"\n')
    (found,) = study.ingest().expectations
    assert found.detail == "Conversion Error in its SQL"
    assert study.sql("select detail from expectations") == [{"detail": found.detail}]


def test_only_the_studys_own_rows_count(tmp_path) -> None:
    """Another study's patients in the same store break nothing, though views show them."""
    study = SmallStudy.below(tmp_path)
    other = study.another()
    other.edit("P1,1,training,12,male", "Q1,1,training,9000,male", file="patients.csv")
    for phase in other.phases:
        other.image_file("P1", phase).rename(other.image_file("Q1", phase))
        other.mask_file("P1", phase).rename(other.mask_file("Q1", phase))
    other.ingest(supersede=True)
    rule = '\n[expectations.high]\nsql = "select patient from clinical where value > 1000"\n'
    study.file.write_text(study.file.read_text() + rule)
    (found,) = study.ingest(supersede=True).expectations
    assert (found.status, found.rows) == ("held", 0)
    other.file.write_text(other.file.read_text() + rule)
    (found,) = other.ingest(supersede=True).expectations
    assert (found.rows, found.shown) == (1, ({"patient": "Q1"},))


def test_words_of_a_rule_are_shown_and_not_obeyed(tmp_path, capsys) -> None:
    """What a row holds that a terminal obeys comes out as its code."""
    study = SmallStudy.below(tmp_path)
    study.file.write_text(
        study.file.read_text()
        + "\n[expectations.red]\nsql = \"select patient, chr(27) || '[31m' as word from masks\"\n"
    )
    code, out, _ = study.ask(capsys, "ingest", study.file)
    assert (code, "\x1b" in out, "expectation 'red' is broken by 8 rows" in out) == (0, False, True)
    assert out == printable(out)


def test_pseudonyms_that_are_declared_one_persons_may_share_an_image(tmp_path) -> None:
    """A declared person's two pseudonyms are no duplicates; a third patient with the same image is."""
    study = SmallStudy.below(tmp_path)
    study.write_image("P4", image=study.image("P3"))
    study.edit('table = "patients.csv"', 'table = "patients.csv"\nsame_person = [["P3", "P4"]]')
    study.file.write_text(study.file.read_text() + '\n[expectations.twice]\nduplicates = "images"\n')
    assert study.ingest().expectations[0].status == "held"
    study.edit("P2,0,training", "P2,0,validation", file="patients.csv")
    study.edit("P3,1,validation", "P3,1,training", file="patients.csv")
    study.edit("P4,0,validation", "P4,0,training", file="patients.csv")
    study.write_image("P1", image=study.image("P3"))
    assert {row["patient"] for row in study.ingest().expectations[0].shown} == {"P1", "P3", "P4"}


def test_what_two_studies_share_breaks_no_rule_of_either(tmp_path) -> None:
    """The same patients under another prefix are the other study's; two patients of one study are duplicates."""
    first = SmallStudy.below(tmp_path)
    rule = '\n[expectations.twice]\nduplicates = "images"\npolicy = "refuse"\n'
    first.file.write_text(first.file.read_text() + rule)
    assert first.ingest().expectations[0].status == "held"
    text = first.file.read_text().replace('table = "patients.csv"', 'table = "patients.csv"\nprefix = "b-"')
    other = first.file.with_name("other.toml")
    other.write_text(text.replace('id = "small"', 'id = "other"'))
    assert ingest(other, first.store_root, workers=1).expectations[0].status == "held"
    assert first.ingest().expectations[0].status == "held"
