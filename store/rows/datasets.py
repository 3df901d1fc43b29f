"""Datasets: the frozen tables that models train on, kept as Parquet and named by their content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.keys import canonical_json, sha256_of_json
from store.files import file_sha256
from store.home import Store
from store.installed import installed_version

__all__ = ["PinnedDataset", "SqlGives", "pin_dataset", "writer_versions"]

SqlGives = Literal["table", "inputs"]
_WRITERS = ("radzoo", "duckdb", "polars", "pyarrow")


@dataclass(frozen=True)
class PinnedDataset:
    """A dataset's row of the catalogue."""

    dataset_id: str
    study: str
    split: str
    inputs: str
    commit_id: int
    patients: int
    columns: int
    path: str
    sha256: str
    feature_set: str | None = None
    """The ``name@N`` that the inputs' feature set meant at the commit; None without features."""
    sql: str | None = None
    """A question whose answer, as of the commit, is the table or what it was computed from."""
    sql_gives: SqlGives | None = None
    """``table``: the same rows, columns, order and bits; ``inputs``: the clinical values that a stage was told from."""
    versions: str | None = None
    """What made and wrote the file, as `writer_versions` has it, JSON; None where a former release did."""


def pin_dataset(
    store: Store,
    table: pa.Table,
    *,
    study: str,
    split: str,
    inputs: Mapping[str, Any],
    commit_id: int,
    feature_set: str | None = None,
    sql: str | None = None,
    sql_gives: SqlGives | None = None,
) -> PinnedDataset:
    """Write a table below the store and return its catalogue row; equal tables give one file.

    Parameters
    ----------
    store : Store
        The store.
    table : pyarrow.Table
        Keys, label and inputs, one row per patient.
    study, split : str
        Whose question it answers, and which split decides who trains.
    inputs : mapping
        What the columns are.
    commit_id : int
        The commit it was read at.
    feature_set : str, optional
        ``name@N`` of its features.
    sql, sql_gives : str, optional
        What asks the store for it, and whether for the whole table.
    """
    written = store.datasets.scratch()
    pq.write_table(table, written, compression="zstd")
    digest = file_sha256(written)
    path = f"{digest[:20]}.parquet"
    store.datasets.adopt(written, path)
    return PinnedDataset(
        # Equal tables may answer different questions: the file is shared, the dataset is not.
        dataset_id=sha256_of_json([digest, study, split, dict(inputs)])[:20],
        study=study,
        split=split,
        inputs=canonical_json(dict(inputs)),
        commit_id=commit_id,
        patients=table.num_rows,
        columns=table.num_columns,
        path=f"datasets/{path}",
        sha256=digest,
        feature_set=feature_set,
        sql=sql,
        sql_gives=sql_gives,
        versions=canonical_json(writer_versions()),
    )


def writer_versions() -> dict[str, str]:
    """Return the versions of what decides a dataset's bytes beside the store's rows."""
    return {name: installed_version(name) for name in _WRITERS}
