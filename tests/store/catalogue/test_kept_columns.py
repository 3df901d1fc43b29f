"""What the store keeps by columns answers as the catalogue does, and never with rows that nobody committed."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from builders.store import Row

from schemas.errors import ContractError
from store import open_store
from store.address import StoreAddress, write_address
from store.analyst.publish import publish_snapshot
from store.analyst.query import answer
from store.catalogue.connection import read_transaction
from store.commits.commit import commit_to
from store.erasure.erase import erase_patient
from store.history.commit_changes import commit_changes
from store.history.snapshot import Snapshot
from store.home import Store
from store.verification.publication import columns_check
from store.verification.verify import store_verification

MANY = 5_200
"""More than the rows below which a table is read by SQL."""


def ages(first: int, number: int, age: float | None = 60.0) -> list[Row]:
    """Return an age of each of some patients."""
    return [
        {"patient": f"P{each:05}", "variable": "age", "observed_at": "", "value": age, "unit": "a"}
        for each in range(first, first + number)
    ]


def put_patients(store: Store, first: int, number: int) -> None:
    """Commit some patients with their ages."""
    with commit_to(store, "patients") as c:
        c.put("patients", [{"patient": row["patient"]} for row in ages(first, number)])
        c.put("clinical", ages(first, number))


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a store of many patients and publish it; tests copy it."""
    store = Store(tmp_path_factory.mktemp("kept") / "store", create=True)
    put_patients(store, 0, MANY)
    with commit_to(store, "one is younger") as c:
        c.put("clinical", ages(7, 1, 41.5))
    publish_snapshot(Snapshot(store))
    store.close()
    return store.root


@pytest.fixture
def store(published: Path, tmp_path: Path) -> Store:
    """Copy the published store."""
    return Store(shutil.copytree(published, tmp_path / "store"))


def by_sql(store: Store, tmp_path: Path) -> Store:
    """Return the same store without what it keeps by columns."""
    copy = shutil.copytree(store.root, tmp_path / "by-sql", dirs_exist_ok=True)
    shutil.rmtree(copy / "columns", ignore_errors=True)
    return Store(copy)


def change_rows(store: Store, statement: str) -> None:
    """Change the catalogue as no writer does."""
    with closing(sqlite3.connect(store.catalogue_file)) as connection:
        connection.execute(statement)
        connection.commit()


def is_kept(store: Store, table: str) -> bool:
    """Return whether a table is answered by columns."""
    return Snapshot(store).kept(table) is not None


def test_large_tables_alone_are_kept(store: Store) -> None:
    """A table of some thousand rows has its file, a small one has none."""
    files = sorted(each.name.partition("-")[0] for each in store.columns.folder.glob("*.arrow"))
    assert files == ["clinical", "patients"]
    assert is_kept(store, "clinical")
    assert not is_kept(store, "studies")


def test_answers_are_those_of_the_catalogue(store: Store, tmp_path: Path) -> None:
    """At every commit, before the file was written and since, whatever was added, superseded and ended."""
    put_patients(store, MANY, 3)
    with commit_to(store, "corrected") as c:
        c.put("clinical", [*ages(0, 2, 33.0), *ages(MANY, 1, None)])
        c.remove("clinical", ages(5, 1))
    without_columns = by_sql(store, tmp_path)
    for commit in range(5):
        ours, theirs = Snapshot(store, commit), Snapshot(without_columns, commit)
        assert ours.kept("clinical") is not None
        assert theirs.kept("clinical") is None
        assert ours.rows("clinical") == theirs.rows("clinical")
        assert ours.arrow("clinical").equals(theirs.arrow("clinical"))
        for asked in ({"patient": "P00000"}, {"value": None}, {"value": 41.5}, {"patient": "nobody"}):
            assert ours.rows("clinical", **asked) == theirs.rows("clinical", **asked)
            assert ours.column("clinical", "value", **asked) == theirs.column("clinical", "value", **asked)
        assert commit_changes(ours).equals(commit_changes(theirs))
    question = "select count(*), sum(value), count(distinct patient) from clinical"
    assert answer(Snapshot(store), question).equals(answer(Snapshot(without_columns), question))


