"""A commit that could not be read again does not land: the views over what it adds are laid out first."""

from __future__ import annotations

import atexit
import ctypes
import os
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cached_property, partial
from itertools import count
from typing import Any

import duckdb
from sqlalchemy import Connection, select

from schemas.errors import ContractError
from schemas.keys import sql_name
from store.analyst.analyst_views import EVERY_TABLE, analyst_views, chosen_view_names, table_without_rows, tables_of
from store.analyst.layout import copy_catalogue, lay_out_views
from store.analyst.statement import first_line
from store.analyst.view_parts import quoted_name, segment_rows
from store.catalogue.tables import versioned_table
from store.history.snapshot import Snapshot
from store.home import Store
from store.kinds.every import wide_sets

__all__ = ["LAID_OUT", "refuse_unreadable"]

LAID_OUT = frozenset(["feature_sets", "features", "segments", "studies", "variables", "splits"])
"""The tables whose rows decide how views are laid out: names that people chose, and files."""


_numbers = count()


_kept: list[duckdb.DuckDBPyConnection] = []
"""This process's DuckDB for views that are laid out aside: to start one takes as long as to lay them out."""

_starting = threading.Lock()


def _duckdb() -> duckdb.DuckDBPyConnection:
    with _starting:
        if not _kept:
            _kept.append(duckdb.connect(config={"threads": 1, "enable_external_file_cache": "false"}))
        return _kept[0]


def _forget() -> None:
    # A copy by a fork lacks the threads: to end it crashes, so it never ends.
    for each in _kept:
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(each))
    _kept.clear()


# Before Python ends by itself, when DuckDB's module would complain of what is left.
atexit.register(_kept.clear)
os.register_at_fork(after_in_child=_forget)


@contextmanager
def _database_aside() -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a connection to an empty database in memory, which goes with the block."""
    kept = _duckdb()
    name = f"aside_{next(_numbers)}"
    try:
        with kept.cursor() as views:
            views.execute(f"attach ':memory:' as {name}; use {name}")
            yield views
    finally:
        # By another one: what was begun when an error came ends with the first.
        with kept.cursor() as other:
            other.execute(f"detach database if exists {name}")


class _ArrivingSnapshot(Snapshot):
    """The store as an open commit leaves it: its new files alone, and of sets that it adds nothing to one feature."""

    def rows(self, table: str, **equal: Any) -> list[dict[str, Any]]:
        """Return a table's live rows, of segments and features those that tell of the commit."""
        rows = super().rows(table, **equal)
        if table == "segments":
            return [row for row in rows if row["added_commit"] == self.commit_id]
        if table == "features":
            is_touched = equal.get("feature_set") in self.touched
            return rows if is_touched else rows[:1]
        return rows

    @cached_property
    def touched(self) -> set[str]:
        """Return the sets that the commit adds something to."""
        return self._of_own_rows("feature_set", "feature_sets", "features", "segments")

    @cached_property
    def touched_studies(self) -> set[str]:
        """Return the studies whose own view the commit may change."""
        return self._of_own_rows("study", "studies", "variables", "splits")

    def _of_own_rows(self, column: str, *tables: str) -> set[str]:
        found: set[str] = set()
        with self.reading() as connection:
            for table in map(versioned_table, tables):
                own = select(table.c[column]).where(table.c.added_commit == self.commit_id)
                found |= set(connection.execute(own.distinct()).scalars())
        return found


def refuse_unreadable(store: Store, connection: Connection, commit_id: int, changed: Collection[str]) -> None:
    """Refuse an open commit over which the analyst views cannot be laid out.

    Of the views there are those that have names which people chose, and what these read; the others are the same in
    every store. The catalogue's tables are left empty, segments that are there already are not opened, sets that
    nothing is added to are laid out by one feature, and other studies not at all: it takes a hundredth of a second or
    two, whatever the store holds.

    Parameters
    ----------
    store : Store
        The store.
    connection : Connection
        The writer's, with the commit's rows.
    commit_id : int
        The commit.
    changed : collection of str
        The tables that the commit changes.

    Raises
    ------
    ContractError
        When DuckDB refuses a view or cannot read a new segment.
    """
    if LAID_OUT.isdisjoint(changed):
        return
    snapshot = _ArrivingSnapshot.within(store, connection, commit_id)
    with _database_aside() as views:
        try:
            names = chosen_view_names(snapshot, snapshot.touched_studies)
            laid_out = analyst_views(snapshot, partial(segment_rows, snapshot), names)
            needed = tables_of(laid_out)
            copy_catalogue(views, [(name, table_without_rows(name)) for name in EVERY_TABLE if name in needed])
            lay_out_views(views, laid_out, documented=False, segments=str(store.segments))
            for feature_set in sorted(snapshot.touched):
                _refuse_other_names(views, snapshot, feature_set)
        except duckdb.Error as error:
            raise ContractError(
                f"what this command adds could not be read again: {first_line(error)}",
                where=str(store.root),
                hint="rename the column, variable or set that is named; nothing was committed",
            ) from error


def _refuse_other_names(views: duckdb.DuckDBPyConnection, snapshot: Snapshot, feature_set: str) -> None:
    """Refuse a set whose view has its features under other names: DuckDB renames the second of two that are one."""
    features = [row["feature"] for row in snapshot.rows("features", feature_set=feature_set)]
    if not features or not wide_sets(snapshot.rows("feature_sets", feature_set=feature_set)):
        return
    shown = views.table(quoted_name(sql_name(feature_set))).columns[-len(features) :]
    if other := next((name for name, column in zip(features, shown, strict=True) if name != column), None):
        raise ContractError(
            f"what this command adds could not be read again: column {other!r} of {feature_set} has a name that SQL "
            "takes for another one's",
            where=str(snapshot.store.root),
            hint="rename the column; nothing was committed",
        )
