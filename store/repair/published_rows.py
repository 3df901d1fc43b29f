"""The rows that copies of the catalogue hold, a published file or a backup: believed only where they are proven."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb

from store.catalogue.row_sums import SUMMED
from store.home import CATALOGUE_FILE, Store
from store.limits.process import LimitedProcess, LimitedProcessError, Limits

__all__ = ["backup_rows", "published_rows", "rows_of_file"]

_SECONDS = 60.0
_MEMORY_BYTES = 2 * 2**30


def published_rows(store: Store, table: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table that ``analyst.duckdb`` has, without ``removed_commit``; none where it cannot be read.

    Anybody may have written the file: it is read in a process that can do no harm.
    """
    file = store.analyst_file
    if not file.is_file():
        return
    limits = Limits(seconds=_SECONDS, memory_bytes=_MEMORY_BYTES, readable=(file,))
    with LimitedProcess(limits, modules=(__name__,)) as process:
        try:
            names, rows = process.call(rows_of_file, file, table)
        except LimitedProcessError:
            return
    columns = [column.name for column in SUMMED[table].columns if column.name not in ("row_id", "removed_commit")]
    if names == columns:
        yield from (dict(zip(names, row, strict=True)) for row in rows)


def backup_rows(backup: Path, table: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table that a backup's catalogue has; none where it cannot be read."""
    names = [column.name for column in SUMMED[table].columns if column.name != "row_id"]
    address = f"file:{quote(str((backup / CATALOGUE_FILE).absolute()))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(address, uri=True)) as connection:
            columns = ", ".join(f'"{name}"' for name in names)
            rows = connection.execute(f'select {columns} from "{table}"').fetchall()
    except sqlite3.Error:
        return
    yield from (dict(zip(names, row, strict=True)) for row in rows)


def rows_of_file(file: Path, table: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the names and rows of a published table."""
    with duckdb.connect(str(file), read_only=True, config={"enable_external_access": "false"}) as client:
        found = client.execute(f'select * from catalogue."{table}"')
        return [column[0] for column in found.description or []], found.fetchall()