def test_few_new_rows_leave_the_file_many_renew_it(store: Store) -> None:
    """Publishing after a small commit writes no large table again."""

    def files() -> set[str]:
        return {each.name for each in store.columns.folder.glob("*.arrow")}

    before = files()
    put_patients(store, MANY, 3)
    publish_snapshot(Snapshot(store))
    assert files() == before
    put_patients(store, MANY + 3, MANY // 9)
    publish_snapshot(Snapshot(store))
    # Whoever asked before may still map the former files; the next publication removes them.
    assert before < files()
    publish_snapshot(Snapshot(store))
    assert files().isdisjoint(before)
    assert len(files()) == len(before)
    assert is_kept(store, "clinical")


@pytest.mark.parametrize(
    "statement",
    [
        "update clinical set value = 7 where patient = 'P00003'",
        "delete from clinical where patient = 'P00003'",
        "update clinical set removed_commit = 2 where patient = 'P00003'",
    ],
)
def test_rows_that_were_altered_are_no_answer(store: Store, statement: str) -> None:
    """What was committed is still there by columns; verify finds the catalogue's rows altered."""
    change_rows(store, statement)
    assert Snapshot(store).column("clinical", "value", patient="P00003") == [60.0]
    assert not store_verification(store, quick=True).is_clean


@pytest.mark.parametrize(
    "statement",
    [
        "insert into clinical (patient, variable, observed_at, value, added_commit) values ('X', 'age', '', 1, 3)",
        "update clinical set value = 7 where patient = 'P00003'",
        "update clinical set value = 7 where added_commit = 3",
    ],
)
def test_altered_rows_are_refused_where_something_was_written_since(store: Store, statement: str) -> None:
    """The file and the rows since have not the sum that was committed: nothing is answered."""
    with commit_to(store, "corrected") as c:
        c.put("clinical", ages(3, 1, 61.0))
    change_rows(store, statement)
    with pytest.raises(ContractError, match="'clinical' are not those that were committed"):
        Snapshot(store).rows("clinical")


def damage_bytes(folder: Path) -> None:
    """Change a byte."""
    file = next(folder.glob("clinical-*.arrow"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 255
    file.write_bytes(content)


def cut_short(folder: Path) -> None:
    """Write a file without its end."""
    file = next(folder.glob("clinical-*.arrow"))
    file.write_bytes(file.read_bytes()[:-100])


def remove_file(folder: Path) -> None:
    """Remove a file."""
    next(folder.glob("clinical-*.arrow")).unlink()


def link_elsewhere(folder: Path) -> None:
    """Put a link in a file's place."""
    file = next(folder.glob("clinical-*.arrow"))
    file.rename(folder / "elsewhere")
    file.symlink_to(folder / "elsewhere")


@pytest.mark.parametrize("damage", [damage_bytes, cut_short, remove_file, link_elsewhere])
def test_a_file_that_is_not_as_it_was_written_is_not_read(store: Store, damage: Callable[[Path], None]) -> None:
    """The catalogue answers, the check says so, and publishing writes the file again."""
    damage(store.columns.folder)
    fresh = Store(store.root)
    assert not is_kept(fresh, "clinical")
    assert len(Snapshot(fresh).rows("clinical")) == MANY
    (check,) = columns_check(fresh)
    assert [each.what.rpartition(" is ")[2] for each in check.findings] == ["missing or not as it was written"]
    publish_snapshot(Snapshot(fresh))
    assert is_kept(fresh, "clinical")
    assert not columns_check(fresh)[0].findings


def no_json(_: dict[str, Any]) -> str:
    """Return what is no JSON."""
    return "{"


def a_list(_: dict[str, Any]) -> str:
    """Return a list."""
    return "[]"


def another_place(note: dict[str, Any]) -> str:
    """Return the note with a file's name that leads through another folder."""
    note["clinical"]["name"] = "../columns/" + note["clinical"]["name"]
    return json.dumps(note)


def another_sum(note: dict[str, Any]) -> str:
    """Return the note with another sum of rows."""
    note["clinical"]["sum"][1] += 1
    return json.dumps(note)


@pytest.mark.parametrize("changed", [no_json, a_list, another_place, another_sum])
def test_a_note_that_is_not_as_it_was_written_is_not_believed(
    store: Store, changed: Callable[[dict[str, Any]], str]
) -> None:
    """The catalogue answers."""
    note = store.columns.folder / "tables.json"
    note.write_text(changed(json.loads(note.read_text())))
    fresh = Store(store.root)
    assert not is_kept(fresh, "clinical")
    assert len(Snapshot(fresh).rows("clinical")) == MANY


def test_an_older_catalogue_is_answered_by_itself(published: Path, store: Store) -> None:
    """A catalogue that was put back from a backup has other rows than the columns of what came after it."""
    put_patients(store, MANY, MANY // 5)
    publish_snapshot(Snapshot(store))
    store.close()
    for left in store.root.glob("catalogue.sqlite-*"):
        left.unlink()
    shutil.copy(published / "catalogue.sqlite", store.root)
    back = Store(store.root)
    assert len(Snapshot(back).rows("clinical")) == MANY
    assert not is_kept(back, "clinical")


def test_who_is_erased_is_in_no_column(store: Store) -> None:
    """Erasing writes the files again."""
    erase_patient(store, "P00042")
    files = list(store.columns.folder.iterdir())
    assert is_kept(store, "clinical")
    assert not any(b"P00042" in file.read_bytes() for file in files)
    assert any(b"P00043" in file.read_bytes() for file in files)


def test_columns_that_another_machine_made_before_an_erasure_are_found(store: Store, tmp_path: Path) -> None:
    """They are no answer, and verify says what removes them."""
    before = shutil.copytree(store.columns.folder, tmp_path / "before")
    erase_patient(store, "P00042")
    shutil.rmtree(store.columns.folder)
    shutil.copytree(before, store.columns.folder)
    fresh = Store(store.root)
    assert Snapshot(fresh).rows("clinical", patient="P00042") == []
    (check,) = [each for each in store_verification(fresh).checks if each.name == "columns"]
    assert {each.hint for each in check.findings} == {"radzoo store publish writes it again"}
    assert len(check.findings) == 2
    publish_snapshot(Snapshot(fresh))
    assert not any(b"P00042" in file.read_bytes() for file in fresh.columns.folder.iterdir())


def test_reading_writes_no_columns(store: Store) -> None:
    """A store that is opened to read answers by columns that are there, and makes none."""
    put_patients(store, MANY, MANY // 5)
    store.close()
    before = {file: file.stat().st_mtime_ns for file in store.columns.folder.iterdir()}
    with open_store(store.root) as s:
        assert s.sql("select count(*) as n from clinical").pl()["n"].item() == MANY + MANY // 5
    assert {file: file.stat().st_mtime_ns for file in store.columns.folder.iterdir()} == before


def test_an_open_commit_is_read_by_sql(store: Store) -> None:
    """What a transaction has written so far is in no sum."""
    with commit_to(store, "corrected") as c:
        c.put("clinical", ages(3, 1, 61.0))
        own = Snapshot.within(store, c.connection, c.commit_id)
        assert own.kept("clinical") is None
        assert own.column("clinical", "value", patient="P00003") == [61.0]
        assert Snapshot(store).column("clinical", "value", patient="P00003") == [60.0]


def test_a_server_s_catalogue_is_kept_too(new_address: Callable[..., StoreAddress], tmp_path: Path) -> None:
    """Rows of PostgreSQL have the sums of SQLite's."""
    root = tmp_path / "store"
    write_address(root, new_address("postgresql"))
    store = Store(root, create=True)
    put_patients(store, 0, MANY)
    publish_snapshot(Snapshot(store))
    with commit_to(store, "corrected") as c:
        c.put("clinical", ages(3, 1, 61.5))
    with read_transaction(store.engine) as connection:
        kept = store.columns.table(connection, "clinical")
        assert kept is not None
        assert kept.rows().num_rows == MANY + 1
    assert Snapshot(store).column("clinical", "value", patient="P00003") == [61.5]
    store.close()


def test_reading_by_columns_loads_no_pandas(store: Store) -> None:
    """It takes longer to load than the rows take to read."""
    read = (
        "import sys; from pathlib import Path;"
        "from store.home import Store; from store.history.snapshot import Snapshot;"
        "from store.history.commit_changes import commit_changes;"
        "snapshot = Snapshot(Store(Path(sys.argv[1])));"
        "assert snapshot.kept('clinical') is not None;"
        "snapshot.rows('clinical', patient='P00001'); snapshot.arrow('clinical'); commit_changes(snapshot);"
        "print('pandas' in sys.modules)"
    )
    put_patients(store, MANY, 3)
    with commit_to(store, "corrected") as c:
        c.put("clinical", ages(3, 1, 61.0))
    done = subprocess.run([sys.executable, "-c", read, str(store.root)], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
