"""A study from its images to its leaderboard, by the verbs, in a store whose catalogue and files lie on servers."""

from __future__ import annotations

import json
import re

import pyarrow.parquet as pq
import pytest

from flows.cli.main import exit_code
from store.home import Store
from store.query import answer
from store.snapshot import Snapshot

FIGURES = "from leaderboard order by all"
PINNED = "select dataset_id, sha256, patients, columns from datasets order by all"
ROWS = "from quick order by patient, phase"


@pytest.fixture
def ask(capsys):
    """Return a function that runs a verb on a store and returns what it printed; any failure fails the test."""

    def run(store, *arguments, code=0):
        capsys.readouterr()
        found = exit_code(["--store", str(store), *map(str, arguments)])
        printed = capsys.readouterr()
        assert found == code, printed.out + printed.err
        return printed.out

    return run


@pytest.mark.slow
def test_a_study_in_postgresql_and_s3(written_again, trained_study, new_address, prefect_server, ask, tmp_path):
    """Ingest, refresh and bench give the rows and figures of a store in a folder; a second machine reads them."""
    assert prefect_server
    study, address = written_again, new_address("postgresql-s3")
    here, there = tmp_path / "here", tmp_path / "there"
    at = ("--catalogue", address.catalogue, "--data", address.data)
    assert "made a store" in ask(here, "store", "init", *at)
    ask(here, "ingest", study.file)
    assert "60 computed" in ask(here, "refresh", "--workers", "1")
    ask(here, "bench")
    ask(here, "bench")  # nothing is trained or judged again
    assert not list(here.rglob("catalogue.sqlite*"))

    def told(root, query):
        return json.loads(ask(root, "sql", query, "--format", "json"))

    of_folder = [answer(trained_study.snapshot, query).to_pylist() for query in (FIGURES, PINNED)]
    assert [told(here, query) for query in (FIGURES, PINNED)] == of_folder
    assert told(here, ROWS) == answer(trained_study.snapshot, ROWS).to_pylist()
    assert "no promise is broken" in ask(here, "store", "verify")
    assert "0 computed" in ask(here, "refresh")

    ask(there, "store", "init", *at)
    assert told(there, FIGURES) == of_folder[0]
    ask(there, "predict", "radiomics_lr", "--study", "tried", "--out", tmp_path / "predicted.parquet")
    assert pq.read_table(tmp_path / "predicted.parquet").num_rows == 60
    before = Snapshot(Store(there)).commit_id
    ask(there, "store", "erase", "T07", "--yes")
    for root in (here, there):
        for commit in (2, before, None):
            asked = () if commit is None else ("--as-of", commit)
            left = json.loads(ask(root, "sql", "select distinct patient from quick", *asked, "--format", "json"))
            assert {row["patient"] for row in left} == {f"T{n:02}" for n in range(60) if n != 7}
    assert re.search(r"^ok +datasets", ask(here, "store", "verify"), re.M)
