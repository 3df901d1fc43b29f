"""Views of regions: how each was registered and cropped, and, asked for by name, its array."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from schemas.keys import MaskKey, sql_name
from store.analyst.view_parts import commented, live_extractions, quoted_text, segment_rows
from store.history.snapshot import Snapshot
from store.rows.regions import REGION_COLUMNS

__all__ = ["define_region_views"]

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


def define_region_views(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, *, documented: bool) -> None:
    """Create the views ``regions`` and ``region_arrays`` and, for each set of regions, one of its own.

    Only `region_arrays` has the arrays: a quarter of a million numbers a row are no answer to ``select *``.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Where to create them.
    snapshot : Snapshot
        The store, held in one state.
    documented : bool
        Put comments on views and columns.
    """
    sets = snapshot.rows("feature_sets", kind="regions")
    newest = {row["name"]: row for row in sorted(sets, key=lambda row: int(row["version"]))}
    told = [(sql_name(row["feature_set"]), row, "") for row in sets]
    told += [(sql_name(name), row, "newest version: ") for name, row in newest.items()]
    for view, row, prefix in told:
        connection.execute(f'create view "{view}" as {_described(snapshot, row["feature_set"])}')
        if documented:
            columns = {name: text for name, text in _column_comments().items() if name != "feature_set"}
            commented(connection, view, f"{row['feature_set']}: {prefix}{row['description']}", columns)
    names = [row["feature_set"] for row in sets]
    parts = [f'select {quoted_text(name)} as feature_set, * from "{sql_name(name)}"' for name in names]
    nothing = ["null::varchar as feature_set", _nothing()]
    connection.execute(f"create view regions as {' union all '.join(parts) or _empty(nothing)}")
    arrays = [part for name in names if (part := _arrays(snapshot, name))]
    none = [
        "null::varchar as feature_set",
        "null::varchar as extraction_id",
        "null::float[] as region",
        "null::boolean[] as mask",
    ]
    connection.execute(f"create view region_arrays as {' union all '.join(arrays) or _empty(none)}")
    if documented:
        commented(
            connection,
            "regions",
            "how each region for networks was registered and cropped, those in use by a study; "
            "its array is in region_arrays",
            _column_comments(),
        )
        commented(
            connection,
            "region_arrays",
            "the arrays of regions: long lists, ask for few",
            {
                "feature_set": _COMMENTS["feature_set"],
                "extraction_id": _COMMENTS["extraction_id"],
                "region": "intensities, slice by slice, row by row; the definition has the shape",
                "mask": "whether each of them lies in the lesion",
            },
        )


def _column_comments() -> dict[str, str]:
    return _COMMENTS | {name: text for name, (_, text) in REGION_COLUMNS.items()}


def _described(snapshot: Snapshot, feature_set: str) -> str:
    rows = segment_rows(snapshot, feature_set)
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


def _arrays(snapshot: Snapshot, feature_set: str) -> str:
    rows = segment_rows(snapshot, feature_set)
    return rows and (
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
