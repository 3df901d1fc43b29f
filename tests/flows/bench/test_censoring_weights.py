"""Weights for the censored from the study file to the report: real follow-up, by the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from builders.command_line import radzoo_here
from html_page import Page
from statsmodels.datasets import heart
from statsmodels.duration.survfunc import SurvfuncRight

from flows.report.page import write_report
from store.home import Store

# Heart transplants, Miller R, Survival Analysis (1976), as statsmodels brings them along.
STUDY = """
[study]
id = "heart"
title = "Death within two years of a heart transplant"

[cohort]
table = "patients.csv"

[clinical.variables.age]
unit = "a"

[outcome]
kind = "time_to_event"
name = "death"
event = "died"
time = "days"
unit = "d"
horizon = 730
censoring = "weights"

[splits.main]
kind = "stratified"
validation_fraction = 0.3
seed = 1

[models.cr]
factors = [{ variable = "age" }]

[models.complete]
base = "cr"
censoring = "complete-cases"
"""

Row = dict[str, Any]


def asked(store: Path, sql: str) -> list[Row]:
    """Return the rows that ``radzoo sql`` prints."""
    done = radzoo_here("--store", str(store), "--json", "sql", sql)
    assert done.returncode == 0, done.stderr
    found: list[Row] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def benched(tmp_path_factory: pytest.TempPathFactory, prefect_server: str) -> Path:
    """Return a store in which both models were trained, and judged out of fold."""
    folder = tmp_path_factory.mktemp("heart")
    data = heart.load_pandas().data
    rows = zip(data["censors"], data["survival"], data["age"], strict=True)
    lines = [f"H{number:02},{int(died)},{days:g},{age:g}" for number, (died, days, age) in enumerate(rows)]
    (folder / "patients.csv").write_text("\n".join(["patient,died,days,age", *lines]) + "\n")
    (folder / "study.toml").write_text(STUDY)
    store = folder / "store"
    bench = ("bench", "--suite", "nested-cv", "--repeats", "1", "--folds", "3")
    for arguments in (("ingest", str(folder / "study.toml")), bench):
        done = radzoo_here("--store", str(store), *arguments)
        assert done.returncode == 0, done.stderr
    return store


def test_the_leaderboard_has_both_and_the_weighted_one_says_what_all_patients_have(benched: Path) -> None:
    """Mean probabilities follow the rate by Kaplan and Meier, not that of the fifty-four with a label."""
    rows = asked(benched, "select cohort, model, n from leaderboard")
    assert {(row["cohort"], row["model"], row["n"]) for row in rows} == {
        ("out_of_fold", model, 54) for model in ("cr", "complete")
    }
    (whole,) = asked(benched, "from event_rates where cohort is null")
    data = heart.load_pandas().data
    curve = SurvfuncRight(data["survival"], data["censors"])
    expected = 1 - curve.surv_prob[curve.surv_times <= 730][-1]
    assert (whole["censored"], whole["labelled"]) == (15, 54)
    assert whole["rate"] == pytest.approx(expected)
    said = {
        row["model"]: row["mean"]
        for row in asked(
            benched,
            "select model, avg(probability) as mean from predictions where suite = 'nested-cv' group by all",
        )
    }
    assert abs(said["complete"] - whole["complete_case_rate"]) < 0.02
    assert abs(said["cr"] - whole["rate"]) < 0.04
    assert said["complete"] - said["cr"] > 0.06


def test_models_tell_what_their_patients_are_worth(benched: Path) -> None:
    """In SQL, in what the model shows, and on its card; the variant without weights says nothing of the kind."""
    rows = {row["model"]: row for row in asked(benched, "select model, summary, effective_patients from models")}
    assert rows["complete"]["effective_patients"] is None
    record = json.loads(rows["cr"]["summary"])["censoring"]
    assert rows["cr"]["effective_patients"] == record["effective_patients"] < record["patients"]
    for verb in ("show", "card"):
        text = {
            model: radzoo_here("--store", str(benched), "models", verb, model).stdout for model in ("cr", "complete")
        }
        words = f"are worth {record['effective_patients']:.1f}"
        assert (words in text["cr"], "censoring weights" in text["complete"]) == (True, False)


def test_the_report_names_the_weighted_models_and_figures(benched: Path, tmp_path: Path) -> None:
    """Beside the AUC of complete cases the summary has that weighted for the censored."""
    text = write_report(Store(benched), "heart", tmp_path / "heart.html").read_text()
    page = " ".join(Page(text).text.split())
    (row,) = asked(
        benched,
        "select auc, complete_case_auc from weighted_performance where suite = 'nested-cv' "
        "order by complete_case_auc desc, model desc limit 1",
    )
    assert f"{row['complete_case_auc']:.3f}" in page
    assert f"weighted for those who were censored before the horizon it is {row['auc']:.3f}" in page
    assert "Trained with censoring weights: cr (" in page
    assert "patients worth" in page
    assert "complete (" not in page.split("Trained with censoring weights")[1].split(".")[0]
