"""Views of feature values: one wide view per feature set, all values in one long view, and embeddings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from schemas.plain_keys import RESERVED_VIEWS, MaskKey, sql_name
from store.analyst.view_parts import (
    SEGMENT_FILE,
    SegmentRows,
    View,
    live_extractions,
    quoted_name,
    quoted_text,
    segment_file_column,
)
from store.history.snapshot import Snapshot
from store.kinds.every import RADIOMICS
from store.kinds.kind import WideKind

__all__ = ["embeddings_view", "long_views", "wide_view_names", "wide_views"]

_IS_PRIMARY = "whether a study's models read this row (study_masks says which study's)"
_KEY_NAMES = ", ".join(MaskKey._fields)

WideSet = tuple[Mapping[str, Any], WideKind]
"""A feature set that has a column for each feature, and its kind."""

_KEY_COMMENTS = {
    "patient": "pseudonym",
    "exam": "name of the visit",
    "phase": "named image of the exam",
    "lesion": "lesion within the patient",
    "reader": "who drew the mask",
    "reading": "which time this reader drew it",
}

_EMBEDDING_COMMENTS = _KEY_COMMENTS | {
    "extraction_id": RADIOMICS.comments["extraction_id"],
    "feature_set": "name@version",
    "embedding": "the network's output, 32-bit floats",
    "network": "architecture of the network",
    "weights_sha256": "hash of its weights",
    "split_sha256": "split it was trained on; null where it saw no patient of the store",
    "fold": "fold it was trained for",
    "in_training": "whether it was trained on this patient: then the embedding carries the label",
}


def wide_views(
    snapshot: Snapshot, wide: Sequence[WideSet], rows_of: SegmentRows, names: Set[str] | None
) -> Iterator[View]:
    """Yield the views of feature sets: each version, the newest one without version, and of that the primary rows.

    Parameters
    ----------
    snapshot : Snapshot
        The store, held in one state.
    wide : sequence of (mapping, WideKind)
        The feature sets with values in columns.
    rows_of : callable
        What has the rows of a set's segments.
    names : set of str, optional
        Of sets that have none of these views nothing is read; all are given where None.
    """
    for (row, kind), (_, *newest) in zip(wide, wide_view_names(wide), strict=True):
        if names is not None and names.isdisjoint((sql_name(row["feature_set"]), *newest)):
            continue
        described = snapshot.rows("features", feature_set=row["feature_set"])
        features = [each["feature"] for each in described]
        comments = _KEY_COMMENTS | kind.comments | {each["feature"]: _feature_comment(each) for each in described}
        yield _wide_view(snapshot, row, kind, features, comments, rows_of)
        if newest:
            newest_one = _newest_view(row, kind, features, comments)
            yield newest_one
            if len(newest) > 1:
                yield _primary_view(row, newest_one, has_column=newest_one.columns.keys() != comments.keys())


def wide_view_names(wide: Sequence[WideSet]) -> list[tuple[str, ...]]:
    """Return for each feature set the names of its views: with version, without, and of the primary rows."""
    newest = {row["name"]: row for row, _ in sorted(wide, key=lambda each: int(each[0]["version"]))}
    # A set of an older release may have a name that a view of the store's has now: its versions keep theirs.
    taken = {sql_name(name) for name in newest} | RESERVED_VIEWS
    found: list[tuple[str, ...]] = []
    for row, _ in wide:
        name = sql_name(row["name"])
        is_shown = newest[row["name"]] is row and name not in RESERVED_VIEWS
        others = () if not is_shown else (name,) if f"{name}_primary" in taken else (name, f"{name}_primary")
        found.append((sql_name(row["feature_set"]), *others))
    return found


def _feature_comment(row: Mapping[str, Any]) -> str:
    if not row["definition"]:
        return "imported; its unit and definition are not known here"
    ibsi = f", IBSI {row['ibsi_id']}" if row["ibsi_id"] else ", not in IBSI"
    deviation = f" ({row['deviation']})" if row["deviation"] and row["ibsi_id"] else ""
    return f"[{row['unit']}]{ibsi}: {row['definition']}{deviation}"


def _wide_view(
    snapshot: Snapshot,
    row: Mapping[str, Any],
    kind: WideKind,
    features: Sequence[str],
    comments: Mapping[str, str],
    rows_of: SegmentRows,
) -> View:
    feature_set = row["feature_set"]
    file_column = segment_file_column(features)
    rows = rows_of(feature_set, file_column)
    names = [quoted_name(each) for each in features]
    keys = _keys_of(kind.keys_from)
    if rows:
        columns = ", ".join(f"s.{name}" for name in ("extraction_id", *kind.details, *names))
        joins = (kind.mask_join, live_extractions(snapshot, feature_set, file_column), kind.of_mask)
        query = f"select {keys}, {columns} from {rows} s {' '.join(filter(None, joins))}"
    else:
        keys = _keys_of("m")
        types = {"extraction_id": "varchar", "grey_levels": "integer"}
        columns = ", ".join(
            f"null::{types.get(name, 'double')} as {name}" for name in ("extraction_id", *kind.details, *names)
        )
        query = f"select {keys}, {columns} from catalogue.masks m where false"
    about = f"{feature_set}: {row['description']}"
    read = ((feature_set, file_column),) if rows else ()
    return View(sql_name(feature_set), query, about, comments, segments=read)


def _keys_of(relation: str) -> str:
    """Return the key's columns, as those of a relation in a query."""
    return ", ".join(f"{relation}.{name}" for name in MaskKey._fields)


