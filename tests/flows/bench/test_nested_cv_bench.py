"""The nested-cv suite as a command: resumed after a kill, idle where nothing changed, on record in the ledger."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from builders.cohorts import write_published_study
from html_page import Page

from flows.bench.run import bench
from flows.cli.main import exit_code
from flows.ingest.run import ingest
from flows.report.page import write_report
from store.analyst.query import answer
from store.history.snapshot import Snapshot
from store.home import Store

# Seven models without images; their 30 fits take seconds.
MODELS = "\n".join(f"[models.{name}]\n" for name in ("nlr", "plr", "lmr"))
TABLES = ("predictions", "leaderboard", "subgroups", "comparisons", "selection_frequency")
DOCS = Path(__file__).parents[3] / "docs"
QUICK = {"repeats": 1, "folds": 5}


def asked(root: Path, query: str) -> list[dict]:
    """Return the rows that answer a question."""
    return answer(Snapshot(Store(root)), query).to_pylist()


def tables(root: Path) -> dict[str, list[dict]]:
    """Return everything that the nested-cv suite writes."""
    return {name: asked(root, f"from {name} where suite = 'nested-cv' order by all") for name in TABLES}


@pytest.fixture(scope="module")
def study_root(tmp_path_factory, tiny_images) -> Path:
    """Return the store of the published cohort with a clinical model and three blood ratios, ingested."""
    file, root = write_published_study(tmp_path_factory.mktemp("clinical"), tiny_images)
    file.write_text(file.read_text() + "\n" + MODELS)
    ingest(file, root, workers=1)
    return root


@pytest.fixture(scope="module")
def benched(study_root, tmp_path_factory, prefect_server) -> Path:
    """Return a copy of the store after the nested-cv suite."""
    root = tmp_path_factory.mktemp("benched") / "store"
    shutil.copytree(study_root, root)
    bench(Store(root), suite="nested-cv", workers=1, **QUICK)
    return root


def test_the_honest_suite_writes_its_tables(benched):
    """All 165 labelled patients are predicted out of fold; the commit names a run that says how it was done."""
    assert asked(benched, "select distinct model, n, events, threshold from leaderboard order by model") == [
        {"model": model, "n": 165, "events": 96, "threshold": None} for model in ("cr", "lmr", "nlr", "plr")
    ]
    (run,) = asked(benched, "select status, parameters, summary from runs where flow = 'bench'")
    parameters = json.loads(run["parameters"])
    assert run["status"] == "done"
    assert {"suite": "nested-cv", "repeats": 1, "folds": 5}.items() <= parameters.items()
    assert json.loads(run["summary"]) == {"models": 4, "fits": 5, "changed": True, "runner": "local"}
    kinds = Counter(row["kind"] for row in tables(benched)["comparisons"])
    assert kinds == {"paired": 6, "subgroup": 4}
    within = {(row["model"], row["level"]): row["n"] for row in tables(benched)["subgroups"]}
    # Field strengths as published: 74 patients at 1.5 T, 91 at 3.0 T.
    assert within == {(m, level): n for m in ("cr", "lmr", "nlr", "plr") for level, n in (("1.5", 74), ("3", 91))}
    assert {row["model"] for row in tables(benched)["selection_frequency"]} == {"cr"}
    assert not (benched / "staging" / "bench-hcc-early-recurrence").exists()


@pytest.mark.parametrize(("file", "view"), [("leaderboard", "* exclude (threshold, is_stale)"), ("subgroups", "*")])
def test_sql_makes_the_suites_figures_again(benched, file, view):
    """The SQL of docs/ gives the stored leaderboard and subgroups of a real run again."""
    again = asked(benched, (DOCS / f"{file}.sql").read_text())
    stored = asked(benched, f"select {view} from {file} order by all")
    assert len(again) == len(stored) > 0
    for mine, theirs in zip(again, stored, strict=True):
        assert mine == pytest.approx(theirs, abs=1e-9), mine["model"]


def test_the_reports_curves_are_those_of_the_table(benched, tmp_path):
    """The area under each drawn ROC curve is the leaderboard's AUC, and the page says what its curves are."""
    page = Page(write_report(Store(benched), None, out=tmp_path / "report.html").read_text())
    (points,) = [text for text in page.sql if "false_positive_rate" in text]
    areas = {row["model"]: row["auc"] for row in asked(benched, "from leaderboard where suite = 'nested-cv'")}
    curves = asked(benched, points)
    assert {row["model"] for row in curves} == set(areas)
    for model, area in areas.items():
        x, y = zip(
            *((row["false_positive_rate"], row["sensitivity"]) for row in curves if row["model"] == model), strict=True
        )
        assert (x[0], y[0], x[-1], y[-1]) == (0, 0, 1, 1)
        assert (np.diff(y) >= 0).all()
        assert np.trapezoid(y, x) == pytest.approx(area, abs=1e-12)
    assert "The area under the line is the AUC of the leaderboard" in page.text
    assert "fitted to all predictions, one of each patient a repeat" in page.text
    assert "The net benefit is the mean over the repeats" in page.text
    assert "frozen in training; dashed grey" not in page.text


