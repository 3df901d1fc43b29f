"""A backup: a store of its own that is brought up to date night after night, and never worse than it was."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from builders.store import fill, key_of, put_segment, record_of

from schemas.errors import ContractError, NotFoundError, StoreBusyError, UsageError
from store.analyst.query import answer
from store.backup.copy import MARKER, back_up_store
from store.catalogue.connection import read_transaction, write_transaction
from store.commits.commit import commit_to
from store.erasure.erase import erase_patient
from store.history.snapshot import Snapshot
from store.home import Store
from store.verification.verify import store_verification


def more(store: Store, patient: str = "p4") -> None:
    """Commit a segment more."""
    with commit_to(store, "one more") as commit:
        commit.put("patients", [{"patient": patient}])
        commit.put("exams", [{"patient": patient, "exam": "baseline"}])
        key = key_of(patient)
        commit.put("scans", [{"patient": patient, "exam": "baseline", "phase": "AP", "image_sha256": "0" * 64}])
        put_segment(store, commit, [record_of(key)])


def wide_rows(store: Store) -> list[dict]:
    """Return what the feature set's view has."""
    return answer(Snapshot(store), "from two_features order by all").to_pylist()


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder but the note on when the backup was made and SQLite's index."""
    files = (each for each in folder.rglob("*") if each.is_file() and each.name not in (MARKER, "catalogue.sqlite-shm"))
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def test_a_backup_is_a_store_wherever_the_store_lies(store_anywhere, tmp_path):
    """From SQLite or PostgreSQL, a folder or S3, the copy opens by itself, breaks no promise and answers alike."""
    fill(store_anywhere)
    made = back_up_store(store_anywhere, tmp_path / "backup")
    assert (made.commit_id, made.files.copied, made.verification.is_clean) == (3, 1, True)
    copy = Store(tmp_path / "backup")
    assert wide_rows(copy) == wide_rows(store_anywhere)
    for as_of in (1, 2, 3):
        tables = [Snapshot(each, as_of).arrow("extractions") for each in (copy, store_anywhere)]
        assert tables[0].equals(tables[1])
    assert store_verification(copy).is_clean


def test_the_second_night_copies_what_is_new(filled, tmp_path):
    """A backup is made again and again into the same folder; files that are there are not copied twice."""
    back_up_store(filled, tmp_path / "backup")
    again = back_up_store(filled, tmp_path / "backup")
    assert (again.files.copied, again.files.kept, again.removed) == (0, 1, ())
    more(filled)
    third = back_up_store(filled, tmp_path / "backup")
    assert (third.commit_id, third.files.copied, third.files.kept) == (4, 1, 1)
    assert wide_rows(Store(tmp_path / "backup")) == wide_rows(filled)


def test_a_backup_that_was_read_meanwhile_is_renewed(filled, tmp_path):
    """Asking the backup, which leaves SQLite's log there for a while, does no harm to the next night's."""
    back_up_store(filled, tmp_path / "backup")
    with_log = Store(tmp_path / "backup")
    assert len(wide_rows(with_log)) == 6
    with_log.engine.dispose()
    more(filled)
    assert back_up_store(filled, tmp_path / "backup").verification.is_clean
    assert len(wide_rows(Store(tmp_path / "backup"))) == 7
    assert sorted(each.name for each in (tmp_path / "backup").glob("*.partial*")) == []


def test_an_erased_patient_leaves_the_backup(filled, tmp_path):
    """After an erasure the next backup has no file, row or page that names the patient."""
    more(filled, patient="Jane-Doe-4711")
    back_up_store(filled, tmp_path / "backup")
    assert any(b"Jane-Doe-4711" in content for content in contents(tmp_path / "backup").values())
    (tmp_path / "backup" / "report").mkdir()
    (tmp_path / "backup" / "report" / "index.html").write_text("Jane-Doe-4711")
    erase_patient(filled, "Jane-Doe-4711")
    made = back_up_store(filled, tmp_path / "backup")
    assert made.removed
    assert made.verification.is_clean
    assert not any(b"Jane-Doe-4711" in content for content in contents(tmp_path / "backup").values())


def test_what_breaks_off_leaves_the_former_backup(filled, tmp_path):
    """A damaged or missing file of the store stops the backup; the former one is untouched and opens."""
    back_up_store(filled, tmp_path / "backup")
    before = contents(tmp_path / "backup")
    more(filled)
    newest = max(filled.segments.local_root.rglob("*.parquet"), key=lambda file: file.stat().st_mtime_ns)
    whole = newest.read_bytes()
    newest.write_bytes(whole[:-8] + b"damaged!")
    with pytest.raises(ContractError, match="a file of the store is damaged"):
        back_up_store(filled, tmp_path / "backup")
    assert contents(tmp_path / "backup") == before
    newest.unlink()
    with pytest.raises(ContractError, match="a file of the store is missing"):
        back_up_store(filled, tmp_path / "backup")
    assert contents(tmp_path / "backup") == before
    assert len(wide_rows(Store(tmp_path / "backup"))) == 6
    newest.write_bytes(whole)
    assert back_up_store(filled, tmp_path / "backup").commit_id == 4


