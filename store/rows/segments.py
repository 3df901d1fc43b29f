"""Segments: immutable Parquet files, one row per extraction, key columns first, then the features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import ContractError
from schemas.keys import MaskKey, sql_name
from store.catalogue.columns import arrow_column, arrow_numbers
from store.files import DataFolder, file_sha256
from store.history.snapshot import Snapshot
from store.rows.staging import ExtractionRecord

__all__ = [
    "EMBEDDING_COLUMNS",
    "KEY_COLUMNS",
    "EmbeddingRecord",
    "KeyedRecord",
    "Segment",
    "key_arrays",
    "store_segment",
    "stored_keys",
    "write_embeddings",
    "write_segment",
]

ROWS_PER_GROUP = 2048
"""About how many rows are read together or skipped together: some 20 MB of a thousand features."""

_GROUP_BYTES = 32 * 2**20
"""What such rows take in memory: of images for networks a few dozen rows do."""

_LEAST_SHARE = 8
"""Of a row group: with smaller ones the columns' heads cost more than skipping saves."""

KEY_COLUMNS = ("extraction_id", *MaskKey._fields, "image_sha256", "mask_sha256")
_KEY_KINDS = dict.fromkeys(KEY_COLUMNS, pa.string()) | {"reading": pa.int64()}

EMBEDDING_COLUMNS = {
    "network": pa.string(),
    "weights_sha256": pa.string(),
    "split_sha256": pa.string(),
    "fold": pa.int64(),
    "in_training": pa.bool_(),
}
"""What a row of an embedding set tells besides its numbers: whether a model may learn from it."""


@dataclass(frozen=True)
class Segment:
    """A Parquet file in the store, named by the hash of its bytes."""

    segment_id: str
    feature_set: str
    path: str
    sha256: str
    rows: int
    bytes: int


