"""What a run hears of a cluster that is lost: nobody waits for ever."""

from __future__ import annotations

import os
import threading
import time

import pytest
from clusters.dask_processes import running_dask

from flows.engine.runners.address import runner_of
from flows.engine.runners.opened import opened_cluster
from schemas.errors import RadzooError


def test_a_lost_worker_and_a_lost_scheduler_end_the_wait(tmp_path, monkeypatch):
    """Without any worker for a while, and without a scheduler at once, the error says so and what is kept."""
    for name, seconds in (("_COUNT_EVERY_S", 0.5), ("_WITHOUT_WORKERS_S", 2.0)):
        monkeypatch.setattr(f"flows.engine.runners.dask_cluster.{name}", seconds)
    with running_dask(tmp_path, workers=1) as dask, opened_cluster(runner_of(dask.runner)) as cluster:
        assert cluster is not None
        assert cluster.slots() == 1
        with pytest.raises(RadzooError, match="has had no worker for 2 s") as deserted:
            cluster.carry_out(os._exit, 1)
        assert "what was finished is kept" in str(deserted.value.hint)
        monkeypatch.setattr("flows.engine.runners.dask_cluster._WITHOUT_WORKERS_S", 300.0)
        threading.Timer(1, dask.scheduler.kill).start()
        with pytest.raises(RadzooError, match="the Dask scheduler is gone"):
            cluster.carry_out(time.sleep, 600)


def test_a_run_that_is_stopped_waits_for_nothing_under_way(tmp_path):
    """An interrupted run ends though a worker is busy still."""
    with running_dask(tmp_path, workers=1) as dask, opened_cluster(runner_of(dask.runner)) as cluster:
        assert cluster is not None
        threading.Timer(0.5, cluster.stop).start()
        with pytest.raises(RadzooError, match="the run was stopped"):
            cluster.carry_out(time.sleep, 600)
