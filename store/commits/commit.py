"""Commits: the one way in which the store changes.

A commit is one transaction of the catalogue. Rows are compared with the live ones by key: equal rows
stay, changed rows are superseded, and a commit that would change nothing is not made.

What a commit brings was computed from an earlier state. A patient who was erased since is taken out of it in the same
transaction, just as if it had landed before the erasure (`Basis`).
"""

from __future__ import annotations

import getpass
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Table, func, insert, select, update

from schemas.documents.erasure_receipt import ErasureReceipt
from store.catalogue.connection import write_transaction, written_sums
from store.catalogue.live_rows import live_rows
from store.catalogue.lookups import are_among
from store.catalogue.row_sums import COUNTED
from store.catalogue.tables import KEYS, commits, versioned_table
from store.commits.readable import refuse_unreadable
from store.erasure.erase import mark_fitted, take_out_again
from store.history.basis import Basis, erased_among, moved_files, receipts_since
from store.home import Store
from store.times import utc_now

__all__ = ["Changes", "Commit", "commit_to"]

Row = Mapping[str, Any]

_BATCH = 200  # keys per look-up: SQLite's limit on bound variables, with room
_KNOWN_SINCE = "recorded_at"  # when the store learned a value: not a difference between two values


@dataclass(frozen=True)
class Changes:
    """How many rows of a table a commit added, superseded, removed and left as they were."""

    added: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0

    @property
    def any(self) -> bool:
        """Return whether anything differs from before."""
        return bool(self.added or self.changed or self.removed)


@dataclass
class Commit:
    """An open commit; `commit_to` gives one and lands it."""

    connection: Connection
    commit_id: int
    committed_at: str
    author: str
    changes: dict[str, Changes] = field(default_factory=dict)
    moved: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Datasets' files that erasures rewrote since what is written was computed, by their former path."""
    patients: set[str] = field(default_factory=set)
    """Whom rows that were put are about."""
    fitted: dict[str, str] = field(default_factory=dict)
    """Datasets that had an erased patient in training when models were fitted to them, and when that one was erased."""

    @property
    def landed_id(self) -> int | None:
        """Return the commit's id, None where it changed nothing and so is not made."""
        return self.commit_id if any(changes.any for changes in self.changes.values()) else None

    def put(
        self,
        table: str,
        rows: Iterable[Row],
        *,
        replacing: Mapping[str, Any] | None = None,
    ) -> Changes:
        """Write rows to a table and return what they changed.

        Parameters
        ----------
        table : str
            A versioned table.
        rows : iterable of mapping
            The rows, each with the table's key columns.
        replacing : mapping of str to value, optional
            The rows are all there is where these columns have these values: live rows there that are
            not among ``rows`` are removed.
        """
        rows, target, keys = [self._as_moved(table, row) for row in rows], versioned_table(table), KEYS[table]
        columns = [c.name for c in target.columns if c.name not in ("row_id", "added_commit", "removed_commit")]
        # A row of a snapshot may come back with the commit it is live since; anything else is a slip.
        if unknown := sorted({name for row in rows for name in row} - {*columns, "added_commit"}):
            raise ValueError(f"{table} has no column {', '.join(unknown)}")
        wanted = {tuple(row[key] for key in keys): {name: _storable(row.get(name)) for name in columns} for row in rows}
        if "patient" in columns:
            self.patients |= {row["patient"] for row in rows}
        scope = dict(replacing or {})
        if outside := [key for key, row in wanted.items() if any(row[name] != value for name, value in scope.items())]:
            raise ValueError(f"{len(outside)} rows of {table} lie outside {scope}, the first: {outside[0]}")
        live = self._live(table, columns, wanted, replacing)

        fresh = [values for key, values in wanted.items() if key not in live]
        superseded = [key for key in wanted if key in live and _differs(live[key][1], wanted[key])]
        removed = [key for key in live if key not in wanted] if replacing is not None else []

        self._ended(target, [live[key][0] for key in (*superseded, *removed)])
        if inserted := fresh + [wanted[key] for key in superseded]:
            rows = [{**row, "added_commit": self.commit_id} for row in inserted]
            self.connection.execute(insert(target), rows, execution_options={COUNTED: True})
        unchanged = len(wanted) - len(fresh) - len(superseded)
        return self._counted(table, Changes(len(fresh), len(superseded), len(removed), unchanged))

    def live(self, table: str, rows: Iterable[Row]) -> list[dict[str, Any]]:
        """Return the live rows that have these rows' keys, as the writer's transaction sees them."""
        target, keys = versioned_table(table), KEYS[table]
        columns = [c.name for c in target.columns if c.name not in ("row_id", "added_commit", "removed_commit")]
        wanted = {tuple(row[key] for key in keys): row for row in rows}
        return [values for _, values in self._live(table, columns, wanted, None).values()]

    def remove(self, table: str, rows: Iterable[Row]) -> Changes:
        """End the live rows that have these rows' keys, and return how many there were."""
        target, keys = versioned_table(table), KEYS[table]
        wanted = {tuple(row[key] for key in keys): row for row in rows}
        ended = [row_id for row_id, _ in self._live(table, keys, wanted, None).values()]
        return self._counted(table, Changes(removed=self._ended(target, ended)))

    def _as_moved(self, table: str, row: Row) -> Row:
        moved = self.moved.get(row.get("path") or "") if table == "datasets" else None
        if moved is None:
            return row
        if moved.get("trained", True):
            self.fitted[row["dataset_id"]] = moved["erased_at"]
        # The hash stays with the file: what was pinned with the patient is named by what is left of it.
        return {**row, "path": moved["new_path"], "sha256": moved["new_sha256"], "patients": moved["patients"]}

    def _ended(self, target: Table, row_ids: Sequence[int]) -> int:
        for batch in _batches(row_ids):
            self.connection.execute(
                update(target).where(target.c.row_id.in_(batch)).values(removed_commit=self.commit_id),
                execution_options={COUNTED: True},
            )
        return len(row_ids)

    def _counted(self, table: str, changes: Changes) -> Changes:
        self.changes[table] = _sum(self.changes.get(table, Changes()), changes)
        return changes

    def _live(
        self,
        table: str,
        columns: Sequence[str],
        wanted: Mapping[tuple[Any, ...], Row],
        replacing: Mapping[str, Any] | None,
    ) -> dict[tuple[Any, ...], tuple[int, dict[str, Any]]]:
        target, keys = versioned_table(table), KEYS[table]
        if replacing is not None:
            rows: Iterable[Any] = live_rows(self.connection, table, ("row_id", *columns), replacing)
        else:
            query = select(target.c.row_id, *(target.c[name] for name in columns)).where(
                target.c.removed_commit.is_(None)
            )
            # Neighbours share their first columns, and are looked up together.
            batches = _batches(sorted(wanted, key=repr))
            of_keys = [target.c[name] for name in keys]
            rows = (
                row for batch in batches for row in self.connection.execute(query.where(*are_among(of_keys, batch)))
            )
        found: dict[tuple[Any, ...], tuple[int, dict[str, Any]]] = {}
        for row_id, *found_values in rows:
            values = dict(zip(columns, found_values, strict=True))
            found[tuple(values[key] for key in keys)] = (row_id, values)
        return found


