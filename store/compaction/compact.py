"""Compaction: a feature set's small segments become few large ones, and every snapshot answers as before.

History is versioned, layout is not. What is true as of a commit stands in the catalogue's rows and is never
changed. Where an extraction's values lie is layout: they never change under their id, so every snapshot, old or
new, may read them from whichever segment holds them now. Compaction rewrites the layout alone. In one
transaction the new segments take the place of the merged ones, valid since the smallest commit of these, and
all rows of ``extractions``, live and ended, point to them. No commit is made, for nothing that a snapshot says
differs; only what tells of the layout does: the segments' names and hashes.

Rows are ordered by the studies that use the extraction, then by the mask's key, and row groups end where the
studies change, so that a study's rows lie together and a reader skips the row groups that hold none of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, groupby
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection, delete, insert, select, update

from schemas.errors import ContractError, StoreBusyError
from schemas.keys import MaskKey, canonical_json
from store.catalogue.connection import read_transaction, write_transaction
from store.catalogue.tables import runs, versioned_table
from store.compaction.merge_plan import TARGET_ROWS, Merge, batches, even_files, homes, planned_merge
from store.files import DataFolder
from store.history.runs import Run
from store.home import Store
from store.rows.segments import KEY_COLUMNS, Segment, store_segment
from store.times import utc_now

__all__ = ["CompactedSet", "compact_feature_set", "retired_files"]

_ATTEMPTS = 3

_segments, _extractions, _links = (versioned_table(name) for name in ("segments", "extractions", "study_extractions"))


@dataclass(frozen=True)
class CompactedSet:
    """A feature set's segments before and after."""

    feature_set: str
    rows: int
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int


class _Place(NamedTuple):
    """A row of a segment, in the order in which it is to be written."""

    studies: tuple[str, ...]
    key: MaskKey
    extraction_id: str
    segment_id: str
    position: int


def compact_feature_set(store: Store, feature_set: str, *, target_rows: int = TARGET_ROWS, run: Run) -> CompactedSet:
    """Merge a feature set's small segments where that saves files, and return what it had and has.

    The files of the merged segments stay, for a reader may have them open; the run's summary keeps their names
    and the time, by which they are removed later (`store.compaction.leftovers`). A process that is killed leaves the
    old layout or the new one, and at worst files that no catalogue names. New segments are written one at a time:
    memory holds one of them.

    Parameters
    ----------
    store : Store
        The store.
    feature_set : str
        ``name@version``.
    target_rows : int
        How many rows a segment shall have, about; those with as many are left alone.
    run : Run
        The recorded run that this is a part of.

    Raises
    ------
    ContractError
        When a segment lacks a row that the catalogue says it holds.
    StoreBusyError
        When others changed the same segments, several times over, while new ones were written.
    """
    for attempt in count(1):
        with read_transaction(store.engine) as connection:
            merge = planned_merge(connection, feature_set, target_rows)
        if not merge.merged:
            return _report(feature_set, merge.every, merge.every)
        written = list(_written(store.segments, feature_set, merge))
        with write_transaction(store.engine) as connection:
            if _still_holds(connection, store.segments, merge, written):
                _point_to(connection, feature_set, merge, written)
                _keep_retired(connection, merge, written, run)
                break
            # They may hold rows that an erasure has just taken out everywhere else.
            _discard(connection, store.segments, written)
        if attempt == _ATTEMPTS:
            raise StoreBusyError(
                f"others keep changing the segments of {feature_set}",
                where=str(store.segments),
                hint="wait for them to finish, then run the command again",
            )
    small = {each["segment_id"] for each in merge.merged}
    after = [each for each in merge.every if each["segment_id"] not in small] + [vars(each) for each, _ in written]
    return _report(feature_set, merge.every, after)


def retired_files(connection: Connection) -> dict[str, str]:
    """Return the segments' files that compaction has replaced, below ``segments/``, with the time when."""
    found: dict[str, str] = {}
    for text in connection.execute(select(runs.c.summary).where(runs.c.flow == "compact")).scalars():
        for path, retired_at in json.loads(text or "{}").get("retired", {}).items():
            found[path] = max(retired_at, found.get(path, ""))
    return found


