"""``analyst.duckdb``: the snapshot for any DuckDB client, swapped in whole."""

from __future__ import annotations

import os
from pathlib import Path

import duckdb

from store.analyst import define_analyst_views
from store.snapshot import Snapshot

__all__ = ["STORAGE_VERSION", "published"]

STORAGE_VERSION = "v1.2.0"
"""The DuckDB file format written: clients from 1.2 on open it, whatever wrote it."""


def published(snapshot: Snapshot) -> Path:
    """Write ``analyst.duckdb`` and return its path.

    The file is built beside the old one and takes its place by rename, so a client that has the old
    one open keeps reading it, and a refresh never waits for a client. Views name the segments by
    absolute path: the file can be opened from any folder.
    """
    target = snapshot.store.analyst_file
    partial = target.with_name(f"analyst-{os.getpid()}.partial")
    partial.unlink(missing_ok=True)
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
