"""Reading features: the rows of a study, at a point in time, from as few bytes as hold them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sqlalchemy import Select, Table, and_, select

from schemas.errors import ContractError
from schemas.keys import MaskKey
from store.segments import KEY_COLUMNS
from store.snapshot import Snapshot
from store.tables import versioned_table

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
        parts = [_segment_rows(unchanging, segment, rows, features) for segment in sorted(set(rows["segment_id"]))]
    if not parts:
        types = [(name, pa.string()) for name in (*MaskKey._fields, "extraction_id")]
        return pa.table({name: pa.array([], kind) for name, kind in [*types, *((f, pa.float64()) for f in features)]})
    return pa.concat_tables(parts)


def _features(snapshot: Snapshot, feature_set: str) -> list[str]:
    table = versioned_table("features")
    query = select(table.c.feature).where(table.c.feature_set == feature_set, snapshot.is_live(table))
    with snapshot.reading() as connection:
        return list(connection.execute(query.order_by(table.c.position)).scalars())


def _located(snapshot: Snapshot, feature_set: str, study: str | None, primary: bool) -> dict[str, list[Any]]:
    """Return the key, extraction and segment of each row, as columns."""
    names = (*MaskKey._fields, "extraction_id", "segment_id")
    with snapshot.reading() as connection:
        if study is None:
            # All of them: two scans joined here take a third of what as many look-ups in the catalogue take.
            masks, extractions = versioned_table("masks"), versioned_table("extractions")
            of_set = _live(snapshot, extractions, *_CONTENT, "extraction_id", "segment_id")
            of_set = of_set.where(extractions.c.feature_set == feature_set)
            known = {(image, mask): where for image, mask, *where in connection.execute(of_set).all()}
            every = connection.execute(_live(snapshot, masks, *_CONTENT, *MaskKey._fields)).all()
            rows = [(*key, *known[image, mask]) for image, mask, *key in every if (image, mask) in known]
        else:
            query = _location_query(snapshot, feature_set, study, primary)
            rows = [tuple(row) for row in connection.execute(query).all()]
    return {name: [row[at] for row in rows] for at, name in enumerate(names)}


def _live(snapshot: Snapshot, table: Table, *columns: str) -> Select[Any]:
    return select(*(table.c[name] for name in columns)).where(snapshot.is_live(table))


def _location_query(snapshot: Snapshot, feature_set: str, study: str, primary: bool) -> Select[Any]:
    own, masks, extractions = (versioned_table(name) for name in ("study_masks", "masks", "extractions"))
    same_key = and_(*(own.c[name] == masks.c[name] for name in MaskKey._fields))
    same_content = and_(*(extractions.c[name] == masks.c[name] for name in _CONTENT))
    query = select(*(masks.c[name] for name in MaskKey._fields), extractions.c.extraction_id, extractions.c.segment_id)
    found = (
        query.select_from(own)
        .join(masks, same_key)
        .join(extractions, same_content)
        .where(own.c.study == study, extractions.c.feature_set == feature_set)
        .where(*(snapshot.is_live(table) for table in (own, masks, extractions)))
    )
    return found.where(own.c.is_primary == 1) if primary else found


def _exam_days(snapshot: Snapshot) -> dict[tuple[str, str], int]:
    """Return the day of each dated exam, as an ordinal, by patient and exam."""
    query = _live(snapshot, versioned_table("exams"), "patient", "exam", "acquired_on")
    with snapshot.reading() as connection:
        rows = connection.execute(query).all()
    ordinals = {day: date.fromisoformat(day).toordinal() for _, _, day in rows if day is not None}
    return {(patient, exam): ordinals[day] for patient, exam, day in rows if day is not None}


def _last_exams(
    rows: Mapping[str, list[Any]],
    exam_days: Mapping[tuple[str, str], int],
    at: Mapping[str, str],
    window_days: tuple[int | None, int],
) -> dict[str, list[Any]]:
    """Return the rows of each patient's last exam within the window of the reference date."""
    reference = {patient: date.fromisoformat(day).toordinal() for patient, day in at.items()}
    first, last = window_days
    best: dict[tuple[Any, ...], tuple[int, int]] = {}
    series = (rows[name] for name in ("patient", "phase", "lesion", "reader", "reading"))
    for position, (exam, *of_series) in enumerate(zip(rows["exam"], *series, strict=True)):
        day, acquired = reference.get(of_series[0]), exam_days.get((of_series[0], exam))
        if day is None or acquired is None:
            continue
        after = acquired - day
        if after > last or (first is not None and after < first):
            continue
        name = tuple(of_series)
        if name not in best or acquired > best[name][0]:
            best[name] = (acquired, position)
    chosen = sorted(position for _, position in best.values())
    return {name: [values[position] for position in chosen] for name, values in rows.items()}


