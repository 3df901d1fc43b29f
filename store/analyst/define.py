"""The SQL side of a snapshot: catalogue tables, documented views, one wide view per feature set."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager, suppress
from functools import partial
from itertools import groupby
from typing import Any

import duckdb
import pyarrow as pa

from schemas.errors import ContractError
from schemas.plain_keys import sql_name
from store.analyst.cohort_views import cohort_view_names, cohort_views
from store.analyst.view_parts import (
    SegmentRows,
    View,
    comments_of,
    fixed_view,
    fixed_view_names,
    fixed_views,
    quoted_name,
    quoted_text,
    segment_rows,
)
from store.analyst.wide_views import embeddings_view, long_views, wide_view_names, wide_views
from store.catalogue.tables import UNVERSIONED, VERSIONED
from store.history.commit_changes import NO_CHANGES, commit_changes
from store.history.installed_libraries import NO_LIBRARIES, installed_libraries
from store.history.snapshot import Snapshot, empty_table
from store.kinds.every import EMBEDDING, REGIONS, rows_of_kind, wide_sets

__all__ = [
    "EVERY_TABLE",
    "KEPT_TABLES",
    "analyst_views",
    "chosen_view_names",
    "copy_catalogue",
    "define_analyst_views",
    "define_empty_store",
    "lay_out_views",
    "look_at_segments",
    "quoted_name",
    "quoted_text",
    "table_rows",
    "table_without_rows",
    "tables_of",
    "view_names",
    "views_of_one_state",
]

KEPT_TABLES = (*VERSIONED, *UNVERSIONED)
"""The catalogue's tables that are copied for views."""

COMMIT_CHANGES = "commit_changes"
"""The table of what `store.history.commit_changes` counts."""

INSTALLED_LIBRARIES = "installed_libraries"
"""The table of what `store.history.installed_libraries` finds."""

EVERY_TABLE = (*KEPT_TABLES, COMMIT_CHANGES, INSTALLED_LIBRARIES)
"""The tables of the schema ``catalogue``."""

_SQL_TYPES = {pa.int64(): "bigint", pa.float64(): "double", pa.string(): "varchar"}
"""Of the catalogue's columns in DuckDB."""

_COMMENTS_AT_ONCE = 50
_OF_SEGMENTS = (duckdb.IOException, duckdb.InvalidInputException)
"""What DuckDB raises of a file that a view reads."""

_TABLE = re.compile(r"\bcatalogue\.(\w+)")


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


@contextmanager
def views_of_one_state(snapshot: Snapshot, names: Set[str] | None = None) -> Iterator[tuple[Snapshot, list[View]]]:
    """Give the snapshot held in one state, and its views as `analyst_views` does; an altered catalogue is refused."""
    # A compaction between two reads would leave rows in segments that the views do not name.
    with snapshot.one_state() as unchanging:
        unchanging.refuse_altered(KEPT_TABLES)
        yield unchanging, analyst_views(unchanging, partial(segment_rows, unchanging), names)


def define_empty_store(connection: duckdb.DuckDBPyConnection) -> None:
    """Create what every store has alike, in a connection's current database: tables without rows, the fixed views."""
    copy_catalogue(connection, [(name, table_without_rows(name)) for name in EVERY_TABLE])
    lay_out_views(connection, fixed_views(), documented=True, segments="")


def table_rows(snapshot: Snapshot, name: str) -> pa.Table:
    """Return the rows of a table of the schema ``catalogue``."""
    if name == COMMIT_CHANGES:
        return commit_changes(snapshot)
    return installed_libraries(snapshot) if name == INSTALLED_LIBRARIES else snapshot.arrow(name)


def table_without_rows(name: str) -> pa.Table:
    """Return what `table_rows` gives of a store without rows."""
    if name == COMMIT_CHANGES:
        return NO_CHANGES
    return NO_LIBRARIES if name == INSTALLED_LIBRARIES else empty_table(name)


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


def _is_wide(view: View) -> bool:
    """Return whether a view reads segments, which may be damaged, or has very many columns."""
    return bool(view.segments) or len(view.columns) > _COMMENTS_AT_ONCE


def _created(view: View, computed: Set[str] = frozenset()) -> str:
    kind = "table" if view.name in computed else "view"
    return f"create {kind} {quoted_name(view.name)} as {view.query}"


