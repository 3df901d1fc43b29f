"""A snapshot that was read beforehand: its rows and files can go to a process that may not open the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import reduce
from operator import and_
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from store.catalogue.tables import UNVERSIONED, VERSIONED
from store.history.commit_changes import commit_changes
from store.history.snapshot import Snapshot

__all__ = ["KEPT_TABLES", "KeptRows", "KeptSnapshot", "kept_rows"]

KEPT_TABLES = (*VERSIONED, *UNVERSIONED)
"""The catalogue's tables of which a kept snapshot has the rows."""


class KeptRows(NamedTuple):
    """What a snapshot says, of one state of the catalogue; it can be pickled."""

    tables: dict[str, pa.Table]
    changes: pa.Table
    """As `store.history.commit_changes` counts them."""
    segments: Path
    """The folder of the segments on this machine."""
    files: dict[str, list[Path]]
    """The segments of each feature set that has some, all of them on this machine."""


def kept_rows(snapshot: Snapshot) -> KeptRows:
    """Return a snapshot's rows and the places of its segments, which are fetched where they lie elsewhere.

    Raises
    ------
    ContractError
        When a segment is missing.
    """
    # Named beforehand, the tables are compared with their sums at once.
    with snapshot.one_state() as unchanging, unchanging.reading(*KEPT_TABLES):
        tables = {name: unchanging.arrow(name) for name in KEPT_TABLES}
        changes = commit_changes(unchanging)
    folder = snapshot.store.segments
    files: dict[str, list[Path]] = {}
    for row in tables["segments"].to_pylist():
        files.setdefault(row["feature_set"], []).append(folder.local(row["path"], sha256=row["sha256"]))
    return KeptRows(tables, changes, folder.local_root, files)


class KeptSnapshot(Snapshot):
    """A snapshot of kept rows: for whoever defines views of it, and never asks the catalogue.

    Parameters
    ----------
    kept : KeptRows
        From `kept_rows`.
    relations : mapping of str to str
        For each feature set with segments, what has their rows in SQL: a name, quoted where it must be.
    """

    def __init__(self, kept: KeptRows, relations: Mapping[str, str]) -> None:
        self._kept = kept
        self._relations = relations
        self.is_published = False

    @contextmanager
    def reading(self, *tables: str) -> Iterator[Connection]:
        """Refuse to give a connection: there is none."""
        raise TypeError("a kept snapshot has no catalogue")

    def rows(self, table: str, **equal: Any) -> list[dict[str, Any]]:
        """Return a table's rows, as `Snapshot.rows` does."""
        rows = self._kept.tables[table]
        if equal:
            rows = rows.filter(reduce(and_, (pc.field(name) == value for name, value in equal.items())))
        found: list[dict[str, Any]] = rows.to_pylist()
        return found

    def arrow(self, table: str) -> pa.Table:
        """Return a table's rows as Arrow."""
        return self._kept.tables[table]

    def relation_of(self, feature_set: str) -> str:
        """Return what has the rows of a feature set's segments in SQL, empty where it has none."""
        return self._relations.get(feature_set, "")
