"""The flow chart in the report: its numbers are those of the SQL beside it."""

from html_page import Page

from flows.ingest.run import ingest
from flows.report.page import write_report
from store.home import Store

STUDY = """
[study]
id = "paper"
title = "The published flow"

[cohort]
table = "patients.csv"

[[criteria]]
name = "missing data"
exclude = { column = "screening", equals = "missing" }

[[criteria]]
name = "images of good quality"
include = { column = "screening", one_of = ["lost", "included"] }

[[criteria]]
name = "treated before"
exclude = { column = "screening", equals = "treated" }

[clinical.variables.age]
unit = "a"

[outcome]
kind = "time_to_event"
name = "early_recurrence"
event = "event"
time = "months"
unit = "mo"
horizon = 24

[splits.main]
kind = "column"
column = "cohort"
"""
GROUPS = (
    (5, "missing,,,"),
    (4, "blurred,,,"),
    (7, "included,1,12,training"),
    (5, "included,0,30,training"),
    (2, "included,1,3,validation"),
    (3, "included,0,30,validation"),
    (6, "lost,0,5,"),
    (1, "included,0,30,"),
)


def page_of(folder, text):
    """Return the report of a study that is nothing but its tables."""
    (folder / "study.toml").write_text(text)
    rows = [row for count, row in GROUPS for _ in range(count)]
    lines = [f"P{number:02},{row},60" for number, row in enumerate(rows)]
    (folder / "patients.csv").write_text("\n".join(["patient,screening,event,months,cohort,age", *lines]) + "\n")
    ingest(folder / "study.toml", folder / "store", workers=1)
    return Page(write_report(Store(folder / "store"), "paper").read_text())


def test_the_chart_has_the_published_boxes(tmp_path):
    """Assessed, excluded by criterion, included, left in no cohort, and each cohort with its events."""
    text = " ".join(page_of(tmp_path, STUDY).text.replace("\u00a0", " ").split())
    boxes = (
        "Assessed (n = 33)",
        "Excluded (n = 9) missing data (n = 5) not met: images of good quality (n = 4) treated before (n = 0)",
        "Included (n = 24)",
        "In no cohort of the split 'main' (n = 7) with a label (n = 1) no label (n = 6)",
        "Training (n = 12) 7 with early recurrence 5 without",
        "Validation (n = 5) 2 with early recurrence 3 without",
    )
    assert [box for box in boxes if box not in text] == []


def test_without_criteria_the_chart_begins_with_the_study(tmp_path):
    """Nobody is excluded from anything then: the cohorts of the split come from all patients."""
    start, end = STUDY.index("[[criteria]]"), STUDY.index("[clinical.")
    text = " ".join(page_of(tmp_path, STUDY[:start] + STUDY[end:]).text.replace("\u00a0", " ").split())
    assert "In the study (n = 33)" in text
    assert "Excluded (n" not in text
    assert "In no cohort of the split 'main' (n = 16) with a label (n = 1) no label (n = 15)" in text
