"""The SQL side of a snapshot: catalogue tables, documented views, one wide view per feature set."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from schemas.errors import ContractError
from schemas.keys import RESERVED_VIEWS, MaskKey, sql_name
from store.analyst.cohort_views import define_cohort_views
from store.analyst.primary_views import IS_PRIMARY, define_newest_view, define_primary_view, primary_masks
from store.analyst.region_views import define_region_views
from store.analyst.view_parts import (
    commented,
    live_extractions,
    quoted_name,
    quoted_text,
    segment_file_column,
    segment_rows,
)
from store.history.commit_changes import commit_changes
from store.history.kept_snapshot import KEPT_TABLES
from store.history.snapshot import Snapshot
from store.rows.segments import EMBEDDING_COLUMNS

__all__ = [
    "MEASURED",
    "copy_catalogue",
    "define_analyst_views",
    "lay_out_views",
    "quoted_name",
    "quoted_text",
    "view_documentation",
]

_WIDE_COMMENTS = {
    "patient": "pseudonym",
    "exam": "name of the visit",
    "phase": "named image of the exam",
    "lesion": "lesion within the patient",
    "reader": "who drew the mask",
    "reading": "which time this reader drew it",
    "extraction_id": "sha256(image content + mask content + definition)",
    "grey_levels": "number of grey levels inside the mask after discretisation, per image type",
    "zero_fraction": "share of mask voxels that are zero but for rounding, per image type",
}


MEASURED = ("grey_levels", "zero_fraction")
"""The columns of a computed set's wide view that extraction tells besides the features."""

_EMBEDDING_COMMENTS = {name: _WIDE_COMMENTS[name] for name in (*MaskKey._fields, "extraction_id")} | {
    "feature_set": "name@version",
    "embedding": "the network's output, 32-bit floats",
    "network": "architecture of the network",
    "weights_sha256": "hash of its weights",
    "split_sha256": "split it was trained on; null where it saw no patient of the store",
    "fold": "fold it was trained for",
    "in_training": "whether it was trained on this patient: then the embedding carries the label",
}


class ViewDocumentation(NamedTuple):
    """What a view holds, what its columns mean, and its query."""

    name: str
    description: str
    columns: dict[str, str]
    query: str


def view_documentation() -> Iterator[ViewDocumentation]:
    """Yield the fixed views from ``store/analyst/views/*.sql``, in the order of their names."""
    for file in sorted(files("store.analyst").joinpath("views").iterdir(), key=lambda entry: entry.name):
        if not file.name.endswith(".sql"):
            continue
        description, columns, query = [], {}, []
        for line in file.read_text().splitlines():
            if column := re.match(r"-- @(\w+) (.*)", line):
                columns[column[1]] = column[2]
            elif line.startswith("-- "):
                description.append(line[3:])
            else:
                query.append(line)
        yield ViewDocumentation(file.name.removesuffix(".sql"), " ".join(description), columns, "\n".join(query))


def define_analyst_views(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, *, documented: bool = True) -> None:
    """Create all tables and views of a snapshot in a DuckDB connection's current database.

    The catalogue's rows are copied into tables of the schema ``catalogue``; the features stay in their
    Parquet segments, which the wide views read by absolute path.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Where to create them.
    snapshot : Snapshot
        The store as of a commit.
    documented : bool
        Put comments on views and columns: a statement for each of some thousand columns, over a second.
    """
    # A compaction between two reads would leave rows in segments that the views do not name.
    with snapshot.one_state() as unchanging, unchanging.reading(*KEPT_TABLES):
        # One at a time: no table's rows are in memory twice for longer than it takes.
        copy_catalogue(connection, ((table, unchanging.arrow(table)) for table in KEPT_TABLES))
        copy_catalogue(connection, [("commit_changes", commit_changes(unchanging))])
        lay_out_views(connection, unchanging, documented=documented)


