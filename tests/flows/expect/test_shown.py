"""Where expectations are seen: their verb, the report, the page of Prefect's artifacts; and what is in none of them."""

from __future__ import annotations

import pytest
from builders.study import SmallStudy

from flows.expect.quarantine import stored_quarantine
from flows.report.page import write_report
from flows.serve.artifacts import _ASKED_BY, _without_patients
from schemas.errors import ContractError
from store.erasure.erase import erase_patient

RULES = """
[expectations.afp]
variable = "afp"
high = 400
policy = "quarantine"
description = "<b>another</b> assay"

[expectations.grey]
grey_levels = 20
"""


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> SmallStudy:
    """Return an ingested study with an expectation that is broken and one that holds."""
    study = SmallStudy.below(tmp_path_factory.mktemp("shown"))
    study.file.write_text(study.file.read_text() + RULES)
    study.ingest()
    return study


def test_the_verb_lists_all_and_shows_one_with_its_sql(expected, capsys) -> None:
    """A table for people, rows for programs, 5 with --check where one is broken."""
    code, out, _ = expected.ask(capsys, "expect")
    assert (code, "1 of 2 hold" in out, "next: radzoo" in out) == (0, True, True)
    code, out, _ = expected.ask(capsys, "expect", "afp", "--check")
    assert (code, "where variable = 'afp' and (value > 400.0)" in out) == (5, True)
    assert expected.ask(capsys, "expect", "grey", "--check")[0] == 0
    code, rows = expected.run_json("expect", "--as-of", "1")
    assert [(row["expectation"], row["status"]) for row in rows] == [("afp", "broken"), ("grey", "held")]
    code, _, err = expected.ask(capsys, "expect", "gray")
    assert (code, "nearest: grey" in err) == (3, True)


def test_the_verb_says_that_a_study_expects_nothing(small_study, capsys) -> None:
    """No table without rows, and no failure."""
    small_study.ingest()
    code, out, _ = small_study.ask(capsys, "expect", "--check")
    assert (code, "has no expectation" in out) == (0, True)


def test_the_report_shows_expectations_with_their_words_escaped(expected, tmp_path) -> None:
    """Status, rows and description stand in the page, markup in it as text."""
    page = write_report(expected.store, "small", tmp_path / "page.html").read_text()
    assert "What is expected of the data" in page
    assert "&lt;b&gt;another&lt;/b&gt; assay" in page
    assert "<b>another</b>" not in page


def test_what_prefect_shows_has_no_sql_and_no_patient(expected) -> None:
    """Of each expectation status and counts, which tell nobody's name."""
    rows = expected.sql("from expectations")
    shown = [_without_patients(row) for row in rows]
    assert _ASKED_BY["expectations"] == "expect"
    assert all("question" not in row and row["status"] for row in shown)
    assert not any(patient in str(shown) for patient in expected.patients)


def test_an_erased_patient_is_in_no_quarantine(tmp_path) -> None:
    """Whom an expectation left out is gone from failures; the rows of expectations never had the name."""
    study = SmallStudy.below(tmp_path)
    study.file.write_text(study.file.read_text() + RULES)
    study.ingest()
    assert set(stored_quarantine(study.snapshot, "small").patients) == {"P2"}
    erase_patient(study.store, "P2")
    assert stored_quarantine(study.snapshot, "small").patients == {}
    assert not any("P2" in str(row) for table in ("expectations", "failures") for row in study.snapshot.rows(table))


def test_an_id_that_privacy_keeps_out_may_not_stand_in_a_rule(small_study) -> None:
    """SQL and words that name a patient as the tables do are refused with their lines; a pseudonym matches no id."""
    small_study.file.write_text(
        small_study.file.read_text()
        + '\n[privacy]\npseudonyms = "hash"\nkey = "../radzoo.key"\n'
        + "\n[expectations.one]\nsql = \"from masks where patient <> 'P3'\"\n"
        + '\n[expectations.two]\ngrey_levels = 2\ndescription = "but for P1, who moved"\n'
        + '\n[expectations.fine]\ngrey_levels = 200\ndescription = "of all"\n'
    )
    hidden = ('as "P1"', "where patient like 'P3%'", "-- P4 is odd", "where patient = $$P1$$")
    for number, words in enumerate(hidden):
        rule = f'\n[expectations.hidden{number}]\nsql = """select 1 {words}\n"""\n'
        if "where" in words:
            rule = rule.replace("select 1", "from masks")
        small_study.file.write_text(small_study.file.read_text() + rule)
    small_study.file.write_text(small_study.file.read_text() + "\n[expectations.but-P2]\ngrey_levels = 2\n")
    with pytest.raises(ContractError, match="7 faults") as caught:
        small_study.ingest()
    text = small_study.file.read_text()
    small_study.file.write_text(text[: text.index("\n[expectations.hidden0]")])
    with pytest.raises(ContractError, match="2 faults") as caught:
        small_study.ingest()
    lines = [small_study.line_of(text) for text in ("<> 'P3'", "but for P1")]
    assert [fault.where for fault in caught.value.faults] == [f"{small_study.file}:{line}" for line in lines]
    small_study.edit(" where patient <> 'P3'", "")
    small_study.edit("but for P1, who moved", "for those who moved")
    report = small_study.ingest()
    (found,) = [each for each in report.expectations if each.expectation == "fine"]
    assert found.status == "broken"
    assert not any(patient == row["patient"] for row in found.shown for patient in small_study.patients)
