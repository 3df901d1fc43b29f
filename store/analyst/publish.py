"""``analyst.duckdb``: the snapshot for any DuckDB client, swapped in whole.

Nothing is ever read out of the file to decide anything: any client may have written to it, or put something else there.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from sqlalchemy import func, select

from schemas.errors import ContractError, RadzooError, StoreBusyError
from schemas.keys import sha256_of_json
from schemas.settings import BUSY_TIMEOUT_S
from store.analyst.analyst_views import EVERY_TABLE, table_rows, views_of_one_state
from store.analyst.frames import STORAGE_VERSION, write_frame
from store.analyst.layout import copy_catalogue
from store.catalogue.connection import read_transaction
from store.catalogue.tables import commits, erasures
from store.faults import ASK_FOR_WRITING, disk_faults
from store.history.snapshot import Snapshot
from store.home import Store

__all__ = [
    "PUBLICATION_NOTE",
    "STORAGE_VERSION",
    "is_published",
    "publication_note",
    "publish_moved_store",
    "publish_snapshot",
    "published_commit",
    "published_root",
    "writer_of_files",
]

PUBLICATION_NOTE = "publication.json"
"""The file beside ``analyst.duckdb`` that says what was published, and in which folder the store was then."""

_MANY_ROWS = 50_000
"""Rows of all tables, from which on texts get symbol tables (FSST): to try one on each column takes a fourteenth of a
small publication, and saves few rows a megabyte or two at the most."""


def publish_snapshot(snapshot: Snapshot) -> Path:
    """Write ``analyst.duckdb`` and return its path.

    The file is built beside the old one and takes its place by rename, so a client that has the old
    one open keeps reading it, and a refresh never waits for a client. Views name the segments by
    absolute path: the file can be opened from any folder, and says so where it was moved or copied.

    Whatever was there is replaced, of whichever commit it says it is. A snapshot of the newest commit is taken again
    once nobody else publishes: of two commits in quick succession the newer one stays.

    Raises
    ------
    ContractError
        When a folder lies in the file's place, or the store may only be read.
    RadzooError
        When the disk does not take it.
    StoreBusyError
        When another process publishes, for longer than a writer waits.
    """
    store = snapshot.store
    with _faults(store), _alone(store):
        target = store.analyst_file
        for name in (target, store.root / PUBLICATION_NOTE):
            _refuse_folder(name)
        for left in target.parent.glob("analyst-*.partial*"):
            _remove(left)
        # Nobody needs them: where the disk takes none, or the folder is somebody else's, the catalogue is read.
        with read_transaction(store.engine) as connection, suppress(OSError):
            store.columns.keep(connection)
        while True:
            state = _state(store)
            _write(Snapshot(store) if snapshot.is_newest else snapshot, target)
            # Another machine's erasure, which waits for no lock of this one.
            if _state(store)["erasures"] == state["erasures"]:
                break
        # What a client that wrote to the old file has left would be read into the new one.
        target.with_name(f"{target.name}.wal").unlink(missing_ok=True)
        _note(store, state)
        return target


def is_published(store: Store) -> bool:
    """Return whether ``analyst.duckdb`` is the file that was last published, and of the catalogue as it is.

    Nothing of the file is read. Whoever changes it in place and sets its time back is found by `store verify` alone.
    """
    note = publication_note(store)
    return (
        note is not None
        and note.get("store") == str(store.root)
        and note.get("state") == _state(store)
        and note.get("file") == _file_identity(store.analyst_file)
    )


def publication_note(store: Store) -> dict[str, Any] | None:
    """Return what the note beside the file says, None where there is none that can be read."""
    file = store.root / PUBLICATION_NOTE
    try:
        if not stat.S_ISREG(file.lstat().st_mode):
            return None
        note = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return note if isinstance(note, dict) else None


def writer_of_files() -> dict[str, str]:
    """Return the versions of what decides how a published file looks."""
    return {name: version(name) for name in ("radzoo", "duckdb")}


def _state(store: Store) -> dict[str, Any]:
    """Return what tells this state of the catalogue from others that have as many commits."""
    newest = select(commits.c.commit_id, commits.c.committed_at).order_by(commits.c.commit_id.desc()).limit(1)
    receipts = select(erasures.c.erasure_id, erasures.c.erased_at, func.length(erasures.c.receipt))
    with read_transaction(store.engine) as connection:
        row = connection.execute(newest).first()
        known = sorted(list(each) for each in connection.execute(receipts).all())
    return {"commit": None if row is None else list(row), "erasures": sha256_of_json(known)}


def _file_identity(file: Path) -> list[int] | None:
    try:
        found = file.lstat()
    except OSError:
        return None
    return [found.st_ino, found.st_size, found.st_mtime_ns] if stat.S_ISREG(found.st_mode) else None


def published_root(store: Store) -> str | None:
    """Return the store's folder as ``analyst.duckdb`` knows it, None where no note says so."""
    note = publication_note(store)
    return str(note["store"]) if note is not None and "store" in note else None


