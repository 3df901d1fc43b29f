"""Files are compared with their hash before they are believed, and hashed once as long as they stay what they are."""

import json
import os
import shutil
import time

import duckdb
import pytest
from builders.file_damage import flip, to_folder, to_pipe
from builders.store import MASK_KEYS, fill, put_segment, record_of

from schemas.errors import ContractError
from store.analyst.export import export_snapshot
from store.analyst.publish import publish_snapshot
from store.analyst.query import answer
from store.checked_files import CheckedFiles
from store.commits.commit import commit_to
from store.files import file_sha256
from store.history.snapshot import Snapshot
from store.home import Store
from store.rows.reader import feature_table
from store.rows.segments import stored_keys

SET = "two-features@1"


def segment_files(store):
    """Return the local paths of a store's segments."""
    return [store.segments.local(row["path"]) for row in Snapshot(store).rows("segments")]


def link_to_nothing(file):
    """Put a link that leads nowhere in a file's place."""
    file.unlink()
    file.symlink_to("nowhere")


READERS = {
    "sql": lambda snapshot: answer(snapshot, "select count(*) from two_features"),
    "sql of all tables": lambda snapshot: answer(snapshot, "show all tables"),
    "the reader": lambda snapshot: feature_table(snapshot, SET, study="er"),
    "keys": lambda snapshot: stored_keys(snapshot, SET),
    "publish": publish_snapshot,
    "export": lambda snapshot: export_snapshot(snapshot, snapshot.store.root.parent / "out"),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("damage", [flip, to_pipe, to_folder, link_to_nothing, os.unlink])
def test_a_damaged_file_is_an_error_and_never_an_answer(filled, damage, reader):
    """Whoever reads is told which file it is and the next command."""
    (file,) = segment_files(filled)
    damage(file)
    with pytest.raises(ContractError) as refused:
        READERS[reader](Snapshot(filled))
    assert refused.value.where == str(file)
    assert "radzoo store verify" in refused.value.hint


def test_two_segments_swapped_are_an_error(filled):
    """Each is whole Parquet of the right columns, and neither is what its name says."""
    with commit_to(filled, "more") as commit:
        key = MASK_KEYS[0]._replace(patient="p9")
        put_segment(filled, commit, [record_of(key)])
    one, other = segment_files(filled)
    aside = one.with_suffix(".aside")
    one.replace(aside)
    other.replace(one)
    aside.replace(other)
    with pytest.raises(ContractError, match="damaged"):
        answer(Snapshot(filled), "select count(*) from two_features")


def test_a_link_in_a_file_s_place_is_an_error(filled):
    """Even where it leads to the same bytes: what it leads to is not the store's to keep."""
    (file,) = segment_files(filled)
    shutil.move(file, filled.root / "elsewhere.parquet")
    file.symlink_to(filled.root / "elsewhere.parquet")
    with pytest.raises(ContractError, match="is a link"):
        answer(Snapshot(filled), "from two_features")


def old(path, content):
    """Write a file whose last change is settled, as far as a test may wait for that."""
    path.write_bytes(content)
    return path


def test_a_second_reading_costs_no_hash(tmp_path, monkeypatch):
    """A file that stayed what it was is known by its identity, in this process and in the next."""
    file, note = old(tmp_path / "a", bytes(2**20 + 1)), tmp_path / "note"
    digest = file_sha256(file)
    later = time.time_ns() + 10**10
    monkeypatch.setattr(time, "time_ns", lambda: later)
    checked = CheckedFiles(note)
    assert checked.sha256(file) == digest
    (line,) = note.read_text().splitlines()
    # What the note says is believed without a look at the bytes: that is what makes it quick.
    note.write_text(line.replace(digest, "0" * 64) + "\n")
    assert checked.sha256(file) == digest
    assert CheckedFiles(note).sha256(file) == "0" * 64
    flip(file)
    assert CheckedFiles(note).sha256(file) == file_sha256(file) != digest


@pytest.mark.parametrize("how", ["writable by others", "a link", "another's", "no lines"])
def test_a_note_that_others_may_have_written_is_not_believed(tmp_path, monkeypatch, how):
    """Its hashes are not read, and the file is hashed."""
    file, note = old(tmp_path / "a", bytes(2**20 + 1)), tmp_path / "note"
    found = file.stat()
    identity = [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]
    note.write_text(json.dumps({"identity": identity, "sha256": "0" * 64}) + "\n")
    note.chmod(0o600)
    assert CheckedFiles(note).sha256(file) == "0" * 64
    if how == "writable by others":
        note.chmod(0o620)
    elif how == "a link":
        note = tmp_path / "link"
        note.symlink_to("note")
    elif how == "another's":
        user = os.geteuid()
        monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    else:
        note.write_text('{"identity": 3}\n[]\nnull\n\x00\n' + json.dumps({"identity": [*identity, 1], "sha256": "0"}))
    assert CheckedFiles(note).sha256(file) == file_sha256(file)


def test_a_change_within_a_tick_of_the_clock_is_seen(tmp_path):
    """What has just been written is hashed at each reading: a second change may have the same times."""
    file, checked = old(tmp_path / "a", b"one"), CheckedFiles()
    first, found = checked.sha256(file), file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(found.st_atime_ns, found.st_mtime_ns))
    assert checked.sha256(file) == file_sha256(file) != first


def test_a_damaged_copy_of_a_remote_file_is_fetched_again(new_address, tmp_path):
    """The place where the files lie has the right one."""
    from store.address import write_address

    root = tmp_path / "store"
    write_address(root, new_address("sqlite-s3"))
    store = Store(root, create=True)
    fill(store)
    before = answer(Snapshot(store), "from two_features order by all")
    (file,) = segment_files(store)
    for damage in (flip, to_pipe, link_to_nothing):
        damage(file)
        assert answer(Snapshot(store), "from two_features order by all").equals(before)
    store.engine.dispose()


def test_a_published_file_is_not_made_of_damaged_segments(filled):
    """A client that reads a published file compares nothing; publishing does."""
    file = publish_snapshot(Snapshot(filled))
    with duckdb.connect(str(file), read_only=True) as client:
        assert client.sql("select count(*) from two_features").fetchall() == [(6,)]
    before = file.read_bytes()
    flip(segment_files(filled)[0])
    with pytest.raises(ContractError):
        publish_snapshot(Snapshot(filled))
    assert file.read_bytes() == before