def copy_catalogue(connection: duckdb.DuckDBPyConnection, tables: Iterable[tuple[str, pa.Table]]) -> None:
    """Create tables of the schema ``catalogue``.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Where to create them.
    tables : iterable of (str, pyarrow.Table)
        Their names and rows.
    """
    connection.execute("create schema if not exists catalogue")
    for name, rows in tables:
        connection.register("arriving", rows)
        connection.execute(f"create table catalogue.{name} as select * from arriving")
        connection.unregister("arriving")


def lay_out_views(connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, *, documented: bool) -> None:
    """Create the views alone, where the schema ``catalogue`` has its tables.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Where to create them.
    snapshot : Snapshot
        The store, held in one state.
    documented : bool
        Put comments on views and columns.
    """
    views = list(view_documentation())
    for view in views:
        connection.execute(f"create view {view.name} as {view.query}")
        if documented:
            commented(connection, view.name, view.description, view.columns)
    wide = [row for row in snapshot.rows("feature_sets") if row["kind"] in ("radiomics", "imported")]
    _define_wide_views(connection, snapshot, wide, documented=documented)
    _define_long_views(connection, wide, documented=documented)
    embedded = [row["feature_set"] for row in snapshot.rows("feature_sets", kind="embedding")]
    _define_embeddings_view(connection, snapshot, embedded, documented=documented)
    define_region_views(connection, snapshot, documented=documented)
    there = connection.sql("select view_name from duckdb_views() where not internal").fetchall()
    cohort = next(view.columns for view in views if view.name == "cohort")
    define_cohort_views(connection, snapshot, cohort, [name for (name,) in there], documented=documented)


def _define_wide_views(
    connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, wide: Sequence[Mapping[str, Any]], *, documented: bool
) -> None:
    """Create the views of feature sets: each version, the newest one without version, and of that the primary rows."""
    newest = {row["name"]: row for row in sorted(wide, key=lambda row: int(row["version"]))}
    # A set of an older release may have a name that a view of the store's has now: its versions keep theirs.
    named = {sql_name(name) for name in newest}
    for row in wide:
        features = snapshot.rows("features", feature_set=row["feature_set"])
        _define_wide_view(connection, snapshot, row, sql_name(row["feature_set"]), features)
        is_newest = newest[row["name"]] is row and sql_name(row["name"]) not in RESERVED_VIEWS
        comments = _wide_comments(row, features)
        if documented:
            commented(connection, sql_name(row["feature_set"]), f"{row['feature_set']}: {row['description']}", comments)
        if not is_newest:
            continue
        beside = define_newest_view(connection, row, [each["feature"] for each in features])
        comments = dict.fromkeys(beside, IS_PRIMARY) | comments
        if documented:
            about = f"{row['feature_set']}: newest version: {row['description']}"
            commented(connection, sql_name(row["name"]), about, comments)
        if f"{sql_name(row['name'])}_primary" not in named | RESERVED_VIEWS:
            define_primary_view(connection, row, comments if documented else None, has_column=bool(beside))