def publish_moved_store(root: Path) -> str | None:
    """Publish a store's newest commit again where its file was published in another folder, and return that folder.

    Returns
    -------
    str or None
        None where nothing had to be done, or nothing can be.
    """
    store = Store(root)
    before = published_root(store)
    if not store.analyst_file.is_file() or before == str(store.root) or not os.access(store.root, os.W_OK):
        return None
    publish_snapshot(Snapshot(store))
    return before or "another folder, or by an older release"


def _note(store: Store, state: dict[str, Any]) -> None:
    note, unfinished = store.root / PUBLICATION_NOTE, store.root / f"{PUBLICATION_NOTE}.{os.getpid()}.partial"
    said = {
        "store": str(store.root),
        "state": state,
        "file": _file_identity(store.analyst_file),
        "writer": writer_of_files(),
    }
    _remove(unfinished)
    unfinished.write_text(json.dumps(said) + "\n", encoding="utf-8")
    unfinished.replace(note)


def published_commit(store: Store) -> int | None:
    """Return the commit that ``analyst.duckdb`` says it shows, None where there is no file that can be read."""
    if _file_identity(store.analyst_file) is None:
        return None
    try:
        with duckdb.connect(str(store.analyst_file), read_only=True) as client:
            row = client.execute("select max(commit_id) from catalogue.commits").fetchone()
    except duckdb.Error:
        return None
    return int(row[0] or 0) if row else None


def _refuse_folder(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        raise ContractError(
            f"a folder lies where {path.name} goes", where=str(path), hint="move it away, then radzoo store publish"
        )


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _faults(store: Store) -> Iterator[None]:
    """Translate what the disk refuses: DuckDB says it as an error of its own."""
    try:
        with disk_faults(store.root):
            yield
    except duckdb.Error as error:
        said = str(error).strip().splitlines()[0]
        # A file that cannot be written ends a statement, or the commit that the statement is part of.
        if not isinstance(error, duckdb.IOException) and "Could not write file" not in said:
            raise
        is_forbidden = "Permission" in said or "Read-only" in said
        hint = ASK_FOR_WRITING if is_forbidden else "make room on the disk, then radzoo store publish"
        kind = ContractError if is_forbidden else RadzooError
        raise kind(f"analyst.duckdb cannot be written: {said}", where=str(store.root), hint=hint) from error


@contextmanager
def _alone(store: Store) -> Iterator[None]:
    """Let no other process publish meanwhile; a killed one lets go, a stopped one does not."""
    folder = os.open(store.root, os.O_RDONLY)
    try:
        until = time.monotonic() + BUSY_TIMEOUT_S
        while not _is_taken(folder):
            if time.monotonic() > until:
                raise StoreBusyError(
                    "another process is publishing the store",
                    where=str(store.root),
                    hint="wait for it to finish, then run the command again",
                )
            time.sleep(0.02)
        yield
    finally:
        os.close(folder)


def _is_taken(folder: int) -> bool:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _tables(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot) -> Iterator[tuple[str, pa.Table]]:
    """Yield all tables of the schema ``catalogue``, one at a time, and have DuckDB compress many rows' texts."""
    connection.execute("set disabled_compression_methods = 'fsst'")
    count = 0
    for name in EVERY_TABLE:
        rows = table_rows(snapshot, name)
        # Before they are inserted: a large table is written while it arrives.
        if count < _MANY_ROWS <= count + rows.num_rows:
            connection.execute("set disabled_compression_methods = ''")
        count += rows.num_rows
        yield name, rows


def _write(snapshot: Snapshot, target: Path) -> None:
    if "\\" in str(target):
        raise ContractError(
            "analyst.duckdb cannot be written: DuckDB takes the backslash in its path for a slash",
            where=str(target),
            hint="move the store to a folder of another name, then radzoo store publish",
        )
    unfinished = target.with_name(f"analyst-{os.getpid()}.partial")
    # DuckDB takes what follows a question mark for the options of a URL: the file is written elsewhere, then copied.
    apart = Path(tempfile.mkdtemp(prefix="radzoo-publish-")) if "?" in str(target) else None
    written = unfinished if apart is None else apart / "analyst.duckdb"
    # Many small statements: threads beside this one wait more than they do.
    connection = duckdb.connect(config={"threads": 1})
    try:
        with (
            views_of_one_state(snapshot.to_publish()) as (unchanging, views),
            write_frame(connection, written, views, str(unchanging.store.segments)),
        ):
            copy_catalogue(connection, _tables(connection, unchanging), are_there=True)
        if apart is not None:
            shutil.copyfile(written, unfinished)
        unfinished.replace(target)
    finally:
        connection.close()
        unfinished.unlink(missing_ok=True)
        if apart is not None:
            shutil.rmtree(apart, ignore_errors=True)
