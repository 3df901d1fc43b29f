"""The published file: any DuckDB client opens it, from anywhere, and a refresh never waits for one."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from builders.store import key_of, put_segment, record_of

from schemas.errors import ContractError
from schemas.keys import RESERVED_VIEWS
from store.analyst import publish
from store.analyst.publish import is_published, publish_moved_store, publish_snapshot, published_root
from store.analyst.query import snapshot_connection
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.home import Store
from store.verification.verify import store_verification

CLIENT = """
import json, sys
import duckdb
for line in sys.stdin:
    file, query = json.loads(line)
    with duckdb.connect(file, read_only=True) as connection:
        print(json.dumps(connection.sql(query).fetchall()), flush=True)
"""


@pytest.fixture(scope="module")
def asked():
    """Give what another process, in another working directory and knowing only DuckDB, reads from a file."""
    environment = {"PATH": os.environ["PATH"], "HOME": "/"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", CLIENT], cwd="/", env=environment, **pipes) as client:

        def ask(file: Path, query: str) -> list[list]:
            client.stdin.write(json.dumps([str(file), query]) + "\n")
            client.stdin.flush()
            return json.loads(client.stdout.readline())

        yield ask


def test_a_plain_client_reads_it_from_anywhere(filled, asked):
    """A client without radzoo, in another working directory, reads catalogue and features."""
    file = publish_snapshot(Snapshot(filled))
    assert file == filled.analyst_file
    query = (
        "select patient, phase, original_firstorder_Mean, label from two_features join labels using (patient) "
        "order by 3 limit 2"
    )
    assert asked(file, query) == [["p1", "AP", 0.0, 1], ["p1", "PVP", 1.0, 1]]


def test_it_answers_as_the_store_does(shared_store):
    """Every view gives the same rows through the file as through `radzoo sql`."""
    file = publish_snapshot(Snapshot(shared_store))
    with duckdb.connect(str(file), read_only=True) as client, snapshot_connection(Snapshot(shared_store)) as own:
        for view in (*RESERVED_VIEWS, "two_features", "two_features_v1"):
            query = f"from {view} order by all"
            assert client.sql(query).fetchall() == own.sql(query).fetchall()


def test_it_can_be_attached_under_another_name(filled):
    """The views work in a client that attaches the file beside its own database."""
    file = publish_snapshot(Snapshot(filled))
    with duckdb.connect() as connection:
        connection.execute(f"attach '{file}' as study (read_only)")
        assert connection.sql(
            "select count(*) from study.two_features join study.masks using (patient, phase)"
        ).fetchall() == [(6,)]


def test_columns_of_wide_views_have_comments(filled, asked):
    """Unit, IBSI code and definition of a feature can be read in the file itself."""
    found = asked(
        publish_snapshot(Snapshot(filled)),
        "select column_name, comment from duckdb_columns() where table_name = 'two_features' "
        "and regexp_matches(column_name, '.*_.*_.*') order by 1",
    )
    assert found == [
        ["original_firstorder_Mean", "[1], IBSI Q4LE: what original_firstorder_Mean measures"],
        ["wavelet-LLH_glcm_Idm", "[1], not in IBSI: what wavelet-LLH_glcm_Idm measures"],
    ]


def test_clients_from_duckdb_1_2_on_can_read_the_format(filled, asked):
    """The file has storage version 65, which DuckDB 1.2 introduced (duckdb.org/docs/stable/internals/storage)."""
    file = publish_snapshot(Snapshot(filled))
    header = file.read_bytes()[:20]
    assert header[8:12] == b"DUCK"
    assert struct.unpack("<Q", header[12:20]) == (65,)
    assert asked(file, "select tags['storage_version'] from duckdb_databases() where not internal") == [["v1.2.0+"]]


def test_a_client_that_has_the_old_file_open_goes_on_reading(filled, asked):
    """Publishing swaps the file: who has the old one open keeps its state, who opens it now sees the new one."""
    file = publish_snapshot(Snapshot(filled))
    with duckdb.connect(str(file), read_only=True) as old:
        with commit_to(filled, "one more") as commit:
            key = key_of("p4")
            put_segment(filled, commit, [record_of(key)])
        assert publish_snapshot(Snapshot(filled)) == file
        assert old.sql("select count(*) from two_features").fetchall() == [(6,)]
        assert asked(file, "select count(*), (select max(commit_id) from commits) from two_features") == [[7, 4]]
        assert old.sql("select max(commit_id) from commits").fetchall() == [(3,)]


def test_an_older_commit_can_be_published(filled, asked):
    """The file is that of the snapshot, whichever commit it is of."""
    assert asked(publish_snapshot(Snapshot(filled, 1)), "select max(commit_id) from commits") == [[1]]


def test_an_empty_store_can_be_published(store, asked):
    """Before anything is ingested the file has all views and no rows."""
    file = publish_snapshot(Snapshot(store))
    assert sorted(name for (name,) in asked(file, "select view_name from duckdb_views() where not internal")) == sorted(
        RESERVED_VIEWS
    )


def test_only_the_file_is_left(filled):
    """No half-written file and no log stay beside it."""
    publish_snapshot(Snapshot(filled))
    assert [file.name for file in filled.root.glob("analyst*")] == ["analyst.duckdb"]


def test_what_cannot_be_published_leaves_the_old_file(filled):
    """Where a segment is missing the old file stays as it was, and nothing half-written stays beside it."""
    file = publish_snapshot(Snapshot(filled))
    before = file.read_bytes()
    (segment,) = Snapshot(filled).rows("segments")
    (filled.segments.local_root / segment["path"]).unlink()
    with pytest.raises(ContractError):
        publish_snapshot(Snapshot(filled))
    assert file.read_bytes() == before
    assert [each.name for each in filled.root.glob("analyst*")] == ["analyst.duckdb"]


def test_a_moved_store_says_so_and_is_published_again(filled, tmp_path, asked):
    """After the folder was moved the file's features are no other store's, and publishing puts them right."""
    publish_snapshot(Snapshot(filled))
    filled.engine.dispose()
    # Where the store was lies another one now, with the same segments: a copy.
    moved = Store(Path(shutil.copytree(filled.root, tmp_path / "moved")))
    with duckdb.connect(str(moved.analyst_file), read_only=True) as client:
        assert client.sql("select count(*) from masks").fetchall() == [(6,)]
        for view in ("two_features", "two_features_v1", "radiomics_long", "two_features_primary"):
            with pytest.raises(duckdb.Error, match="has been moved or copied") as caught:
                client.sql(f"from {view}").fetchall()
            assert f"published as {filled.analyst_file}" in str(caught.value)
            assert "radzoo --store FOLDER store publish" in str(caught.value)
        client.execute(f"set variable radzoo_store = '{moved.root}'")
        assert client.sql("select count(*) from two_features").fetchall() == [(6,)]
    assert publish_moved_store(filled.root) is None
    assert publish_moved_store(moved.root) == str(filled.root)
    assert publish_moved_store(moved.root) is None
    shutil.rmtree(filled.root)
    assert asked(moved.analyst_file, "select count(*) from two_features") == [[6]]
    assert asked(moved.analyst_file, "select distinct 1 from two_features where is_primary") == [[1]]


def test_a_file_of_an_older_release_is_published_again(filled):
    """A published file without a note of its folder gets one."""
    publish_snapshot(Snapshot(filled))
    (filled.root / "publication.json").unlink()
    assert "older release" in str(publish_moved_store(filled.root))
    assert published_root(filled) == str(filled.root)


def test_a_link_to_the_store_is_no_other_place(filled, tmp_path, asked):
    """Through a symbolic link the file answers: it lies where it was published."""
    publish_snapshot(Snapshot(filled))
    (tmp_path / "link").symlink_to(filled.root)
    assert asked(tmp_path / "link" / "analyst.duckdb", "select count(*) from two_features") == [[6]]


def broken(store):
    """Return what verify finds broken of the published file, and what it only tells of it."""
    found = store_verification(store)
    findings = [each for check in found.checks if check.name == "published file" for each in check.findings]
    return findings, [each for each in found.notes if each.where == str(store.analyst_file)]


FORGERIES = {
    "a commit of the future": "insert into catalogue.commits select * replace (99 as commit_id) from catalogue.commits "
    "where commit_id = 1",
    "an AUC": "update catalogue.leaderboard set auc = 0.999",
    "a view": "create or replace view labels as select * from catalogue.labels where false",
    "a table": "create table more as select 1 as a",
    "a macro": "create macro auc() as 0.999",
    "a run": "insert into catalogue.runs select * replace ('forged' as run_id) from catalogue.runs limit 1",
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_what_a_client_wrote_is_found_and_replaced(filled, forgery):
    """Verify names what is not the catalogue's and the command that corrects it; publishing replaces it."""
    publish_snapshot(Snapshot(filled))
    published_bytes = filled.analyst_file.stat().st_size
    assert is_published(filled)
    with duckdb.connect(str(filled.analyst_file)) as client:
        client.execute(FORGERIES[forgery])
    assert not is_published(filled)
    ((finding,), _) = broken(filled)
    assert "radzoo store publish" in finding.hint
    publish_snapshot(Snapshot(filled))
    assert is_published(filled)
    assert filled.analyst_file.stat().st_size == published_bytes


