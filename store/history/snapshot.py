"""Snapshots: the store as of a commit, read without waiting for writers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from functools import cache
from typing import Any, Self

import pyarrow as pa
from sqlalchemy import Column, ColumnElement, Connection, FromClause, Select, func, select

from schemas.errors import ContractError, NotFoundError
from store.catalogue.columns import arrow_columns, arrow_kinds, live_columns
from store.catalogue.connection import read_transaction
from store.catalogue.kept_table import KeptTable
from store.catalogue.live_rows import live_rows
from store.catalogue.tables import UNVERSIONED, VERSIONED, commits, runs, versioned_table
from store.history.altered_rows import refuse_altered_rows
from store.home import Store

__all__ = ["Snapshot", "empty_table", "newest_commit", "no_commit", "refuse_unknown_study"]


def newest_commit(store: Store) -> int:
    """Return the id of the newest commit, 0 in an empty store."""
    with read_transaction(store.engine) as connection:
        return connection.execute(select(func.max(commits.c.commit_id))).scalar() or 0


class Snapshot:
    """The rows that were live at a commit.

    Parameters
    ----------
    store : Store
        The store to read.
    as_of : int, optional
        A commit id; the newest commit where absent.

    Raises
    ------
    NotFoundError
        When the store has no such commit.
    """

    def __init__(self, store: Store, as_of: int | None = None) -> None:
        newest = newest_commit(store)
        if as_of is not None and not 0 <= as_of <= newest:
            raise no_commit(store, as_of, newest)
        self.store = store
        self.commit_id = newest if as_of is None else as_of
        self._is_past = self.commit_id < newest
        self.is_newest = as_of is None
        """Whether no commit was named: then it stands for the newest one, whichever that is later."""
        self._held: Connection | None = None
        self._is_open = False
        self.is_published = False
        """Whether views of it go into a file of their own, which may be moved or copied."""

    @classmethod
    def within(cls, store: Store, connection: Connection, commit_id: int) -> Self:
        """Return the snapshot that a writer's transaction has of its own commit before it lands."""
        open_commit = cls.__new__(cls)
        open_commit.store, open_commit.commit_id = store, commit_id
        open_commit._is_past, open_commit.is_published, open_commit._held = False, False, connection
        open_commit.is_newest = False
        open_commit._is_open = True
        return open_commit

    @contextmanager
    def one_state(self) -> Iterator[Snapshot]:
        """Give this snapshot with everything read from one state of the catalogue until the block ends.

        History never changes, but the layout does: compaction may put rows into another segment between two
        reads. Whoever reads both where rows are (``extractions``) and what the segments are does so in here.
        Within a writer's transaction that is so already.
        """
        if self._is_open:
            yield self
            return
        with read_transaction(self.store.engine) as connection:
            held = copy(self)
            held._held = connection
            yield held

    def to_publish(self) -> Snapshot:
        """Return this snapshot for views that go into a file of their own."""
        published = copy(self)
        published.is_published = True
        return published

    @contextmanager
    def reading(self, *tables: str) -> Iterator[Connection]:
        """Give the connection that this snapshot reads through: within `one_state` always the same one.

        Parameters
        ----------
        tables : str
            What is going to be read by SQL: rows that nobody committed are refused (`store.catalogue.row_sums`).

        Raises
        ------
        ContractError
            When a table's rows are not those that were committed.
        """
        with self._connected() as connection:
            if not self._is_open:
                refuse_altered_rows(self.store, connection, tables)
            yield connection

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        if self._held is not None:
            yield self._held
        else:
            with read_transaction(self.store.engine) as connection:
                yield connection

    def refuse_altered(self, tables: Iterable[str]) -> None:
        """Refuse tables that `arrow` is going to be asked for, compared all at once; within `one_state`.

        Raises
        ------
        ContractError
            When a table's rows are not those that were committed.
        """
        with self.reading(*(name for name in tables if self.kept(name) is None)):
            pass

    def rows(self, table: str, **equal: Any) -> list[dict[str, Any]]:
        """Return a versioned table's live rows, without the commit columns, in the order they were written."""
        names = [column.name for column in _columns(table)]
        if (kept := self._live_columns(table, equal)) is not None:
            return list(kept.select(names).to_pylist())
        with self.reading(table) as connection:
            found = live_rows(connection, table, names, equal, self.commit_id)
            return [dict(zip(names, row, strict=True)) for row in found.all()]

    def column(self, table: str, name: str, **equal: Any) -> list[Any]:
        """Return one column of what `rows` gives."""
        if (kept := self._live_columns(table, equal)) is not None:
            return list(kept[name].to_pylist())
        with self.reading(table) as connection:
            return [value for (value,) in live_rows(connection, table, [name], equal, self.commit_id).all()]

    def kept(self, table: str) -> KeptTable | None:
        """Return a table, all rows, live and ended, that the store keeps by columns; None where SQL reads it."""
        # What a writer's transaction has written is in no sum yet.
        if table not in VERSIONED or self._is_open:
            return None
        with self._connected() as connection:
            return self.store.columns.table(connection, table)

    def _live_columns(self, table: str, equal: Mapping[str, Any]) -> pa.Table | None:
        """Return a table's live rows that have these values, where the store keeps the table by columns."""
        kept = self.kept(table)
        return None if kept is None else live_columns(kept.rows(), self.commit_id, equal)

    def row(self, table: str, **equal: Any) -> dict[str, Any]:
        """Return the one live row that has these values.

        Raises
        ------
        NotFoundError
            When there is none.
        """
        found = self.rows(table, **equal)
        if not found:
            what = ", ".join(f"{name} '{value}'" for name, value in equal.items())
            raise NotFoundError(
                f"no row of {table} with {what}",
                where=str(self.store.root),
                hint=f"radzoo sql 'from {table}'",
            )
        if len(found) > 1:
            raise ContractError(f"{len(found)} live rows of {table} where one is expected: {equal}")
        return found[0]

    def arrow(self, table: str) -> pa.Table:
        """Return a table's live rows as Arrow; ``commits`` and ``runs`` up to this commit, all ``erasures``.

        An erasure changes every snapshot, so every snapshot tells of it. Runs have a time and no commit of their own:
        those after an older commit are the ones that started later.
        """
        columns = _columns(table)
        names = [column.name for column in columns]
        if (kept := self._live_columns(table, {})) is not None:
            return kept.select(names)
        with self.reading(table) as connection:
            if table in VERSIONED:
                return _arrow_table(columns, live_rows(connection, table, names, {}, self.commit_id))
            return _arrow_table(columns, connection.execute(self._up_to_here(table)))

    def _up_to_here(self, table: str) -> Select[Any]:
        query = UNVERSIONED[table].select()
        if table == "commits":
            return query.where(commits.c.commit_id <= self.commit_id).order_by(commits.c.commit_id)
        if table == "runs" and self._is_past:
            landed = select(commits.c.committed_at).where(commits.c.commit_id == self.commit_id)
            return query.where(runs.c.started_at <= landed.scalar_subquery())
        return query

    def is_live(self, target: FromClause) -> ColumnElement[bool]:
        """Return the condition that a versioned table's row was live at the commit."""
        is_there = target.c.added_commit <= self.commit_id
        return is_there & (target.c.removed_commit.is_(None) | (target.c.removed_commit > self.commit_id))


