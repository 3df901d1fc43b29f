"""A catalogue's SQLite file that may only be read: opened so that nothing need be written beside it."""

from __future__ import annotations

import atexit
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event

from schemas.errors import StoreBusyError

__all__ = ["file_state", "is_read_only", "may_only_be_read", "read_only_engine", "unchanged_meanwhile"]

_READ_ONLY = "radzoo_read_only"
_UNLOCKED = "radzoo_unlocked"


def may_only_be_read(file: Path) -> bool:
    """Return whether a catalogue's file is there and this process may not write it, or not beside it."""
    # SQLite keeps its log and its index of that (-wal, -shm) beside the file, for readers too.
    return file.exists() and not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK | os.X_OK))


def is_read_only(engine: Engine) -> bool:
    """Return whether an engine is on a catalogue that may only be read."""
    return bool(engine.get_execution_options().get(_READ_ONLY, False))


def read_only_engine(file: Path, *, busy_timeout_s: float) -> Engine:
    """Return an engine on an SQLite file that may only be read.

    Where somebody who may write is at work, the file is read with its log and its index as any reader does. Where
    there is no log, it is opened as one that does not change, for SQLite could not lay out the index:
    `unchanged_meanwhile` sees whether that held. A log that a killed writer left is put in order in a copy of both,
    which goes with the process.

    Raises
    ------
    StoreBusyError
        When somebody wrote while the file was copied.
    """
    log, index = _beside(file)
    # Else the path's own question marks and hashes would be the address's.
    address = f"file:{quote(str(file))}?mode=ro"
    is_unlocked = not _size(log) and not index.exists()
    if is_unlocked:
        address += "&immutable=1"
    elif not _can_be_read(address):
        address = f"file:{quote(str(_copied(file)))}?mode=rw"
    engine = create_engine(
        URL.create("sqlite", database=str(file)),
        creator=lambda: sqlite3.connect(address, uri=True, timeout=busy_timeout_s, check_same_thread=False),
    ).execution_options(**{_READ_ONLY: True, _UNLOCKED: is_unlocked})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


@contextmanager
def unchanged_meanwhile(engine: Engine) -> Iterator[None]:
    """See that nobody wrote while a file was read that is opened as one that does not change.

    Raises
    ------
    StoreBusyError
        When somebody did: what was read may be of two states.
    """
    if not engine.get_execution_options().get(_UNLOCKED, False):
        yield
        return
    file = Path(str(engine.url.database))
    before = _state(file)
    try:
        yield
    finally:
        if _state(file) != before:
            raise StoreBusyError(
                "the store was written while it was read", where=str(file), hint="run the command again"
            )


def _can_be_read(address: str) -> bool:
    try:
        with closing(sqlite3.connect(address, uri=True)) as connection:
            connection.execute("select count(*) from sqlite_master").fetchone()
    except sqlite3.OperationalError:
        return False
    return True


def _copied(file: Path) -> Path:
    """Return a copy of a catalogue's file and log in a private folder that is removed when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="radzoo-catalogue-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    before = _state(file)
    for each in (file, _beside(file)[0]):
        shutil.copyfile(each, folder / each.name)
    if _state(file) != before:
        raise StoreBusyError("the store was written while it was read", where=str(file), hint="run the command again")
    return folder / file.name


def file_state(file: Path) -> tuple[int, ...]:
    """Return what differs when a catalogue's file, or the log beside it, is written."""
    found = file.stat()
    try:
        log = _beside(file)[0].stat()
    except FileNotFoundError:
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, log.st_size, log.st_mtime_ns


def _state(file: Path) -> tuple[int, int, int]:
    found = file.stat()
    return found.st_mtime_ns, found.st_size, _size(_beside(file)[0])


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _beside(file: Path) -> tuple[Path, Path]:
    return file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")
