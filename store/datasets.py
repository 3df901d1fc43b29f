"""Datasets: the frozen tables that models train on, kept as Parquet and named by their content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.keys import canonical_json, sha256_of_json
from store.files import file_sha256
from store.home import Store

__all__ = ["PinnedDataset", "pinned_dataset"]


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


def pinned_dataset(
    store: Store, table: pa.Table, *, study: str, split: str, inputs: Mapping[str, Any], commit_id: int
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
    )
