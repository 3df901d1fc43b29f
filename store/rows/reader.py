"""Reading features: the rows of a study, at a point in time, from as few bytes as hold them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import Select, Table, and_, select

from schemas.errors import ContractError
from schemas.keys import MaskKey, phase_context
from store.catalogue.columns import arrow_column, arrow_columns, arrow_positions
from store.catalogue.tables import versioned_table
from store.history.questions import columns_of
from store.history.snapshot import Snapshot
from store.rows.segments import KEY_COLUMNS

if TYPE_CHECKING:
    import polars as pl

__all__ = ["feature_table"]

_CONTENT = ("image_sha256", "mask_sha256")
_WHOLE_FILE_FROM = 0.5  # share of a segment's rows from which skipping row groups saves nothing


def feature_table(
    snapshot: Snapshot,
    feature_set: str,
    *,
    study: str | None = None,
    primary: bool = False,
    at: Mapping[str, str] | None = None,
    window_days: tuple[int | None, int] = (None, 0),
    columns: Sequence[str] | None = None,
) -> pa.Table:
    """Return a feature set's rows: the mask's key, the extraction's id, then the features.

    Parameters
    ----------
    snapshot : Snapshot
        The store as of a commit.
    feature_set : str
        ``name@version``, computed from images and masks.
    study : str, optional
        Only masks that this study uses.
    primary : bool
        Of the study's masks only the primary reading's, which models read.
    at : mapping of str to str, optional
        Patient -> reference date (ISO 8601). Then only these patients, and of each patient's exams the
        last one acquired within the window of the date; an exam without a date is never taken.
    window_days : (int or None, int)
        First and last day of the window relative to the reference date, both included; None stands for
        no limit in the past. The default is the last exam up to the date.
    columns : sequence of str, optional
        Only these features; all of them where absent.

    Returns
    -------
    pyarrow.Table
        In no promised order. Values are those of the segments, bit for bit.

    Raises
    ------
    ContractError
        When a segment lacks a row that the catalogue says it holds.
    """
    # Where rows lie may change between two reads, when somebody compacts.
    with snapshot.one_state() as unchanging:
        rows = _located(unchanging, feature_set, study, primary)
        if at is not None:
            rows = _last_exams(rows, _exam_days(snapshot), at, window_days)
        features = _features(unchanging, feature_set) if columns is None else list(columns)
        segments = sorted(pc.unique(rows["segment_id"]).to_pylist())
        parts = [_segment_rows(unchanging, segment, rows, features) for segment in segments]
    if not parts:
        kinds = dict.fromkeys((*MaskKey._fields, "extraction_id"), pa.string())
        return arrow_columns(kinds | dict.fromkeys(features, pa.float64()), ())
    return pa.concat_tables(parts)


def _features(snapshot: Snapshot, feature_set: str) -> list[str]:
    table = versioned_table("features")
    query = select(table.c.feature).where(table.c.feature_set == feature_set, snapshot.is_live(table))
    return list(columns_of(snapshot, query.order_by(table.c.position), "features")["feature"].to_pylist())


def _located(snapshot: Snapshot, feature_set: str, study: str | None, primary: bool) -> pa.Table:
    """Return the key, extraction and segment of each row."""
    names = (*MaskKey._fields, "extraction_id", "segment_id", "context_sha256")
    if study is not None:
        query = _location_query(snapshot, feature_set, study, primary)
        return _of_their_phase(columns_of(snapshot, query, "masks", "study_masks", "extractions"))
    # All of them: two scans joined here take a third of what as many look-ups in the catalogue take.
    masks, extractions = versioned_table("masks"), versioned_table("extractions")
    of_set = _live(snapshot, extractions, *_CONTENT, "extraction_id", "segment_id", "context_sha256")
    known = columns_of(snapshot, of_set.where(extractions.c.feature_set == feature_set), "extractions")
    every = columns_of(snapshot, _live(snapshot, masks, *_CONTENT, *MaskKey._fields), "masks")
    return _of_their_phase(every.join(known, keys=list(_CONTENT), join_type="inner").select(names))


def _of_their_phase(rows: pa.Table) -> pa.Table:
    """Return the rows without those that another phase's scale gave the same image and mask, and without contexts."""
    contexts = rows["context_sha256"]
    if contexts.null_count < len(rows):
        own = pa.array([phase_context(phase) for phase in rows["phase"].to_pylist()], type=pa.string())
        rows = rows.filter(pc.or_(pc.is_null(contexts), pc.equal(pc.fill_null(contexts, ""), own)))
    return rows.drop_columns("context_sha256")


def _live(snapshot: Snapshot, table: Table, *columns: str) -> Select[Any]:
    return select(*(table.c[name] for name in columns)).where(snapshot.is_live(table))


def _location_query(snapshot: Snapshot, feature_set: str, study: str, primary: bool) -> Select[Any]:
    own, masks, extractions = (versioned_table(name) for name in ("study_masks", "masks", "extractions"))
    same_key = and_(*(own.c[name] == masks.c[name] for name in MaskKey._fields))
    same_content = and_(*(extractions.c[name] == masks.c[name] for name in _CONTENT))
    located = (extractions.c[name] for name in ("extraction_id", "segment_id", "context_sha256"))
    query = select(*(masks.c[name] for name in MaskKey._fields), *located)
    found = (
        query.select_from(own)
        .join(masks, same_key)
        .join(extractions, same_content)
        .where(own.c.study == study, extractions.c.feature_set == feature_set)
        .where(*(snapshot.is_live(table) for table in (own, masks, extractions)))
    )
    return found.where(own.c.is_primary == 1) if primary else found


