"""Tables and documented views of a snapshot, laid out in a DuckDB connection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from contextlib import contextmanager, suppress
from itertools import groupby

import duckdb
import pyarrow as pa

from schemas.errors import ContractError
from store.analyst.analyst_views import EVERY_TABLE, table_rows, table_without_rows, tables_of, views_of_one_state
from store.analyst.view_parts import View, comments_of, fixed_views, quoted_name
from store.history.snapshot import Snapshot

__all__ = [
    "copy_catalogue",
    "define_analyst_views",
    "define_empty_store",
    "has_many_columns",
    "lay_out_views",
    "look_at_segments",
]

_SQL_TYPES = {pa.int64(): "bigint", pa.float64(): "double", pa.string(): "varchar"}
"""Of the catalogue's columns in DuckDB."""
_COMMENTS_AT_ONCE = 50
_OF_SEGMENTS = (duckdb.IOException, duckdb.InvalidInputException)
"""What DuckDB raises of a file that a view reads."""


def define_analyst_views(
    connection: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    names: Set[str] | None = None,
    *,
    documented: bool = True,
    computed: Set[str] = frozenset(),
) -> None:
    """Create all tables and views of a snapshot in a DuckDB connection's current database.

    The catalogue's rows are copied into tables of the schema ``catalogue``; the features stay in their
    Parquet segments, which the wide views read by absolute path.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Where to create them.
    snapshot : Snapshot
        The store as of a commit.
    names : set of str, optional
        Only these views and tables of the schema ``catalogue``, and what these views read; all where None.
    documented : bool
        Put comments on views and columns: a statement for each of some thousand columns, over a second.
    computed : set of str
        Of views of few columns, those that are computed now and kept as tables; these take no comments.
    """
    with views_of_one_state(snapshot, names) as (unchanging, views):
        wanted = EVERY_TABLE if names is None else [name for name in EVERY_TABLE if name in names | tables_of(views)]
        # One at a time: no table's rows are in memory twice for longer than it takes.
        copy_catalogue(connection, ((name, table_rows(unchanging, name)) for name in wanted))
        segments = str(snapshot.store.segments)
        lay_out_views(connection, views, documented=documented, segments=segments, computed=computed)


def define_empty_store(connection: duckdb.DuckDBPyConnection) -> None:
    """Create what every store has alike, in a connection's current database: tables without rows, the fixed views."""
    copy_catalogue(connection, [(name, table_without_rows(name)) for name in EVERY_TABLE])
    lay_out_views(connection, fixed_views(), documented=True, segments="")


def copy_catalogue(
    connection: duckdb.DuckDBPyConnection, tables: Iterable[tuple[str, pa.Table]], *, are_there: bool = False
) -> None:
    """Create tables of the schema ``catalogue``.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Where to create them.
    tables : iterable of (str, pyarrow.Table)
        Their names and rows.
    are_there : bool
        The tables are there without rows.
    """
    # In one transaction: a table of few rows takes less than its commit.
    connection.execute("begin; create schema if not exists catalogue")
    statements = []
    for name, rows in tables:
        if not rows.num_rows:
            if are_there:
                continue
            # Created together at the end: one by one they take longer than all else that a commit lays out.
            columns = ", ".join(f"{quoted_name(each.name)} {_SQL_TYPES[each.type]}" for each in rows.schema)
            statements.append(f"create table catalogue.{name} ({columns})")
            continue
        connection.register("arriving", rows)
        placed = f"insert into catalogue.{name}" if are_there else f"create table catalogue.{name} as"
        connection.execute(f"{placed} select * from arriving")
        connection.unregister("arriving")
    connection.execute(";".join((*statements, "commit")))


def lay_out_views(
    connection: duckdb.DuckDBPyConnection,
    views: Iterable[View],
    *,
    documented: bool,
    segments: str,
    computed: Set[str] = frozenset(),
) -> None:
    """Create views alone, where the tables that they read are there.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Where to create them.
    views : iterable of View
        Each behind those that it reads.
    documented : bool
        Put comments on views and columns.
    segments : str
        Where the segments lie, for messages.
    computed : set of str
        As `define_analyst_views` takes it.

    Raises
    ------
    ContractError
        When a segment is missing or damaged.
    """
    for _, together in groupby(views, key=_is_wide):
        some = list(together)
        if _is_wide(some[0]) or not _are_laid_out(connection, some, documented, computed):
            for view in some:
                _lay_out_alone(connection, view, documented, segments)


def _are_laid_out(
    connection: duckdb.DuckDBPyConnection, views: Iterable[View], documented: bool, computed: Set[str]
) -> bool:
    """Create views in one transaction, for a small view takes less than its commit; say whether all could be."""
    statements = [text for view in views for text in (_created(view, computed), *_comments(view, documented))]
    try:
        connection.execute(";".join(("begin", *statements, "commit")))
    except duckdb.Error as error:
        # A disk without room has taken the transaction away already.
        with suppress(duckdb.Error):
            connection.execute("rollback")
        if not isinstance(error, _OF_SEGMENTS):
            raise
        return False
    return True


def look_at_segments(connection: duckdb.DuckDBPyConnection, views: Iterable[View], segments: str) -> None:
    """Have DuckDB look at the files that laid-out views read, as it does when it creates them.

    Raises
    ------
    ContractError
        When a segment is missing or damaged.
    """
    for view in filter(_is_wide, views):
        with _faults_of_segments(view, segments):
            connection.execute(f"from {quoted_name(view.name)} limit 0")


def _lay_out_alone(connection: duckdb.DuckDBPyConnection, view: View, documented: bool, segments: str) -> None:
    with _faults_of_segments(view, segments):
        connection.execute(_created(view))
    # DuckDB copies a view's whole entry with each comment: time, and within a transaction memory, grow with the square
    # of the columns.
    for start in range(0, len(comments := _comments(view, documented)), _COMMENTS_AT_ONCE):
        connection.execute(";".join(("begin", *comments[start : start + _COMMENTS_AT_ONCE], "commit")))


@contextmanager
def _faults_of_segments(view: View, segments: str) -> Iterator[None]:
    try:
        yield
    except _OF_SEGMENTS as error:
        sets = ", ".join(feature_set for feature_set, _ in view.segments)
        raise ContractError(
            f"a segment of {sets or view.name} is missing or damaged: {str(error).splitlines()[0]}",
            where=segments,
            hint="put the file back from a backup of the store",
        ) from error


def has_many_columns(view: View) -> bool:
    """Return whether a view has more columns than are given their comments at once."""
    return len(view.columns) > _COMMENTS_AT_ONCE


def _is_wide(view: View) -> bool:
    """Return whether a view reads segments, which may be damaged, or has very many columns."""
    return bool(view.segments) or has_many_columns(view)


def _created(view: View, computed: Set[str] = frozenset()) -> str:
    kind = "table" if view.name in computed else "view"
    return f"create {kind} {quoted_name(view.name)} as {view.query}"


def _comments(view: View, documented: bool) -> list[str]:
    return comments_of(view.name, view.description, view.columns) if documented else []
