"""Deployments in a Prefect work pool: what they let pass, one run at a time, and a worker that runs one."""

from __future__ import annotations

import os
import subprocess
import sys
from uuid import uuid4

import httpx
import pytest
from builders.command_line import radzoo_run

from flows.engine.workflow import get_client
from flows.serve.schedules import scheduled_flows
from flows.serve.work import ServedStudy
from flows.serve.work_pool import register_in_pool
from schemas.errors import NotFoundError


def asked(method, path, **options):
    """Return the answer of Prefect's API as JSON."""
    with get_client(sync_client=True) as client:
        answer = client.request(method, path, **options)
        return answer.json() if answer.content else None


@pytest.fixture
def pool(prefect_server):
    """Give the name of a work pool whose workers start processes."""
    name = f"imaging-{uuid4().hex[:6]}"
    asked("POST", "/work_pools/", json={"name": name, "type": "process"})
    yield name
    asked("DELETE", "/work_pools/{name}", path_params={"name": name})


def served(study):
    """Return what the deployments are of."""
    return ServedStudy(study.file, "small", study.store_root, "UTC")


def deployment(verb):
    """Return the deployment of a verb."""
    path = {"flow_name": f"{verb}-study", "deployment_name": "small"}
    return asked("GET", "/deployments/name/{flow_name}/{deployment_name}", path_params=path)


def test_deployments_of_a_store_share_a_queue_that_lets_one_run_begin(small_study, pool):
    """Whatever the verb; registered again without its cron text a deployment has no schedule any more."""
    queue = register_in_pool(scheduled_flows(served(small_study), {"refresh": "0 3 * * *", "train": "by-hand"}), pool)
    found = {verb: deployment(verb) for verb in ("refresh", "train")}
    assert {(each["work_pool_name"], each["work_queue_name"]) for each in found.values()} == {(pool, queue)}
    assert [len(found[verb]["schedules"]) for verb in found] == [1, 0]
    (limited,) = [
        each
        for each in asked(
            "POST", "/work_pools/{work_pool_name}/queues/filter", path_params={"work_pool_name": pool}, json={}
        )
        if each["name"] == queue
    ]
    assert limited["concurrency_limit"] == 1
    assert register_in_pool(scheduled_flows(served(small_study), {"refresh": "by-hand"}), pool) == queue
    assert deployment("refresh")["schedules"] == []


@pytest.mark.parametrize("changed", [{"store": "/elsewhere"}, {"on_failure": "touch /tmp/x"}, {"other": 1}])
def test_a_run_in_a_pool_with_another_parameter_is_refused(small_study, pool, changed):
    """The server lets those values pass that the deployment was registered with."""
    register_in_pool(scheduled_flows(served(small_study), {"expect": "by-hand"}), pool)
    with pytest.raises(httpx.HTTPStatusError, match="409"):
        asked(
            "POST",
            "/deployments/{id}/create_flow_run",
            path_params={"id": deployment("expect")["id"]},
            json={"parameters": changed},
        )


def test_a_pool_that_is_not_there_is_named_with_the_command_that_makes_it(small_study, prefect_server):
    """Nothing is registered then."""
    with pytest.raises(NotFoundError, match="no work pool 'nowhere'") as error:
        register_in_pool(scheduled_flows(served(small_study), {"compact": "by-hand"}), "nowhere")
    assert error.value.hint == "prefect work-pool create nowhere --type process"


@pytest.mark.slow
def test_a_worker_of_the_pool_runs_what_the_verb_registered_one_at_a_time(small_study, pool, prefect_server):
    """`radzoo serve --work-pool` registers and ends; a worker that knows only the server does the work of the verb."""
    small_study.ingest()
    place = {"PREFECT_API_URL": prefect_server, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = radzoo_run(
        *("--store", str(small_study.store_root), "serve", str(small_study.file), "--ingest", "by-hand"),
        *("--work-pool", pool, "--timezone", "UTC"),
        variables=place,
    )
    assert (done.returncode, done.stdout.split(";")[0]) == (0, "registered ingest-study/small"), done.stderr
    small_study.mask_file("P1").unlink()
    place_of = {"id": deployment("ingest")["id"]}
    runs = [
        asked("POST", "/deployments/{id}/create_flow_run", path_params=place_of, json={"state": {"type": "SCHEDULED"}})
        for _ in range(2)
    ]
    worker = [sys.executable, "-m", "prefect", "worker", "start", "--pool", pool, "--run-once"]
    subprocess.run(worker, check=True, capture_output=True, timeout=120, env=os.environ | place)
    states = [asked("GET", "/flow_runs/{id}", path_params={"id": each["id"]})["state"] for each in runs]
    state, waiting = sorted(states, key=lambda each: each["type"])
    # The worker has taken one: the other begins when that has ended.
    assert waiting["type"] == "SCHEDULED"
    assert (state["type"], state["name"]) == ("COMPLETED", "Completed with new failures"), state
    assert "failed 1 (new); commit 2" in state["message"]
    assert len(small_study.snapshot.rows("failures")) == 1
