"""Files that the catalogue does not name: what compaction replaced, what a killed writer left."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, select

from store.catalogue.connection import write_transaction
from store.catalogue.tables import versioned_table
from store.compaction.compact import retired_files
from store.files import DataFolder
from store.home import Store
from store.rows.shared_staging import old_shared, shared_staging

__all__ = ["GRACE_HOURS", "Leftover", "remove_orphan_files", "unnamed_files"]

GRACE_HOURS = 24.0
"""How long a replaced file stays: longer than any question or training that may have it open."""

# A file that is half-written may be one that somebody on another machine writes this moment.
_HALF_WRITTEN_FOR = timedelta(hours=1)


@dataclass(frozen=True)
class Leftover:
    """A file that was removed, and how large it was."""

    path: str
    bytes: int


def remove_orphan_files(store: Store, *, grace: timedelta = timedelta(hours=GRACE_HOURS)) -> list[Leftover]:
    """Remove old files that the catalogue does not name and return them.

    That is, below ``segments/``, the files that no row of `segments` names, as old as the grace asks since they
    were written or replaced; what killed writers left half-written; and staged extractions in the store's bucket that
    nobody has taken over for two weeks. What the catalogue names is never touched,
    and below ``datasets/`` and ``models/`` no finished file is.

    Parameters
    ----------
    store : Store
        The store.
    grace : timedelta
        How old; 0 removes all of them now, under the feet of whoever reads them.
    """
    now = datetime.now(UTC)
    # A segment is written, and then named, under the writer's lock: in here no file waits for its row.
    with write_transaction(store.engine) as connection:
        retired = retired_files(connection)
        found = []
        for path in unnamed_files(connection, store.segments, "segments"):
            since = store.segments.written_at(path) or now
            if path in retired:
                since = max(since, datetime.fromisoformat(retired[path]))
            if now - since >= grace:
                found.append(Leftover(f"segments/{path}", store.segments.size(path) or 0))
                store.segments.remove(path)
    for folder in (store.segments, store.datasets, store.models):
        found += _removed(folder.half_written(before=now - max(grace, _HALF_WRITTEN_FOR)), folder)
    if (shared := shared_staging(store)) is not None:
        for path in old_shared(shared, now):
            found.append(Leftover(f"staging/{path}", shared.size(path) or 0))
            shared.remove(path)
    return found


def unnamed_files(connection: Connection, folder: DataFolder, table: str) -> list[str]:
    """Return the finished files of a folder, and this machine's copies, that no row of its table names.

    Parameters
    ----------
    connection : Connection
        Of the catalogue; with the writer's lock, where the files are to be removed.
    folder : DataFolder
        The store's segments or datasets.
    table : str
        ``segments`` or ``datasets``.
    """
    paths = connection.execute(select(versioned_table(table).c.path)).scalars()
    # A segment is named below its folder, a dataset below the store.
    named = {str(path).removeprefix(f"{table}/") for path in paths if path is not None}
    return sorted({*folder.paths(), *folder.copies()} - named)


def _removed(paths: Iterable[Path], folder: DataFolder) -> list[Leftover]:
    found = []
    for path in paths:
        files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
        size = sum(file.stat().st_size for file in files)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        found.append(Leftover(f"{folder.local_root.name}/{path.relative_to(folder.local_root).as_posix()}", size))
    return found
