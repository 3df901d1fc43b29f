"""Runs that a lineage collector hears of: a real one by HTTP, and one that does not answer."""

from __future__ import annotations

import json
import os
import threading
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from builders.store import fill

from flows.lineage import runs as lineage_runs
from flows.lineage.runs import record_run
from schemas.errors import ContractError
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.home import Store


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch):
    """OpenLineage's client writes what it was told into the environment, and a process has one client."""
    monkeypatch.setattr("os.environ", dict(os.environ))
    lineage_runs._client.cache_clear()
    yield
    if (client := lineage_runs._client()) is not None:
        client.close()
    lineage_runs._client.cache_clear()


@pytest.fixture
def events(monkeypatch):
    """Give the events that a collector got, in order; the environment names it."""
    pytest.importorskip("openlineage.client", reason="openlineage-python is not installed")
    kept = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            kept.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("OPENLINEAGE_URL", f"http://127.0.0.1:{server.server_port}")
    yield kept
    server.shutdown()
    server.server_close()


def names(event, side):
    """Return the names of an event's datasets."""
    return [each["name"] for each in event[side]]


def test_a_study_is_followed_from_its_file_to_its_features(small_study, events):
    """Ingest writes the study, refresh reads it and writes a feature set; no event has a patient or a path."""
    small_study.ingest()
    small_study.refresh_without_prefect()
    told = [(each["job"]["name"], each["eventType"]) for each in events]
    (study,) = small_study.snapshot.column("studies", "study")
    assert told == [(f"{study}.{verb}", kind) for verb in ("ingest", "refresh") for kind in ("START", "COMPLETE")]
    ingested, refreshed = events[1], events[3]
    (feature_set,) = small_study.snapshot.column("feature_sets", "feature_set")
    assert (names(ingested, "inputs"), names(ingested, "outputs")) == ([], [f"studies/{study}"])
    assert (names(refreshed, "inputs"), names(refreshed, "outputs")) == (
        [f"studies/{study}"],
        [f"features/{feature_set}"],
    )
    assert refreshed["outputs"][0]["facets"]["version"]["datasetVersion"] == str(small_study.snapshot.commit_id)
    runs = small_study.snapshot.arrow("runs")["run_id"].to_pylist()
    assert {uuid.UUID(each["run"]["runId"]).hex for each in events} == set(runs)
    text = json.dumps(events)
    for word in (*small_study.snapshot.column("patients", "patient"), str(small_study.folder)):
        assert word not in text


def test_a_run_that_fails_says_where_its_reason_is(tmp_path, events):
    """The error's own words stay in the store: they may name a patient."""
    store = Store(tmp_path / "store", create=True)
    with pytest.raises(ContractError), record_run(store, "ingest", "er", {}):
        raise ContractError("Jane Doe has no image")
    assert [each["eventType"] for each in events] == ["START", "FAIL"]
    assert "from runs where run_id" in events[1]["run"]["facets"]["errorMessage"]["message"]
    assert "Jane" not in json.dumps(events)
    with pytest.raises(KeyboardInterrupt), record_run(store, "refresh", "er", {}):
        raise KeyboardInterrupt
    assert events[-1]["eventType"] == "ABORT"


def test_a_leaderboard_follows_from_models(tmp_path, events):
    """A benchmark reads the models that it judged and writes a leaderboard."""
    store = Store(tmp_path / "store", create=True)
    fill(store)
    with record_run(store, "bench", "er", {}) as run, commit_to(store, "bench", run_id=run.run_id) as commit:
        row = {
            "study": "er",
            "suite": "holdout",
            "model": "knn",
            "cohort": "validation",
            "version": 1,
            "n": 3,
            "events": 1,
        }
        commit.put("leaderboard", [row])
    assert (names(events[1], "inputs"), names(events[1], "outputs")) == (
        ["studies/er", "models/er/knn"],
        ["leaderboard/er"],
    )


def test_a_collector_that_does_not_answer_ends_no_run(tmp_path, monkeypatch, capsys):
    """The run goes on, and a line says that nobody was told."""
    pytest.importorskip("openlineage.client", reason="openlineage-python is not installed")
    monkeypatch.setenv("OPENLINEAGE_URL", "http://bob:secretpw@127.0.0.1:9")
    store = Store(tmp_path / "store", create=True)
    with record_run(store, "ingest", "er", {}) as run:
        run.summary["rows"] = 1
    told = capsys.readouterr().err
    assert told.count("lineage of this run was not sent") == 1
    assert "secretpw" not in told
    assert Snapshot(store).arrow("runs")["status"].to_pylist() == ["done"]


def test_nothing_is_sent_or_loaded_unless_the_environment_names_a_collector(tmp_path, monkeypatch):
    """OpenLineage's own switches alone name none."""
    monkeypatch.setenv("OPENLINEAGE_NAMESPACE", "hospital")
    with record_run(Store(tmp_path / "store", create=True), "ingest", "er", {}):
        assert lineage_runs._client() is None
