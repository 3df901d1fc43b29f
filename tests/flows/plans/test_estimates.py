"""How long a plan takes: from the runs on record, and not at all where none is."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from flows.plans.estimates import estimates
from flows.plans.plan import PlannedSet, StaleModel
from store.catalogue.connection import write_transaction
from store.catalogue.tables import runs
from store.history.runs import record_run
from store.history.snapshot import Snapshot
from store.home import Store

EXTRACTIONS = [PlannedSet("quick@2", 30, 4)]
MODELS = [StaleModel("er", name, 1, ("features",), is_stale_already=False) for name in ("cr", "rcr")]


@pytest.fixture
def store(tmp_path) -> Store:
    """Return a new store."""
    return Store(tmp_path / "store", create=True)


def ran(store: Store, flow: str, parameters: dict, summary: dict, seconds: int, *, at: int = 0) -> None:
    """Record a run that began at a minute of an hour and took some seconds."""
    with record_run(store, flow, "er", parameters) as run:
        run.summary |= summary
    times = {"started_at": f"2026-01-01T00:{at:02}:00+00:00", "ended_at": f"2026-01-01T00:{at:02}:{seconds:02}+00:00"}
    with write_transaction(store.engine) as connection:
        connection.execute(update(runs).where(runs.c.run_id == run.run_id).values(**times))


def test_nothing_is_guessed_where_no_run_has_measured_it(store):
    """Without a run of the set, or of one of the models, the time is not known, and the reason names it."""
    ran(store, "refresh", {"feature_set": "other@1"}, {"computed": 50}, 20)
    ran(store, "refresh", {"feature_set": "quick@1"}, {"computed": 0}, 20)
    ran(store, "train", {"models": ["cr"]}, {"trained": 1}, 20)
    found = estimates(Snapshot(store), "er", EXTRACTIONS, MODELS)
    assert [(each.step, each.seconds) for each in found] == [("extracting quick@2", None), ("training 2 models", None)]
    assert [each.measured for each in found] == [
        "no run has computed 'quick' here",
        "no run of radzoo train has measured rcr here",
    ]


def test_rates_are_those_of_the_runs(store):
    """30 extractions at 10 in 20 s and 40 in 30 s take 30 s; models their share of the newest training they were in."""
    ran(store, "refresh", {"feature_set": "quick@1"}, {"computed": 10}, 20)
    ran(store, "refresh", {"feature_set": "quick@1"}, {"computed": 40}, 30, at=1)
    ran(store, "train", {"models": ["cr", "rcr", "svm", "knn"]}, {"trained": 4}, 40, at=2)
    ran(store, "train", {"models": ["cr"]}, {"trained": 1}, 5, at=3)
    ran(store, "bench", {"suite": "holdout"}, {"models": 2, "changed": True}, 12, at=4)
    ran(store, "bench", {"suite": "holdout", "control": "permuted_labels"}, {"changed": True}, 50, at=5)
    found = {each.step: each.seconds for each in estimates(Snapshot(store), "er", EXTRACTIONS, MODELS)}
    assert found == {"extracting quick@2": 30.0, "training 2 models": 15.0, "bench --suite holdout": 12.0}


def test_nothing_to_compute_takes_no_time(store):
    """A plan without extractions and models has no estimates, with a store and without."""
    assert estimates(Snapshot(store), "er", [PlannedSet("quick@1", 0, 3)], []) == ()
    assert estimates(None, "er", [], []) == ()
