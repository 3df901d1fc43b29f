"""Connections to the catalogue, SQLite or PostgreSQL: readers never wait, writers come one after another."""

from __future__ import annotations

import atexit
import sqlite3
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakSet

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.util import LRUCache

from schemas.errors import ContractError, NotFoundError, StoreBusyError, UsageError
from schemas.settings import BUSY_TIMEOUT_S
from store.catalogue.lines import CONNECT_S, SERVER_PROBES, answers, hang_up, limit_silence
from store.catalogue.read_only import is_read_only, may_only_be_read, read_only_engine, unchanged_meanwhile
from store.catalogue.row_sums import WrittenSums
from store.faults import ASK_FOR_WRITING, catalogue_fault, driver_message, lost, server_fault
from store.patience import tried_again

__all__ = [
    "LOCK_NOT_AVAILABLE",
    "catalogue_engine",
    "catalogue_place",
    "is_postgresql",
    "read_transaction",
    "server_engine",
    "write_transaction",
    "written_sums",
]

_WRITER = "radzoo_writer"
_SUMS = "radzoo_sums"
_TIMEOUT = "radzoo_busy_timeout_s"
# The number of the lock that writers take in turn; PostgreSQL's advisory locks are numbers agreed upon.
_WRITERS_LOCK = 0x7261647A6F6F
_STATEMENTS_KEPT = 1000
_COMING_UP = ("57P03", "53300")
"""PostgreSQL's codes of a server that starts, and of one that has no connection left."""
LOCK_NOT_AVAILABLE = "55P03"
"""PostgreSQL's code of a lock that was waited for too long."""


class _StatementsOfAnyEngine(LRUCache[Any, Any]):
    """Statements compiled for SQLite: SQLAlchemy would compile them again for each store that a process opens.

    Its keys begin with an engine's dialect, and the dialects of all these engines are alike: one library, no options.
    """

    def get(self, key: tuple[Any, ...], default: Any = None) -> Any:
        """Return the statement of a key, whichever engine it was compiled for."""
        return super().get(key[1:], default)

    def __setitem__(self, key: tuple[Any, ...], compiled: Any) -> None:
        super().__setitem__(key[1:], compiled)


_sqlite_statements = _StatementsOfAnyEngine(_STATEMENTS_KEPT)

_engines: WeakSet[Engine] = WeakSet()
"""Those of SQLite files that this process may write."""


@atexit.register
def _close_files() -> None:
    """Close catalogues at the process's end: who closes one last brings SQLite's log into the file, and removes it."""
    for engine in list(_engines):
        engine.dispose()