def _segment_rows(
    snapshot: Snapshot, segment_id: str, rows: Mapping[str, list[Any]], features: Sequence[str]
) -> pa.Table:
    """Return the rows that lie in one segment, under the keys that the catalogue gives them."""
    here = [position for position, each in enumerate(rows["segment_id"]) if each == segment_id]
    table = versioned_table("segments")
    query = select(table.c.path, table.c.sha256).where(table.c.segment_id == segment_id, snapshot.is_live(table))
    with snapshot.reading() as connection:
        path, sha256 = connection.execute(query).one()
    file = pq.ParquetFile(snapshot.store.segments.local(path, sha256=sha256), memory_map=True)
    wanted = pa.array([rows["extraction_id"][position] for position in here])
    names = ["extraction_id", *features]
    groups = _row_groups(file, wanted, {rows["patient"][position] for position in here})
    content = file.read_row_groups(groups, columns=names)
    at = pc.index_in(wanted, content["extraction_id"].combine_chunks())
    if at.null_count:
        raise ContractError(
            f"a segment lacks {at.null_count} of the rows that the catalogue says it holds",
            where=f"{snapshot.store.segments}/{path}",
            hint="radzoo store verify lists what is damaged",
        )
    # In the file's order: most reads then need no rows moved, a thousand columns each.
    positions = at.to_numpy()
    order = np.argsort(positions, kind="stable")
    here, positions = [here[each] for each in order], positions[order]
    if len(positions) != content.num_rows or not np.array_equal(positions, np.arange(content.num_rows)):
        # Taking from columns in chunks takes seconds for what takes milliseconds in one piece.
        content = content.combine_chunks().take(pa.array(positions))
    keys = {name: pa.array([rows[name][position] for position in here]) for name in MaskKey._fields}
    return pa.table({**keys, **{name: content[name] for name in names}})


def _row_groups(file: pq.ParquetFile, wanted: pa.Array, patients: set[str]) -> list[int]:
    """Return the row groups that hold these extractions, all of them where most rows are wanted."""
    everything = list(range(file.num_row_groups))
    if len(wanted) >= _WHOLE_FILE_FROM * file.metadata.num_rows:
        return everything
    possible = _possible_row_groups(file, patients)
    found = _holding(file, possible, wanted)
    if sum(count for _, count in found) < len(wanted):
        # The same image and mask under another pseudonym: the segment has the row under the first one.
        found = _holding(file, everything, wanted)
    return [group for group, count in found if count]


def _holding(file: pq.ParquetFile, groups: Sequence[int], wanted: pa.Array) -> list[tuple[int, int]]:
    """Return how many of the extractions each row group holds, by its ids alone: a thousandth of its bytes."""
    found = []
    for group in groups:
        ids = file.read_row_group(group, columns=["extraction_id"])["extraction_id"]
        found.append((group, pc.sum(pc.is_in(ids, value_set=wanted)).as_py() or 0))
    return found


def _possible_row_groups(file: pq.ParquetFile, patients: set[str]) -> list[int]:
    """Return the row groups that can hold rows of these patients, by the statistics of the file."""
    everything = list(range(file.num_row_groups))
    ordered, column = sorted(patients), KEY_COLUMNS.index("patient")
    found = []
    for group in everything:
        statistics = file.metadata.row_group(group).column(column).statistics
        if statistics is None or not statistics.has_min_max:
            return everything
        nearest = bisect_left(ordered, statistics.min)
        if nearest < len(ordered) and ordered[nearest] <= statistics.max:
            found.append(group)
    return found
