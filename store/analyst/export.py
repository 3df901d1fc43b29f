"""A study, or the whole store, as plain files that need no radzoo: Parquet or CSV, each column described."""

from __future__ import annotations

import shutil
import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from schemas.errors import StoreBusyError, UsageError
from schemas.keys import MaskKey, canonical_json, sql_name
from store.analyst.data_package import Resource, data_package, read_me
from store.analyst.query import snapshot_connection
from store.analyst.view_parts import quoted_name
from store.catalogue.connection import read_transaction
from store.history.basis import Basis, basis_of, receipts_since
from store.history.snapshot import Snapshot, refuse_unknown_study
from store.home import Store
from store.kinds.every import kind_of
from store.kinds.kind import SetKind

__all__ = ["Export", "csv_table", "export_snapshot"]

Format = Literal["parquet", "csv"]

_VIEWS = (
    "studies",
    "patients",
    "exams",
    "scans",
    "masks",
    "study_masks",
    "quality",
    "clinical",
    "clinical_variables",
    "clinical_at_reference",
    "labels",
    "splits",
    "feature_sets",
    "features",
    "failures",
    "stability",
    "models",
    "predictions",
    "leaderboard",
    "comparisons",
)
_OF_PATIENTS = ("exams", "scans", "clinical")
_OF_MASKS = ("masks", "quality")
_OF_FEATURE_SETS = ("feature_sets", "features")
_MASK = ", ".join(MaskKey._fields)
_PATIENTS_OF = "(select patient from catalogue.study_patients where study = $study)"
_SETS_OF = "(select feature_set from catalogue.study_extractions where study = $study)"
_EXTRACTIONS_OF = (
    "(select extraction_id from catalogue.study_extractions where feature_set = $feature_set and study = $study)"
)


@dataclass(frozen=True)
class Export:
    """What was written."""

    folder: str
    commit_id: int
    study: str | None
    resources: list[Resource]


class _Question(NamedTuple):
    """The rows that one file gets."""

    name: str
    query: str
    parameters: dict[str, str]
    view: str
    """Which one describes its columns."""


def export_snapshot(
    snapshot: Snapshot,
    folder: Path,
    *,
    study: str | None = None,
    format: Format = "parquet",  # noqa: A002  (the option's name)
) -> Export:
    """Write a snapshot as plain files into a folder and return what was written.

    Each file is a view of the store with its own column names: the feature sets wide, one row a mask. Equal
    snapshots give equal files. The folder appears when all is written, or not at all.

    Parameters
    ----------
    snapshot : Snapshot
        The store as of a commit.
    folder : Path
        New or empty.
    study : str, optional
        Only this study's patients, masks and results; everything where absent.
    format : {"parquet", "csv"}
        Of the tables. CSV has numbers with all their digits, nested values as JSON, and nothing where a
        value is missing.

    Raises
    ------
    UsageError
        When the folder holds something.
    NotFoundError
        When there is no such study.
    StoreBusyError
        When a patient was erased meanwhile.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError("there is something here already", where=str(folder), hint="name a new or empty folder")
    if study is not None:
        refuse_unknown_study(snapshot, study)
    basis = basis_of(snapshot.store)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}.partial")
    partial.mkdir()
    try:
        with snapshot_connection(snapshot, documented=True) as connection:
            described = _descriptions(connection)
            resources = []
            for question in _questions(connection, study):
                table = connection.sql(question.query, params=question.parameters).to_arrow_table()
                file = partial / f"{question.name}.{format}"
                if format == "csv":
                    pyarrow.csv.write_csv(csv_table(table), file)
                else:
                    pq.write_table(table, file, compression="zstd")
                description, columns = described[question.view]
                resources.append(Resource.of(question.name, file, table, description, columns))
        commit = next((row for row in snapshot.arrow("commits").to_pylist()[::-1]), None)
        (partial / "datapackage.json").write_text(data_package(resources, study, commit), encoding="utf-8")
        (partial / "README.md").write_text(read_me(resources, study, commit, format), encoding="utf-8")
        _refuse_after_erasure(snapshot.store, basis)
        partial.replace(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return Export(str(folder), snapshot.commit_id, study, resources)


def _refuse_after_erasure(store: Store, basis: Basis) -> None:
    with read_transaction(store.engine) as connection:
        if receipts_since(connection, basis):
            raise StoreBusyError(
                "a patient was erased while this was being exported; nothing was written",
                where=str(store.root),
                hint="run the command again",
            )


def csv_table(table: pa.Table) -> pa.Table:
    """Return a table that CSV can hold: nested values become JSON text."""
    columns = [
        pa.array([None if value is None else canonical_json(value) for value in column.to_pylist()], pa.string())
        if pa.types.is_nested(column.type)
        else column
        for column in table.columns
    ]
    return pa.table(columns, names=table.column_names)


def _questions(connection: duckdb.DuckDBPyConnection, study: str | None) -> Iterator[_Question]:
    asked = {} if study is None else {"study": study}
    for view in _VIEWS:
        # The dictionary has an order of its own: that of the columns.
        order = "" if view == "features" else " order by all"
        where = "" if study is None else f" where {_condition(view)}"
        yield _Question(view, f"from {view}{where}{order}", asked, view)
    sets = connection.sql(
        "select feature_set, kind from feature_sets where extractions > 0"
        + (f" and {_condition('feature_sets')}" if asked else "")
        + " order by name, version",
        params=asked,
    )
    for row in sets.to_arrow_table().to_pylist():
        yield _of_set(row["feature_set"], kind_of(row), study)


def _of_set(feature_set: str, kind: SetKind, study: str | None) -> _Question:
    """Return the question for the rows of a feature set."""
    conditions, parameters = [kind.chosen_by(feature_set)], {}
    if study is not None:
        conditions.append(f"extraction_id in {_EXTRACTIONS_OF}")
        parameters = {"study": study, "feature_set": feature_set}
        if kind.is_of_masks:
            # Equal masks share an extraction: the row of another study's mask is not this study's.
            conditions.append(_condition("masks"))
    view, where = kind.view(feature_set), " and ".join(filter(None, conditions))
    query = f"from {quoted_name(view)}{where and ' where ' + where} order by {_MASK}"
    return _Question(sql_name(feature_set), query, parameters, view)


def _condition(view: str) -> str:
    """Return which rows of a view are a study's."""
    if view in _OF_PATIENTS:
        return f"patient in {_PATIENTS_OF}"
    if view in _OF_FEATURE_SETS:
        return f"feature_set in {_SETS_OF}"
    if view in _OF_MASKS:
        return f"({_MASK}) in (select ({_MASK}) from catalogue.study_masks where study = $study)"
    return "study = $study"


def _descriptions(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, dict[str, str]]]:
    """Return what each view holds and what its columns mean.

    A column that a view leaves undocumented is described as elsewhere, where all that describe it agree.
    """
    columns = connection.sql("select table_name, column_name, comment from duckdb_columns()").fetchall()
    said: defaultdict[str, set[str]] = defaultdict(set)
    for _, column, comment in columns:
        if comment:
            said[column].add(comment)
    agreed = {column: texts.pop() for column, texts in said.items() if len(texts) == 1}
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for view, column, comment in columns:
        found[view][column] = comment or agreed.get(column, "")
    views = connection.sql("select view_name, coalesce(comment, '') from duckdb_views() where not internal").fetchall()
    return {view: (comment, found[view]) for view, comment in views}
