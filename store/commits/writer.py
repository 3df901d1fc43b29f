"""Writing finished extractions: a segment of those that the store lacks, named by the commit that adds them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from store.commits.commit import Commit
from store.home import Store
from store.rows.segments import KeyedRecord, Segment, write_segment
from store.rows.staging import ExtractionRecord

__all__ = ["add_segment", "append_features", "append_records", "lacking"]

AnyRecord = TypeVar("AnyRecord", bound=KeyedRecord)


def lacking(commit: Commit, feature_set: str, extraction_ids: Iterable[str]) -> list[str]:
    """Return those of the extractions that the store lacks, each once, in the order given.

    Looked up under the writer's lock, by key: another writer may have committed the same rows meanwhile,
    and what it costs does not grow with the store.
    """
    asked = dict.fromkeys(extraction_ids)
    keys = [{"feature_set": feature_set, "extraction_id": identity} for identity in asked]
    there = {row["extraction_id"] for row in commit.live("extractions", keys)}
    return [identity for identity in asked if identity not in there]


def append_features(
    commit: Commit, store: Store, feature_set: str, columns: Sequence[str], records: Iterable[ExtractionRecord]
) -> Segment | None:
    """Write the rows of features that the store lacks and return their segment, None where it has them all.

    Parameters
    ----------
    commit : Commit
        The open commit.
    store : Store
        Where the segment goes.
    feature_set : str
        ``name@version``.
    columns : sequence of str
        The feature set's columns, in order.
    records : iterable of ExtractionRecord
        Finished extractions.
    """
    return append_records(
        commit, feature_set, records, lambda new: write_segment(store.segments, feature_set, columns, new)
    )


def append_records(
    commit: Commit,
    feature_set: str,
    records: Iterable[AnyRecord],
    written: Callable[[Sequence[AnyRecord]], Segment],
) -> Segment | None:
    """Write the records whose extraction the store lacks and return their segment, None where it has them all.

    Parameters
    ----------
    commit : Commit
        The open commit.
    feature_set : str
        ``name@version``.
    records : iterable of records
        Finished extractions of one kind; ``context_sha256`` of those that have one is kept.
    written : callable
        Writes some of them as one segment and returns it.
    """
    by_id = {record.extraction_id: record for record in records}
    return add_segment(commit, feature_set, [by_id[each] for each in lacking(commit, feature_set, by_id)], written)


def add_segment(
    commit: Commit,
    feature_set: str,
    records: Sequence[AnyRecord],
    written: Callable[[Sequence[AnyRecord]], Segment],
) -> Segment | None:
    """Write records that the store lacks as one segment and return it, None where there are none."""
    if not records:
        return None
    segment = written(records)
    commit.put("segments", [vars(segment)])
    commit.put(
        "extractions",
        [
            {
                "feature_set": feature_set,
                "extraction_id": record.extraction_id,
                "image_sha256": record.image_sha256,
                "mask_sha256": record.mask_sha256,
                "context_sha256": getattr(record, "context_sha256", None),
                "segment_id": segment.segment_id,
            }
            for record in records
        ],
    )
    return segment