def test_a_file_of_a_newer_commit_is_replaced(filled, tmp_path, asked):
    """After going back to an older catalogue the file shows that one, and not what was erased or taken back since."""
    filled.engine.dispose()
    older = shutil.copytree(filled.root, tmp_path / "older")
    with commit_to(filled, "later") as commit:
        commit.put("patients", [{"patient": "of-later"}])
    publish_snapshot(Snapshot(filled))
    filled.engine.dispose()
    for left in filled.root.glob("catalogue.sqlite*"):
        left.unlink()
    shutil.copy(older / "catalogue.sqlite", filled.root / "catalogue.sqlite")
    back = Store(filled.root)
    assert not is_published(back)
    ((finding,), _) = broken(back)
    assert "it shows commit 4, the store has 3" in finding.what
    publish_snapshot(Snapshot(back))
    assert asked(back.analyst_file, "select max(commit_id) from commits") == [[3]]
    assert asked(back.analyst_file, "select count(*) from patients where patient = 'of-later'") == [[0]]


def test_of_two_commits_the_newer_stays_published(filled, asked):
    """A snapshot that was taken before another commit landed is published as of that one."""
    before = Snapshot(filled)
    with commit_to(filled, "later") as commit:
        commit.put("patients", [{"patient": "of-later"}])
    assert asked(publish_snapshot(before), "select max(commit_id) from commits") == [[4]]


