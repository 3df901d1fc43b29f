"""A disk that is full for real: a commit and a publication end in one sentence, and go on when there is room."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from attacks.faults.disks import fill, mounted

from flows.faults import fault_of
from schemas.errors import RadzooError
from store.analyst.publish import publish_snapshot
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot, newest_commit
from store.home import Store
from store.verification.verify import store_verification

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("mount") is None, reason="a small disk is mounted by root alone"
)


@pytest.fixture
def on_small_disk(filled, tmp_path):
    """Give a store on a disk of 16 MB, published."""
    disk = tmp_path / "disk"
    take_away = mounted(disk, 16)
    try:
        store = Store(Path(shutil.copytree(filled.root, disk / "store")))
        publish_snapshot(Snapshot(store))
        yield store
        store.close()
    finally:
        take_away()


def put(store: Store) -> None:
    """Commit more than a page of the catalogue holds."""
    with commit_to(store, "many") as commit:
        commit.put("patients", [{"patient": f"p{number}" * 99} for number in range(300)])


def test_a_full_disk_costs_a_sentence_and_nothing_else(on_small_disk):
    """The exit code is that of a fault of the machine, the hint is about room; then the same commands succeed."""
    store, before = on_small_disk, newest_commit(on_small_disk)
    published = store.analyst_file.read_bytes()
    fill(store.root)
    with pytest.raises(OSError, match="No space left") as unnamed:
        pq.write_table(pa.table({"value": range(100_000)}), store.root / "rows.parquet")
    assert fault_of(unnamed.value, store=store.root).where == str(store.root)
    for does in (put, lambda store: publish_snapshot(Snapshot(store))):
        with pytest.raises(RadzooError) as caught:
            does(store)
        assert caught.value.exit_code == 1
        assert "make room on the disk" in caught.value.hint
    assert newest_commit(store) == before
    assert store.analyst_file.read_bytes() == published
    for name in ("ballast", "rows.parquet"):
        (store.root / name).unlink(missing_ok=True)
    put(store)
    publish_snapshot(Snapshot(store))
    assert newest_commit(store) == before + 1
    assert store_verification(store).is_clean
    assert list(store.root.glob("*.partial*")) == []
