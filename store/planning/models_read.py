"""Hashes of what models read, as the view ``changed_inputs`` compares them: kept with a model when it is trained."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from store.analyst.analyst_views import analyst_views, table_rows, tables_of
from store.analyst.layout import copy_catalogue, lay_out_views
from store.analyst.view_parts import segment_rows
from store.history.snapshot import Snapshot, empty_table

__all__ = ["READ", "ModelState", "hashes_read", "model_states"]

READ = "read"
"""The part of a model's ``summary`` that has the hashes."""

_VIEW = "changed_inputs"

Row = Mapping[str, Any]
Key = tuple[str, str, int]


class ModelState(NamedTuple):
    """Whether what a model version reads has changed since it was trained."""

    study: str
    model: str
    version: int
    is_stale: bool | None
    """None where training has not written down what it read."""
    because: tuple[str, ...]
    """The parts that differ: patients, clinical, features, settings, libraries."""


def hashes_read(snapshot: Snapshot, models: Iterable[Row], datasets: Iterable[Row]) -> dict[Key, dict[str, str]]:
    """Return, by study, model and version, the hashes of what models read.

    Parameters
    ----------
    snapshot : Snapshot
        The store as it is read.
    models : iterable of mapping
        Rows of the table ``models``, which need not be in the store yet: study, model, version, dataset_id.
    datasets : iterable of mapping
        The rows of ``datasets`` that these name.
    """
    given = {"models": _table("models", models), "datasets": _table("datasets", datasets)}
    return {(row["study"], row["model"], row["version"]): json.loads(row["hashes"]) for row in _answer(snapshot, given)}


def model_states(snapshot: Snapshot) -> list[ModelState]:
    """Return the state of every version of every model, by study, model and version."""
    return [
        ModelState(row["study"], row["model"], row["version"], row["is_stale"], tuple(row["because"]))
        for row in _answer(snapshot, {})
    ]


def _answer(snapshot: Snapshot, given: Mapping[str, pa.Table]) -> list[dict[str, Any]]:
    """Return the view's rows over the catalogue, of which some tables are given."""
    with snapshot.one_state() as unchanging, duckdb.connect() as connection:
        views = analyst_views(unchanging, lambda *named: segment_rows(unchanging, *named), {_VIEW})
        tables = tables_of(views)
        unchanging.refuse_altered([name for name in tables if name not in given and name != "installed_libraries"])
        rows = [(name, given[name] if name in given else table_rows(unchanging, name)) for name in sorted(tables)]
        copy_catalogue(connection, rows)
        lay_out_views(connection, views, documented=False, segments=str(snapshot.store.segments))
        found: list[dict[str, Any]] = connection.sql(f"from {_VIEW}").to_arrow_table().to_pylist()
    return found


def _table(name: str, rows: Iterable[Row]) -> pa.Table:
    schema = empty_table(name).schema
    return pa.Table.from_pylist([{each: row.get(each) for each in schema.names} for row in rows], schema=schema)
