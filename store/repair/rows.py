"""Rows of the catalogue put back as they were committed, where that can be proven: the table's sum is the proof.

Nothing is invented: whatever a row may have been is tried, and only what gives the sum that the writers left is
written. It is looked for in the table itself (a row too many, a row that ended or did not, a level of another row), in
the published file, and in what others compute again (figures from predictions, hashes from content).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, delete, insert, select, update

from store.catalogue.connection import write_transaction
from store.catalogue.row_sums import SUMMED, RowSum, stored_sums, sum_of, sum_of_rows
from store.catalogue.tables import KEYS, VERSIONED, commits
from store.home import Store
from store.repair.published_rows import backup_rows, published_rows

__all__ = ["Alternatives", "Repair", "repair_rows"]

Row = dict[str, Any]
Alternatives = Callable[[Connection, str], Iterable[tuple[int, Row, str]]]
"""What rows of a table may have been: for each ``row_id`` columns and their values, and where these come from."""

_MOST_TRIES = 300_000
"""Of what one row may have been: some seconds, in which the writers' lock is held."""

_MOST_LEVELS = 200
"""Distinct values of a column up to which an altered row may have had another row's."""


@dataclass(frozen=True)
class Repair:
    """What became of one thing that was broken."""

    where: str
    what: str
    is_repaired: bool


class _Change(NamedTuple):
    """A row that becomes another one; None for one that is not there."""

    row_id: Any
    old: Row | None
    new: Row | None
    how: str


def repair_rows(store: Store, alternatives: Sequence[Alternatives] = (), backup: Path | None = None) -> list[Repair]:
    """Put back the rows of tables whose sum is not the one that their writers left, and tell of each.

    Parameters
    ----------
    store : Store
        The store.
    alternatives : sequence of callable
        Further sources of what rows may have been.
    backup : Path, optional
        A backup of the store, whose rows are tried too.

    Raises
    ------
    ContractError, StoreBusyError
        When the store cannot be written.
    """
    repairs = []
    with write_transaction(store.engine, keeps_sums=False) as connection:
        left = stored_sums(connection)
        for name in SUMMED:
            if (found := sum_of(connection, name)) == left[name]:
                continue
            wanted = left[name].plus(found, -1)
            changes = _proven(store, connection, name, wanted, alternatives, backup)
            if changes is None:
                what = "rows are not those that were committed, and nothing in the store tells what they were"
                repairs.append(Repair(name, what, is_repaired=False))
                continue
            _write(connection, SUMMED[name], changes)
            if sum_of(connection, name) != left[name]:
                raise AssertionError(f"the repair of {name} does not give its sum")
            repairs.append(Repair(name, f"{_counted(changes)}, as the table's sum proves", is_repaired=True))
    store.believed.clear()
    return repairs


def _proven(
    store: Store,
    connection: Connection,
    name: str,
    wanted: RowSum,
    alternatives: Sequence[Alternatives],
    backup: Path | None,
) -> list[_Change] | None:
    """Return the changes that add just what the sum lacks."""
    table = SUMMED[name]
    rows = {
        row.pop(_identity(table)) if "row_id" in table.c else row[_identity(table)]: row
        for row in (dict(each) for each in connection.execute(table.select()).mappings())
    }
    copies = [("from analyst.duckdb", list(published_rows(store, name)))]
    if backup is not None:
        copies.append(("from the backup", list(backup_rows(backup, name))))
    for how, copy in copies:
        for changes in _tries(connection, name, rows, copy, how, alternatives, wanted):
            if _effect(table, changes) == wanted:
                return list(changes)
    return None


def _tries(
    connection: Connection,
    name: str,
    rows: Mapping[Any, Row],
    copy: Sequence[Row],
    how: str,
    alternatives: Sequence[Alternatives],
    wanted: RowSum,
) -> Iterator[Sequence[_Change]]:
    table = SUMMED[name]
    if wanted.rows < 0:
        extra = [_Change(row_id, row, None, "removed a row that nobody committed") for row_id, row in rows.items()]
        yield from ([each] for each in extra)
        yield from _pairs(table, extra, wanted)
    known = {_key(name, row): (row_id, row) for row_id, row in rows.items()}
    from_copy: list[_Change] = []
    for row in copy:
        row_id, now = known.get(_key(name, row), (None, None))
        new = {"removed_commit": None if now is None else now["removed_commit"]} if name in VERSIONED else {}
        if now is None or any(now[column] != value for column, value in row.items()):
            from_copy.append(_Change(row_id, now, new | row, f"put a row back {how}"))
    yield from ([each] for each in from_copy)
    yield from _pairs(table, from_copy, wanted)
    computed: list[_Change] = []
    for source in alternatives:
        for row_id, columns, way in source(connection, name):
            before = rows.get(row_id)
            if before is not None and any(before[each] != columns[each] for each in columns):
                computed.append(_Change(row_id, before, before | columns, way))
    yield from ([each] for each in computed)
    yield from islice(_of_one_row(connection, table, rows), _MOST_TRIES)
    yield from_copy
    if name in VERSIONED:
        yield _with_ends(name, rows, [])
        yield _with_ends(name, rows, from_copy)
    yield list({each.row_id: each for each in computed}.values())
    yield from _pairs(table, [*from_copy, *computed], wanted)
    if name in VERSIONED:
        yield [each._replace(new=each.new | {"removed_commit": None}) for each in from_copy if each.new]