def _exam_days(snapshot: Snapshot) -> pl.DataFrame:
    """Return the day of each dated exam."""
    # Loaded where dates are asked for: who reads features alone needs no data frames.
    import polars as pl

    exams = versioned_table("exams")
    query = _live(snapshot, exams, "patient", "exam", "acquired_on").where(exams.c.acquired_on.is_not(None))
    rows = columns_of(snapshot, query, "exams")
    return pl.DataFrame(rows).with_columns(pl.col("acquired_on").str.to_date("%Y-%m-%d"))


def _last_exams(
    rows: pa.Table, exam_days: pl.DataFrame, at: Mapping[str, str], window_days: tuple[int | None, int]
) -> pa.Table:
    """Return the rows of each patient's last exam within the window of the reference date."""
    import polars as pl

    days = [date.fromisoformat(day) for day in at.values()]
    reference = pl.DataFrame({"patient": list(at), "at": days}, schema={"patient": pl.String, "at": pl.Date})
    series = ["patient", "phase", "lesion", "reader", "reading"]
    first, last = window_days
    after = (pl.col("acquired_on") - pl.col("at")).dt.total_days()
    chosen = (
        pl.DataFrame(rows.select([*series, "exam"]))
        .with_row_index("position")
        .join(exam_days, on=["patient", "exam"])
        .join(reference, on="patient")
        .filter(after <= last, pl.lit(value=True) if first is None else after >= first)
        .sort("acquired_on", "position", descending=[True, False])
        .unique(series, keep="first")
    )
    return rows.take(chosen["position"].sort().to_arrow())


def _segment_rows(snapshot: Snapshot, segment_id: str, rows: pa.Table, features: Sequence[str]) -> pa.Table:
    """Return the rows that lie in one segment, under the keys that the catalogue gives them."""
    here = rows.filter(pc.is_in(rows["segment_id"], value_set=arrow_column([segment_id], pa.string())))
    table = versioned_table("segments")
    query = select(table.c.path, table.c.sha256).where(table.c.segment_id == segment_id, snapshot.is_live(table))
    with snapshot.reading("segments") as connection:
        path, sha256 = connection.execute(query).one()
    file = pq.ParquetFile(snapshot.store.segments.local(path, sha256=sha256), memory_map=True)
    wanted = here["extraction_id"].combine_chunks()
    names = ["extraction_id", *features]
    groups = _row_groups(file, wanted, here["patient"])
    content = file.read_row_groups(groups, columns=names)
    at = pc.index_in(wanted, content["extraction_id"].combine_chunks())
    if at.null_count:
        raise ContractError(
            f"a segment lacks {at.null_count} of the rows that the catalogue says it holds",
            where=f"{snapshot.store.segments}/{path}",
            hint="radzoo store verify lists what is damaged",
        )
    # In the file's order: most reads then need no rows moved, a thousand columns each.
    # Arrow's own way to numpy loads pandas.
    positions = np.array(at.to_pylist(), dtype=np.int64)
    order = np.argsort(positions, kind="stable")
    here, positions = here.take(arrow_positions(order)), positions[order]
    if len(positions) != content.num_rows or not np.array_equal(positions, np.arange(content.num_rows)):
        # Taking from columns in chunks takes seconds for what takes milliseconds in one piece.
        content = content.combine_chunks().take(arrow_positions(positions))
    keys = {name: here[name] for name in MaskKey._fields}
    return pa.table({**keys, **{name: content[name] for name in names}})


def _row_groups(file: pq.ParquetFile, wanted: pa.Array, patients: pa.ChunkedArray) -> list[int]:
    """Return the row groups that hold these extractions, all of them where most rows are wanted."""
    everything = list(range(file.num_row_groups))
    if len(wanted) >= _WHOLE_FILE_FROM * file.metadata.num_rows:
        return everything
    found = _holding(file, _possible_row_groups(file, patients), wanted)
    if sum(found.values()) < len(wanted):
        # The same image and mask under another pseudonym: the segment has the row under the first one.
        found = _holding(file, everything, wanted)
    return [group for group, count in found.items() if count]


def _holding(file: pq.ParquetFile, groups: Sequence[int], wanted: pa.Array) -> dict[int, int]:
    """Return how many of the extractions each row group holds, by its ids alone: a thousandth of its bytes."""
    if not groups:
        return {}
    ids = file.read_row_groups(groups, columns=["extraction_id"])["extraction_id"]
    is_wanted = np.array(pc.is_in(ids, value_set=wanted).to_pylist(), dtype=np.bool_)
    ends = np.cumsum([file.metadata.row_group(group).num_rows for group in groups])
    return {group: int(each.sum()) for group, each in zip(groups, np.split(is_wanted, ends[:-1]), strict=True)}


def _possible_row_groups(file: pq.ParquetFile, patients: pa.ChunkedArray) -> list[int]:
    """Return the row groups that can hold rows of these patients, by the statistics of the file."""
    everything = list(range(file.num_row_groups))
    ordered, column = sorted(pc.unique(patients).to_pylist()), KEY_COLUMNS.index("patient")
    found = []
    for group in everything:
        statistics = file.metadata.row_group(group).column(column).statistics
        if statistics is None or not statistics.has_min_max:
            return everything
        nearest = bisect_left(ordered, statistics.min)
        if nearest < len(ordered) and ordered[nearest] <= statistics.max:
            found.append(group)
    return found
