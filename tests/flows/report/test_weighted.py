"""The report's weighted figures: an outcome with a horizon, patients censored before it."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders.store import rows_of
from html_page import Page

from flows.ingest.run import ingest
from flows.pages.words import decimals
from flows.report.page import write_report
from store.commits.commit import commit_to
from store.home import Store
from zoo.evaluation.auc import auc
from zoo.evaluation.calibration import brier

STUDY = """
[study]
id = "paper"
title = "Followed for two years"

[cohort]
table = "patients.csv"

[clinical.variables.age]
unit = "a"

[outcome]
kind = "time_to_event"
name = "recurrence"
event = "event"
time = "months"
unit = "mo"
horizon = 24

[splits.main]
kind = "column"
column = "cohort"
"""
EVENTS = (
    *((5, "training"), (9, "training"), (13, "training"), (17, "training"), (21, "training")),
    *((5, "validation"), (20, "validation")),
)
FREE = (*["training"] * 5, *["validation"] * 2)
CENSORED = tuple((months, cohort) for months in (4, 10, 18) for cohort in ("training", "validation"))
PROBABILITIES = (0.8, 0.3, 0.4, 0.2)


def judged_study(folder: Path, followed_longer: int = 0) -> Store:
    """Return a store in which a model was judged on the four patients of the validation cohort with a label."""
    patients = [(1, *each) for each in EVENTS] + [(0, 30, cohort) for cohort in FREE]
    patients += [(0, months + followed_longer, cohort) for months, cohort in CENSORED]
    lines = [f"P{number:02},{event},{months},{cohort},60" for number, (event, months, cohort) in enumerate(patients)]
    (folder / "study.toml").write_text(STUDY)
    (folder / "patients.csv").write_text("\n".join(["patient,event,months,cohort,age", *lines]) + "\n")
    ingest(folder / "study.toml", folder / "store", workers=1)
    store = Store(folder / "store")
    own = {"study": "paper", "suite": "holdout", "model": "cr", "cohort": "validation", "version": 1}
    judged = list(zip(("P05", "P06", "P12", "P13"), (1, 1, 0, 0), PROBABILITIES, strict=True))
    labels = [label for _, label, _ in judged]
    with commit_to(store, "bench paper") as commit:
        rows = [{"patient": p, "label": y, "probability": q, "fold": 0, "threshold": 0.5} for p, y, q in judged]
        commit.put("predictions", [own | row for row in rows])
        figures = {"n": 4, "events": 2, "auc": auc(labels, PROBABILITIES), "brier": brier(labels, PROBABILITIES)}
        commit.put("leaderboard", [own | figures])
    return store


@pytest.fixture(scope="module")
def censored(tmp_path_factory):
    """Return a store with six patients who were censored before the horizon, three of each cohort."""
    return judged_study(tmp_path_factory.mktemp("censored"))


def test_weighted_figures_stand_beside_those_of_complete_cases(censored):
    """Both are those of the SQL below them; who was censored is in no split and counts all the same."""
    page = Page(write_report(censored, "paper").read_text())
    table = page.table("AUC and Brier score with the patients in mind")
    (row,) = rows_of(censored, table.sql)
    assert "6 of 20 patients were followed for less without the event" in table.caption.replace("\u00a0", " ")
    assert (row["n"], row["followed"], row["censored_before_horizon"]) == (4, 20, 6)
    assert table.rows[1] == [
        *("cr", "validation", "42", decimals(row["lowest_g"]), f"{decimals(row['rate'])}0.500"),
        f"{decimals(row['auc'])}{decimals(row['auc_lo'])}\u2013{decimals(row['auc_hi'])}",
        *(decimals(row[name]) for name in ("complete_case_auc", "brier", "complete_case_brier")),
    ]
    (plain,) = rows_of(censored, "select auc, brier from leaderboard")
    told = f"censored before the horizon it is {decimals(row['auc'])} (95 % interval {decimals(row['auc_lo'])} to"
    assert told in page.text.replace("\u00a0", " ")
    assert (row["complete_case_auc"], row["complete_case_brier"]) == pytest.approx((plain["auc"], plain["brier"]))
    # Two of the 20 are censored at 4 months, two of 15 at 10, two of 11 at 18: G is 18/20 before the event at 5 months,
    # which beats both of the others, and that times 13/15 and 9/11 before the one at 20, which beats one.
    early, late = 20 / 18, 20 / 18 * 15 / 13 * 11 / 9
    assert row["lowest_g"] == pytest.approx(1 / late)
    assert row["auc"] == pytest.approx((2 * early + late) / (2 * early + 2 * late))
    assert row["rate"] == pytest.approx((early + late) / (early + 3 * late))


def test_where_nobody_is_censored_there_is_no_such_table(tmp_path):
    """Weights of one change nothing."""
    text = write_report(judged_study(tmp_path, followed_longer=24), "paper").read_text()
    assert "patients in mind" not in text


def test_a_cohort_without_its_censored_patients_has_no_rate(censored):
    """The estimate of all patients stands; that of a split's labelled members would be their share of events."""
    table = Page(write_report(censored, "paper").read_text()).table("How often recurrence comes")
    assert [row[-2:] for row in table.rows[2:]] == [["\u2013", "0.5005 of 10"], ["\u2013", "0.5002 of 4"]]
    assert table.rows[1][-2].startswith("0.452")