def _wide_comments(row: Mapping[str, Any], features: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    keys = {key: text for key, text in _WIDE_COMMENTS.items() if row["kind"] != "imported" or key not in MEASURED}
    if row["kind"] == "imported":
        keys["extraction_id"] = "sha256(the row's keys and values + definition)"
    return keys | {each["feature"]: _feature_comment(each) for each in features}


def _feature_comment(row: Mapping[str, Any]) -> str:
    if not row["definition"]:
        return "imported; its unit and definition are not known here"
    ibsi = f", IBSI {row['ibsi_id']}" if row["ibsi_id"] else ", not in IBSI"
    deviation = f" ({row['deviation']})" if row["deviation"] and row["ibsi_id"] else ""
    return f"[{row['unit']}]{ibsi}: {row['definition']}{deviation}"


def _define_wide_view(
    connection: duckdb.DuckDBPyConnection,
    snapshot: Snapshot,
    row: Mapping[str, Any],
    view: str,
    features: Sequence[Mapping[str, Any]],
) -> None:
    feature_set, is_imported = row["feature_set"], row["kind"] == "imported"
    file_column = segment_file_column(each["feature"] for each in features)
    rows = segment_rows(snapshot, feature_set, file_column)
    names = [quoted_name(each["feature"]) for each in features]
    details = () if is_imported else MEASURED
    # An imported row carries its keys; a computed one is a mask's, under each key that the mask has.
    keyed = "s" if is_imported else "m"
    keys = ", ".join(f"{keyed}.{name}" for name in MaskKey._fields)
    if rows:
        columns = ", ".join(f"s.{name}" for name in ("extraction_id", *details, *names))
        masks = (
            ""
            if is_imported
            else "join catalogue.masks m on s.image_sha256 = m.image_sha256 and s.mask_sha256 = m.mask_sha256 "
        )
        query = f"select {keys}, {columns} from {rows} s {masks}{live_extractions(snapshot, feature_set, file_column)}"
    else:
        keys = ", ".join(f"m.{name}" for name in MaskKey._fields)
        types = {"extraction_id": "varchar", "grey_levels": "integer"}
        columns = ", ".join(
            f"null::{types.get(name, 'double')} as {name}" for name in ("extraction_id", *details, *names)
        )
        query = f"select {keys}, {columns} from catalogue.masks m where false"
    try:
        connection.execute(f'create view "{view}" as {query}')
    except (duckdb.IOException, duckdb.InvalidInputException) as error:
        raise ContractError(
            f"a segment of {feature_set} is missing or damaged: {str(error).splitlines()[0]}",
            where=str(snapshot.store.segments),
            hint="put the file back from a backup of the store",
        ) from error


def _define_long_views(
    connection: duckdb.DuckDBPyConnection, wide: Sequence[Mapping[str, Any]], *, documented: bool
) -> None:
    keys = ", ".join(MaskKey._fields)
    of_mask = ", ".join(f"l.{name}" for name in MaskKey._fields)
    parts = []
    for row in wide:
        others = ", ".join(("extraction_id", *(() if row["kind"] == "imported" else MEASURED)))
        told = "true" if row["kind"] == "imported" else "coalesce(p.is_primary, false)"
        joined = "" if row["kind"] == "imported" else f" left join ({primary_masks()}) p using ({keys})"
        parts.append(
            f"select {quoted_text(row['feature_set'])} as feature_set, {of_mask}, {told} as is_primary, "
            f'l.feature, l.value from (from "{sql_name(row["feature_set"])}" '
            f"unpivot include nulls (value for feature in (columns(* exclude ({keys}, {others}))))) l{joined}"
        )
    empty = (
        "select null::varchar as feature_set, patient, exam, phase, lesion, reader, reading, "
        "null::boolean as is_primary, null::varchar as feature, null::double as value from catalogue.masks where false"
    )
    connection.execute(f"create view radiomics_long as {' union all '.join(parts) or empty}")
    connection.execute(
        "create view radiomics_primary as select * exclude (is_primary) from radiomics_long where is_primary"
    )
    if documented:
        names = ("patient", "exam", "phase", "lesion", "reader", "reading")
        columns = {"feature_set": "name@version"} | {name: _WIDE_COMMENTS[name] for name in names}
        columns |= {"feature": "column of the feature set", "value": "NULL where it could not be computed"}
        about = "every radiomics value, one row each; for people, not for models"
        commented(connection, "radiomics_long", about, columns | {"is_primary": IS_PRIMARY})
        about = "the radiomics values of the masks that models read, one row each; for people, not for models"
        commented(connection, "radiomics_primary", about, columns)


def _define_embeddings_view(
    connection: duckdb.DuckDBPyConnection, snapshot: Snapshot, sets: Sequence[str], *, documented: bool
) -> None:
    parts = []
    for feature_set in sets:
        rows = segment_rows(snapshot, feature_set)
        if rows:
            keys = ", ".join(f"m.{name}" for name in MaskKey._fields)
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
        f"select null::varchar as feature_set, {', '.join(MaskKey._fields)}, {nothing}, null::float[] as embedding "
        "from catalogue.masks where false"
    )
    connection.execute(f"create view embeddings as {' union all '.join(parts) or empty}")
    if documented:
        commented(connection, "embeddings", "one row per embedding of a mask", _EMBEDDING_COMMENTS)
