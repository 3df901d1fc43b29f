"""Views of regions: how each was registered and cropped, and, asked for by name, its array."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from schemas.keys import MaskKey, sql_name
from store.analyst.view_parts import SEGMENT_FILE, SegmentRows, View, live_extractions, quoted_text
from store.history.snapshot import Snapshot
from store.rows.regions import REGION_COLUMNS

__all__ = ["region_views"]

_COMMENTS = {
    "feature_set": "name@version",
    "patient": "pseudonym",
    "exam": "name of the visit",
    "phase": "named image of the exam",
    "lesion": "lesion within the patient",
    "reader": "who drew the mask",
    "reading": "which time this reader drew it",
    "extraction_id": "sha256(image content + mask content + definition + context)",
}
_TYPES = {pa.string(): "varchar", pa.int64(): "bigint", pa.float64(): "double"}


def region_views(snapshot: Snapshot, sets: Sequence[Mapping[str, Any]], rows_of: SegmentRows) -> Iterator[View]:
    """Yield the views ``regions`` and ``region_arrays`` and, for each set of regions, one of its own.

    Only ``region_arrays`` has the arrays: a quarter of a million numbers a row are no answer to ``select *``.

    Parameters
    ----------
    snapshot : Snapshot
        The store, held in one state.
    sets : sequence of mapping
        The feature sets that are regions.
    rows_of : callable
        What has the rows of a set's segments.
    """
    newest = {row["name"]: row for row in sorted(sets, key=lambda row: int(row["version"]))}
    told = [(sql_name(row["feature_set"]), row, "") for row in sets]
    told += [(sql_name(name), row, "newest version: ") for name, row in newest.items()]
    own = {name: text for name, text in _column_comments().items() if name != "feature_set"}
    read = {row["feature_set"]: rows_of(row["feature_set"], SEGMENT_FILE) for row in sets}
    files = {name: ((name, SEGMENT_FILE),) if rows else () for name, rows in read.items()}
    for view, row, prefix in told:
        name = row["feature_set"]
        about = f"{name}: {prefix}{row['description']}"
        yield View(view, _described(snapshot, name, read[name]), about, own, segments=files[name])
    parts = [f'select {quoted_text(name)} as feature_set, * from "{sql_name(name)}"' for name in read]
    yield View(
        "regions",
        " union all ".join(parts) or _empty(["null::varchar as feature_set", _nothing()]),
        "how each region for networks was registered and cropped, those in use by a study; "
        "its array is in region_arrays",
        _column_comments(),
        views=tuple(map(sql_name, read)),
    )
    arrays = [_arrays(snapshot, name, rows) for name, rows in read.items() if rows]
    none = [
        "null::varchar as feature_set",
        "null::varchar as extraction_id",
        "null::float[] as region",
        "null::boolean[] as mask",
    ]
    yield View(
        "region_arrays",
        " union all ".join(arrays) or _empty(none),
        "the arrays of regions: long lists, ask for few",
        {
            "feature_set": _COMMENTS["feature_set"],
            "extraction_id": _COMMENTS["extraction_id"],
            "region": "intensities, slice by slice, row by row; the definition has the shape",
            "mask": "whether each of them lies in the lesion",
        },
        segments=tuple(each for of_set in files.values() for each in of_set),
    )


def _column_comments() -> dict[str, str]:
    return _COMMENTS | {name: text for name, (_, text) in REGION_COLUMNS.items()}


def _described(snapshot: Snapshot, feature_set: str, rows: str) -> str:
    if not rows:
        return _empty([_nothing()])
    keys = ", ".join(f"m.{name}" for name in MaskKey._fields)
    told = ", ".join(f"s.{name}" for name in ("extraction_id", *REGION_COLUMNS))
    # A region of which another phase has changed since is an extraction of the same image and mask still.
    return (
        f"select {keys}, {told} from {rows} s "
        "join catalogue.masks m on s.image_sha256 = m.image_sha256 and s.mask_sha256 = m.mask_sha256 "
        f"{live_extractions(snapshot, feature_set)} where exists (from catalogue.study_extractions x "
        f"where x.feature_set = {quoted_text(feature_set)} and x.extraction_id = s.extraction_id)"
    )


def _arrays(snapshot: Snapshot, feature_set: str, rows: str) -> str:
    return (
        f"select {quoted_text(feature_set)} as feature_set, s.extraction_id, s.region::float[] as region, "
        "s.mask::boolean[] as mask "
        f"from {rows} s "
        f"{live_extractions(snapshot, feature_set)}"
    )


def _nothing() -> str:
    types = {"reading": "bigint"} | {name: _TYPES[kind] for name, (kind, _) in REGION_COLUMNS.items()}
    names = (*MaskKey._fields, "extraction_id", *REGION_COLUMNS)
    return ", ".join(f"null::{types.get(name, 'varchar')} as {name}" for name in names)


def _empty(columns: list[str]) -> str:
    return f"select {', '.join(columns)} where false"
