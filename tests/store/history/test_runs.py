"""Runs: recorded from their start, ended with what became of them."""

from __future__ import annotations

import json
import platform
from importlib.metadata import version

import pytest

from schemas.errors import NotFoundError
from store.history.runs import record_run
from store.history.snapshot import Snapshot, newest_commit


@pytest.fixture
def store(store_of_any_catalogue):
    """Return an empty store, in turn with each catalogue that a store may have."""
    return store_of_any_catalogue


def only_run(store) -> dict:
    """Return the store's one run."""
    (row,) = Snapshot(store).arrow("runs").to_pylist()
    return row


def test_a_run_is_seen_while_it_runs(store):
    """From its start a run has its flow, study, parameters and library versions, and no end: so has a killed one."""
    with record_run(store, "refresh", "er", {"workers": 2, "b": None}) as run:
        row = only_run(store)
        assert (row["run_id"], row["flow"], row["study"], row["status"]) == (run.run_id, "refresh", "er", "running")
        assert row["ended_at"] is None
        assert row["summary"] is None
        assert json.loads(row["parameters"]) == {"workers": 2, "b": None}
        versions = json.loads(row["versions"])
    assert versions["python"] == platform.python_version()
    del versions["python"]
    assert versions == {name: version(name) for name in versions}
    assert {"radzoo", "pyradiomics-bhklab", "numpy"} <= versions.keys()


def test_a_run_that_is_done(store):
    """At its end a run has its summary and both times; no commit is made for it."""
    with record_run(store, "refresh", None, {}) as run:
        run.summary["computed"] = 3
    row = only_run(store)
    assert (row["status"], json.loads(row["summary"]), row["study"]) == ("done", {"computed": 3}, None)
    assert row["started_at"] <= row["ended_at"]
    assert newest_commit(store) == 0


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (NotFoundError("no such mask", hint="h"), "failed", {"error": "no such mask"}),
        (RuntimeError("boom"), "failed", {"error": "RuntimeError: boom"}),
        (KeyboardInterrupt(), "interrupted", {}),
        (SystemExit(3), "interrupted", {}),
    ],
)
def test_a_run_that_breaks_off(store, error, status, told):
    """A fault or an interruption is recorded with its cause and goes on to the caller."""

    def breaks_off() -> None:
        with record_run(store, "refresh", "er", {}) as run:
            run.summary["computed"] = 1
            raise error

    with pytest.raises(type(error)):
        breaks_off()
    row = only_run(store)
    assert (row["status"], json.loads(row["summary"])) == (status, {"computed": 1} | told)
    assert row["ended_at"] is not None


def test_each_run_has_its_own_id(store):
    """Two runs of one flow are two rows."""
    ids = set()
    for _ in range(2):
        with record_run(store, "refresh", "er", {}) as run:
            ids.add(run.run_id)
    assert set(Snapshot(store).arrow("runs").column("run_id").to_pylist()) == ids
    assert len(ids) == 2
