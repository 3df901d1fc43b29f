"""The catalogue's large tables once more, by columns: to map a file takes less than to read and to sum its rows.

A file of the folder ``columns`` is a table with all of its rows, live and ended, and with the sum that they had when
it was written. What was written to the table since is read from the catalogue and added; where both together have the
sum that the catalogue names now, they are the rows that were committed, whatever the catalogue's own rows have become.
Else the catalogue is read as if there were no file.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from sqlalchemy import Connection, func, select

from schemas.errors import ContractError
from store.catalogue.columns import arrow_columns, arrow_kinds
from store.catalogue.kept_table import KeptTable, rows_at
from store.catalogue.row_sums import RowSum, fetched_rows, stored_sums, sum_of_tuples, summed_columns
from store.catalogue.tables import VERSIONED, commits
from store.checked_files import CheckedFiles

__all__ = ["KeptColumns"]

_NOTE = "tables.json"
_WORTH_KEEPING = 5_000
"""Rows of a table, below which it is read and summed in less than the time of a few imports."""

_RENEWED_FROM = 0.1
"""Written since, as a share of a table's rows, from which its file is written again."""

_REMOVED = "removed_commit"


class _KeptFile(NamedTuple):
    """A table's file, and what it holds."""

    name: str
    sha256: str
    sum: RowSum
    last_row: int
    """The largest ``row_id``."""
    commit_id: int
    """The newest commit when it was written."""
    committed_at: str
    """When that one landed: another catalogue, put back from a backup, may have another one of its number."""


class KeptColumns:
    """The large tables of a store's catalogue, by columns.

    Parameters
    ----------
    folder : Path
        Where the files lie, or would: this machine's own, derived from the catalogue, and may be removed at any time.
    checked : CheckedFiles
        What knows which of them were hashed.
    """

    def __init__(self, folder: Path, checked: CheckedFiles) -> None:
        self.folder = folder
        self._checked = checked
        self._noted: tuple[tuple[int, ...], Mapping[str, _KeptFile]] | None = None
        self._tables: dict[str, tuple[_KeptFile, RowSum, KeptTable]] = {}

    def table(self, connection: Connection, name: str) -> KeptTable | None:
        """Return a table with all of its rows, live and ended.

        Parameters
        ----------
        connection : Connection
            A reader's, on the catalogue: the rows are those of its state.
        name : str
            A versioned table.

        Returns
        -------
        KeptTable or None
            None where the table is not kept, or what is kept and what was written since have not the sum that the
            catalogue names.
        """
        kept = self._files().get(name)
        # Looked at each time: this process may live long, and the file may be removed.
        if kept is None or not self._is_as_written(kept):
            return None
        now = stored_sums(connection)[name]
        known = self._tables.get(name)
        if known is None or known[:2] != (kept, now):
            found = self._brought_up_to_date(connection, name, kept, now)
            if found is None:
                return None
            self._tables[name] = known = kept, now, found
        return known[2]

    def names(self) -> list[str]:
        """Return the tables that are kept."""
        return list(self._files())

    def keep(self, connection: Connection) -> None:
        """Write the tables that are large and are not kept yet, or have become others; one process at a time.

        Parameters
        ----------
        connection : Connection
            A reader's, on the catalogue.

        Raises
        ------
        OSError
            When the disk does not take a file.
        """
        before, sums = self._files(), stored_sums(connection)
        newest = connection.execute(select(func.max(commits.c.commit_id))).scalar() or 0
        landed_at = _landed_at(connection, newest)
        files, readers = {}, {_NOTE}
        for name in VERSIONED:
            if sums[name].rows < _WORTH_KEEPING:
                continue
            kept, table = before.get(name), self.table(connection, name)
            if kept is not None and table is not None:
                # A question that was asked before may still map it; the next publication removes it.
                readers.add(kept.name)
            if kept is None or table is None or _written_since(table) > _RENEWED_FROM * kept.sum.rows:
                rows = _read(connection, name, sums[name]) if table is None else table.rows()
                kept = None if rows is None else self._written(name, rows, sums[name], newest, landed_at)
            if kept is not None:
                files[name] = kept
        if files != before:
            self._write_note(files)
        named = readers | {kept.name for kept in files.values()}
        for left in self._own_files():
            if left.name not in named:
                left.unlink(missing_ok=True)

    def remove(self) -> None:
        """Remove all files: the catalogue is read again.

        Raises
        ------
        OSError
            When a file cannot be removed.
        """
        # The folder stays: a process that may read in it alone may read what is written next.
        for file in self._own_files():
            file.unlink(missing_ok=True)

    def _own_files(self) -> list[Path]:
        return [each for each in self.folder.glob("*") if not each.is_dir() or each.is_symlink()]

    def unfit(self, connection: Connection) -> Iterator[str]:
        """Yield what is wrong with the files that there are, a sentence each: a reader would not take them."""
        for name, kept in self._files().items():
            if not self._is_as_written(kept):
                yield f"{kept.name} is missing or not as it was written"
            elif self.table(connection, name) is None:
                yield f"{kept.name} has rows of '{name}' that the catalogue has no longer"

    def _brought_up_to_date(self, connection: Connection, name: str, kept: _KeptFile, now: RowSum) -> KeptTable | None:
        """Return a file with what was written since, None where their sum is not the one of now."""
        if _landed_at(connection, kept.commit_id) != kept.committed_at:
            return None
        file = KeptTable(self.folder / kept.name, {}, None)
        if kept.sum == now:
            return file
        new = list(_rows(connection, name, f"row_id > {kept.last_row}"))
        total = kept.sum.plus(sum_of_tuples(row[1:] for row in new))
        ends: dict[int, int] = {}
        if total != now:
            # Nothing but its end is ever written into a row; looked for where new rows are not all.
            ended = list(_rows(connection, name, f"{_REMOVED} > {kept.commit_id} and row_id <= {kept.last_row}"))
            place = summed_columns(VERSIONED[name]).index(_REMOVED) + 1
            before = [(*row[:place], None, *row[place + 1 :]) for row in ended]
            # Sums know no row_id, by which the ends are put into the file's rows.
            if list(map(repr, before)) != list(map(repr, rows_at(file.rows(), [row[0] for row in ended]))):
                return None
            total = total.plus(sum_of_tuples(row[1:] for row in ended)).plus(sum_of_tuples(r[1:] for r in before), -1)
            ends = {row[0]: row[place] for row in ended}
        if total != now:
            return None
        try:
            arrived = arrow_columns(arrow_kinds(VERSIONED[name].columns), new) if new else None
        except TypeError:
            return None
        return file._replace(ends=ends, arrived=arrived)

    def _is_as_written(self, kept: _KeptFile) -> bool:
        try:
            return self._checked.sha256(self.folder / kept.name) == kept.sha256
        except (OSError, ContractError):
            # Written again by another process meanwhile, or nothing that can be read: the catalogue has all of it.
            return False

    def _written(self, name: str, rows: pa.Table, total: RowSum, newest: int, landed_at: str) -> _KeptFile:
        self.folder.mkdir(exist_ok=True)
        file = self.folder / f"{name}-{uuid.uuid4().hex[:16]}.arrow"
        partial = file.with_name(f"{file.name}.partial")
        try:
            with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as writer:
                writer.write_table(rows.combine_chunks())
            partial.replace(file)
        finally:
            partial.unlink(missing_ok=True)
        last = rows["row_id"][-1].as_py() if rows.num_rows else 0
        return _KeptFile(file.name, self._checked.sha256(file), total, last, newest, landed_at)

    def _files(self) -> Mapping[str, _KeptFile]:
        file = self.folder / _NOTE
        try:
            found = file.stat()
        except OSError:
            return {}
        state = found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
        if self._noted is None or self._noted[0] != state:
            self._noted = state, _files_in(file)
        return self._noted[1]

    def _write_note(self, files: Mapping[str, _KeptFile]) -> None:
        document = {name: kept._asdict() for name, kept in files.items()}
        partial = self.folder / f"{_NOTE}.{os.getpid()}.partial"
        partial.write_text(json.dumps(document) + "\n", encoding="utf-8")
        partial.replace(self.folder / _NOTE)


