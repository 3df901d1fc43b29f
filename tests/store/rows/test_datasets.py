"""Pinned datasets: a frozen file named by its content."""

from __future__ import annotations

import hashlib
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.rows.datasets import pin_dataset

TABLE = pa.table({"patient": ["p1", "p2"], "label": [1, 0], "AP__Mixed_case_y": [5e-324, None]})
WHOSE = {"study": "er", "split": "main", "inputs": {"phases": ["AP"], "factors": []}, "commit_id": 3}


@pytest.fixture
def store(store_of_any_data):
    """Return an empty store, in turn with each place that its files may have."""
    return store_of_any_data


def test_a_dataset_tells_about_its_file(store):
    """Path, hash, size and inputs are those of the file, which holds the table as it was given."""
    pinned = pin_dataset(store, TABLE, **WHOSE)
    file = store.files.local(pinned.path)
    assert pq.read_table(file).equals(TABLE)
    assert pinned.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert file.stem == pinned.sha256[:20]
    assert (pinned.patients, pinned.columns, pinned.commit_id) == (2, 3, 3)
    assert json.loads(pinned.inputs) == WHOSE["inputs"]


def test_equal_tables_are_one_file(store):
    """The same table pinned again, for another split or commit as well, is the same file byte for byte."""
    first = pin_dataset(store, TABLE, **WHOSE)
    second = pin_dataset(store, TABLE, **(WHOSE | {"split": "other", "commit_id": 9}))
    assert (second.path, second.sha256) == (first.path, first.sha256)
    assert [f"datasets/{name}" for name in store.datasets.paths()] == [first.path]


def test_a_dataset_is_its_table_and_its_question(store):
    """Study, split and inputs are part of a dataset's identity; the commit it was read at is not."""
    others = [{"study": "other"}, {"split": "other"}, {"inputs": {"phases": ["AP"], "factors": ["x"]}}]
    first = pin_dataset(store, TABLE, **WHOSE)
    assert len({first.dataset_id, *(pin_dataset(store, TABLE, **(WHOSE | o)).dataset_id for o in others)}) == 4
    assert pin_dataset(store, TABLE, **(WHOSE | {"commit_id": 9})).dataset_id == first.dataset_id


def test_another_table_is_another_dataset(store):
    """Another order of patients, another value or another column name gives another file."""
    changed = [
        TABLE.take([1, 0]),
        TABLE.set_column(1, "label", pa.array([1, 1])),
        TABLE.rename_columns(["patient", "label", "AP__mixed_case_y"]),
    ]
    ids = {pin_dataset(store, table, **WHOSE).dataset_id for table in (TABLE, *changed)}
    assert len(ids) == 4


def test_a_dataset_is_a_row_of_the_catalogue(store):
    """What is returned is written to the catalogue as it is."""
    pinned = pin_dataset(store, TABLE, **WHOSE)
    with commit_to(store, "train") as commit:
        commit.put("datasets", [vars(pinned)])
    row = Snapshot(store).row("datasets", dataset_id=pinned.dataset_id)
    assert {name: row[name] for name in vars(pinned)} == vars(pinned)