def _comments(view: View, documented: bool) -> list[str]:
    return comments_of(view.name, view.description, view.columns) if documented else []


def analyst_views(snapshot: Snapshot, rows_of: SegmentRows, names: Set[str] | None = None) -> list[View]:
    """Return the views of a snapshot, each behind those that it reads.

    Parameters
    ----------
    snapshot : Snapshot
        The store, held in one state.
    rows_of : callable
        What has the rows of a set's segments.
    names : set of str, optional
        Only the views of these names, in small letters, and those that they read; all where None. Of the catalogue
        nothing is read that these do not need.
    """
    fixed = fixed_view_names()
    if names is None:
        return _every_view(snapshot, rows_of)
    if names <= set(fixed):
        return _closed([fixed_view(name) for name in fixed], names)
    wanted = set(names)
    wanted |= {"radiomics_long"} if "radiomics_primary" in wanted else set()
    return _closed(_every_view(snapshot, rows_of, wanted), wanted)


def tables_of(views: Iterable[View]) -> set[str]:
    """Return the tables of the schema ``catalogue`` that views read."""
    return {name for view in views for name in _TABLE.findall(view.query) if name in EVERY_TABLE}


def view_names(snapshot: Snapshot) -> set[str]:
    """Return the names of all views of a snapshot."""
    return {*fixed_view_names(), *chosen_view_names(snapshot)}


def chosen_view_names(snapshot: Snapshot, studies: Container[str] | None = None) -> set[str]:
    """Return the names of the views that a snapshot's own sets and studies give, without those of every store.

    Parameters
    ----------
    snapshot : Snapshot
        The store as of a commit.
    studies : container of str, optional
        Of studies' own views only those of these; of all studies where None.
    """
    named = _names_of_sets(snapshot.rows("feature_sets"))
    cohorts = cohort_view_names(snapshot, {*fixed_view_names(), *named})
    return named | {name for study, name in cohorts.items() if studies is None or study in studies}


def _every_view(snapshot: Snapshot, rows_of: SegmentRows, names: Set[str] | None = None) -> list[View]:
    """Return all views, or all of a kind that has one of these names."""
    fixed = list(fixed_views())
    sets = snapshot.rows("feature_sets")
    wide, regions, embedded = wide_sets(sets), rows_of_kind(sets, REGIONS), rows_of_kind(sets, EMBEDDING)
    long = {"radiomics_long", "radiomics_primary"}
    of_wide = None if names is None or not long.isdisjoint(names) else names
    views = [*fixed, *wide_views(snapshot, wide, rows_of, of_wide), *long_views(wide)]
    if names is None or "embeddings" in names:
        views.append(embeddings_view(snapshot, [row["feature_set"] for row in embedded], rows_of))
    if names is None or not names.isdisjoint(_names_of_regions(regions)):
        # What it loads takes longer than most questions, which ask for no region.
        from store.analyst.region_views import region_views

        views += region_views(snapshot, regions, rows_of)
    cohort = next(view.columns for view in fixed if view.name == "cohort")
    taken = {view.name for view in fixed} | _names_of_sets(sets)
    return [*views, *cohort_views(snapshot, cohort, taken, names)]


def _names_of_sets(sets: Sequence[Mapping[str, Any]]) -> set[str]:
    """Return the names of the views that follow from the feature sets."""
    wide = {name for names in wide_view_names(wide_sets(sets)) for name in names}
    return wide | _names_of_regions(rows_of_kind(sets, REGIONS)) | {"radiomics_long", "radiomics_primary", "embeddings"}


def _names_of_regions(regions: Sequence[Mapping[str, Any]]) -> set[str]:
    own = {sql_name(row[key]) for row in regions for key in ("feature_set", "name")}
    return own | {"regions", "region_arrays"}


def _closed(views: Sequence[View], names: Set[str]) -> list[View]:
    """Return the views of these names and those that they read, in their order."""
    by_name = {view.name: view for view in views}
    pending, chosen = [name for name in names if name in by_name], set()
    while pending:
        name = pending.pop()
        if name not in chosen:
            chosen.add(name)
            pending += by_name[name].views
    return [view for view in views if view.name in chosen]
