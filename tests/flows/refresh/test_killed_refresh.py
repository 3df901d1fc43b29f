"""A refresh killed while it extracts, before its commit and after it: the next one ends where one alone would."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from killing import PATIENTS, Moment, damage, ingested, killed, timed

from flows.refresh.run import refresh
from store.analyst.publish import publish_snapshot, published_commit
from store.catalogue.connection import write_transaction
from store.catalogue.tables import versioned_table
from store.home import Store


@pytest.fixture(scope="module")
def ready(tmp_path_factory) -> Path:
    """Return a store into which the study of tiny lesions is ingested; tests copy it."""
    return ingested(tmp_path_factory.mktemp("killing"))


@pytest.mark.slow
def test_a_killed_refresh_is_finished_by_the_next(ready, tmp_path, prefect_server):
    """After kill -9 in extraction, before and after the commit the store is sound and ends in the undisturbed state."""
    timing, state = timed(ready, tmp_path / "undisturbed", prefect_server)
    moments = [
        Moment("staged", 4, 0.0),
        Moment("staged", PATIENTS, 0.0),
        Moment("publish", 0, (timing.published - timing.publish) / 2),
    ]
    found = [killed(ready, tmp_path / f"{at}", moment, prefect_server) for at, moment in enumerate(moments)]
    assert [(each.is_right, each.damage, each.state) for each in found] == [(True, (), state)] * len(moments)
    assert all(each.was_running for each in found)
    assert found[0].staged >= 4
    assert found[2].committed


def test_damage_is_seen(ready, tmp_path):
    """What the test above looks at does see a missing segment and half a commit."""
    store = Store(Path(shutil.copytree(ready, tmp_path / "store")))
    assert damage(store) == []
    with write_transaction(store.engine) as connection:
        row = {"feature_set": "quick@1", "extraction_id": "e", "segment_id": "s", "added_commit": 1}
        connection.execute(versioned_table("extractions").insert().values(row))
        segment = {"segment_id": "s", "path": "quick_v1/s.parquet", "sha256": "0" * 64, "rows": 2, "added_commit": 1}
        connection.execute(versioned_table("segments").insert().values(segment))
    seen = damage(store)
    assert len(seen) > 3
    assert seen[-3:] == [
        "2 rows of segments beside 1 extractions",
        "0 study_extractions beside 1 extractions",
        "0 commits beside 1 extractions",
    ]


def test_what_a_kill_after_the_commit_left_is_tidied(small_study):
    """A refresh with nothing to compute drops rows that are staged twice or half written, and publishes."""
    small_study.ingest()
    small_study.stage()
    (folder,) = small_study.store.staging.iterdir()
    staged = {file.name: file.read_bytes() for file in folder.iterdir()}
    small_study.refresh()
    assert published_commit(small_study.store) == 2
    # As a process killed between its commit and tidying up leaves it, another one while it wrote.
    small_study.store.analyst_file.unlink()
    for name, content in staged.items():
        (folder / name).write_bytes(content)
    (folder / f"{'a' * 64}.4711.partial").write_text('{"extraction_')
    (small_study.store.root / "analyst-4711.partial").write_bytes(b"half")
    (report,) = refresh(small_study.store)
    assert (report.computed, report.reused, report.unchanged, report.commit_id) == (0, 0, 8, None)
    assert list(folder.iterdir()) == []
    assert published_commit(small_study.store) == 2
    assert list(small_study.store.root.glob("*.partial")) == []


def test_an_older_commit_is_not_published_over_a_newer_one(small_study):
    """Of two runs that publish in the wrong order the newer commit stays."""
    small_study.ingest()
    before = small_study.snapshot
    small_study.refresh_without_prefect()
    newer = small_study.store.analyst_file.read_bytes()
    assert publish_snapshot(before) == small_study.store.analyst_file
    assert small_study.store.analyst_file.read_bytes() == newer
