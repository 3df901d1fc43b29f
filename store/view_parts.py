"""Parts of the views' SQL: names and texts, comments, and which rows of which segments count."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb

from store.snapshot import Snapshot

__all__ = ["SEGMENT_FILE", "commented", "live_extractions", "quoted_name", "quoted_text", "segment_paths"]

SEGMENT_FILE = "segment_file"
"""The column in which a view's query has the path of each row's segment."""


def commented(connection: duckdb.DuckDBPyConnection, view: str, description: str, columns: Mapping[str, str]) -> None:
    """Put comments on a view and its columns."""
    connection.execute(f'comment on view "{view}" is {quoted_text(description)}')
    for column, comment in columns.items():
        connection.execute(f'comment on column "{view}".{quoted_name(column)} is {quoted_text(comment)}')


def segment_paths(snapshot: Snapshot, feature_set: str) -> str:
    """Return the local paths of a feature set's segments as SQL lists them."""
    folder, segments = snapshot.store.segments, snapshot.rows("segments", feature_set=feature_set)
    return ", ".join(quoted_text(str(folder.local(each["path"], sha256=each["sha256"]))) for each in segments)


def live_extractions(feature_set: str) -> str:
    """Return the join of segments with the catalogue that leaves the live rows of a feature set."""
    # Two refreshes at once may both have computed an extraction: the catalogue says whose row counts.
    return (
        f"join catalogue.extractions e on e.feature_set = {quoted_text(feature_set)} "
        f"and e.extraction_id = s.extraction_id and e.segment_id = parse_filename(s.{SEGMENT_FILE}, true)"
    )


def quoted_name(name: str) -> str:
    """Return a name as SQL writes any name: in double quotes, those inside doubled."""
    return '"' + name.replace('"', '""') + '"'


def quoted_text(text: str) -> str:
    """Return a text as SQL writes it: in single quotes, those inside doubled."""
    return "'" + text.replace("'", "''") + "'"
