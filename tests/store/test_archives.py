"""Stores that earlier releases wrote: each opens, is brought up to date, and answers as it did then."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import date

import pyarrow.parquet as pq
import pytest
from archives.unpacking import ARCHIVES, unpack
from sqlalchemy import MetaData, create_engine, make_url, select

from store.address import write_address
from store.analyst.query import answer
from store.catalogue.connection import read_transaction
from store.catalogue.format_1 import format_1
from store.catalogue.migrations import FORMAT_VERSION, TABLES_OF_FORMAT_5, TABLES_OF_FORMAT_6
from store.catalogue.row_sums import stored_sums, sum_of
from store.catalogue.tables import metadata, row_sums, runs, store_format
from store.commits.commit import commit_to
from store.compaction.compact import compact_feature_set
from store.compaction.merge_plan import feature_sets_with_segments
from store.erasure.erase import erase_patient
from store.files import file_sha256
from store.history.runs import record_run
from store.history.snapshot import Snapshot
from store.home import Store
from store.rows.reader import feature_table
from store.rows.segments import store_segment
from store.verification.verify import store_verification


def tables_without(*names):
    """Return the newest tables but some that came later."""
    tables = MetaData()
    for table in metadata.sorted_tables:
        if table.name not in names:
            table.to_metadata(tables)
    return tables


def format_2():
    """Return the tables of format 2: those of format 3 without sums."""
    return tables_without(row_sums.name, *TABLES_OF_FORMAT_5, *TABLES_OF_FORMAT_6)


def format_3():
    """Return the tables of format 3, which are those of format 4: that one changed words in rows."""
    return tables_without(*TABLES_OF_FORMAT_5, *TABLES_OF_FORMAT_6)


def format_5():
    """Return the tables of format 5."""
    return tables_without(*TABLES_OF_FORMAT_6)


FORMATS = {
    "format_1.tar.gz": format_1,
    "format_2.tar.gz": format_2,
    "format_3.tar.gz": format_3,
    "format_4.tar.gz": format_3,
    "format_5.tar.gz": format_5,
}


EVERYWHERE = [(catalogue, archive) for catalogue in ("sqlite", "postgresql") for archive in ARCHIVES.values()]
CHANGED = [
    (catalogue, archive)
    for catalogue, archive in EVERYWHERE
    if catalogue == "sqlite" or archive == ARCHIVES["format_1"]
]
"""Of those on a server the oldest, which takes every step: once brought up to date all have the same tables."""


def _name(place):
    catalogue, archive = place
    return f"{catalogue}-{archive.name.removesuffix('.tar.gz')}"


def opened(place, new_address, folder):
    """Give an archived store, opened on a kind of catalogue, and what its release answered."""
    catalogue, archive = place
    unpack(archive, folder)
    if catalogue == "postgresql":
        address = new_address("postgresql-local")
        move_catalogue(folder / "store", address.catalogue, FORMATS[archive.name]())
        write_address(folder / "store", address)
    store = Store(folder / "store")
    yield store, json.loads(archive.with_name(archive.name.replace(".tar.gz", ".json")).read_text())
    store.engine.dispose()


@pytest.fixture(scope="module", params=EVERYWHERE, ids=_name)
def archived(request, new_address_of_module, tmp_path_factory):
    """Give an archived store on each kind of catalogue, and what its release answered; tests only read it."""
    yield from opened(request.param, new_address_of_module, tmp_path_factory.mktemp("archived"))


@pytest.fixture(params=CHANGED, ids=_name)
def archived_of_its_own(request, new_address, tmp_path):
    """Give an archived store that a test may change, and what its release answered."""
    yield from opened(request.param, new_address, tmp_path)


def move_catalogue(root, url, tables):
    """Move an old catalogue to PostgreSQL, in the tables of its own format."""
    file = root / "catalogue.sqlite"
    engine = create_engine(make_url(url).set(drivername="postgresql+pg8000"))
    with closing(sqlite3.connect(file)) as old, engine.begin() as new:
        old.row_factory = sqlite3.Row
        tables.create_all(new)
        for table in tables.sorted_tables:
            if rows := [dict(row) for row in old.execute(f"select * from {table.name}")]:
                new.execute(table.insert(), rows)
            if "row_id" in table.c:
                rows = f"(select coalesce(max(row_id), 0) + 1 from {table.name})"
                new.exec_driver_sql(f"select setval(pg_get_serial_sequence('{table.name}', 'row_id'), {rows}, false)")
    engine.dispose()
    file.unlink()


@pytest.fixture(params=ARCHIVES.values(), ids=list(ARCHIVES))
def archived_as_written(request, tmp_path):
    """Return an archive's name and the format versions that its catalogue names, read without opening the store."""
    unpack(request.param, tmp_path)
    with closing(sqlite3.connect(tmp_path / "store" / "catalogue.sqlite")) as connection:
        return request.param.name, [version for (version,) in connection.execute("select version from store_format")]


def test_there_is_an_archive_of_every_format_but_the_newest():
    """No format is left behind without a store to read it by."""
    assert list(ARCHIVES) == [f"format_{n}" for n in range(1, FORMAT_VERSION)]