@contextmanager
def commit_to(
    store: Store,
    message: str,
    *,
    basis: Basis | None = None,
    run_id: str | None = None,
    author: str | None = None,
) -> Iterator[Commit]:
    """Give an open commit that lands when the block ends, or leaves no trace where it raises.

    Where nothing differs from before, no commit is made; ``Commit.changes`` tells. One that could not be read again
    (`refuse_unreadable`) does not land.

    Parameters
    ----------
    store : Store
        The store.
    message : str
        What the commit does.
    basis : Basis, optional
        What the rows were computed from. Whoever was erased since is in none of what lands, files included, and
        models that were trained on such a patient are marked. None where everything is read inside the block.
    run_id, author : str, optional
        The run that this is part of; who commits, the user of the process where absent.
    """
    with write_transaction(store.engine) as connection:
        newest = connection.execute(select(func.max(commits.c.commit_id))).scalar() or 0
        since = receipts_since(connection, basis) if basis is not None else []
        # Asked before the first row is written: who is here now was brought back after the erasure.
        erased = _erased(connection, since, basis)
        commit = Commit(connection, newest + 1, utc_now(), author or getpass.getuser(), moved=moved_files(since))
        written_sums(connection).commit_id = commit.commit_id
        yield commit
        if commit.landed_id is not None:
            changed = {table for table, changes in commit.changes.items() if changes.any}
            refuse_unreadable(store, connection, commit.commit_id, changed)
            connection.execute(
                insert(commits).values(
                    commit_id=commit.commit_id,
                    author=commit.author,
                    message=message,
                    run_id=run_id,
                    committed_at=commit.committed_at,
                )
            )
            mark_fitted(connection, commit.commit_id, commit.fitted)
            for patient, receipt in erased(commit.patients).items():
                take_out_again(store, connection, patient, receipt)


def _erased(
    connection: Connection, receipts: Sequence[ErasureReceipt], basis: Basis | None
) -> Callable[[Iterable[str]], dict[str, ErasureReceipt]]:
    """Return what tells, of patients whom a commit wrote rows of and those of its basis, who was erased since."""
    if basis is None or not receipts:
        return lambda _: {}
    table = versioned_table("patients")
    there = set(connection.execute(select(table.c.patient).distinct()).scalars())
    return lambda written: erased_among(receipts, (basis.patients | set(written)) - there)


def _storable(value: Any) -> Any:
    # SQLite keeps NaN as NULL: left as it is, the same row would differ from itself at every commit.
    return None if value != value else value


def _differs(old: Row, new: Row) -> bool:
    return any(old[name] != new[name] for name in new if name != _KNOWN_SINCE)


def _batches(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), _BATCH):
        yield values[start : start + _BATCH]


def _sum(a: Changes, b: Changes) -> Changes:
    return Changes(a.added + b.added, a.changed + b.changed, a.removed + b.removed, a.unchanged + b.unchanged)
