"""Parts of the views' SQL: names and texts, comments, and which rows of which segments count."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from store.kept_snapshot import KeptSnapshot
from store.snapshot import Snapshot

__all__ = [
    "SEGMENT_FILE",
    "STORE_VARIABLE",
    "commented",
    "live_extractions",
    "quoted_name",
    "quoted_text",
    "segment_paths",
    "segment_rows",
]

STORE_VARIABLE = "radzoo_store"
"""The variable of a DuckDB client that names the store whose segments a published file reads."""

SEGMENT_FILE = "segment_file"
"""The column in which a view's query has the path of each row's segment."""


def commented(connection: duckdb.DuckDBPyConnection, view: str, description: str, columns: Mapping[str, str]) -> None:
    """Put comments on a view and its columns."""
    connection.execute(f'comment on view "{view}" is {quoted_text(description)}')
    for column, comment in columns.items():
        connection.execute(f'comment on column "{view}".{quoted_name(column)} is {quoted_text(comment)}')


def segment_paths(snapshot: Snapshot, feature_set: str) -> str:
    """Return the local paths of a feature set's segments as SQL lists them.

    In a published file they begin with the variable ``radzoo_store``, or else with the store's folder as it was.
    """
    folder, segments = snapshot.store.segments, snapshot.rows("segments", feature_set=feature_set)
    paths = [str(folder.local(each["path"], sha256=each["sha256"])) for each in segments]
    if not snapshot.is_published:
        return ", ".join(map(quoted_text, paths))
    root = str(snapshot.store.root)
    start = f"coalesce(getvariable('{STORE_VARIABLE}'), {quoted_text(root)})"
    return ", ".join(f"{start} || {quoted_text(path.removeprefix(root))}" for path in paths)


def segment_rows(snapshot: Snapshot, feature_set: str) -> str:
    """Return what stands behind FROM for the rows of a feature set's segments, empty where it has none.

    Besides the segments' columns there is `SEGMENT_FILE`.
    """
    if isinstance(snapshot, KeptSnapshot):
        return snapshot.relation_of(feature_set)
    paths = segment_paths(snapshot, feature_set)
    return paths and f"read_parquet([{paths}], union_by_name = true, filename = '{SEGMENT_FILE}')"


def live_extractions(snapshot: Snapshot, feature_set: str) -> str:
    """Return the join of segments with the catalogue that leaves the live rows of a feature set."""
    extractions = "catalogue.extractions"
    if snapshot.is_published:
        extractions = f"(from catalogue.extractions where ({_at_its_place(snapshot)}))"
    # Two refreshes at once may both have computed an extraction: the catalogue says whose row counts.
    return (
        f"join {extractions} e on e.feature_set = {quoted_text(feature_set)} "
        f"and e.extraction_id = s.extraction_id and e.segment_id = parse_filename(s.{SEGMENT_FILE}, true)"
    )


def _at_its_place(snapshot: Snapshot) -> str:
    """Return a query that is true where the published file lies where it was published, and else an error.

    A copy would read the segments of the store that it was copied from, whatever has become of that.
    """
    file, root = str(snapshot.store.analyst_file), str(snapshot.store.root)
    said = (
        f"this analyst.duckdb was published as {file} and has been moved or copied: its features would be read from "
        f"{root}. Next: radzoo --store FOLDER store publish, in the folder of the store; or say which store to read: "
        f"set variable {STORE_VARIABLE} = 'FOLDER'"
    )
    # Clients before DuckDB 2 show a path as it was typed: a relative one tells nothing.
    return (
        f"select case when getvariable('{STORE_VARIABLE}') is not null or bool_or(path = {quoted_text(file)} "
        f"or not starts_with(path, '/')) then true else error({quoted_text(said)}) end from duckdb_databases()"
    )


def quoted_name(name: str) -> str:
    """Return a name as SQL writes any name: in double quotes, those inside doubled."""
    return '"' + name.replace('"', '""') + '"'


def quoted_text(text: str) -> str:
    """Return a text as SQL writes it: in single quotes, those inside doubled."""
    return "'" + text.replace("'", "''") + "'"