def test_an_old_store_is_brought_up_to_date(archived):
    """Opening takes every step from the archive's format to the newest."""
    store, _ = archived
    with read_transaction(store.engine) as connection:
        assert max(connection.execute(store_format.select()).scalars()) == FORMAT_VERSION


def test_an_old_store_answers_as_it_did(archived):
    """Every question of that day has that day's answer, as of now and as of older commits."""
    store, answers = archived
    assert answers
    assert_answers(store, answers)


def assert_answers(store, answers):
    """Ask what was asked in the archive's day and compare the answers."""
    for name, asked in answers.items():
        found = answer(Snapshot(store, asked["as_of"]), asked["sql"]).to_pylist()
        assert len(found) == len(asked["rows"]), name
        for row, expected in zip(found, asked["rows"], strict=True):
            # Days were text once, and are dates now. Sums may be taken in another order.
            as_text = {key: str(value) if isinstance(value, date) else value for key, value in row.items()}
            assert as_text == {
                key: pytest.approx(value, rel=1e-12) if isinstance(value, float) else value
                for key, value in expected.items()
            }, name


def test_the_suites_of_an_old_store_have_their_new_names(archived):
    """Rows of all commits and the parameters of runs say holdout and nested-cv, and the sums of the tables fit them."""
    store, _ = archived
    with read_transaction(store.engine) as connection:
        suites = [
            set(connection.execute(select(t.c.suite)).scalars()) for t in metadata.sorted_tables if "suite" in t.c
        ]
        parameters = [json.loads(text) for text in connection.execute(select(runs.c.parameters)).scalars()]
        left = stored_sums(connection)
        assert {name: sum_of(connection, name) for name in left} == left
    assert {"holdout"} <= set().union(*suites) <= {"holdout", "nested-cv"}
    assert {"holdout"} <= {each["suite"] for each in parameters if "suite" in each} <= {"holdout", "nested-cv"}


def test_an_old_store_goes_on(archived_of_its_own):
    """A commit lands on top of the old ones."""
    store, _ = archived_of_its_own
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


def test_an_old_store_keeps_the_promises_of_today(archived):
    """Nothing that can be looked at is broken, but for what its release did not write down yet."""
    store, _ = archived
    broken = {
        check.name: [f.what for f in check.findings] for check in store_verification(store).checks if check.findings
    }
    assert broken == {}


def test_an_old_store_is_compacted(archived_of_its_own):
    """Segments of its day are merged with new ones, and every question has that day's answer still."""
    store, answers = archived_of_its_own
    (feature_set,) = feature_sets_with_segments(store)
    in_parts(store, feature_set, parts=3)
    before = [feature_table(Snapshot(store, at), feature_set).sort_by("extraction_id") for at in range(1, 7)]
    with record_run(store, "compact", None, {}) as run:
        done = compact_feature_set(store, feature_set, run=run)
    assert (done.files_before, done.files_after) == (4, 1)
    assert_answers(store, {name: each for name, each in answers.items() if name != "commits"})
    for at, table in enumerate(before, start=1):
        assert feature_table(Snapshot(store, at), feature_set).sort_by("extraction_id").equals(table)


def in_parts(store, feature_set, *, parts):
    """Let the store's only segment be several, as many refreshes would have left them."""
    (segment,) = Snapshot(store).rows("segments")
    rows = pq.read_table(store.segments.local(segment["path"]))
    own = {row["extraction_id"]: row for row in Snapshot(store).rows("extractions")}
    with commit_to(store, "refreshes") as commit:
        for at in range(parts):
            part = rows.slice(at, 1) if at else rows.slice(parts)
            new = store_segment(store.segments, feature_set, part)
            commit.put("segments", [vars(new)])
            moved = [own[each] for each in part["extraction_id"].to_pylist()]
            known = [{name: value for name, value in row.items() if name != "added_commit"} for row in moved]
            commit.put("extractions", [row | {"segment_id": new.segment_id} for row in known])


def test_a_patient_is_erased_from_an_old_store(archived_of_its_own):
    """No snapshot, segment or dataset of its day names the patient afterwards."""
    store, _ = archived_of_its_own
    newest = Snapshot(store).commit_id
    patient = Snapshot(store).rows("patients")[0]["patient"]
    held = [row["dataset_id"] for row in Snapshot(store).rows("datasets")]
    erase_patient(store, patient)
    for at in range(1, newest + 1):
        snapshot = Snapshot(store, at)
        for table in ("patients", "study_patients", "scans", "masks", "clinical", "labels", "predictions"):
            assert patient not in {row["patient"] for row in snapshot.rows(table)}
        if snapshot.rows("feature_sets"):
            assert not answer(snapshot, f"from quick where patient = '{patient}'").num_rows
    for row in Snapshot(store).rows("datasets"):
        assert row["dataset_id"] in held
        assert patient not in pq.read_table(store.files.local(row["path"]))["patient"].to_pylist()
    assert store_verification(store).is_clean


def test_an_archive_is_of_its_own_format(archived_as_written):
    """An archive was not brought up to date before it was kept: opening it would take no step."""
    name, versions = archived_as_written
    assert name == f"format_{max(versions)}.tar.gz"