def test_the_headline_is_chosen_out_of_fold(benched, tmp_path):
    """The model with the best out-of-fold AUC is named first, and its own AUC on the held-out cohort beside it."""
    root = tmp_path / "store"
    shutil.copytree(benched, root)
    bench(Store(root), workers=1)
    (best,) = asked(root, "from leaderboard where suite = 'nested-cv' order by auc desc limit 1")
    (there,) = asked(root, f"from leaderboard where model = '{best['model']}' and cohort = 'validation'")
    text = " ".join(Page(write_report(Store(root), None, out=tmp_path / "report.html").read_text()).text.split())
    assert f"Among 4 models, {best['model']} has the highest AUC in the out of fold cohort: {best['auc']:.3f}" in text
    assert f"The model {best['model']} has an AUC in the validation cohort: {there['auc']:.3f}" in text


def test_subgroups_asked_for_later_need_no_fit(benched, tmp_path):
    """A study file that names another subgroup gets its figures from the predictions on record, without a run."""
    root = tmp_path / "store"
    shutil.copytree(benched, root)
    (row,) = asked(root, "from studies")
    file = Path(row["file"]) if Path(row["file"]).is_absolute() else root.parent / row["file"]
    changed = file.with_name("changed.toml")
    changed.write_text(file.read_text().replace('subgroups = ["field_strength_t"]', 'subgroups = ["sex"]'))
    ingest(changed, root, workers=1)
    runs = asked(root, "from runs where flow = 'bench'")
    assert bench(Store(root), suite="nested-cv", workers=1, **QUICK).commit_id is not None
    assert asked(root, "from runs where flow = 'bench'") == runs
    assert {row["variable"] for row in tables(root)["subgroups"]} == {"sex"}
    assert tables(root)["leaderboard"] == tables(benched)["leaderboard"]


