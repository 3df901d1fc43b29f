"""Segments: immutable Parquet files, one row per extraction, key columns first, then the features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.keys import MaskKey, sql_name
from store.files import DataFolder, file_sha256
from store.snapshot import Snapshot
from store.staging import ExtractionRecord

__all__ = ["KEY_COLUMNS", "Segment", "stored_keys", "stored_segment", "written_segment"]

ROWS_PER_GROUP = 2048
"""Rows that are read together or skipped together: about 20 MB of a thousand features."""

KEY_COLUMNS = ("extraction_id", *MaskKey._fields, "image_sha256", "mask_sha256")


@dataclass(frozen=True)
class Segment:
    """A Parquet file in the store, named by the hash of its bytes."""

    segment_id: str
    feature_set: str
    path: str
    sha256: str
    rows: int
    bytes: int


def written_segment(
    folder: DataFolder, feature_set: str, columns: Sequence[str], records: Sequence[ExtractionRecord]
) -> Segment:
    """Write records as one segment and return it.

    Parameters
    ----------
    folder : DataFolder
        The store's segments.
    feature_set : str
        ``name@version``.
    columns : sequence of str
        The feature set's columns, in order.
    records : sequence of ExtractionRecord
        Finished extractions, in any order.
    """
    ordered = sorted(records, key=lambda record: record.key)
    arrays: dict[str, pa.Array] = {
        "extraction_id": pa.array([r.extraction_id for r in ordered]),
        **{name: pa.array([getattr(r.key, name) for r in ordered]) for name in MaskKey._fields},
        "image_sha256": pa.array([r.image_sha256 for r in ordered]),
        "mask_sha256": pa.array([r.mask_sha256 for r in ordered]),
    }
    for group in sorted({name for r in ordered for name in r.details}):
        arrays[group] = pa.array([dict(r.details.get(group, {})) for r in ordered])
    for column in columns:
        arrays[column] = pa.array([r.values[column] for r in ordered], type=pa.float64())
    return stored_segment(folder, feature_set, pa.table(arrays))


def stored_segment(folder: DataFolder, feature_set: str, rows: pa.Table) -> Segment:
    """Write a table, key columns first, as one segment and return it.

    The file appears under its final name only when it is whole and on disk; until a commit names it,
    no reader knows of it.
    """
    written = folder.scratch()
    # Sets of one definition under two names have equal rows: their segments must not have one name.
    rows = rows.replace_schema_metadata({"feature_set": feature_set})
    pq.write_table(rows, written, compression="zstd", row_group_size=ROWS_PER_GROUP)
    digest = file_sha256(written)
    path = f"{sql_name(feature_set)}/{digest[:20]}.parquet"
    size = written.stat().st_size
    folder.adopt(written, path)
    return Segment(
        segment_id=digest[:20], feature_set=feature_set, path=path, sha256=digest, rows=rows.num_rows, bytes=size
    )


def stored_keys(snapshot: Snapshot, feature_set: str) -> dict[str, MaskKey]:
    """Return the key under which each live extraction of a feature set was written, by extraction id."""
    with snapshot.one_state() as unchanging:
        rows, segments = (unchanging.rows(name, feature_set=feature_set) for name in ("extractions", "segments"))
    segment_of = {row["extraction_id"]: row["segment_id"] for row in rows}
    found: dict[str, MaskKey] = {}
    for segment in segments:
        file = snapshot.store.segments.local(segment["path"], sha256=segment["sha256"])
        table = pq.read_table(file, columns=["extraction_id", *MaskKey._fields])
        found |= {
            row["extraction_id"]: MaskKey.of(row)
            for row in table.to_pylist()
            if segment_of.get(row["extraction_id"]) == segment["segment_id"]
        }
    return found
