"""The bootstrap suite as a command: apparent figures, the same bits on any number of workers, idle where done."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from builders.store import rows_of
from builders.written_cohorts import cohort_with_signal
from html_page import Page

from flows.bench.run import bench
from flows.cli.main import exit_code
from flows.pages.words import decimals
from flows.report.page import write_report
from schemas.errors import UsageError
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.home import Store

MODELS = ("radiomics_lr", "radiomics_knn")
RESAMPLES = 4
STORED = "from optimism order by all"


@pytest.fixture(scope="module")
def study_root(tmp_path_factory) -> Path:
    """Return a store of 90 patients, two of the 60 training patients one person, with two models and a network."""
    written = cohort_with_signal(tmp_path_factory.mktemp("signal") / "store")
    written.edit('table = "patients.csv"', 'table = "patients.csv"\nsame_person = [["P01", "P03"]]')
    start = written.text.index("[models.cr]")
    written.text = written.text[:start] + "\n".join(f"[models.{name}]" for name in (*MODELS, "dl_resnet10"))
    written.put_study()
    return written.root


@pytest.fixture(scope="module")
def benched(study_root, tmp_path_factory, prefect_server) -> Path:
    """Return a copy of the store after the bootstrap suite and the holdout suite of the same models."""
    root = tmp_path_factory.mktemp("benched") / "store"
    shutil.copytree(study_root, root)
    command = ["--store", str(root), "bench", "--suite", "bootstrap", "--resamples", str(RESAMPLES), "--workers", "1"]
    assert exit_code(command) == 0
    bench(Store(root), models=MODELS, workers=1)
    return root


def test_apparent_figures_are_those_of_the_trained_models(benched):
    """The models fitted to all training patients are those that are trained: same patients, same figures."""
    found = rows_of(Store(benched), "select model, version, figure, n, events, apparent from optimism")
    assert len(found) == 6
    for row in found:
        (judged,) = rows_of(Store(benched), f"from leaderboard where model = '{row['model']}' and cohort = 'training'")
        assert (row["n"], row["events"], row["version"]) == (judged["n"], judged["events"], 1)
        assert row["n"] == 60
        assert row["apparent"] == pytest.approx(judged[row["figure"]], abs=1e-12)


def test_models_flatter_themselves(benched):
    """Models that chose their columns by these patients rank others less well; the run says how it was done."""
    rows = rows_of(Store(benched), "from optimism where figure = 'auc'")
    assert {row["model"] for row in rows} == set(MODELS)
    assert all((row["resamples"], row["with_figure"], row["unfit"]) == (RESAMPLES, RESAMPLES, 0) for row in rows)
    assert all(row["corrected"] < row["apparent"] for row in rows)
    (run,) = rows_of(Store(benched), "from runs where flow = 'bench' and parameters::varchar like '%bootstrap%'")
    parameters = json.loads(run["parameters"])
    assert {"suite": "bootstrap", "resamples": RESAMPLES}.items() <= parameters.items()
    assert json.loads(run["summary"]) == {"models": 2, "fits": RESAMPLES + 1, "changed": True, "runner": "local"}
    assert not (benched / "staging" / "bench-s").exists()


def test_two_workers_give_the_same_bits(benched, study_root, tmp_path, prefect_server):
    """Each resample has its own seed: who fits it, and when, decides nothing."""
    root = tmp_path / "store"
    shutil.copytree(study_root, root)
    found = bench(Store(root), models=MODELS, suite="bootstrap", resamples=RESAMPLES, workers=2)
    assert found.commit_id is not None
    assert rows_of(Store(root), STORED) == rows_of(Store(benched), STORED)
    told = rows_of(Store(root), "from optimism where model = 'radiomics_lr'")
    assert [row.model_dump() for row in found.optimism if row.model == "radiomics_lr"] == told


def test_a_second_run_computes_nothing_and_prints_the_same(benched, capsys):
    """No commit and no run is added; the table of the first run is read from the store."""
    commits, runs = (rows_of(Store(benched), f"from {name}") for name in ("commits", "runs"))
    command = ["--store", str(benched), "bench", "--suite", "bootstrap", "--resamples", str(RESAMPLES)]
    assert exit_code(command) == 0
    text = capsys.readouterr().out
    assert "left out of the bootstrap: dl_resnet10: a network is not fitted again to every resample" in text
    (row,) = rows_of(Store(benched), "from optimism where model = 'radiomics_lr' and figure = 'auc'")
    (line,) = [line for line in text.splitlines() if line.startswith("radiomics_lr ") and " AUC " in line]
    assert f"{row['apparent']:.3f}" in line
    assert f"{row['corrected']:.3f}" in line
    assert "It has no interval" in text
    assert [rows_of(Store(benched), f"from {name}") for name in ("commits", "runs")] == [commits, runs]


def test_the_report_shows_what_the_view_says(benched, tmp_path):
    """The corrected figures stand in a table of their own, with the SQL that gives them and no interval."""
    page = Page(write_report(Store(benched), None, out=tmp_path / "report.html").read_text())
    table = page.table("How far the training patients flatter")
    (row,) = rows_of(Store(benched), "from optimism where model = 'radiomics_lr' and figure = 'auc'")
    (line,) = [cells for cells in table.rows if cells[:2] == ["radiomics_lr", "AUC"]]
    assert [line[3], line[5]] == [decimals(row["apparent"]), decimals(row["corrected"])]
    assert {row["model"] for row in rows_of(Store(benched), table.sql)} == set(MODELS)
    assert "An interval of the corrected figures is not given" in table.caption


def test_a_correction_that_is_too_small_is_named(benched, tmp_path, capsys):
    """Where patients who were not drawn are ranked far worse than the corrected AUC says, bench and report say so."""
    root = tmp_path / "store"
    shutil.copytree(benched, root)
    own = {"study": "s", "suite": "bootstrap", "model": "radiomics_lr"}
    rows = Snapshot(Store(root)).rows("leaderboard", **own)
    others = [row for row in rows if row["cohort"].endswith(" on the others")]
    assert len(others) == RESAMPLES
    command = ["--store", str(root), "bench", "--suite", "bootstrap", "--resamples", str(RESAMPLES)]
    for area, is_named in ((0.5, True), (0.99, False)):
        with commit_to(Store(root), "other figures") as commit:
            changed = [{name: value for name, value in row.items() if name != "added_commit"} for row in others]
            commit.put("leaderboard", [row | {"auc": area} for row in changed])
        capsys.readouterr()
        assert exit_code(command) == 0
        assert ("'radiomics_lr' has a corrected AUC of" in capsys.readouterr().out) == is_named
        page = Page(write_report(Store(root), None, out=tmp_path / "report.html").read_text())
        assert ("radiomics_lr: the corrected AUC is not to be believed" in page.text) == is_named


def test_what_the_suite_cannot_do_is_refused(study_root, tmp_path, capsys):
    """Only a network, negative controls, or more resamples than tell anything."""
    root = tmp_path / "store"
    shutil.copytree(study_root, root)
    with pytest.raises(UsageError, match="a network is not fitted again"):
        bench(Store(root), models=("dl_resnet10",), suite="bootstrap")
    with pytest.raises(UsageError, match="no negative controls"):
        bench(Store(root), suite="bootstrap", controls=True)
    assert exit_code(["--store", str(root), "bench", "--suite", "bootstrap", "--resamples", "2001"]) == 2
    assert "2000" in capsys.readouterr().err
