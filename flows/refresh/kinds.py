"""What a kind of feature set needs of a refresh: who computes a batch, and how its rows become segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from flows.extract.batch import Receipt
from flows.extract.planned import PlannedExtraction
from flows.refresh.feature_sets import BoundFeatureSet
from schemas.features.sets import RegionDefinition
from store.commits.commit import Commit
from store.commits.writer import add_segment, lacking
from store.home import Store
from store.rows.regions import RegionRecord, write_regions
from store.rows.segments import write_segment
from store.rows.staging import staged_as, staged_record

__all__ = ["append_staged", "receipts_of"]

_SEGMENT_BYTES = 256 * 2**20  # arrays that one writer holds in memory at a time


def receipts_of(units: Sequence[Sequence[PlannedExtraction]], failures: Sequence[str | None]) -> list[Receipt]:
    """Return a receipt for each extraction of units, with what their unit failed of."""
    return [Receipt(each, failure) for unit, failure in zip(units, failures, strict=True) for each in unit]


def append_staged(
    commit: Commit, store: Store, bound: BoundFeatureSet, staging: Path, extraction_ids: Sequence[str]
) -> dict[str, Mapping[str, str]]:
    """Append staged extractions that the store lacks and return, by id, why values of theirs are missing.

    What another refresh has committed meanwhile is staged no longer.

    Parameters
    ----------
    commit : Commit
        The open commit.
    store : Store
        Where segments go.
    bound : BoundFeatureSet
        The feature set.
    staging : Path
        Where the extractions wait.
    extraction_ids : sequence of str
        Which ones.
    """
    definition = bound.definition
    new = lacking(commit, bound.feature_set, extraction_ids)
    if not isinstance(definition, RegionDefinition):
        records = [staged_record(staging, identity) for identity in new]
        features = partial(write_segment, store.segments, bound.feature_set, definition.columns)
        add_segment(commit, bound.feature_set, records, features)
        return {record.extraction_id: record.unavailable for record in records}

    def segment_of(regions: Sequence[RegionRecord]) -> Any:
        return write_regions(store.segments, bound.feature_set, definition.width, regions)

    at_once = max(1, _SEGMENT_BYTES // (2 * definition.width))
    for start in range(0, len(new), at_once):
        part = new[start : start + at_once]
        add_segment(commit, bound.feature_set, [staged_as(RegionRecord, staging, each) for each in part], segment_of)
    return {}
