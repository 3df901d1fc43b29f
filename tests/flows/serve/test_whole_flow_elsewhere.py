"""A study from its images to its leaderboard, by the verbs, in a store whose catalogue and files lie on servers."""

from __future__ import annotations

import re

import pyarrow.parquet as pq
import pytest
from builders.cohorts import tried_study
from builders.command_line import radzoo_here, radzoo_run

from store.analyst.query import answer
from store.history.snapshot import Snapshot
from store.home import Store

FIGURES = "from leaderboard order by all"
PINNED = "select dataset_id, sha256, patients, columns from datasets order by all"
ROWS = "from quick order by patient, phase"


def run_here(root, *arguments):
    """Run a verb on a store in this process and return what it printed; any failure fails the test."""
    return _printed(radzoo_here("--store", str(root), *map(str, arguments)))


def run_there(root, *arguments):
    """Run a verb as `run_here` does, in a process of its own, which knows nothing of what this one has read."""
    return _printed(radzoo_run("--store", str(root), *map(str, arguments)))


def _printed(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def told(root, query, as_of=None):
    """Return the answer to a question, and leave no connection open."""
    store = Store(root)
    try:
        return answer(Snapshot(store, as_of), query).to_pylist()
    finally:
        store.engine.dispose()


@pytest.mark.slow
def test_a_study_in_postgresql_and_s3(trained_study, new_address, prefect_server, tmp_path):
    """Ingest, refresh and bench give the rows and figures of a store in a folder; a second machine reads them."""
    study, address = tried_study(tmp_path), new_address("postgresql-s3")
    here, there = tmp_path / "here", tmp_path / "there"
    at = ("--catalogue", address.catalogue, "--data", address.data)
    assert "made a store" in run_here(here, "store", "init", *at)
    run_here(here, "ingest", study.file)
    assert "computed 60, reused 0, failed 0" in run_here(here, "refresh", "--workers", "2")
    run_here(here, "bench")
    assert not list(here.rglob("catalogue.sqlite*"))
    for query in (ROWS, FIGURES, PINNED):
        assert told(here, query) == told(trained_study.store_root, query)
    assert "no promise is broken" in run_here(here, "store", "verify")

    run_there(there, "store", "init", *at)
    assert told(there, FIGURES) == told(here, FIGURES)
    out = tmp_path / "predicted.parquet"
    run_there(there, "predict", "radiomics_lr", "--study", "tried", "--include-training", "--out", out)
    assert pq.read_table(out).num_rows == 60
    newest = told(there, "select max(commit_id) as newest from commits")[0]["newest"]
    run_there(there, "store", "erase", "T07", "--yes")
    for root in (here, there):
        for commit in (2, newest):
            left = {row["patient"] for row in told(root, "select distinct patient from quick", commit)}
            assert left == {f"T{number:02}" for number in range(60) if number != 7}
    # What this machine published before still has the patient.
    run_here(here, "store", "erase", "T07", "--yes")
    assert re.search(r"^ok +datasets", run_here(here, "store", "verify"), re.M)
