"""Which segments of a feature set a compaction merges, and which of their rows count."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from store.catalogue.connection import read_transaction
from store.catalogue.tables import versioned_table
from store.home import Store

__all__ = [
    "TARGET_ROWS",
    "Merge",
    "batches",
    "even_files",
    "feature_sets_with_segments",
    "files_to_merge",
    "homes",
    "planned_merge",
]

TARGET_ROWS = 20_000
"""Rows of a large segment: about 200 MB of a thousand features."""

_TARGET_BYTES = 512 * 2**20
"""Bytes of a large segment, where this many rows would take more: images for networks."""

_BATCH = 200  # ids per statement: SQLite's limit on bound variables, with room

_segments, _extractions, _links = (versioned_table(name) for name in ("segments", "extractions", "study_extractions"))


@dataclass(frozen=True)
class Merge:
    """Which segments are merged, and which of their rows count."""

    every: list[dict[str, Any]]
    """All segments of the feature set, each once."""
    merged: list[dict[str, Any]] = field(default_factory=list)
    home: dict[str, str] = field(default_factory=dict)
    """Extraction -> the merged segment that its row is taken from."""
    studies: dict[str, tuple[str, ...]] = field(default_factory=dict)
    target_rows: int = TARGET_ROWS


def feature_sets_with_segments(store: Store) -> list[str]:
    """Return the feature sets that have rows in the store, sorted."""
    with read_transaction(store.engine) as connection:
        return sorted(connection.execute(select(_segments.c.feature_set).distinct()).scalars())


def files_to_merge(store: Store, feature_set: str) -> int:
    """Return how many small segments of a feature set, ``name@version``, a compaction would merge now."""
    with read_transaction(store.engine) as connection:
        return len(planned_merge(connection, feature_set, TARGET_ROWS).merged)


def planned_merge(connection: Connection, feature_set: str, target_rows: int) -> Merge:
    """Return what a compaction of a feature set would do now; nothing is merged where that saves no file.

    Parameters
    ----------
    connection : sqlalchemy.Connection
        Of the catalogue.
    feature_set : str
        ``name@version``.
    target_rows : int
        How many rows a segment shall have, about; those with as many are left alone.
    """
    query = select(_segments).where(_segments.c.feature_set == feature_set).order_by(_segments.c.row_id)
    every: dict[str, dict[str, Any]] = {}
    for row in connection.execute(query).mappings():
        known = every.setdefault(row["segment_id"], dict(row))
        known["added_commit"] = min(known["added_commit"], row["added_commit"])
    target_rows = _rows_of_a_large_segment(every.values(), target_rows)
    small = [each for each in every.values() if each["rows"] < target_rows]
    home = homes(connection, [each["segment_id"] for each in small])
    if even_files(len(home), target_rows) >= len(small):
        return Merge(list(every.values()), target_rows=target_rows)
    links = select(_links.c.extraction_id, _links.c.study).where(_links.c.feature_set == feature_set).distinct()
    studies: dict[str, list[str]] = {}
    for identity, study in connection.execute(links):
        studies.setdefault(identity, []).append(study)
    used_by = {each: tuple(sorted(names)) for each, names in studies.items()}
    return Merge(list(every.values()), small, home, used_by, target_rows)


def _rows_of_a_large_segment(segments: Iterable[Mapping[str, Any]], target_rows: int) -> int:
    rows, size = (sum(each[name] for each in segments) for name in ("rows", "bytes"))
    return min(target_rows, max(1, int(_TARGET_BYTES * rows / max(1, size))))


def homes(connection: Connection, segment_ids: Sequence[str]) -> dict[str, str]:
    """Return the segment of each extraction; where rows of several commits differ, that of the latest."""
    query = select(_extractions.c.added_commit, _extractions.c.extraction_id, _extractions.c.segment_id)
    rows = [
        tuple(row)
        for batch in batches(segment_ids)
        for row in connection.execute(query.where(_extractions.c.segment_id.in_(batch)))
    ]
    return {identity: segment for _, identity, segment in sorted(rows)}


def even_files(rows: int, target_rows: int) -> int:
    """Return in how many files of about ``target_rows`` each a number of rows is to lie."""
    # In even parts: a last one of a few rows would be one more file to open for those who read the rows before it.
    return max(1, round(rows / target_rows)) if rows else 0


def batches(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield values, in order, as many at a time as one statement may name."""
    for start in range(0, len(values), _BATCH):
        yield values[start : start + _BATCH]
