"""A store's catalogue, SQLite or PostgreSQL, copied in one state into an SQLite file; and what files it names."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, insert, select

from store.catalogue.connection import is_postgresql, read_transaction
from store.catalogue.tables import commits, metadata
from store.home import Store

__all__ = ["NamedFiles", "copy_catalogue_file", "first_commits"]

_ROWS = 5000


@dataclass(frozen=True)
class NamedFiles:
    """The files that a catalogue names, below the store."""

    commit_id: int
    segments: Mapping[str, tuple[str, int]]
    """Hash and bytes of each."""
    datasets: Mapping[str, str]
    """Hash of each."""
    models: Mapping[str, str]
    """Hash of each folder."""


def copy_catalogue_file(store: Store, target: Path) -> NamedFiles:
    """Copy a store's catalogue, as it is now, into a new SQLite file and return the files that it names.

    Readers and writers go on meanwhile.
    """
    if is_postgresql(store.engine):
        _copy_tables(store.engine, target)
    else:
        _copy_file(store.engine, target)
    descriptor = os.open(target, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return _named_files(target)


def first_commits(engine: Engine) -> list[tuple[int, str]]:
    """Return number and time of each commit, which together tell one store from another."""
    with read_transaction(engine) as connection:
        rows = connection.execute(select(commits.c.commit_id, commits.c.committed_at).order_by(commits.c.commit_id))
        return [(int(number), str(at)) for number, at in rows]


def _copy_file(engine: Engine, target: Path) -> None:
    with read_transaction(engine) as connection:
        source: Any = connection.connection.driver_connection
        # In one step, within one transaction: the state is one that was committed.
        with closing(sqlite3.connect(target)) as copy:
            source.backup(copy, pages=-1)
            copy.execute("pragma journal_mode = delete").fetchone()


def _copy_tables(engine: Engine, target: Path) -> None:
    copy = create_engine(URL.create("sqlite", database=str(target)))
    try:
        metadata.create_all(copy)
        with read_transaction(engine) as source, copy.begin() as sink:
            for table in metadata.sorted_tables:
                found = source.execute(table.select()).mappings()
                while rows := found.fetchmany(_ROWS):
                    sink.execute(insert(table), [dict(row) for row in rows])
    finally:
        copy.dispose()


def _named_files(file: Path) -> NamedFiles:
    with closing(sqlite3.connect(file)) as connection:
        newest = connection.execute("select coalesce(max(commit_id), 0) from commits").fetchone()[0]
        segments = connection.execute(
            "select path, sha256, bytes from segments where removed_commit is null "
            "or segment_id in (select segment_id from extractions)"
        ).fetchall()
        datasets = connection.execute("select path, sha256 from datasets where path is not null").fetchall()
        models = connection.execute("select path, sha256 from models where path is not null").fetchall()
    return NamedFiles(
        int(newest),
        {f"segments/{path}": (sha256, int(size)) for path, sha256, size in segments},
        dict(datasets),
        dict(models),
    )