def _landed_at(connection: Connection, commit_id: int) -> str:
    """Return when a commit landed, an empty text where there is none of that number."""
    query = select(commits.c.committed_at).where(commits.c.commit_id == commit_id)
    return str(connection.execute(query).scalar() or "")


def _files_in(file: Path) -> dict[str, _KeptFile]:
    """Return what a note says; one that cannot be read says that there is nothing."""
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
        return {
            name: _KeptFile(**{**row, "sum": RowSum(*row["sum"])})
            for name, row in document.items()
            # A name is put behind the folder's: it must lead nowhere else.
            if name in VERSIONED and Path(row["name"]).name == row["name"]
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def _rows(connection: Connection, name: str, condition: str) -> Iterator[tuple[Any, ...]]:
    listed = ", ".join(f'"{column}"' for column in summed_columns(VERSIONED[name]))
    return fetched_rows(connection, f'select row_id, {listed} from "{name}" where {condition} order by row_id')


def _read(connection: Connection, name: str, total: RowSum) -> pa.Table | None:
    """Return all rows of a table, None where they are not what was committed: whoever asks for them says so."""
    rows = list(_rows(connection, name, "true"))
    if sum_of_tuples(row[1:] for row in rows) != total:
        return None
    return arrow_columns(arrow_kinds(VERSIONED[name].columns), rows)


def _written_since(table: KeptTable) -> int:
    """Return how many rows were written to a table, or have ended, since its file was written."""
    return len(table.ends) + (0 if table.arrived is None else int(table.arrived.num_rows))
