"""Sums over the catalogue's rows: each transaction adds what it writes, and whoever reads a table compares.

A table's sum is the sum of its rows' hashes modulo 2^128, whatever their order, with their number. A row that was
altered, removed or put there by anything but this program makes it another one; a transaction that follows adds to the
sum what it changes itself, so that it stays another one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, delete, event, insert, select, text
from sqlalchemy.exc import DBAPIError

from store.catalogue.tables import UNVERSIONED, VERSIONED, row_sums

__all__ = [
    "COUNTED",
    "SUMMED",
    "RowSum",
    "WrittenSums",
    "fetched_rows",
    "stored_sums",
    "sum_of",
    "sum_of_rows",
    "sum_of_tuples",
    "summed_columns",
    "write_all_sums",
    "write_no_rows",
]

SUMMED: Mapping[str, Table] = {**VERSIONED, **UNVERSIONED}
"""The tables that have a sum."""

COUNTED = "radzoo_counted"
"""The execution option of statements whose rows bear the commit's number: their share is told from the rows."""

_AT_ONCE = 1000
_SIZE = 16
_MODULUS = 1 << (8 * _SIZE)
_WRITES = re.compile(r'\s*(?:insert\s+into|update|delete\s+from)\s+"?(\w+)', re.IGNORECASE)


class RowSum(NamedTuple):
    """How many rows there are, and the sum of their hashes."""

    rows: int = 0
    total: int = 0

    def plus(self, other: RowSum, sign: int = 1) -> RowSum:
        """Return the sum with another one added, or taken away."""
        return RowSum(self.rows + sign * other.rows, (self.total + sign * other.total) % _MODULUS)


def sum_of(connection: Connection, name: str) -> RowSum:
    """Return the sum of a table as it is."""
    return sum_of_tuples(fetched_rows(connection, _ALL_ROWS[name]))


def fetched_rows(connection: Connection, statement: str) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a statement as the driver gives them, whose ``repr`` is what a sum is of."""
    # A few at a time: an object of SQLAlchemy's for each takes as long as its hash.
    driver: Any = connection.dialect.dbapi
    with closing(connection.connection.cursor()) as cursor:
        try:
            cursor.execute(statement)
            while part := cursor.fetchmany(_AT_ONCE):
                yield from map(tuple, part)
        except driver.Error as error:
            # As SQLAlchemy raises it, and `store.catalogue.connection` translates it.
            raise DBAPIError(statement, None, error) from error


def sum_of_rows(table: Table, rows: Iterable[Mapping[str, Any]]) -> RowSum:
    """Return the sum of some rows of a table, or of what might be."""
    names = summed_columns(table)
    return sum_of_tuples(tuple(row[name] for name in names) for row in rows)


def stored_sums(connection: Connection) -> dict[str, RowSum]:
    """Return the sums that the writers left, of all tables."""
    left = {name: RowSum(rows, int(digest, 16)) for name, rows, digest in connection.execute(select(row_sums)).all()}
    return {name: left.get(name, RowSum()) for name in SUMMED}


def write_all_sums(connection: Connection, tables: Iterable[Table]) -> None:
    """Write the sums of all tables that there are, as they are: a catalogue of a release that kept none begins so."""
    _write(connection, {table.name: sum_of(connection, table.name) for table in tables if table.name in SUMMED})


def write_no_rows(connection: Connection) -> None:
    """Write the sums of a new catalogue, whose tables are empty."""
    _write(connection, dict.fromkeys(SUMMED, RowSum()))


class WrittenSums:
    """What one transaction adds to the sums of the tables that it writes.

    Parameters
    ----------
    connection : Connection
        The transaction's; nothing is written through it yet.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.commit_id: int | None = None
        """The commit whose number the counted rows bear."""
        self._before: dict[str, RowSum] = {}
        self._counted: set[str] = set()
        event.listen(connection, "before_cursor_execute", self._see)

    def write(self) -> None:
        """Write the new sums."""
        event.remove(self._connection, "before_cursor_execute", self._see)
        changes = {name: sum_of(self._connection, name).plus(before, -1) for name, before in self._before.items()}
        changes |= {name: self._share(name) for name in self._counted - changes.keys()}
        if changed := {name: change for name, change in changes.items() if change != RowSum()}:
            left = stored_sums(self._connection)
            _write(self._connection, {name: left[name].plus(change) for name, change in changed.items()})

    def _see(self, _connection: Any, _cursor: Any, statement: str, _parameters: Any, context: Any, _many: Any) -> None:
        written = _WRITES.match(statement)
        name = written[1] if written else ""
        if name not in SUMMED or name in self._before:
            return
        options = context.execution_options if context is not None else {}
        if options.get(COUNTED, False):
            self._counted.add(name)
        else:
            share = self._share(name) if name in self._counted else RowSum()
            self._before[name] = sum_of(self._connection, name).plus(share, -1)

    def _share(self, name: str) -> RowSum:
        """Return what the commit's own rows have changed in a table's sum until now."""
        names = summed_columns(SUMMED[name])
        found = self._connection.execute(_SHARES[name], {"commit_id": self.commit_id})
        rows = [tuple(row) for row in found]
        added, removed = map(names.index, _SPAN)
        ended = [row for row in rows if row[added] != self.commit_id]
        return sum_of_tuples(rows).plus(sum_of_tuples((*row[:removed], None, *row[removed + 1 :]) for row in ended), -1)


_SPAN = ("added_commit", "removed_commit")


def summed_columns(table: Table) -> list[str]:
    """Return the columns whose values a row's hash is of, in their order."""
    return [column.name for column in table.columns if column.name != "row_id"]


_ALL_ROWS = {
    name: "select " + ", ".join(f'"{column}"' for column in summed_columns(table)) + f' from "{name}"'
    for name, table in SUMMED.items()
}
"""As text: every commit and every question asks for some of these, and compiling one takes longer than its rows."""

_SHARES = {
    name: text(f"{_ALL_ROWS[name]} where added_commit = :commit_id or removed_commit = :commit_id")
    for name in VERSIONED
}
"""What a commit has added and ended."""


def sum_of_tuples(rows: Iterable[tuple[Any, ...]]) -> RowSum:
    """Return the sum of rows as tuples of `summed_columns`."""
    count = total = 0
    for row in rows:
        text = repr(row).encode("utf-8", "surrogatepass")
        total += int.from_bytes(hashlib.blake2b(text, digest_size=_SIZE).digest(), "big")
        count += 1
    return RowSum(count, total % _MODULUS)


def _write(connection: Connection, sums: Mapping[str, RowSum]) -> None:
    connection.execute(delete(row_sums).where(row_sums.c.table_name.in_(list(sums))))
    rows = [
        {"table_name": name, "rows": each.rows, "digest": f"{each.total:0{2 * _SIZE}x}"} for name, each in sums.items()
    ]
    if rows:
        connection.execute(insert(row_sums), rows)