def test_a_damaged_backup_is_put_right(filled, tmp_path):
    """A file of the backup whose bytes changed is copied again, unless only sizes are compared."""
    back_up_store(filled, tmp_path / "backup")
    (segment,) = (tmp_path / "backup").rglob("*.parquet")
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-8] + b"damaged!")
    assert back_up_store(filled, tmp_path / "backup", quick=True).files.copied == 0
    assert back_up_store(filled, tmp_path / "backup").files.copied == 1
    assert segment.read_bytes() == whole
    segment.unlink()
    assert back_up_store(filled, tmp_path / "backup", quick=True).files.copied == 1


def test_a_backup_is_made_while_others_write(filled, tmp_path):
    """Commits that land meanwhile do not tear the copy: it has whole commits, and what they name."""
    stop = threading.Event()

    def write() -> None:
        store, number = Store(filled.root), 0
        while not stop.is_set():
            more(store, patient=f"x{number}")
            number += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = [back_up_store(Store(filled.root), tmp_path / "backup") for _ in range(4)]
    finally:
        stop.set()
        writer.join()
    assert all(each.verification.is_clean for each in made)
    assert made[0].commit_id < made[-1].commit_id
    copy = Store(tmp_path / "backup")
    assert len(wide_rows(copy)) == 6 + Snapshot(copy).commit_id - 3


def test_what_is_no_backup_of_this_store_is_refused(filled, tmp_path):
    """A full folder, a file, another store's backup, the store itself: nothing there is touched."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    (tmp_path / "file").write_text("mine")
    other = Store(tmp_path / "other", create=True)
    with commit_to(other, "another") as commit:
        commit.put("patients", [{"patient": "p1"}])
    back_up_store(other, tmp_path / "others-backup")
    before = contents(tmp_path)
    for place, said in (
        (tmp_path / "full", "the folder is not empty"),
        (tmp_path / "file", "this is no folder"),
        (tmp_path / "others-backup", "this is the backup of another store"),
        (filled.root, "a backup cannot lie in the store"),
        (filled.root / "backup", "a backup cannot lie in the store"),
        (tmp_path, "a backup cannot lie in the store, nor the store in it"),
        (Path("s3://bucket/backup"), "a folder of this machine, not a URL"),
    ):
        with pytest.raises(UsageError, match=said):
            back_up_store(filled, place)
    with pytest.raises(NotFoundError):
        back_up_store(filled, tmp_path / "file" / "below")
    assert contents(tmp_path) == before


def test_a_backup_that_was_written_to_is_kept(filled, tmp_path):
    """Commits that only the backup has would be lost: it is left as it is."""
    back_up_store(filled, tmp_path / "backup")
    with commit_to(Store(tmp_path / "backup"), "by mistake") as commit:
        commit.put("patients", [{"patient": "p9"}])
    with pytest.raises(ContractError, match="the backup has commits that the store has not"):
        back_up_store(filled, tmp_path / "backup")
    assert Snapshot(Store(tmp_path / "backup")).commit_id == 4


def test_an_open_backup_is_not_replaced_under_its_reader(filled, tmp_path, monkeypatch):
    """While somebody reads the backup's log it stays, and who runs the command is told."""
    monkeypatch.setattr("store.backup.copy._PATIENCE_S", 0.1)
    back_up_store(filled, tmp_path / "backup")
    reader = Store(tmp_path / "backup")
    with commit_to(filled, "newer") as commit:
        commit.put("patients", [{"patient": "p9"}])
    with write_transaction(reader.engine) as connection:
        connection.exec_driver_sql("insert into runs values ('r', 'f', null, 's', null, 'done', '{}', null, '{}')")
    with read_transaction(reader.engine) as connection:
        connection.exec_driver_sql("select * from commits").fetchall()
        with write_transaction(Store(tmp_path / "backup").engine) as other:
            other.exec_driver_sql("delete from runs where run_id = 'r'")
        with pytest.raises(StoreBusyError, match="somebody reads the backup"):
            back_up_store(filled, tmp_path / "backup")
    assert json.loads((tmp_path / "backup" / MARKER).read_text())["commit_id"] == 3
    assert back_up_store(filled, tmp_path / "backup").verification.is_clean