def write_segment(
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
    arrays = key_arrays(ordered)
    for group in sorted({name for r in ordered for name in r.details}):
        arrays[group] = _numbers_together([r.details.get(group, {}) for r in ordered])
    rows = ([record.values[column] for column in columns] for record in ordered)
    arrays |= zip(columns, arrow_numbers(rows, len(ordered), len(columns)), strict=True)
    return store_segment(folder, feature_set, pa.table(arrays))


@dataclass(frozen=True)
class EmbeddingRecord:
    """One image's embedding, and what the network that made it had seen.

    An embedding of a network that was trained on labels carries the labels of its training patients:
    ``split_sha256`` and ``fold`` name who they were, ``in_training`` whether this patient was one. They
    are None for a network trained on no patient of the store. ``context_sha256`` is what went in beside image,
    mask and definition: the weights, so that each fold's network has rows of its own.
    """

    extraction_id: str
    key: MaskKey
    image_sha256: str
    mask_sha256: str
    embedding: Sequence[float]
    network: str
    weights_sha256: str
    split_sha256: str | None = None
    fold: int | None = None
    in_training: bool | None = None
    context_sha256: str | None = None


def write_embeddings(folder: DataFolder, feature_set: str, size: int, records: Sequence[EmbeddingRecord]) -> Segment:
    """Write embeddings as one segment, each a list of ``size`` 32-bit floats, and return it.

    Parameters
    ----------
    folder : DataFolder
        The store's segments.
    feature_set : str
        ``name@version`` of a set of kind ``embedding``.
    size : int
        How many numbers each embedding of the set has.
    records : sequence of EmbeddingRecord
        In any order.

    Raises
    ------
    ContractError
        When an embedding has another size.
    """
    ordered = sorted(records, key=lambda record: (record.key, record.extraction_id))
    if wrong := [record for record in ordered if len(record.embedding) != size]:
        raise ContractError(
            f"an embedding of {feature_set} has {len(wrong[0].embedding)} numbers, not {size}", where=str(wrong[0].key)
        )
    numbers = np.array([record.embedding for record in ordered], dtype=np.float32).reshape(-1)
    return store_segment(
        folder,
        feature_set,
        pa.table(
            {
                **key_arrays(ordered),
                **{
                    name: pa.array([getattr(r, name) for r in ordered], type=kind)
                    for name, kind in EMBEDDING_COLUMNS.items()
                },
                "embedding": pa.FixedSizeListArray.from_arrays(pa.array(numbers), size),
            }
        ),
    )


class KeyedRecord(Protocol):
    """What every row of a segment has, whatever its feature set's kind."""

    @property
    def extraction_id(self) -> str:
        """Return its identity."""

    @property
    def key(self) -> MaskKey:
        """Return the mask that it was computed on."""

    @property
    def image_sha256(self) -> str:
        """Return the hash of the image."""

    @property
    def mask_sha256(self) -> str:
        """Return the hash of the mask."""


def key_arrays(ordered: Sequence[KeyedRecord]) -> dict[str, pa.Array]:
    """Return the key columns of records, in their order."""
    columns = {name: [getattr(r, name) for r in ordered] for name in ("extraction_id", "image_sha256", "mask_sha256")}
    columns |= {name: [getattr(r.key, name) for r in ordered] for name in MaskKey._fields}
    return {name: arrow_column(columns[name], kind) for name, kind in _KEY_KINDS.items()}


def _numbers_together(groups: Sequence[Mapping[str, float]]) -> pa.Array:
    """Return named numbers as one column of structures."""
    names = dict.fromkeys(name for group in groups for name in group)
    columns = {name: [group.get(name) for group in groups] for name in names}
    arrays = {name: arrow_column(values, _kind_of(values)) for name, values in columns.items()}
    kind = pa.struct([(name, array.type) for name, array in arrays.items()])
    return pa.Array.from_buffers(kind, len(groups), [None], children=list(arrays.values()))


def _kind_of(values: Sequence[float | None]) -> pa.DataType:
    present = [value for value in values if value is not None]
    return pa.int64() if present and all(isinstance(value, int) for value in present) else pa.float64()


def store_segment(
    folder: DataFolder, feature_set: str, rows: pa.Table, *, read_together: Sequence[int] | None = None
) -> Segment:
    """Write a table, key columns first, as one segment and return it.

    The file appears under its final name only when it is whole and on disk; until a commit names it,
    no reader knows of it.

    Parameters
    ----------
    folder : DataFolder
        The store's segments.
    feature_set : str
        ``name@version``.
    rows : pyarrow.Table
        The rows.
    read_together : sequence of int, optional
        How many of the rows one reader wants, then how many the next: row groups end where these do, unless
        that were groups of few rows. One reader wants all of them where absent.
    """
    written = folder.scratch()
    # Sets of one definition under two names have equal rows: their segments must not have one name.
    rows = rows.replace_schema_metadata({"feature_set": feature_set})
    row_bytes = max(1, rows.nbytes // max(1, rows.num_rows))
    group = min(ROWS_PER_GROUP, max(1, _GROUP_BYTES // row_bytes))
    start = 0
    with pq.ParquetWriter(written, rows.schema, compression="zstd") as writer:
        for size in _group_sizes(read_together or [rows.num_rows], group):
            writer.write_table(rows.slice(start, size), row_group_size=size)
            start += size
    digest = file_sha256(written)
    path = f"{sql_name(feature_set)}/{digest[:20]}.parquet"
    size = written.stat().st_size
    folder.adopt(written, path)
    return Segment(
        segment_id=digest[:20], feature_set=feature_set, path=path, sha256=digest, rows=rows.num_rows, bytes=size
    )


def _group_sizes(read_together: Sequence[int], group: int) -> Iterator[int]:
    """Yield the sizes of row groups: a reader's rows in even parts, behind those of readers of few."""
    waiting = 0
    for rows in read_together:
        waiting += rows
        if waiting * _LEAST_SHARE >= group:
            parts = max(1, round(waiting / group))
            yield from (waiting * (at + 1) // parts - waiting * at // parts for at in range(parts))
            waiting = 0
    if waiting:
        yield waiting


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