def _written(folder: DataFolder, feature_set: str, merge: Merge) -> Iterator[tuple[Segment, list[str]]]:
    """Yield the new segments with the extractions that each holds."""
    files = {each["segment_id"]: folder.local(each["path"], sha256=each["sha256"]) for each in merge.merged}
    places: dict[str, _Place] = {}
    for segment_id, file in files.items():
        keys = pq.read_table(file, columns=["extraction_id", *MaskKey._fields]).to_pylist()
        for position, row in enumerate(keys):
            identity = row["extraction_id"]
            if merge.home.get(identity) == segment_id:
                own = merge.studies.get(identity, ())
                places.setdefault(identity, _Place(own, MaskKey.of(row), identity, segment_id, position))
    if missing := merge.home.keys() - places.keys():
        raise ContractError(
            f"the segments of {feature_set} lack {len(missing)} of the rows that the catalogue says they hold",
            where=str(folder),
            hint="radzoo store verify lists what is damaged; nothing was changed",
        )
    ordered = sorted(places.values())
    parts = even_files(len(ordered), merge.target_rows)
    for at in range(parts):
        part = ordered[len(ordered) * at // parts : len(ordered) * (at + 1) // parts]
        together = [len(list(own)) for _, own in groupby(part, key=lambda each: each.studies)]
        segment = store_segment(folder, feature_set, _rows(files, part), read_together=together)
        yield segment, [each.extraction_id for each in part]


def _rows(files: Mapping[str, Any], part: Sequence[_Place]) -> pa.Table:
    wanted: dict[str, list[int]] = {}
    for at, place in enumerate(part):
        wanted.setdefault(place.segment_id, []).append(at)
    tables = [pq.read_table(files[each]).take([part[at].position for at in own]) for each, own in wanted.items()]
    # Segments differ in the groups of details that they have, and in these groups' fields.
    table = pa.concat_tables(tables, promote_options="permissive")
    order = [at for own in wanted.values() for at in own]
    table = table.take(sorted(range(len(order)), key=order.__getitem__))
    groups = sorted(each.name for each in table.schema if pa.types.is_struct(each.type))
    features = [name for name in table.column_names if name not in (*KEY_COLUMNS, *groups)]
    return table.select([*KEY_COLUMNS, *groups, *features])


def _still_holds(
    connection: Connection, folder: DataFolder, merge: Merge, written: Sequence[tuple[Segment, list[str]]]
) -> bool:
    """Return whether the merged segments are those that were read, and nobody removed the new ones' files."""
    ids = [each["segment_id"] for each in merge.merged]
    there = {
        each
        for batch in batches(ids)
        for each in connection.execute(
            select(_segments.c.segment_id).where(_segments.c.segment_id.in_(batch))
        ).scalars()
    }
    return (
        there == set(ids)
        and homes(connection, ids).keys() == merge.home.keys()
        and all(folder.size(segment.path) == segment.bytes for segment, _ in written)
    )


def _point_to(
    connection: Connection, feature_set: str, merge: Merge, written: Sequence[tuple[Segment, list[str]]]
) -> None:
    merged = [each["segment_id"] for each in merge.merged]
    row_ids = select(_segments.c.row_id).where(_segments.c.feature_set == feature_set)
    for batch in batches(merged):
        ended = list(connection.execute(row_ids.where(_segments.c.segment_id.in_(batch))).scalars())
        connection.execute(delete(_segments).where(_segments.c.row_id.in_(ended)))
    since = min(each["added_commit"] for each in merge.merged)
    small = set(merged)
    for segment, identities in written:
        connection.execute(insert(_segments).values(**vars(segment), added_commit=since))
        for batch in batches(identities):
            rows = connection.execute(
                select(_extractions.c.row_id, _extractions.c.segment_id).where(
                    _extractions.c.feature_set == feature_set, _extractions.c.extraction_id.in_(batch)
                )
            ).all()
            for some in batches([row_id for row_id, where in rows if where in small]):
                moved = update(_extractions).where(_extractions.c.row_id.in_(some))
                connection.execute(moved.values(segment_id=segment.segment_id))


def _keep_retired(connection: Connection, merge: Merge, written: Sequence[tuple[Segment, list[str]]], run: Run) -> None:
    # In the transaction: a process killed right after it must not leave files whose time nobody knows.
    now, new = utc_now(), {segment.path for segment, _ in written}
    retired = {each["path"]: now for each in merge.merged if each["path"] not in new}
    run.summary["retired"] = run.summary.get("retired", {}) | retired
    connection.execute(update(runs).where(runs.c.run_id == run.run_id).values(summary=canonical_json(run.summary)))


def _discard(connection: Connection, folder: DataFolder, written: Iterable[tuple[Segment, list[str]]]) -> None:
    named = set(connection.execute(select(_segments.c.path)).scalars())
    for segment, _ in written:
        if segment.path not in named:
            folder.remove(segment.path)


def _report(feature_set: str, before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]) -> CompactedSet:
    return CompactedSet(
        feature_set=feature_set,
        rows=sum(each["rows"] for each in after),
        files_before=len(before),
        files_after=len(after),
        bytes_before=sum(each["bytes"] for each in before),
        bytes_after=sum(each["bytes"] for each in after),
    )
