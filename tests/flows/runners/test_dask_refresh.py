"""A refresh whose extractions are done by the workers of a real Dask cluster ends where one on this machine does."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from builders.batches import computed_batch
from builders.store import rows_of
from builders.study import SmallStudy
from clusters.dask_processes import DaskProcesses, running_dask
from clusters.runs import children, content, is_running, refreshed, wait_for
from killing import PATIENTS, damage, end_state, reached, started

from flows.engine.runners.address import runner_of
from flows.engine.runners.dask_cluster import dask_cluster
from flows.engine.runners.environment import environment, refuse_other_environment
from flows.extract.limited_units import extraction_limits
from flows.refresh.remote_units import RemoteBatch, extract_on_worker
from flows.refresh.run import refresh
from flows.refresh.staged import staging_folder
from schemas.errors import ContractError, NotFoundError, UsageError
from store.home import Store

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskProcesses]:
    """Give a scheduler with two workers; a test that kills one starts another."""
    with running_dask(tmp_path_factory.mktemp("dask")) as processes:
        yield processes


@pytest.mark.slow
def test_a_cluster_commits_what_this_machine_would(tmp_path, cluster, prefect_server):
    """Features, regions and the reasons of what failed are the same rows; the run says who computed them."""
    here = SmallStudy.below(tmp_path)
    here.edit('["quick"]', '["quick", "around"]')
    regions = "\n[define.around.regions]\nslices = 4\nsize = 16\nmargin_mm = 2.0\n"
    here.file.write_text(here.file.read_text() + regions + '[define.around.regions.registration]\nmethod = "none"\n')
    here.ingest()
    # Another image than the one that was ingested, and one that nobody can read: two rows in failures.
    here.write_image("P2", "AP", seed=7)
    here.image_file("P3", "DP").write_bytes(b"no image")
    there = Store(Path(shutil.copytree(here.store_root, tmp_path / "there")))
    local = refresh(here.store, workers=2)
    code, remote = refreshed(there.root, prefect_server, cluster.runner)
    assert code == 5
    assert remote == [vars(each) | {"expectations": []} for each in local]
    assert [each["failed"] for each in remote] == [2, 4]
    assert [each["commit_id"] for each in remote] == [2, 3]
    assert content(there) == content(here.store)
    runs = [json.loads(row["parameters"]) for row in here.sql("from runs where flow = 'refresh'")]
    assert {each["runner"] for each in runs} == {"local"}
    asked = SmallStudy(here.folder, there.root)
    runs = [json.loads(row["parameters"]) for row in asked.sql("from runs where flow = 'refresh'")]
    assert [(each["runner"], each["slots"]) for each in runs] == [(cluster.runner, 2)] * 2


@pytest.mark.slow
def test_a_killed_driver_and_a_killed_worker_cost_nothing(shared_store, undisturbed, cluster, prefect_server):
    """After kill -9 of who feeds the cluster the next one computes what is missing; of a worker, another one does."""
    running = started(shared_store, prefect_server, 2, "--runner", cluster.runner)
    reached(running, shared_store, "staged", 3)
    os.killpg(running.pid, signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    staged = len(list(shared_store.glob("staging/*/*.json")))
    assert 3 <= staged < PATIENTS

    victim = cluster.start_worker()
    running = started(shared_store, prefect_server, 4, "--runner", cluster.runner)
    wait_for(lambda: children(victim.pid) or running.poll() is not None)
    extracting = children(victim.pid)
    victim.kill()
    victim.wait()
    assert extracting
    assert running.wait(timeout=300) == 0
    with closing(Store(shared_store)) as store:
        assert damage(store) == []
        assert end_state(store) == undisturbed
        summary = json.loads(
            rows_of(store, "select summary from runs where status = 'done' and flow = 'refresh'")[0]["summary"]
        )
    assert (summary["reused"], summary["computed"]) == (staged, PATIENTS - staged)
    # What the worker had started does not outlive it.
    wait_for(lambda: not any(map(is_running, extracting)))


def test_the_limits_of_who_asks_hold_on_a_worker(small_study):
    """What takes longer than it may is the reason of its unit; what is finished comes back as it would be staged."""
    small_study.ingest()
    plan = small_study.plan()
    kind, settings = plan.bound.kind, plan.bound.definition.settings
    units = kind.units(plan.missing_by_patient()[0])
    batch = RemoteBatch(kind.compute("fast"), units, settings, extraction_limits(()), None, True, environment())
    finished = extract_on_worker(batch)
    assert finished.failures == [None, None]
    computed_batch([each for unit in units for each in unit], settings, staging_folder(small_study.store, plan.bound))
    (folder,) = small_study.store.staging.iterdir()
    assert finished.records == {file.stem: file.read_bytes() for file in folder.iterdir()}
    late = extract_on_worker(replace(batch, limits=replace(batch.limits, seconds=1e-4)))
    assert late.records == {}
    assert all("the computation did not end" in str(each) for each in late.failures)


def test_a_worker_with_another_installation_is_refused(tmp_path, prefect_server):
    """Before work starts: the worker, the library and its two versions are named, and nothing is computed."""
    other = tmp_path / "other"
    metadata = other / "PyWavelets-0.0.1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: PyWavelets\nVersion: 0.0.1\n")
    study = SmallStudy.below(tmp_path)
    study.ingest()
    with running_dask(tmp_path, workers=0) as processes:
        processes.start_worker({"PYTHONPATH": f"{other}{os.pathsep}{ROOT}"})
        code, error = refreshed(study.store_root, prefect_server, processes.runner)
    assert (code, error["error"], error["where"][:6]) == (4, "ContractError", "tcp://")
    assert "PyWavelets 0.0.1 instead of " in error["message"]
    assert study.snapshot.commit_id == 1


def test_a_worker_that_joins_late_is_compared_as_well():
    """A batch names the installation that it was asked from; the same one is no obstacle."""
    refuse_other_environment(environment())
    with pytest.raises(ContractError, match=r"numpy \S+ instead of 0\.1, radzoo's own files differ"):
        refuse_other_environment(environment() | {"numpy": "0.1", "code": "0" * 64})


def test_a_cluster_that_does_not_answer_is_said(small_study):
    """The verb says which address, and how a scheduler and a worker are started."""
    pytest.importorskip("distributed", reason="dask.distributed is not installed: pip install 'radzoo[dask]'")
    small_study.ingest()
    code, error = refreshed(small_study.store_root, "", "dask://127.0.0.1:9")
    assert (code, error["error"], error["where"]) == (3, "NotFoundError", "dask://127.0.0.1:9")
    assert error["message"] == "no Dask scheduler answers"
    assert "dask scheduler" in error["hint"]


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"], ids=["silent", "http"]
)
def test_what_is_no_scheduler_is_not_waited_for(answer, monkeypatch):
    """Such as the scheduler's page, whose port is a likely slip: its bytes are no sizes, and its silence ends."""
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed")
    monkeypatch.setattr("flows.engine.runners.dask_cluster._CONNECT_S", 1)
    monkeypatch.setattr(distributed, "Client", None)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def listen():
            while True:
                try:
                    connection, _ = server.accept()
                    connection.sendall(answer)
                except OSError:
                    return

        threading.Thread(target=listen, daemon=True).start()
        runner = runner_of(f"dask://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(NotFoundError, match="no Dask scheduler answers"), dask_cluster(runner):
            pass


def test_nobody_asks_a_cluster_where_nothing_is_missing(ready_study):
    """Where all is computed the cluster need not even be there."""
    (report,) = refresh(ready_study.store, runner=runner_of("dask://127.0.0.1:9"))
    assert (report.computed, report.unchanged) == (0, 8)


@pytest.mark.parametrize(
    "text", ["dask", "dask://", "dask://host", "dask://host:0", "dask://host:65536", "spark://h:1", ""]
)
def test_a_name_of_no_runner_is_refused(text):
    """What is not built is not offered, and what is meant must be written out."""
    with pytest.raises(UsageError, match="names no runner"):
        runner_of(text)


@pytest.mark.parametrize("text", ["local", "dask://node7:8786", "dask://[::1]:8786", "ray://node7:10001"])
def test_a_runner_is_written_as_it_is_read(text):
    """The run's record has the runner as the user names it."""
    assert str(runner_of(text)) == text
