"""What is kept by columns neither answers with other rows in a process that lives long, nor stands in a verb's way."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

import pytest
from builders.store import Row

from flows.expect.asked import Scope, asked_process
from schemas.errors import RadzooError
from store import open_store
from store.analyst.named import names_in
from store.analyst.publish import publish_snapshot
from store.catalogue.connection import read_transaction
from store.commits.commit import commit_to
from store.erasure.datasets import all_receipts
from store.erasure.erase import erase_patient
from store.history.snapshot import Snapshot
from store.home import Store
from store.limits.landlock import landlock_version
from store.verification.publication import columns_check

MANY = 5_200
NOBODY = 65_534


def ages(first: int, number: int, age: float = 60.0) -> list[Row]:
    """Return an age of each of some patients."""
    return [
        {"patient": f"P{each:05}", "variable": "age", "observed_at": "", "value": age, "unit": "a"}
        for each in range(first, first + number)
    ]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a store of many patients and publish it; tests copy it."""
    store = Store(tmp_path_factory.mktemp("kept") / "store", create=True)
    with commit_to(store, "patients") as c:
        c.put("patients", [{"patient": row["patient"]} for row in ages(0, MANY)])
        c.put("clinical", ages(0, MANY))
        c.put("clinical", ages(7, 1, 41.5))
    publish_snapshot(Snapshot(store))
    store.close()
    return store.root


@pytest.fixture
def root(published: Path, tmp_path: Path) -> Path:
    """Copy the published store."""
    return shutil.copytree(published, tmp_path / "store")


def alter_value(file: Path) -> None:
    """Write another value in the place of one, as nobody committed it."""
    content = file.read_bytes()
    file.write_bytes(content.replace(struct.pack("<d", 41.5), struct.pack("<d", 1.5)))


def cut_short(file: Path) -> None:
    """Leave a file's beginning alone."""
    file.write_bytes(file.read_bytes()[:1000])


@pytest.mark.parametrize("damage", [alter_value, cut_short, Path.unlink])
def test_a_file_that_changes_while_a_store_is_open_is_not_read(root: Path, damage: Callable[[Path], None]) -> None:
    """The catalogue answers in its place, at once and as often as it is asked."""
    question = "select count(*) as n, min(value) as least from catalogue.clinical"
    with open_store(root) as s:
        assert s.sql(question).rows() == [{"n": MANY, "least": 41.5}]
        damage(next(root.glob("columns/clinical-*.arrow")))
        assert s.sql(question).rows() == [{"n": MANY, "least": 41.5}]


@pytest.mark.skipif(os.geteuid() != 0, reason="the folder of another user is made by root")
def test_a_folder_of_somebody_else_stands_in_no_way(root: Path) -> None:
    """Root has published once: the store's owner goes on publishing, for nothing needs what is kept by columns."""
    for each in (root, *root.iterdir()):
        if each.name != "columns":
            os.chown(each, NOBODY, NOBODY)
    for each in root.parents:
        each.chmod(each.stat().st_mode | 0o111)
    child = os.fork()
    if not child:
        try:
            os.setuid(NOBODY)
            publish_snapshot(Snapshot(Store(root)))
        except RadzooError as error:
            os.write(2, str(error).encode())
            os._exit(1)
        except BaseException:
            os._exit(2)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.skipif(not landlock_version(), reason="the kernel has no Landlock")
def test_an_erasure_meanwhile_leaves_a_running_process_its_right_to_read(root: Path) -> None:
    """Erasing puts another folder in the place of the one that the process was given."""
    store, question = Store(root), "select count(*) as n from catalogue.clinical"
    scope = Scope("s", frozenset(), frozenset(), frozenset())
    with asked_process(store, by_fork=False) as process:
        named = names_in(question)
        assert process.answer(Snapshot(store), question, named, scope, {}).shown == ({"n": str(MANY)},)
        erase_patient(Store(root), "P00042", author="somebody")
        assert process.answer(Snapshot(store), question, named, scope, {}).shown == ({"n": str(MANY - 1)},)


def test_erasing_says_so_where_it_leaves_a_patient_by_columns(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receipt is not finished while a file of the store still has the patient's rows."""
    # As where another user owns the folder, or a network's file system holds a file that somebody has open.
    monkeypatch.setattr(os, "unlink", _refuses(os.unlink, root / "columns"))
    monkeypatch.setattr(os, "rmdir", _refuses(os.rmdir, root / "columns"))
    store = Store(root)
    with suppress(RadzooError):
        erase_patient(store, "P00042", author="somebody")
    left = [file.name for file in root.glob("columns/*.arrow") if b"P00042" in file.read_bytes()]
    with read_transaction(store.engine) as connection:
        (receipt,) = all_receipts(connection)
    assert not left or receipt["status"] != "finished"


def labels(numbers: Iterable[int], label: int = 0) -> list[Row]:
    """Return a label of each of some patients."""
    return [{"study": "s", "patient": f"P{each:05}", "outcome": "o", "label": label} for each in numbers]


def test_a_commit_that_is_made_again_in_another_order_is_answered_as_the_catalogue_does(tmp_path: Path) -> None:
    """A catalogue is put back from a backup, and the same rows come again: they have one sum, and other numbers."""
    store = Store(tmp_path / "store", create=True)
    with commit_to(store, "begun") as c:
        c.put("labels", labels([99_999]))
    store.close()
    backup = shutil.copy(store.catalogue_file, tmp_path / "backup.sqlite")
    store = Store(store.root)
    with commit_to(store, "labels") as c:
        c.put("labels", labels(range(MANY)))
    publish_snapshot(Snapshot(store))
    store.close()
    for left in store.root.glob("catalogue.sqlite-*"):
        left.unlink()
    shutil.copy(backup, store.catalogue_file)
    store = Store(store.root)
    with commit_to(store, "labels") as c:
        c.put("labels", labels(reversed(range(MANY))))
    with commit_to(store, "corrected") as c:
        c.put("labels", labels([100], 1))
    publish_snapshot(Snapshot(store))
    assert not columns_check(store)[0].findings
    by_columns = sorted((row["patient"], row["label"]) for row in Snapshot(store).rows("labels"))
    shutil.rmtree(store.columns.folder)
    by_sql = sorted((row["patient"], row["label"]) for row in Snapshot(Store(store.root)).rows("labels"))
    assert by_columns == by_sql


def _refuses(remove: Callable[..., None], folder: Path) -> Callable[..., None]:
    def refused(path: str | Path, *, dir_fd: int | None = None) -> None:
        name = Path(f"/proc/self/fd/{dir_fd}").readlink() / path if dir_fd is not None else Path(path)
        if folder in (name, *name.parents) and name.suffix != ".partial":
            raise PermissionError(13, "Permission denied", str(name))
        remove(path, dir_fd=dir_fd)

    return refused