def refuse_unknown_study(snapshot: Snapshot, study: str) -> None:
    """Refuse a study that the store does not have.

    Raises
    ------
    NotFoundError
        When it has none of that id; the next step names those there are.
    """
    known = sorted(row["study"] for row in snapshot.rows("studies"))
    if study not in known:
        raise NotFoundError(
            f"there is no study '{study}'",
            where=str(snapshot.store.root),
            hint=f"--study S, with one of: {', '.join(known) or 'none'}",
        )


def no_commit(store: Store, commit: int, newest: int) -> NotFoundError:
    """Return what to say of a commit that is not there."""
    there_are = f"commits run from 1 to {newest}" if newest else "the store has no commit yet"
    return NotFoundError(f"there is no commit {commit}", where=str(store.root), hint=there_are)


@cache
def empty_table(table: str) -> pa.Table:
    """Return what `Snapshot.arrow` gives of a table without rows."""
    return _arrow_table(_columns(table), [])


def _columns(table: str) -> list[Column[Any]]:
    if table in VERSIONED:
        return [c for c in versioned_table(table).columns if c.name not in ("row_id", "removed_commit")]
    return list(UNVERSIONED[table].columns)


def _arrow_table(columns: Sequence[Column[Any]], rows: Iterable[Sequence[Any]]) -> pa.Table:
    return arrow_columns(arrow_kinds(columns), rows)
