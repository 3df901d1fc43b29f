"""What a question needs of a snapshot, read beforehand: it can go to a process that may not open the catalogue."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa

from store.analyst.analyst_views import EVERY_TABLE, KEPT_TABLES, analyst_views, table_rows, tables_of, view_names
from store.analyst.named import Named
from store.analyst.view_parts import View
from store.catalogue.kept_table import KeptTable
from store.history.snapshot import Snapshot

__all__ = ["KeptRows", "KeptSegments", "kept_rows"]


class KeptSegments(NamedTuple):
    """The segments of a feature set, all of them on this machine."""

    relation: str
    """What the views call their rows, within `KeptRows.schema`."""
    feature_set: str
    files: list[Path]
    file_column: str


class KeptRows(NamedTuple):
    """What a question needs, of one state of the catalogue; it can be pickled."""

    tables: dict[str, pa.Table]
    columns: dict[str, KeptTable]
    """Further tables, which the question's process maps by itself."""
    commit_id: int
    """Decides which of their rows are live."""
    views: list[View]
    """Each behind those that it reads."""
    segments: list[KeptSegments]
    schema: str
    """Where the segments' rows are; nobody can name it in a question, for it is another one each time."""
    others: list[str]
    """The names of views that are there and that the question does not read."""
    other_tables: list[str]
    """Of the schema ``catalogue``, the same."""
    place: str
    """Where the segments lie, for messages."""


def kept_rows(snapshot: Snapshot, named: Named) -> KeptRows:
    """Return the rows of what a question names and the places of its segments, fetched where they lie elsewhere.

    What it does not name is not looked at, so that it may be damaged. Where the question has a name that nothing has,
    or asks for names, all names are there too.

    Parameters
    ----------
    snapshot : Snapshot
        What is asked.
    named : Named
        From `store.analyst.named.names_in`.

    Raises
    ------
    ContractError
        When rows of a table are not those that were committed, or a segment is missing or damaged.
    """
    schema = f"segments_{uuid.uuid4().hex}"
    place = str(snapshot.store.segments)
    tables = {name for name in EVERY_TABLE if named.lists_columns or name in named.tables}
    if not (named.views or named.lists_names or named.lists_columns or named.tables):
        return KeptRows({}, {}, snapshot.commit_id, [], [], schema, [], [], place)
    with snapshot.one_state() as unchanging:
        relations: dict[str, str] = {}

        def rows_of(feature_set: str, file_column: str) -> str:
            if feature_set not in relations:
                has_rows = unchanging.rows("segments", feature_set=feature_set)
                relations[feature_set] = f"set_{len(relations)}" if has_rows else ""
            name = relations[feature_set]
            return name and f"{schema}.{name}"

        views = analyst_views(unchanging, rows_of, None if named.lists_columns else named.views)
        tables |= tables_of(views)
        # Compared with their sums at once; the commits decide which rows are live.
        unchanging.refuse_altered(["commits", *(name for name in KEPT_TABLES if name in tables)])
        columns = {name: kept for name in tables if (kept := unchanging.kept(name)) is not None}
        rows = {name: table_rows(unchanging, name) for name in EVERY_TABLE if name in tables - columns.keys()}
        others, other_tables = [], []
        found = {view.name for view in views}
        is_unknown = not named.views <= found | named.own or not named.tables <= tables
        if not named.lists_columns and (named.lists_names or is_unknown):
            others = sorted(view_names(unchanging) - found)
            other_tables = [name for name in EVERY_TABLE if name not in tables]
        segments = [
            KeptSegments(relations[feature_set], feature_set, _files(unchanging, feature_set), file_column)
            for feature_set, file_column in dict.fromkeys(each for view in views for each in view.segments)
        ]
    return KeptRows(rows, columns, unchanging.commit_id, views, segments, schema, others, other_tables, place)


def _files(snapshot: Snapshot, feature_set: str) -> list[Path]:
    folder = snapshot.store.segments
    rows = snapshot.rows("segments", feature_set=feature_set)
    return [folder.local(row["path"], sha256=row["sha256"]) for row in rows]
