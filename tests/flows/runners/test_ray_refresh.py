"""A refresh whose extractions are done by a real Ray cluster ends where one on this machine does."""

from __future__ import annotations

import os
import signal
from contextlib import closing

import pytest
from clusters.ray_processes import running_ray
from clusters.runs import children, extracting, is_running, refreshed, wait_for
from killing import PATIENTS, damage, end_state, reached, started

from store.home import Store


@pytest.mark.slow
def test_a_killed_driver_and_a_killed_ray_worker_cost_nothing(shared_store, undisturbed, prefect_server):
    """After kill -9 of who feeds the cluster the next one computes what is missing; of a worker, another one does."""
    with running_ray() as ray:
        running = started(shared_store, prefect_server, 2, "--runner", ray.runner)
        reached(running, shared_store, "staged", 3)
        os.killpg(running.pid, signal.SIGKILL)
        assert running.wait() == -signal.SIGKILL
        staged = len(list(shared_store.glob("staging/*/*.json")))
        assert 3 <= staged < PATIENTS

        running = started(shared_store, prefect_server, 2, "--runner", ray.runner)
        reached(running, shared_store, "staged", staged + 1)
        victim = extracting(ray.head)[0]
        left = children(victim)
        os.kill(victim, signal.SIGKILL)
        assert running.wait(timeout=300) == 0
        wait_for(lambda: not any(map(is_running, left)))
    with closing(Store(shared_store)) as store:
        assert damage(store) == []
        assert end_state(store) == undisturbed


def test_a_ray_cluster_that_does_not_answer_is_said(small_study):
    """The verb says which address, and how a cluster is started."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'radzoo[ray]'")
    small_study.ingest()
    code, error = refreshed(small_study.store_root, "", "ray://127.0.0.1:9")
    assert (code, error["error"], error["where"]) == (3, "NotFoundError", "ray://127.0.0.1:9")
    assert "ray start --head" in error["hint"]
