"""Segments: immutable Parquet files, one row per extraction, key columns first, then the features."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.keys import MaskKey, sql_name
from store.staging import ExtractionRecord

__all__ = ["KEY_COLUMNS", "Segment", "file_sha256", "written_segment"]

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
    root: Path, feature_set: str, columns: Sequence[str], records: Sequence[ExtractionRecord]
) -> Segment:
    """Write records as one segment below ``root`` and return it.

    The file appears under its final name only when it is whole and on disk; until a commit names it,
    no reader knows of it.
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
    folder = root / sql_name(feature_set)
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"writing-{os.getpid()}.partial"
    pq.write_table(pa.table(arrays), partial, compression="zstd")
    with partial.open("rb") as stream:
        os.fsync(stream.fileno())
    digest = file_sha256(partial)
    file = folder / f"{digest[:20]}.parquet"
    partial.replace(file)
    return Segment(
        segment_id=digest[:20],
        feature_set=feature_set,
        path=str(file.relative_to(root)),
        sha256=digest,
        rows=len(ordered),
        bytes=file.stat().st_size,
    )


def file_sha256(file: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
