"""``analyst.duckdb``: the snapshot for any DuckDB client, swapped in whole."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from schemas.errors import ContractError
from store.analyst import define_analyst_views
from store.faults import ASK_FOR_WRITING, disk_faults
from store.home import Store
from store.snapshot import Snapshot

__all__ = [
    "PUBLICATION_NOTE",
    "STORAGE_VERSION",
    "published",
    "published_after_move",
    "published_commit",
    "published_root",
]

PUBLICATION_NOTE = "publication.json"
"""The file beside ``analyst.duckdb`` that says in which folder the store was when it was published."""

STORAGE_VERSION = "v1.2.0"
"""The DuckDB file format written: clients from 1.2 on open it, whatever wrote it."""


def published(snapshot: Snapshot) -> Path:
    """Write ``analyst.duckdb`` and return its path.

    The file is built beside the old one and takes its place by rename, so a client that has the old
    one open keeps reading it, and a refresh never waits for a client. Views name the segments by
    absolute path: the file can be opened from any folder, and says so where it was moved or copied. A file of a
    newer commit is left as it is, unless it was published elsewhere.
    """
    with _faults(snapshot.store), _alone(snapshot.store):
        target = snapshot.store.analyst_file
        # Two commits in quick succession may come to be published in the other order.
        is_elsewhere = published_root(snapshot.store) != str(snapshot.store.root)
        if not is_elsewhere and (published_commit(snapshot.store) or 0) > snapshot.commit_id:
            return target
        for left in target.parent.glob("analyst-*.partial*"):
            left.unlink()
        written = _written(snapshot, target)
        _note_root(snapshot.store)
        return written


def published_root(store: Store) -> str | None:
    """Return the store's folder as ``analyst.duckdb`` knows it, None where no note says so."""
    try:
        note = json.loads((store.root / PUBLICATION_NOTE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return str(note["store"]) if isinstance(note, dict) and "store" in note else None


def published_after_move(root: Path) -> str | None:
    """Publish a store's newest commit again where its file was published in another folder, and return that folder.

    Returns
    -------
    str or None
        None where nothing had to be done, or nothing can be.
    """
    store = Store(root)
    before = published_root(store)
    if not store.analyst_file.exists() or before == str(store.root) or not os.access(store.root, os.W_OK):
        return None
    published(Snapshot(store))
    return before or "another folder, or by an older release"


def _note_root(store: Store) -> None:
    note, partial = store.root / PUBLICATION_NOTE, store.root / f"{PUBLICATION_NOTE}.{os.getpid()}.partial"
    partial.write_text(json.dumps({"store": str(store.root)}) + "\n", encoding="utf-8")
    partial.replace(note)


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
    if "\\" in str(target):
        raise ContractError(
            "analyst.duckdb cannot be written: DuckDB takes the backslash in its path for a slash",
            where=str(target),
            hint="move the store to a folder of another name, then radzoo store publish",
        )
    partial = target.with_name(f"analyst-{os.getpid()}.partial")
    # DuckDB takes what follows a question mark for the options of a URL: the file is written elsewhere, then copied.
    apart = Path(tempfile.mkdtemp(prefix="radzoo-publish-")) if "?" in str(target) else None
    written = partial if apart is None else apart / "analyst.duckdb"
    connection = duckdb.connect()
    try:
        location = str(written).replace("'", "''")
        connection.execute(f"attach '{location}' as analyst (storage_version '{STORAGE_VERSION}')")
        connection.execute("use analyst")
        define_analyst_views(connection, snapshot.to_publish())
        connection.execute("use memory")
        connection.execute("detach analyst")
        if apart is not None:
            shutil.copyfile(written, partial)
        partial.replace(target)
    finally:
        connection.close()
        partial.unlink(missing_ok=True)
        if apart is not None:
            shutil.rmtree(apart, ignore_errors=True)
    return target
