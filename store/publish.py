"""``analyst.duckdb``: the snapshot for any DuckDB client, swapped in whole."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from schemas.errors import ContractError
from store.analyst import define_analyst_views
from store.faults import ASK_FOR_WRITING, disk_faults
from store.home import Store
from store.snapshot import Snapshot

__all__ = ["STORAGE_VERSION", "published", "published_commit"]

STORAGE_VERSION = "v1.2.0"
"""The DuckDB file format written: clients from 1.2 on open it, whatever wrote it."""


def published(snapshot: Snapshot) -> Path:
    """Write ``analyst.duckdb`` and return its path.

    The file is built beside the old one and takes its place by rename, so a client that has the old
    one open keeps reading it, and a refresh never waits for a client. Views name the segments by
    absolute path: the file can be opened from any folder. A file of a newer commit is left as it is.
    """
    with _faults(snapshot.store), _alone(snapshot.store):
        target = snapshot.store.analyst_file
        # Two commits in quick succession may come to be published in the other order.
        if (published_commit(snapshot.store) or 0) > snapshot.commit_id:
            return target
        for left in target.parent.glob("analyst-*.partial*"):
            left.unlink()
        return _written(snapshot, target)


def published_commit(store: Store) -> int | None:
    """Return the commit that ``analyst.duckdb`` shows, None where there is no file that can be read."""
    if not store.analyst_file.exists():
        return None
    try:
        with duckdb.connect(str(store.analyst_file), read_only=True) as client:
            row = client.execute("select max(commit_id) from catalogue.commits").fetchone()
    except duckdb.Error:
        return None
    return int(row[0] or 0) if row else None


@contextmanager
def _faults(store: Store) -> Iterator[None]:
    """Translate what the disk refuses: DuckDB says it as an error of its own."""
    try:
        with disk_faults(store.root):
            yield
    except duckdb.IOException as error:
        said = str(error).strip().splitlines()[0]
        hint = (
            ASK_FOR_WRITING if "Permission" in said or "Read-only" in said else "make room, then radzoo store publish"
        )
        raise ContractError(f"analyst.duckdb cannot be written: {said}", where=str(store.root), hint=hint) from error


@contextmanager
def _alone(store: Store) -> Iterator[None]:
    """Let no other process publish meanwhile; a killed one lets go."""
    folder = os.open(store.root, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _written(snapshot: Snapshot, target: Path) -> Path:
    partial = target.with_name(f"analyst-{os.getpid()}.partial")
    connection = duckdb.connect()
    try:
        location = str(partial).replace("'", "''")
        connection.execute(f"attach '{location}' as analyst (storage_version '{STORAGE_VERSION}')")
        connection.execute("use analyst")
        define_analyst_views(connection, snapshot)
        connection.execute("use memory")
        connection.execute("detach analyst")
        partial.replace(target)
    finally:
        connection.close()
        partial.unlink(missing_ok=True)
    return target
