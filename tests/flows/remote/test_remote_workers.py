"""Workers of a real Dask cluster fetch a study's images for themselves: no disk is shared."""

from __future__ import annotations

import pytest
from buckets.study import copies
from clusters.dask_processes import running_dask
from clusters.runs import content, refreshed

from flows.engine.runners.environment import environment
from flows.extract.limited_units import extraction_limits
from flows.refresh.remote_units import RemoteBatch, extract_on_worker


@pytest.mark.slow
def test_workers_without_images_commit_what_this_machine_would(
    small_study, remote_study, cache, tmp_path, prefect_server
):
    """Their rows are those of files on this disk; who asks fetches nothing, and a missing object is its row's."""
    small_study.ingest()
    small_study.refresh_without_prefect()
    remote_study.ingest()
    asked = set(copies(cache))
    (tmp_path / "worker").mkdir()
    with running_dask(tmp_path / "worker", workers=0) as cluster:
        for number in range(2):
            cluster.start_worker({"RADZOO_CACHE": str(tmp_path / f"cache-{number}")})
        code, reports = refreshed(remote_study.store_root, prefect_server, cluster.runner)
    assert (code, reports[0]["computed"]) == (0, 8)
    assert content(remote_study.store) == content(small_study.store)
    assert set(copies(cache)) == asked
    fetched = [copies(tmp_path / f"cache-{number}" / "images") for number in range(2)]
    assert sum(map(len, fetched)) == 16


def test_a_piece_fetches_where_it_is_computed(remote_study, bucket, cache, monkeypatch, tmp_path):
    """A piece names URLs; the worker keeps the copies, and an object that is gone is the fault of its unit alone."""
    remote_study.ingest()
    plan = remote_study.plan()
    kind, settings = plan.bound.kind, plan.bound.definition.settings
    batch = next(each for each in plan.missing_by_patient() if each[0].key.patient == "P1")
    bucket.remove("masks/P1_DP.nii.gz")
    monkeypatch.setenv("RADZOO_CACHE", str(tmp_path / "worker"))
    asked = RemoteBatch(
        kind.compute("fast"), kind.units(batch), settings, extraction_limits(()), None, True, environment()
    )
    receipts = extract_on_worker(asked)
    assert len(receipts.records) == 1
    (fault,) = filter(None, receipts.failures)
    assert fault.endswith("/masks/P1_DP.nii.gz: there is no such object")
    assert len(copies(tmp_path / "worker" / "images")) == 3
