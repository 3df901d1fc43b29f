"""A copy of a store's catalogue to try a commit on: what it would change is counted by making it, and thrown away.

The copy lies where the system keeps temporary files, for this user alone, as copies of a remote store that is only read
do. The store itself is opened to read: nothing is written into it or beside it.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert, select

from schemas.errors import RadzooError
from store.catalogue.connection import is_postgresql, read_transaction, write_transaction
from store.catalogue.kept_columns import KeptColumns
from store.catalogue.tables import metadata
from store.history.snapshot import Snapshot
from store.home import CATALOGUE_FILE, Store
from store.kinds.every import IMPORTED

__all__ = ["RehearsalStore", "rehearsal"]

_AT_ONCE = 1000


class RehearsalStore(Store):
    """A store whose catalogue is a copy; what another one has staged counts here too.

    Parameters
    ----------
    root : Path
        A folder of its own.
    original : Store or None
        What was copied: what it has staged, and keeps by columns, is as true of the copy.
    """

    def __init__(self, root: Path, original: Store | None) -> None:
        self._staging = None if original is None else original.staging
        super().__init__(root, create=True)
        if original is not None:
            self.columns = KeptColumns(original.columns.folder, self._checked)

    @property
    def staging(self) -> Path:
        """Return the folder of extractions that are computed and not yet committed."""
        return self._staging or super().staging


@contextmanager
def rehearsal(original: Store | None, place: Path) -> Iterator[RehearsalStore]:
    """Give a copy of a store's catalogue that may be written, until the block ends.

    Segments of imported tables are there by links, for an ingest reads their keys; of other segments there are none,
    and no dataset or model either.

    Parameters
    ----------
    original : Store or None
        The store; an empty one is given where there is none yet.
    place : Path
        The store's folder, which faults name instead of the copy's.
    """
    root = Path(tempfile.mkdtemp(prefix="radzoo-plan-"))
    copy: RehearsalStore | None = None
    try:
        if original is not None and not is_postgresql(original.engine):
            with read_transaction(original.engine) as connection:
                _copy_file(connection, root / CATALOGUE_FILE)
        copy = RehearsalStore(root, original)
        if original is not None:
            if is_postgresql(original.engine):
                with read_transaction(original.engine) as connection:
                    _copy_rows(connection, copy)
            _link_imported(original, copy)
        yield copy
    except RadzooError as error:
        error.where = error.where and error.where.replace(str(root.resolve()), str(place))
        raise
    finally:
        if copy is not None:
            copy.close()
        shutil.rmtree(root, ignore_errors=True)


def _copy_file(connection: Connection, file: Path) -> None:
    """Copy the state that a transaction sees, page by page."""
    source: Any = connection.connection.driver_connection
    with closing(sqlite3.connect(file)) as target:
        source.backup(target)


def _copy_rows(connection: Connection, copy: RehearsalStore) -> None:
    """Copy all rows into the tables of a catalogue that is empty."""
    with write_transaction(copy.engine, keeps_sums=False) as target:
        for table in metadata.sorted_tables:
            target.execute(table.delete())
            for part in connection.execute(select(table)).mappings().partitions(_AT_ONCE):
                target.execute(insert(table), [dict(row) for row in part])


def _link_imported(original: Store, copy: RehearsalStore) -> None:
    snapshot = Snapshot(original)
    for feature_set in snapshot.column("feature_sets", "feature_set", kind=IMPORTED.name):
        for row in snapshot.rows("segments", feature_set=feature_set):
            link = copy.segments.local_root / row["path"]
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(original.segments.local(row["path"], sha256=row["sha256"]))