def test_a_second_run_computes_nothing_and_starts_nothing(benched):
    """With nothing changed there is no commit, no run on record, and Prefect is not even loaded."""
    commits, runs = asked(benched, "from commits"), asked(benched, "from runs")
    code = (
        "import sys\nfrom pathlib import Path\nfrom flows.bench.run import bench\nfrom store.home import Store\n"
        f"found = bench(Store(Path({str(benched)!r})), suite='nested-cv', repeats=1, folds=5)\n"
        "print(found.commit_id, len(found.leaderboard), 'prefect' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["None", "4", "False"]
    assert asked(benched, "from commits") == commits
    assert asked(benched, "from runs") == runs


def test_a_killed_run_resumes_to_the_same_tables(benched, study_root, tmp_path, prefect_server):
    """Killed with -9 in the middle, a run leaves no commit; the next one takes its fits over and ends in equal rows."""
    root = tmp_path / "store"
    shutil.copytree(study_root, root)
    command = [str(Path(sys.executable).with_name("radzoo")), "--store", str(root), "bench", "--suite", "nested-cv"]
    command += ["--repeats", "1", "--workers", "1"]
    running = subprocess.Popen(
        command,
        env=os.environ | {"PREFECT_API_URL": prefect_server},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    staging = root / "staging" / "bench-hcc-early-recurrence"
    deadline = time.monotonic() + 300
    while len(list(staging.glob("*.json"))) < 3 and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    staged = {file.name: file.stat().st_mtime_ns for file in staging.glob("*.json")}
    assert len(staged) >= 3
    assert tables(root)["predictions"] == []

    found = bench(Store(root), suite="nested-cv", workers=1, **QUICK)
    assert found.commit_id is not None
    assert tables(root) == tables(benched)
    statuses = [
        row["status"] for row in asked(root, "select status from runs where flow = 'bench' order by started_at")
    ]
    assert statuses == ["running", "done"]
    assert not staging.exists()


def test_another_number_of_folds_is_another_benchmark(benched, tmp_path):
    """Asked with other folds, the suite is computed again and replaces what was there."""
    root = tmp_path / "store"
    shutil.copytree(benched, root)
    found = bench(Store(root), suite="nested-cv", repeats=1, folds=3, workers=1)
    assert found.commit_id is not None
    assert asked(root, "select max(fold) + 1 as folds from predictions") == [{"folds": 3}]


def test_the_ledger_counts_model_versions_once(study_root, tmp_path, capsys, prefect_server):
    """The holdout suite enters each model version the first time it is judged; a changed model is another opening."""
    root = tmp_path / "store"
    shutil.copytree(study_root, root)
    store = Store(root)
    assert bench(store).times_opened == {"paper": 4}
    first = asked(root, "from openings")
    assert [(row["model"], row["version"], row["cohort"]) for row in first] == [
        (name, 1, "validation") for name in ("cr", "lmr", "nlr", "plr")
    ]
    (run,) = asked(root, "select run_id from runs where flow = 'bench'")
    assert {row["run_id"] for row in first} == {run["run_id"]}
    assert all(row["author"] and row["opened_at"] for row in first)
    assert bench(store).commit_id is None
    assert asked(root, "from openings") == first

    file = Path(asked(root, "select file from studies")[0]["file"])
    file = file if file.is_absolute() else root.parent / file
    text = file.read_text().replace('variable = "ast", above = 40', 'variable = "ast", above = 50')
    changed = file.with_name("changed.toml")
    changed.write_text(text)
    ingest(changed, root, workers=1)
    capsys.readouterr()
    assert exit_code(["--store", str(root), "bench"]) == 0
    assert "validation cohort of split paper: model versions judged on it so far: 5" in capsys.readouterr().out


def test_folds_that_no_label_can_fill_are_refused(study_root, tmp_path, capsys):
    """More folds than patients of the rarer label: exit code 4, and what to do."""
    root = tmp_path / "store"
    shutil.copytree(study_root, root)
    assert exit_code(["--store", str(root), "bench", "--suite", "nested-cv", "--folds", "70"]) == 4
    assert "the rarer label has 69" in capsys.readouterr().err


def test_controls_are_run_on_demand_and_kept(study_root, tmp_path, capsys, prefect_server):
    """``--controls`` adds permuted labels to the text and the view; asked again, nothing is computed."""
    root = tmp_path / "store"
    shutil.copytree(study_root, root)
    command = ["--store", str(root), "bench", "--controls", "--workers", "1"]
    assert exit_code(command) == 0
    text = capsys.readouterr().out
    assert "permuted labels" in text
    assert ".5 lies in it" in text
    rows = asked(root, "from controls")
    assert [(row["control"], row["model"], row["cohort"], row["n"], row["events"]) for row in rows] == [
        ("permuted_labels", model, "validation", 33, 18) for model in ("cr", "nlr", "plr", "lmr")
    ]
    commits = asked(root, "from commits")
    assert exit_code(command) == 0
    assert asked(root, "from controls") == rows
    assert asked(root, "from commits") == commits