def _primary_masks() -> str:
    """Return the query of the masks that are primary in a study, by their keys."""
    return f"select distinct {_KEY_NAMES}, true as is_primary from catalogue.study_masks where is_primary = 1"


def _newest_view(row: Mapping[str, Any], kind: WideKind, features: Sequence[str], comments: Mapping[str, str]) -> View:
    """Return a feature set's view without version: its newest one, with ``is_primary`` behind the keys.

    The view with a version stays as it is, for the SQL of pinned datasets names all columns of that but a few. A
    feature that is itself called ``is_primary`` keeps the name: then there is no column more.

    Parameters
    ----------
    row : mapping
        The feature set.
    kind : WideKind
        Its kind.
    features : sequence of str
        Its features.
    comments : mapping of str to str
        What each column of the view with a version means.
    """
    source = sql_name(row["feature_set"])
    versioned = quoted_name(source)
    told = not any(name.lower() == "is_primary" for name in features)
    if not told:
        query = f"from {versioned}"
    else:
        is_primary, join = kind.with_primary("w", _primary_masks())
        keys = _keys_of("w")
        others = f"w.* exclude ({_KEY_NAMES}) from {versioned} w{join and ' ' + join}"
        query = f"select {keys}, {is_primary} as is_primary, {others}"
    columns = ({"is_primary": _IS_PRIMARY} if told else {}) | dict(comments)
    about = f"{row['feature_set']}: newest version: {row['description']}"
    return View(sql_name(row["name"]), query, about, columns, views=(source,))


def _primary_view(row: Mapping[str, Any], newest: View, *, has_column: bool) -> View:
    """Return ``NAME_primary``, the rows of a feature set's newest version that models read.

    Where the set has a feature called ``is_primary``, all rows are read: only imported sets have names of a user's own.

    Parameters
    ----------
    row : mapping
        The feature set.
    newest : View
        Its view without version.
    has_column : bool
        That view tells in ``is_primary`` which rows models read.
    """
    chosen = "select * exclude (is_primary)" if has_column else "select *"
    where = " where is_primary" if has_column else ""
    query = f"{chosen} from {quoted_name(newest.name)}{where}"
    kept = {column: text for column, text in newest.columns.items() if column != "is_primary" or not has_column}
    about = f"{row['feature_set']}: newest version, the rows that models read"
    return View(f"{newest.name}_primary", query, about, kept, views=(newest.name,))


def long_views(wide: Sequence[WideSet]) -> Iterator[View]:
    """Yield the views of all values, one row each: upon the wide view of each version."""
    of_mask = _keys_of("l")
    parts = []
    for row, kind in wide:
        others = ", ".join(("extraction_id", *kind.details))
        is_primary, join = kind.with_primary("l", _primary_masks())
        parts.append(
            f"select {quoted_text(row['feature_set'])} as feature_set, {of_mask}, {is_primary} as is_primary, "
            f'l.feature, l.value from (from "{sql_name(row["feature_set"])}" '
            f"unpivot include nulls (value for feature in (columns(* exclude ({_KEY_NAMES}, {others}))))) l"
            f"{join and ' ' + join}"
        )
    empty = (
        "select null::varchar as feature_set, patient, exam, phase, lesion, reader, reading, "
        "null::boolean as is_primary, null::varchar as feature, null::double as value from catalogue.masks where false"
    )
    columns = {"feature_set": "name@version"} | _KEY_COMMENTS
    columns |= {"feature": "column of the feature set", "value": "NULL where it could not be computed"}
    yield View(
        "radiomics_long",
        " union all ".join(parts) or empty,
        "every radiomics value, one row each; for people, not for models",
        columns | {"is_primary": _IS_PRIMARY},
        views=tuple(sql_name(row["feature_set"]) for row, _ in wide),
    )
    yield View(
        "radiomics_primary",
        "select * exclude (is_primary) from radiomics_long where is_primary",
        "the radiomics values of the masks that models read, one row each; for people, not for models",
        columns,
        views=("radiomics_long",),
    )


def embeddings_view(snapshot: Snapshot, sets: Sequence[str], rows_of: SegmentRows) -> View:
    """Return the view of all embedding sets' rows."""
    # Loading it takes longer than most questions, which ask for no embedding.
    from store.rows.segments import EMBEDDING_COLUMNS

    parts, read = [], []
    for feature_set in sets:
        rows = rows_of(feature_set, SEGMENT_FILE)
        if rows:
            read.append((feature_set, SEGMENT_FILE))
            keys = _keys_of("m")
            told = ", ".join(f"s.{name}" for name in ("extraction_id", *EMBEDDING_COLUMNS))
            parts.append(
                # Sets of different sizes stand below one another: the size is no part of the column's type.
                f"select {quoted_text(feature_set)} as feature_set, {keys}, {told}, s.embedding::float[] as embedding "
                f"from {rows} s "
                "join catalogue.masks m on s.image_sha256 = m.image_sha256 and s.mask_sha256 = m.mask_sha256 "
                f"{live_extractions(snapshot, feature_set)}"
            )
    others = {"fold": "bigint", "in_training": "boolean"}
    nothing = ", ".join(
        f"null::{others.get(name, 'varchar')} as {name}" for name in ("extraction_id", *EMBEDDING_COLUMNS)
    )
    empty = (
        f"select null::varchar as feature_set, {_KEY_NAMES}, {nothing}, null::float[] as embedding "
        "from catalogue.masks where false"
    )
    query = " union all ".join(parts) or empty
    about = "one row per embedding of a mask"
    return View("embeddings", query, about, _EMBEDDING_COMMENTS, segments=tuple(read))
