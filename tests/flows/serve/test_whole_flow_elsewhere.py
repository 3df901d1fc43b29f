"""A study from its images to its leaderboard, by the verbs, in a store whose catalogue and files lie on servers."""

from __future__ import annotations

import re

import pyarrow.parquet as pq
import pytest
from builders.cohorts import tried_study
from builders.command_line import radzoo_in_turn

from store.analyst.query import answer
from store.history.snapshot import Snapshot
from store.home import Store

FIGURES = "from leaderboard order by all"
PINNED = "select dataset_id, sha256, patients, columns from datasets order by all"
ROWS = "from quick order by patient, phase"


@pytest.fixture
def run(prefect_server):
    """Return a function that runs verbs on a store, in one process, and returns what they printed; none may fail."""

    def printed(root, *verbs):
        commands = [("--store", str(root), *map(str, each)) for each in verbs]
        done = radzoo_in_turn(*commands, variables={"PREFECT_API_URL": prefect_server})
        for each in done:
            assert each.returncode == 0, each.stdout + each.stderr
        return [each.stdout for each in done]

    return printed


def told(root, query, as_of=None):
    """Return the answer to a question, and leave no connection open."""
    store = Store(root)
    try:
        return answer(Snapshot(store, as_of), query).to_pylist()
    finally:
        store.engine.dispose()


@pytest.mark.slow
def test_a_study_in_postgresql_and_s3(trained_study, new_address, run, tmp_path):
    """Ingest, refresh and bench give the rows and figures of a store in a folder; a second machine reads them."""
    study, address = tried_study(tmp_path), new_address("postgresql-s3")
    here, there = tmp_path / "here", tmp_path / "there"
    init = ("store", "init", "--catalogue", address.catalogue, "--data", address.data)
    verbs = (init, ("ingest", study.file), ("refresh", "--workers", "2"), ("bench",), ("store", "verify"))
    made, _, refreshed, _, verified = run(here, *verbs)
    assert "made a store" in made
    assert "computed 60, reused 0, failed 0" in refreshed
    assert "no promise is broken" in verified
    assert not list(here.rglob("catalogue.sqlite*"))
    for query in (ROWS, FIGURES, PINNED):
        assert told(here, query) == told(trained_study.store_root, query)

    out = tmp_path / "predicted.parquet"
    predict = ("predict", "radiomics_lr", "--study", "tried", "--include-training", "--out", out)
    run(there, init, predict)
    assert told(there, FIGURES) == told(here, FIGURES)
    assert pq.read_table(out).num_rows == 60
    newest = told(there, "select max(commit_id) as newest from commits")[0]["newest"]
    run(there, ("store", "erase", "T07", "--yes"))
    for root in (here, there):
        for commit in (2, newest):
            left = {row["patient"] for row in told(root, "select distinct patient from quick", commit)}
            assert left == {f"T{number:02}" for number in range(60) if number != 7}
    # What this machine published before still has the patient.
    _, verified = run(here, ("store", "erase", "T07", "--yes"), ("store", "verify"))
    assert re.search(r"^ok +datasets", verified, re.M)
