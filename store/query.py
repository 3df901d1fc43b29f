"""SQL over a snapshot: one read-only statement in a sandboxed DuckDB."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import pyarrow as pa

from schemas.errors import NotFoundError, UsageError
from store.analyst import define_analyst_views
from store.snapshot import Snapshot

__all__ = ["answer", "snapshot_connection"]

_READ_ONLY = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}


def snapshot_connection(snapshot: Snapshot, *, documented: bool = False) -> duckdb.DuckDBPyConnection:
    """Return an in-memory DuckDB connection with the snapshot's views, shut off from all else.

    It can read the store's segments and nothing more: no other file, no extension, no setting.
    """
    connection = duckdb.connect()
    # The progress bar would be written among the answer's lines.
    connection.execute("set enable_progress_bar = false")
    define_analyst_views(connection, snapshot, documented=documented)
    connection.execute(f"set allowed_directories = ['{str(snapshot.store.segments).replace(chr(39), chr(39) * 2)}']")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection


def answer(snapshot: Snapshot, query: str, parameters: Mapping[str, str] | None = None) -> pa.Table:
    """Return the answer to one read-only SQL statement.

    Parameters
    ----------
    snapshot : Snapshot
        What is asked.
    query : str
        One SELECT, FROM, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN statement.
    parameters : mapping of str to str, optional
        Values for ``$name`` in the query.

    Raises
    ------
    UsageError
        When the text is not exactly one statement that reads, or SQL refuses it.
    NotFoundError
        When a table or column does not exist.
    """
    try:
        statements = duckdb.extract_statements(query)
    except duckdb.Error as error:
        raise UsageError(_first_line(error), hint="radzoo sql 'show tables' lists what can be asked") from error
    if len(statements) != 1:
        raise UsageError(f"one statement is asked for, {len(statements)} were given")
    if statements[0].type not in _READ_ONLY:
        kind = statements[0].type.name
        raise UsageError(f"{kind} is not allowed: the store is read with SELECT or EXPLAIN")
    # Comments are seen only through DuckDB's own duckdb_views() and duckdb_columns().
    with snapshot_connection(snapshot, documented="duckdb_" in query.lower()) as connection:
        try:
            return connection.sql(statements[0], params=dict(parameters or {})).to_arrow_table()
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            raise NotFoundError(
                _first_line(error), hint="radzoo sql 'show tables', or radzoo sql 'describe TABLE'"
            ) from error
        except duckdb.Error as error:
            raise UsageError(_first_line(error), hint="radzoo sql 'show tables' lists what can be asked") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
