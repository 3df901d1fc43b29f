"""Published files before their rows: tables and documented views, kept by the process for its next publication.

A commit that adds no segment and no study changes rows alone, and what takes longest, a comment on each of a thousand
columns, would be made again as it was. Where no view has so many, nothing is kept: to lay views out takes as long.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import duckdb

from store.analyst.layout import define_empty_store, has_many_columns, lay_out_views, look_at_segments
from store.analyst.view_parts import View, fixed_view_names

__all__ = ["STORAGE_VERSION", "write_frame"]

STORAGE_VERSION = "v1.2.0"
"""The DuckDB file format written: clients from 1.2 on open it, whatever wrote it."""

_BLOCK_BYTES = 32768
"""A block of the file: each of some fifty tables takes one at least, which by default makes 11 MB of an empty store."""

_MOST = 2
_frames: dict[str, bytes] = {}
_empty_store: list[bytes] = []
"""The file of an empty store, once this process has made one: what all stores have alike takes longest to lay out."""


@contextmanager
def write_frame(
    connection: duckdb.DuckDBPyConnection, file: Path, views: Sequence[View], segments: str
) -> Iterator[None]:
    """Write a database file with all tables of the schema ``catalogue``, without rows, and all views with comments.

    It is the connection's current database in the block, and closed and complete at its end.

    Parameters
    ----------
    connection : DuckDBPyConnection
        What writes.
    file : Path
        Where.
    views : sequence of View
        Each behind those that it reads.
    segments : str
        Where the segments lie, for messages.

    Raises
    ------
    ContractError
        When a segment is missing or damaged.
    """
    if not any(has_many_columns(view) for view in views):
        _write_empty_store(connection, file)
        with _attached(connection, file):
            _lay_out_own(connection, views, segments)
            yield
        return
    identity = sha256(repr(views).encode()).hexdigest()
    kept = _frames.pop(identity, None)
    if kept is None:
        _write_empty_store(connection, file)
        with _attached(connection, file):
            _lay_out_own(connection, views, segments)
    else:
        file.write_bytes(kept)
    # The one that was used last stands last.
    _frames[identity] = kept or file.read_bytes()
    while len(_frames) > _MOST:
        _frames.pop(next(iter(_frames)))
    with _attached(connection, file):
        if kept is not None:
            # They may have gone since.
            look_at_segments(connection, views, segments)
        yield


def _lay_out_own(connection: duckdb.DuckDBPyConnection, views: Sequence[View], segments: str) -> None:
    """Create the views that an empty store has not."""
    fixed = set(fixed_view_names())
    own = [view for view in views if view.name not in fixed]
    lay_out_views(connection, own, documented=True, segments=segments)


def _write_empty_store(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    if _empty_store:
        file.write_bytes(_empty_store[0])
        return
    with _attached(connection, file):
        define_empty_store(connection)
    _empty_store.append(file.read_bytes())


@contextmanager
def _attached(connection: duckdb.DuckDBPyConnection, file: Path) -> Iterator[None]:
    """Make a file the connection's current database; it is closed and complete at the end of the block."""
    location = str(file).replace("'", "''")
    written_as = f"storage_version '{STORAGE_VERSION}', block_size {_BLOCK_BYTES}"
    connection.execute(f"attach '{location}' as analyst ({written_as})")
    connection.execute("use analyst")
    yield
    connection.execute("use memory")
    connection.execute("detach analyst")
