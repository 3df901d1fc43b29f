"""A study's values of a feature set: one row a mask, or a lesion's phases side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from schemas.errors import ContractError, NotFoundError
from schemas.features.names import with_phase
from schemas.features.sets import FeatureSetRef
from schemas.keys import MaskKey, sql_name
from schemas.nearest import nearest_words
from schemas.study.file import Study
from store.analyst.query import answer
from store.analyst.view_parts import quoted_name
from store.catalogue.columns import arrow_column
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.kinds.every import wide_kind
from store.kinds.kind import WideKind
from store.rows.reader import feature_table

__all__ = ["feature_rows"]

_KEYS = MaskKey._fields
_LESION = ("patient", "exam", "lesion")
_READING = (*_LESION, "reader", "reading")


def feature_rows(
    snapshot: Snapshot,
    feature_set: str,
    *,
    study: str | None,
    phases: Sequence[str] | None,
    columns: Sequence[str] | None,
    primary: bool,
    wide: bool,
) -> pa.Table:
    """Return a study's values of a feature set, ordered by their keys, as `store.reading.reader` describes.

    Parameters
    ----------
    snapshot : Snapshot
        The store as of a commit.
    feature_set : str
        ``name`` or ``name@N``.
    study : str or None
        Whose masks; the store's only study where None.
    phases, columns : sequence of str or None
        Only these; all of them where None.
    primary : bool
        Only the masks that models read.
    wide : bool
        One row a lesion instead of one a mask.

    Raises
    ------
    NotFoundError
        When the store has no such study, feature set or column, or no values of a phase.
    UsageError
        When the feature set has no columns of features.
    ContractError
        When two masks would stand in one row.
    """
    own = stored_study(snapshot, study)
    chosen, kind = _known_set(snapshot, feature_set)
    names = _known_columns(snapshot, chosen, columns)
    if kind.is_of_masks:
        rows = feature_table(snapshot, chosen, study=own.id, primary=primary, columns=names)
    else:
        rows = _imported_rows(snapshot, own.id, chosen, names, kind if primary else None)
    there = _known_phases(own, chosen, rows, phases)
    if phases is not None:
        rows = rows.filter(pc.is_in(rows["phase"], value_set=arrow_column(there, pa.string())))
    if wide:
        return _side_by_side(rows, there, names, _LESION if primary else _READING)
    return rows.take(pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in _KEYS]))


def _known_set(snapshot: Snapshot, feature_set: str) -> tuple[str, WideKind]:
    """Return the ``name@N`` that is meant, and its kind."""
    ref = FeatureSetRef.parse(feature_set)
    every = snapshot.rows("feature_sets")
    rows = [row for row in every if row["name"] == ref.name and ref.version in (None, row["version"])]
    if not rows:
        known = [str(row["feature_set"]) for row in every]
        raise NotFoundError(
            f"there is no feature set '{feature_set}'{nearest_words(feature_set, known)}",
            where=str(snapshot.store.root),
            hint="radzoo sql 'from feature_sets'",
        )
    row = max(rows, key=lambda each: int(each["version"]))
    return str(row["feature_set"]), wide_kind(row)


def _known_columns(snapshot: Snapshot, feature_set: str, columns: Sequence[str] | None) -> list[str]:
    known = [str(row["feature"]) for row in snapshot.rows("features", feature_set=feature_set)]
    if columns is None:
        return known
    if unknown := next((name for name in columns if name not in set(known)), None):
        raise NotFoundError(
            f"{feature_set} has no feature '{unknown}'{nearest_words(unknown, known)}",
            where=str(snapshot.store.root),
            hint=f"radzoo features describe {feature_set}",
        )
    return list(dict.fromkeys(columns))


def _known_phases(study: Study, feature_set: str, rows: pa.Table, phases: Sequence[str] | None) -> list[str]:
    """Return the phases that are asked for, in their order; of all of them those that have values."""
    there = set(pc.unique(rows["phase"]).to_pylist())
    ordered = [*(name for name in study.phases if name in there), *sorted(there - set(study.phases))]
    for phase in phases if phases is not None else []:
        if phase not in there:
            has = f"it has values of {', '.join(ordered)}" if ordered else "the study has no values of it"
            raise NotFoundError(
                f"{feature_set} has no values of phase '{phase}'; {has}",
                where=f"study '{study.id}'",
                hint=f"radzoo refresh --study {study.id} computes what is missing",
            )
    if not ordered:
        raise NotFoundError(
            f"the study has no values of {feature_set}",
            where=f"study '{study.id}'",
            hint=f"radzoo refresh --study {study.id} computes what is missing",
        )
    return ordered if phases is None else list(dict.fromkeys(phases))


def _imported_rows(
    snapshot: Snapshot, study: str, feature_set: str, names: Sequence[str], primary: WideKind | None
) -> pa.Table:
    """Return the rows of a study's table: with the kind of set those that models read, without it all of them."""
    columns = ", ".join(f"w.{quoted_name(name)}" for name in (*_KEYS, "extraction_id", *names))
    view = quoted_name(sql_name(feature_set))
    if primary is not None:
        source = primary.primary_rows(view, "$study", "$feature_set")
    else:
        source = f"""select w.* from {view} w join catalogue.study_extractions x using (extraction_id)
        where x.study = $study and x.feature_set = $feature_set"""
    return answer(snapshot, f"select {columns} from ({source}) w", {"study": study, "feature_set": feature_set})


def _side_by_side(rows: pa.Table, phases: Sequence[str], names: Sequence[str], keys: Sequence[str]) -> pa.Table:
    """Return one row for each value of the keys, with the phases' features beside each other."""
    rows = rows.combine_chunks()
    found = list(zip(*(rows[name].to_pylist() for name in keys), strict=True))
    ordered = sorted(set(found))
    position = {key: at for at, key in enumerate(ordered)}
    places: dict[str, list[int | None]] = {phase: [None] * len(ordered) for phase in phases}
    for at, (phase, key) in enumerate(zip(rows["phase"].to_pylist(), found, strict=True)):
        if places[phase][position[key]] is not None:
            where = ", ".join(f"{name} {value}" for name, value in zip(keys, key, strict=True))
            raise ContractError(
                f"two masks of phase '{phase}' would stand in one row",
                where=where,
                hint="leave wide out: then each mask has a row",
            )
        places[phase][position[key]] = at
    columns: dict[str, pa.Array] = {
        name: arrow_column(values, rows.schema.field(name).type)
        for name, values in zip(keys, zip(*ordered, strict=True), strict=True)
    }
    columns |= dict(_phase_columns(rows, places, names))
    return pa.table(columns)


def _phase_columns(
    rows: pa.Table, places: dict[str, list[int | None]], names: Sequence[str]
) -> Iterator[tuple[str, pa.ChunkedArray]]:
    for phase, at in places.items():
        # What a phase lacks is taken from nowhere, and NULL.
        indices = arrow_column(at, pa.int64())
        for name in names:
            yield with_phase(phase, name), rows[name].take(indices)
