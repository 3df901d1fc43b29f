"""Questions to versioned tables that SQL answers: the catalogue's own, or DuckDB's where a table is kept by columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa
from sqlalchemy import Connection, Select

from store.catalogue.columns import arrow_columns, arrow_kinds
from store.catalogue.tables import versioned_table
from store.history.snapshot import Snapshot

__all__ = ["columns_of", "rows_by_columns", "rows_of"]


def rows_of(snapshot: Snapshot, query: Select[Any], *tables: str) -> list[tuple[Any, ...]]:
    """Return the rows of a question.

    Parameters
    ----------
    snapshot : Snapshot
        The store as of a commit; the question itself says which rows are live (`Snapshot.is_live`).
    query : Select
        In words that SQLite, PostgreSQL and DuckDB share, with an order where order matters.
    tables : str
        The versioned tables that it reads, all of them.

    Raises
    ------
    ContractError
        When a table's rows are not those that were committed.
    """
    with snapshot.one_state() as unchanging:
        if (kept := _kept(unchanging, tables)) is not None:
            return rows_by_columns(kept, _words(query))
        with unchanging.reading(*tables) as connection:
            return [tuple(row) for row in connection.execute(query).all()]


def columns_of(snapshot: Snapshot, query: Select[Any], *tables: str) -> pa.Table:
    """Return the rows of a question to columns of the catalogue as `rows_of` does, by columns of their types."""
    kinds = arrow_kinds(query.selected_columns)
    with snapshot.one_state() as unchanging:
        if (kept := _kept(unchanging, tables)) is not None:
            with duckdb.connect() as connection:
                _register(connection, kept)
                return connection.sql(_words(query)).to_arrow_table().cast(pa.schema(list(kinds.items())))
        with unchanging.reading(*tables) as connection:
            return arrow_columns(kinds, connection.execute(query).all())


def rows_by_columns(tables: dict[str, pa.Table], query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a question to tables that are there by columns."""
    with duckdb.connect() as connection:
        _register(connection, tables)
        return connection.execute(query).fetchall()


def _words(query: Select[Any]) -> str:
    """Return a question as text, its values in it, in words that DuckDB has too."""
    return str(query.compile(compile_kwargs={"literal_binds": True}))


def _kept(snapshot: Snapshot, tables: Sequence[str]) -> dict[str, pa.Table] | None:
    """Return all rows of tables by columns, None where none of them is kept so."""
    found = {name: snapshot.kept(name) for name in tables}
    if not any(kept is not None for kept in found.values()):
        return None
    with snapshot.reading(*(name for name, kept in found.items() if kept is None)) as connection:
        return {name: _read(connection, name) if kept is None else kept.rows() for name, kept in found.items()}


def _read(connection: Connection, name: str) -> pa.Table:
    table = versioned_table(name)
    return arrow_columns(arrow_kinds(table.columns), connection.execute(table.select()).all())


def _register(connection: duckdb.DuckDBPyConnection, tables: dict[str, pa.Table]) -> None:
    for name, rows in tables.items():
        connection.register(name, rows)
