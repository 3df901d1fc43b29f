"""The report's section on drift: what the study file asks, answered as radzoo monitor does, or that nobody asks."""

from __future__ import annotations

import shlex

import pytest
from builders.cohorts import tried_study
from html_page import Page

from flows.cli.main import exit_code
from flows.monitor.rules import DriftRules
from flows.monitor.run import monitor
from flows.pages.words import EN_DASH
from flows.report.page import write_report
from flows.train.run import train
from schemas.errors import ContractError

MONITOR = """
[monitor]
by = ["sex", "scanner"]
reference = { sex = "female" }
model = "cr"
"""


def page_of(study):
    """Return the parsed report."""
    return Page(write_report(study.store, None).read_text())


def drift_tables(page):
    """Return the rows of the section's tables, by the first words of their captions."""
    titles = ("What was compared", "Features that drift most")
    return {title: table.rows for table in page.tables for title in titles if table.caption.startswith(title)}


@pytest.fixture(scope="module")
def asking_study(tmp_path_factory):
    """Return a study of 60 patients of whom all of one sex have label 1, which asks about drift between the sexes."""
    study = tried_study(tmp_path_factory.mktemp("asking"))
    table = study.folder / "patients.csv"
    rows = [line.rsplit(",", 1)[0] for line in table.read_text().splitlines()]
    sexes = ["sex", *("male" if row.split(",")[1] == "1" else "female" for row in rows[1:])]
    table.write_text("".join(f"{row},{sex}\n" for row, sex in zip(rows, sexes, strict=True)))
    for name in study.patients[1::2]:
        study.write_image(name, image=study.image(name) * 1.6)
    study.file.write_text(study.file.read_text() + MONITOR)
    study.ingest()
    study.refresh_without_prefect()
    return study


def test_a_study_that_asks_nothing_is_told_that_nobody_asked(small_study):
    """An empty section would look as if nothing drifted."""
    small_study.ingest()
    page = page_of(small_study)
    assert "drift" in page.ids
    assert "No monitoring was asked for" in page.text
    assert drift_tables(page) == {}


def test_the_section_shows_what_monitor_finds(asking_study):
    """Who is compared, by which test, the adjusted p and the verdict; a question without an answer has its reason."""
    page = page_of(asking_study)
    found = monitor(asking_study.store, by="sex", reference="female", rules=DriftRules())
    rows = drift_tables(page)["What was compared"]
    assert rows[0] == ["Patients", "What", "Test", "Found", "p, adjusted", "PSI", "Verdict"]
    (features, outcome) = found.compared
    shown = {row[1]: row for row in rows[1:]}
    assert list(shown) == ["features, one by one", "features, all together", "rate of label 1"]
    assert {row[0] for row in shown.values()} == {"male (30) against female (30)"}
    worst = features.result.features[0]
    assert shown["features, one by one"][3:6] == [
        f"{len(features.drifting)} of {len(features.result.features)} drift; "
        f"PSI {features.result.chance_psi:.2f} on average by chance",
        f"{worst.p:.3f}",
        f"{worst.psi:.2f}",
    ]
    assert shown["rate of label 1"][2:] == ["Fisher's exact", "30 of 30 against 0 of 30", "<0.001", EN_DASH, "drifts"]
    assert outcome.findings
    assert f"Compared by sex, patients drift: {len(found.findings)} findings, under Drift." in page.text
    assert "Drift is p ≤ 0.01, of single features also a population stability index (PSI) of 0.2" in page.text
    listed = drift_tables(page)["Features that drift most"][1:]
    assert len(listed) > 3
    assert [row[0] for row in listed] == [each.feature for each in features.drifting[:20]]
    assert "Asked for, and not answered: no patient's scanner is known." in page.text
    assert "predictions: model 'cr' is not trained yet" in page.text


def test_the_command_below_a_question_gives_its_answer(asking_study, capsys):
    """As it stands, with STORE set as the page says; the same state of the store gives the same page."""
    page = page_of(asking_study)
    (command, _) = [code for code in page.code if " monitor " in code]
    words = shlex.split(command.replace('"$STORE"', shlex.quote(str(asking_study.store_root))))
    assert exit_code(words[1:]) == 0
    assert "label 1 in 100.0 %" in capsys.readouterr().out
    assert page_of(asking_study).html == page.html


def test_predictions_are_compared_once_the_model_is_trained(asking_study):
    """Of patients that it did not learn from."""
    train(asking_study.store, None, ["cr"])
    rows = {row[1]: row for row in drift_tables(page_of(asking_study))["What was compared"][1:]}
    assert rows["predictions"][0] == "male (10) against female (10)"
    assert rows["calibration"][3].startswith("not compared, ")


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ('by = ["site"]', "monitor.by.0: by names 'site', none of cohort, study, scanner, month, commit"),
        ('by = ["afp"]', "monitor.by.0: 'afp' is a number: its values make no groups"),
        ('by = ["sex", "sex"]', "monitor.by.1: by names 'sex' twice"),
        ('reference = { month = "2026-03" }', "monitor.reference.month: reference names 'month', which by lacks"),
        ('model = "cr"', "monitor.model: model names 'cr', no model of [models]"),
        ("alpha = 0", "monitor.alpha"),
        ("by = []", "monitor.by"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_line(small_study, table, fault):
    """Before anything is written: a page with a question that has no meaning helps nobody."""
    small_study.file.write_text(small_study.file.read_text() + f"\n[monitor]\n{table}\n")
    with pytest.raises(ContractError) as error:
        small_study.ingest()
    assert fault in str(error.value)
    assert f"{small_study.file}:{small_study.line_of(table)}" in str(error.value)


def test_months_are_refused_where_dates_are_moved(small_study):
    """Each patient's dates move by days of its own, so that no month is the true one."""
    privacy = '\n[privacy]\npseudonyms = "hash"\ndates = "shift"\nkey = "key"\n'
    small_study.file.write_text(small_study.file.read_text() + '\n[monitor]\nby = ["month"]\n' + privacy)
    with pytest.raises(ContractError, match="no month is the true one"):
        small_study.ingest()