def _with_ends(name: str, rows: Mapping[Any, Row], changes: Sequence[_Change]) -> list[_Change]:
    """Return changes, and with them the ends of rows that live beside a later one of their key."""
    after: dict[Any, _Change] = {row_id: _Change(row_id, row, row, "") for row_id, row in rows.items()}
    after |= {each.row_id if each.row_id is not None else ("new", at): each for at, each in enumerate(changes)}
    of_key: dict[tuple[Any, ...], list[tuple[Any, Row]]] = {}
    for place, each in after.items():
        if each.new is not None:
            of_key.setdefault(tuple(each.new[key] for key in KEYS[name]), []).append((place, each.new))
    for versions in of_key.values():
        versions.sort(key=lambda version: int(version[1]["added_commit"]))
        for (place, row), (_, following) in pairwise(versions):
            if row["removed_commit"] is None or row["removed_commit"] > following["added_commit"]:
                new = row | {"removed_commit": following["added_commit"]}
                after[place] = after[place]._replace(new=new, how="ended a row where the next one of its key begins")
    return [each for each in after.values() if each.how]


def _of_one_row(connection: Connection, table: Table, rows: Mapping[Any, Row]) -> Iterator[Sequence[_Change]]:
    """Yield what one row may have been: live or ended at another commit, or with a value that another row has."""
    levels: dict[str, list[Any]] = {}
    for name in (column.name for column in table.columns if column.name != "row_id"):
        values = {row[name] for row in rows.values()}
        if len(values) <= _MOST_LEVELS:
            levels[name] = [*values, *(value for value in (None, 0, 1) if name in _SMALL)]
    if "removed_commit" in levels:
        levels["removed_commit"] = [None, *connection.execute(select(commits.c.commit_id)).scalars()]
    for name, known in levels.items():
        for row_id, row in rows.items():
            for value in known:
                if value != row[name]:
                    yield [_Change(row_id, row, row | {name: value}, f"put back {name} of a row")]


_SMALL = ("label", "event", "is_primary")


def _pairs(table: Table, changes: Sequence[_Change], wanted: RowSum) -> Iterator[Sequence[_Change]]:
    """Yield the two changes that together add what the sum lacks, found without trying every pair."""
    seen: dict[RowSum, _Change] = {}
    for change in changes:
        effect = _effect(table, [change])
        if (other := seen.get(wanted.plus(effect, -1))) is not None and other.row_id != change.row_id:
            yield [other, change]
        seen[effect] = change


def _effect(table: Table, changes: Iterable[_Change]) -> RowSum:
    changes = list(changes)
    added = sum_of_rows(table, (each.new for each in changes if each.new is not None))
    return added.plus(sum_of_rows(table, (each.old for each in changes if each.old is not None)), -1)


def _write(connection: Connection, table: Table, changes: Sequence[_Change]) -> None:
    identity = table.c[_identity(table)]
    for change in changes:
        if change.new is None:
            connection.execute(delete(table).where(identity == change.row_id))
        elif change.old is None:
            connection.execute(insert(table).values(change.new))
        else:
            connection.execute(update(table).where(identity == change.row_id).values(change.new))


def _identity(table: Table) -> str:
    return next(column.name for column in table.primary_key)


def _key(name: str, row: Mapping[str, Any]) -> tuple[Any, ...]:
    if name not in VERSIONED:
        return (row[_identity(SUMMED[name])],)
    return (*(row[key] for key in KEYS[name]), row["added_commit"])


def _counted(changes: Sequence[_Change]) -> str:
    ways = dict.fromkeys(change.how for change in changes)
    return "; ".join(f"{how} ({n})" for how in ways if (n := sum(each.how == how for each in changes)))
