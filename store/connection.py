"""Connections to the catalogue: SQLite in WAL mode, writers one after another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError

from schemas.errors import StoreBusyError
from schemas.settings import BUSY_TIMEOUT_S

__all__ = ["catalogue_engine", "read_transaction", "write_transaction"]


def catalogue_engine(file: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """Return an engine on the catalogue file.

    A reader sees the state at its transaction's start and never blocks a writer (WAL). A writer takes
    its lock at the start (``BEGIN IMMEDIATE``), so that two never deadlock half-way.
    """
    engine = create_engine(f"sqlite:///{file}", connect_args={"timeout": busy_timeout_s})

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        # The driver's own transaction handling would begin deferred, and too late.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        is_writer = connection.get_execution_options().get("radzoo_writer", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writer else "BEGIN")

    return engine


@contextmanager
def read_transaction(engine: Engine) -> Iterator[Connection]:
    """Give a connection that sees one unchanging state of the catalogue."""
    with engine.connect() as connection, connection.begin():
        yield connection


@contextmanager
def write_transaction(engine: Engine) -> Iterator[Connection]:
    """Give the one connection that may write; all it did lands at the end, or nothing does.

    Raises
    ------
    StoreBusyError
        When another writer holds the catalogue for longer than the busy timeout.
    """
    with engine.connect().execution_options(radzoo_writer=True) as connection:
        try:
            transaction = connection.begin()
        except OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                raise StoreBusyError(
                    "another writer holds the store",
                    where=str(engine.url.database),
                    hint="wait for it to finish, then run the command again",
                ) from error
            raise
        with transaction:
            yield connection