def catalogue_engine(file: Path, *, busy_timeout_s: float = BUSY_TIMEOUT_S, only_reads: bool = False) -> Engine:
    """Return an engine on a catalogue in an SQLite file.

    A reader sees the state at its transaction's start and never blocks a writer (WAL). A writer takes
    its lock at the start (``BEGIN IMMEDIATE``), so that two never deadlock half-way.

    A file that may only be read, or shall only be, is opened so that SQLite writes nothing beside it (`is_read_only`).
    """
    if only_reads or may_only_be_read(file):
        engine = read_only_engine(file, busy_timeout_s=busy_timeout_s)
        engine.update_execution_options(compiled_cache=_sqlite_statements)
        return engine
    engine = create_engine(URL.create("sqlite", database=str(file)), connect_args={"timeout": busy_timeout_s})
    engine.update_execution_options(compiled_cache=_sqlite_statements)
    _engines.add(engine)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        # The driver's own transaction handling would begin deferred, and too late.
        connection.isolation_level = None
        cursor = connection.cursor()
        _write_ahead(cursor, busy_timeout_s)
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        # What erasing removes must not stay readable in the file's free pages.
        cursor.execute("PRAGMA secure_delete = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        is_writer = connection.get_execution_options().get(_WRITER, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writer else "BEGIN")

    return engine


def _write_ahead(cursor: Any, busy_timeout_s: float) -> None:
    """Turn write-ahead logging on; SQLite does not wait by itself where another process that makes the file does so."""
    deadline = time.monotonic() + busy_timeout_s
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return


def server_engine(url: str, *, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Engine:
    """Return an engine on a catalogue in a PostgreSQL database.

    A reader's transaction is a repeatable read: it sees one state and waits for nobody. A writer first
    takes the writers' advisory lock of the database, which PostgreSQL frees when the transaction or the
    process ends.

    Parameters
    ----------
    url : str
        ``postgresql://user:password@host:port/database``.
    busy_timeout_s : float
        How long a writer waits for another one.

    Raises
    ------
    UsageError
        When the URL is not one of PostgreSQL, or its driver is not installed.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        # Neither the URL nor what is said of it: both may have the password.
        raise UsageError(
            "the catalogue's URL is no database URL", hint="postgresql://user@host:5432/database"
        ) from error
    if parsed.get_backend_name() != "postgresql":
        raise UsageError(
            f"'{parsed.get_backend_name()}' is no catalogue that radzoo writes",
            hint="postgresql://user@host/database, or leave it out for a file in the store's folder",
        )
    try:
        engine = create_engine(parsed.set(drivername="postgresql+pg8000"), pool_pre_ping=True)
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise UsageError(
            "a catalogue on PostgreSQL needs the driver pg8000",
            hint="pip install 'radzoo[postgresql]'",
        ) from error

    @event.listens_for(engine, "do_connect")
    def _connect(dialect: Any, _record: Any, arguments: Any, options: dict[str, Any]) -> Any:
        # Encrypted where the server can, whoever it is, as the driver does by itself: which for each connection loads
        # all certificates of the system, and looks at none of them.
        try:
            connection = dialect.connect(*arguments, **{"timeout": CONNECT_S} | options | {"ssl_context": _unchecked()})
        except dialect.dbapi.InterfaceError as error:
            if "refuses SSL" not in str(error):
                raise
            connection = dialect.connect(*arguments, **{"timeout": CONNECT_S} | options | {"ssl_context": False})
        limit_silence(connection, busy_timeout_s)
        return connection

    # SQLAlchemy would log a traceback where a line is closed that is gone.
    engine.dialect.do_close = hang_up  # type: ignore[assignment, method-assign]
    engine.dialect.do_ping = answers  # type: ignore[assignment, method-assign]

    @event.listens_for(engine, "handle_error")
    def _drop_lost(context: ExceptionContext) -> None:
        # SQLAlchemy would keep, and ask to roll back, a connection whose server has said that it goes.
        context.is_disconnect = context.is_disconnect or lost(context.original_exception) is not None

    return engine.execution_options(**{_TIMEOUT: busy_timeout_s})


@cache
def _unchecked() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def is_postgresql(engine: Engine) -> bool:
    """Return whether a catalogue lies in PostgreSQL."""
    return engine.dialect.name == "postgresql"


@contextmanager
def read_transaction(engine: Engine) -> Iterator[Connection]:
    """Give a connection that sees one unchanging state of the catalogue.

    Raises
    ------
    NotFoundError
        When the catalogue's server does not answer.
    """
    connecting = engine
    if is_postgresql(engine):
        connecting = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with (
        _translated(engine),
        _connected(connecting) as connection,
        unchanged_meanwhile(connection),
        connection.begin(),
    ):
        yield connection


@contextmanager
def write_transaction(engine: Engine, *, keeps_sums: bool = True) -> Iterator[Connection]:
    """Give the one connection that may write; all it did lands at the end, or nothing does.

    Parameters
    ----------
    engine : Engine
        On the catalogue.
    keeps_sums : bool
        Add what is written to the tables' sums (`store.catalogue.row_sums`); not where a migration makes the tables.

    Raises
    ------
    StoreBusyError
        When another writer holds the catalogue for longer than the busy timeout.
    ContractError
        When the store may only be read, or the catalogue is damaged.
    RadzooError
        When its disk is full.
    LostConnectionError
        When the connection to its server was lost: what was not committed is undone.
    NotFoundError
        When the catalogue's server does not answer.
    """
    if is_read_only(engine):
        raise ContractError("the store may only be read here", where=catalogue_place(engine), hint=ASK_FOR_WRITING)
    with _translated(engine), _connected(engine.execution_options(**{_WRITER: True})) as connection:
        try:
            transaction = connection.begin()
            if is_postgresql(engine):
                _take_writers_lock(connection)
        except DBAPIError as error:
            if _is_busy(error):
                raise StoreBusyError(
                    "another writer holds the store",
                    where=catalogue_place(engine),
                    hint="wait for it to finish, then run the command again",
                ) from error
            raise
        with transaction:
            if not keeps_sums:
                yield connection
                return
            sums = WrittenSums(connection)
            connection.info[_SUMS] = sums
            yield connection
            sums.write()


def written_sums(connection: Connection) -> WrittenSums:
    """Return what counts the rows that a writer's transaction writes."""
    found: WrittenSums = connection.info[_SUMS]
    return found


@contextmanager
def _translated(engine: Engine) -> Iterator[None]:
    try:
        yield
    except (DBAPIError, ConnectionError, TimeoutError) as error:
        where = catalogue_place(engine)
        if is_postgresql(engine):
            fault = server_fault(error, where)
        else:
            fault = catalogue_fault(error, where) if isinstance(error, DBAPIError) else None
        if fault is None:
            raise
        raise fault from error


@contextmanager
def _connected(engine: Engine) -> Iterator[Connection]:
    if not is_postgresql(engine):
        with engine.connect() as connection:
            yield connection
        return
    place = catalogue_place(engine)

    def passing(error: Exception) -> str | None:
        # A server that this process never reached is more likely misnamed than away.
        return lost(error) if place in _reached or _is_coming_up(error) else None

    try:
        connection = tried_again(engine.connect, passing, what="the catalogue's server")
    except (DBAPIError, OSError) as error:
        # Waited for in vain once: what a verb tidies up after that is not kept waiting again.
        _reached.discard(place)
        said = lost(error) or (driver_message(error) if isinstance(error, DBAPIError) else str(error.strerror or error))
        raise NotFoundError(
            f"the catalogue's server does not answer: {said}",
            where=place,
            hint="start the server, or correct the URL in the store's store.toml",
        ) from error
    _reached.add(place)
    with connection:
        yield connection


_reached: set[str] = set()
"""Servers that have answered this process."""


def _is_coming_up(error: Exception) -> bool:
    said = str(error.orig) if isinstance(error, DBAPIError) else ""
    return any(code in said for code in _COMING_UP)


def catalogue_place(engine: Engine) -> str:
    """Return where a catalogue lies, a file or a URL without its password."""
    if not is_postgresql(engine):
        return str(engine.url.database)
    return engine.url.set(drivername="postgresql").render_as_string(hide_password=True)


def _take_writers_lock(connection: Connection) -> None:
    seconds = connection.get_execution_options().get(_TIMEOUT, BUSY_TIMEOUT_S)
    connection.execute(text(f"SET LOCAL lock_timeout = {max(1, round(seconds * 1000))}"))
    # The server holds the lock of a writer whose line was cut until it notices: by itself after two hours.
    probes = ", ".join(f"set_config('{name}', '{value}', true)" for name, value in SERVER_PROBES.items())
    connection.execute(text(f"SELECT {probes}"))
    connection.execute(text(f"SELECT pg_advisory_xact_lock({_WRITERS_LOCK})"))


def _is_busy(error: DBAPIError) -> bool:
    message = str(error.orig)
    return "locked" in message or "busy" in message or LOCK_NOT_AVAILABLE in message
