"""Stores that earlier releases wrote: each opens, is brought up to date, and answers as it did then."""

from __future__ import annotations

import json
import sqlite3
import tarfile
from contextlib import closing
from pathlib import Path

import pytest

from store.commit import commit_to
from store.connection import read_transaction
from store.files import file_sha256
from store.home import Store
from store.migrations import FORMAT_VERSION
from store.query import answer
from store.snapshot import Snapshot
from store.tables import store_format

ARCHIVES = sorted((Path(__file__).parents[1] / "archives").glob("format_*.tar.gz"))


@pytest.fixture(params=ARCHIVES, ids=lambda file: file.name.removesuffix(".tar.gz"))
def archived(request, tmp_path):
    """Return an archived store, unpacked and opened, and what its release answered."""
    with tarfile.open(request.param) as archive:
        archive.extractall(tmp_path, filter="data")
    answers = request.param.with_name(request.param.name.replace(".tar.gz", ".json"))
    return Store(tmp_path / "store"), json.loads(answers.read_text())


@pytest.fixture(params=ARCHIVES, ids=lambda file: file.name.removesuffix(".tar.gz"))
def archived_as_written(request, tmp_path):
    """Return an archive's name and the format versions that its catalogue names, read without opening the store."""
    with tarfile.open(request.param) as archive:
        archive.extract("store/catalogue.sqlite", tmp_path, filter="data")
    with closing(sqlite3.connect(tmp_path / "store" / "catalogue.sqlite")) as connection:
        return request.param.name, [version for (version,) in connection.execute("select version from store_format")]


def test_there_is_an_archive_of_every_format_but_the_newest():
    """No format is left behind without a store to read it by."""
    assert [file.name for file in ARCHIVES] == [f"format_{n}.tar.gz" for n in range(1, FORMAT_VERSION)]


def test_an_old_store_is_brought_up_to_date(archived):
    """Opening takes every step from the archive's format to the newest."""
    store, _ = archived
    with read_transaction(store.engine) as connection:
        assert max(connection.execute(store_format.select()).scalars()) == FORMAT_VERSION


def test_an_old_store_answers_as_it_did(archived):
    """Every question of that day has that day's answer, as of now and as of older commits."""
    store, answers = archived
    assert answers
    for name, asked in answers.items():
        found = answer(Snapshot(store, asked["as_of"]), asked["sql"]).to_pylist()
        assert len(found) == len(asked["rows"]), name
        for row, expected in zip(found, asked["rows"], strict=True):
            # Sums may be taken in another order.
            assert row == {
                key: pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
                for key, value in expected.items()
            }, name


def test_an_old_store_goes_on(archived):
    """A commit lands on top of the old ones."""
    store, _ = archived
    before = Snapshot(store).commit_id
    with commit_to(store, "a later ingest") as commit:
        commit.put("patients", [{"patient": "later"}])
    assert commit.landed_id == before + 1
    assert Snapshot(store).row("patients", patient="later")["added_commit"] == before + 1
    assert not Snapshot(store, before).rows("patients", patient="later")


def test_the_files_of_an_old_store_are_what_the_catalogue_says(archived):
    """Segments and datasets have the hashes that were written down."""
    store, _ = archived
    snapshot = Snapshot(store)
    files = [(store.segments.local(row["path"]), row["sha256"]) for row in snapshot.rows("segments")]
    files += [(store.root / row["path"], row["sha256"]) for row in snapshot.rows("datasets")]
    assert files
    for file, sha256 in files:
        assert file_sha256(file) == sha256


def test_an_archive_is_of_its_own_format(archived_as_written):
    """An archive was not brought up to date before it was kept: opening it would take no step."""
    name, versions = archived_as_written
    assert name == f"format_{max(versions)}.tar.gz"
