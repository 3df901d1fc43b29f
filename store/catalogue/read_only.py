"""A catalogue's SQLite file that is only read: opened so that nothing is written into it or beside it."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from schemas.errors import StoreBusyError

__all__ = ["file_state", "is_read_only", "may_only_be_read", "read_only_engine", "unchanged_meanwhile"]

_READ_ONLY = "radzoo_read_only"
_UNLOCKED = "radzoo_unlocked"

_TRIES = 5
"""To find a log that its last writer takes along, or has taken."""


def may_only_be_read(file: Path) -> bool:
    """Return whether a catalogue's file is there and this process may not write it, or not beside it."""
    # SQLite keeps its log and its index of that (-wal, -shm) beside the file, for readers too.
    return file.exists() and not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK | os.X_OK))


def is_read_only(engine: Engine) -> bool:
    """Return whether an engine is on a catalogue that is only read."""
    return bool(engine.get_execution_options().get(_READ_ONLY, False))


def read_only_engine(file: Path, *, busy_timeout_s: float) -> Engine:
    """Return an engine that reads an SQLite file and writes nothing, neither into it nor beside it.

    Each connection finds out how, for an engine may live long. Where somebody who may write is at work, the file is
    read with its log and its index as any reader does. Where there is no log, it is opened as one that does not change,
    for SQLite could not lay out the index: `unchanged_meanwhile` sees whether that held. A log that a killed writer
    left is put in order in a copy of both, which goes with the engine.

    Raises
    ------
    StoreBusyError
        On connecting, when somebody wrote while the file was copied.
    """
    # No connection is kept: one to a file that does not change would never see that it did.
    engine = create_engine(URL.create("sqlite", database=str(file)), poolclass=NullPool)
    copies = _Copies(file)
    weakref.finalize(engine, copies.remove)

    @event.listens_for(engine, "do_connect")
    def _connect(_dialect: Any, record: Any, _arguments: Any, _parameters: Any) -> sqlite3.Connection:
        connection, record.info[_UNLOCKED] = _opened(file, copies, busy_timeout_s)
        connection.isolation_level = None
        return connection

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine.execution_options(**{_READ_ONLY: True})


@contextmanager
def unchanged_meanwhile(connection: Connection) -> Iterator[None]:
    """See that nobody wrote while a file was read that is opened as one that does not change.

    Raises
    ------
    StoreBusyError
        When somebody did: what was read may be of two states.
    """
    before = connection.info.get(_UNLOCKED)
    if before is None:
        yield
        return
    file = Path(str(connection.engine.url.database))
    try:
        yield
    finally:
        if _state(file) != before:
            raise _written_meanwhile(file)


def _written_meanwhile(file: Path) -> StoreBusyError:
    return StoreBusyError("the store was written while it was read", where=str(file), hint="run the command again")


class _Copies:
    """Private copies of a catalogue's file and log, of one state at a time."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._state: tuple[int, int, int] | None = None
        self._folder: Path | None = None

    def copied(self) -> Path:
        """Make a copy of the file and its log as they are now, where the last one is older, and return its place."""
        before = _state(self._file)
        if self._folder is None or self._state != before:
            self.remove()
            self._folder = Path(tempfile.mkdtemp(prefix="radzoo-catalogue-"))
            try:
                for each in (self._file, _beside(self._file)[0]):
                    shutil.copyfile(each, self._folder / each.name)
            except FileNotFoundError as error:
                raise _written_meanwhile(self._file) from error
            if _state(self._file) != before:
                raise _written_meanwhile(self._file)
            self._state = before
        return self._folder / self._file.name

    def remove(self) -> None:
        """Remove the copy."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = self._state = None


def _opened(file: Path, copies: _Copies, timeout_s: float) -> tuple[sqlite3.Connection, tuple[int, int, int] | None]:
    """Return a connection that writes nothing, and of a file that is taken to be unchanging its state."""
    log, index = _beside(file)
    # Else the path's own question marks and hashes would be the address's.
    address = f"file:{quote(str(file))}?mode=ro"
    for _ in range(_TRIES):
        before = _state(file)
        if not _size(log) and not index.exists():
            return _connected(f"{address}&immutable=1", timeout_s), before
        # Who may write would else write into the index, or make one, by reading.
        connection = _connected(f"{address}&readonly_shm=1", timeout_s)
        if _can_read(connection):
            # From here on the log and the index stay, whoever leaves.
            return connection, None
        connection.close()
        if _size(log):
            break
        # Who wrote last has left, and has taken the log along: the file is whole without it.
    return _connected(f"file:{quote(str(copies.copied()))}?mode=rw", timeout_s), None


def _connected(address: str, timeout_s: float) -> sqlite3.Connection:
    return sqlite3.connect(address, uri=True, timeout=timeout_s, check_same_thread=False)


def _can_read(connection: sqlite3.Connection) -> bool:
    try:
        connection.execute("select count(*) from sqlite_master").fetchone()
    except sqlite3.OperationalError:
        return False
    return True


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