def test_a_file_of_an_older_commit_is_told(filled):
    """A commit that nobody published breaks no promise."""
    publish_snapshot(Snapshot(filled))
    with commit_to(filled, "later") as commit:
        commit.put("patients", [{"patient": "of-later"}])
    findings, notes = broken(filled)
    assert findings == []
    assert [each.what for each in notes] == ["it shows commit 3, the newest is 4"]


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe", "text"])
def test_whatever_lies_in_its_place_is_replaced(filled, tmp_path, kind):
    """A link is replaced and not followed, a pipe is not opened, and verify names either."""
    other = tmp_path / "other.duckdb"
    if kind == "link":
        other.write_bytes(b"somebody else's")
    if kind == "pipe":
        os.mkfifo(filled.analyst_file)
    elif kind == "text":
        filled.analyst_file.write_text("nothing")
    else:
        filled.analyst_file.symlink_to(other)
    ((finding,), _) = broken(filled)
    assert "radzoo store publish" in finding.hint
    assert not is_published(filled)
    publish_snapshot(Snapshot(filled))
    assert not filled.analyst_file.is_symlink()
    assert other.exists() is (kind == "link")
    assert kind != "link" or other.read_bytes() == b"somebody else's"


@pytest.mark.parametrize("name", ["analyst.duckdb", "publication.json"])
def test_a_folder_in_its_place_is_refused(filled, name):
    """A folder may hold anything: it is named, and left alone."""
    (filled.root / name).mkdir()
    with pytest.raises(ContractError, match=f"a folder lies where {name} goes") as caught:
        publish_snapshot(Snapshot(filled))
    assert "store publish" in str(caught.value.hint)
    assert (filled.root / name).is_dir()


def test_a_log_that_a_client_left_is_removed(filled):
    """What a client that crashed had written would be read into the new file."""
    publish_snapshot(Snapshot(filled))
    log = filled.root / "analyst.duckdb.wal"
    log.write_bytes(b"of the old file")
    publish_snapshot(Snapshot(filled))
    assert not log.exists()


@pytest.mark.parametrize(("many", "is_compressed"), [(10_000, False), (2_500, True), (1, True)])
def test_texts_of_many_rows_get_symbol_tables(store, monkeypatch, many, is_compressed):
    """Counted before rows are inserted: a large table is written while it arrives."""
    monkeypatch.setattr(publish, "_MANY_ROWS", many)
    names = [f"patient-of-a-hospital-{number % 7}-{number:05}-{number * 7919 % 10_007}" for number in range(3_000)]
    with commit_to(store, "patients") as commit:
        commit.put("patients", [{"patient": each} for each in names])
    with duckdb.connect(str(publish_snapshot(Snapshot(store))), read_only=True) as client:
        used = client.sql("select distinct compression from pragma_storage_info('catalogue.patients')").fetchall()
    assert any("FSST" in compression for (compression,) in used) == is_compressed
