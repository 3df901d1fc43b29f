"""Commits: what they add, supersede and remove, and that they land whole or not at all."""

from __future__ import annotations

import math
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from builders.store import put_features

from schemas.errors import ContractError, StoreBusyError
from schemas.settings import BUSY_TIMEOUT_S
from store.analyst.query import answer
from store.catalogue.connection import read_transaction, write_transaction
from store.catalogue.tables import KEYS, VERSIONED, commits
from store.commits.commit import Changes, commit_to
from store.history.snapshot import Snapshot, newest_commit
from store.home import Store

VALUE = {
    "patient": "p1",
    "variable": "afp",
    "observed_at": "",
    "value": 1.0,
    "unit": "[IU]/mL",
    "recorded_at": "monday",
}


@pytest.fixture
def store(store_of_any_catalogue):
    """Return an empty store, in turn with each catalogue that a store may have."""
    return store_of_any_catalogue


def put(store: Store, rows, table: str = "clinical", **options) -> Changes:
    """Write rows in a commit of their own and return what they changed."""
    with commit_to(store, "test") as commit:
        return commit.put(table, rows, **options)


def broken_off(store: Store, error: type[BaseException], rows) -> None:
    """Write rows in a commit that ends with an error."""
    with commit_to(store, "breaks off") as commit:
        commit.put("patients", [{"patient": "p1"}])
        commit.put("clinical", rows)
        raise error


@contextmanager
def opened_again(store: Store, busy_timeout_s: float = BUSY_TIMEOUT_S) -> Iterator[Store]:
    """Give the same store with connections of its own, as another process has it."""
    again = Store(store.root, busy_timeout_s=busy_timeout_s)
    yield again
    again.engine.dispose()


def values(store: Store, as_of: int | None = None) -> dict[tuple[str, str], float | None]:
    """Return the live clinical values by patient and variable."""
    return {(row["patient"], row["variable"]): row["value"] for row in Snapshot(store, as_of).rows("clinical")}


def test_a_first_row_is_added(store):
    """A new key is a row added by commit 1, whose author, message and run are kept."""
    with commit_to(store, "first", run_id="r", author="anna") as commit:
        assert commit.put("clinical", [VALUE]) == Changes(added=1)
    assert Snapshot(store).rows("clinical") == [VALUE | {"level": None, "added_commit": 1}]
    (row,) = Snapshot(store).arrow("commits").to_pylist()
    assert (row["commit_id"], row["author"], row["message"], row["run_id"]) == (1, "anna", "first", "r")


def test_equal_rows_make_no_commit(store):
    """Writing again what is there changes nothing, and no commit is made."""
    put(store, [VALUE])
    assert put(store, [dict(VALUE)]) == Changes(unchanged=1)
    assert newest_commit(store) == 1


def test_an_empty_commit_is_none(store):
    """A commit without rows is not made."""
    assert put(store, []) == Changes()
    with commit_to(store, "nothing"):
        pass
    assert newest_commit(store) == 0


def test_a_changed_row_supersedes(store):
    """A changed value ends the old row and adds a new one: the old commit still gives the old value."""
    put(store, [VALUE])
    assert put(store, [VALUE | {"value": 2.0}]) == Changes(changed=1)
    assert values(store, 1) == {("p1", "afp"): 1.0}
    assert values(store, 2) == values(store) == {("p1", "afp"): 2.0}
    with read_transaction(store.engine) as connection:
        lives = connection.execute(VERSIONED["clinical"].select()).mappings().all()
    assert [(row["value"], row["added_commit"], row["removed_commit"]) for row in lives] == [
        (1.0, 1, 2),
        (2.0, 2, None),
    ]


def test_when_a_value_became_known_is_no_difference(store):
    """A value recorded again later is the same value and keeps the time it was first known; a new value has its own."""
    put(store, [VALUE])
    assert put(store, [VALUE | {"recorded_at": "tuesday"}]) == Changes(unchanged=1)
    assert Snapshot(store).rows("clinical")[0]["recorded_at"] == "monday"
    put(store, [VALUE | {"value": 2.0, "recorded_at": "tuesday"}])
    assert Snapshot(store).rows("clinical")[0]["recorded_at"] == "tuesday"


def test_a_column_left_out_is_null(store):
    """A row is the whole row: a column it does not give becomes NULL, which is a change."""
    put(store, [VALUE])
    assert put(store, [{key: VALUE[key] for key in KEYS["clinical"]}]) == Changes(changed=1)
    assert values(store) == {("p1", "afp"): None}


def test_no_number_is_null(store):
    """NaN is kept as NULL and equals itself: the same row twice makes one commit."""
    assert put(store, [VALUE | {"value": math.nan}]) == Changes(added=1)
    assert put(store, [VALUE | {"value": math.nan}]) == Changes(unchanged=1)
    assert values(store) == {("p1", "afp"): None}


def test_numbers_are_kept_to_the_last_bit(store):
    """A stored number reads back equal, so that writing it again changes nothing."""
    numbers = (5e-324, -2.2250738585072014e-308, 1.7976931348623157e308, 0.1, math.inf)
    rows = [VALUE | {"variable": repr(number), "value": number} for number in numbers]
    put(store, rows)
    assert values(store) == {("p1", repr(number)): number for number in numbers}
    assert put(store, rows) == Changes(unchanged=len(rows))


def test_replacing_removes_what_is_not_given(store):
    """Where a scope is replaced its other rows end; rows out of the scope stay."""
    put(store, [VALUE, VALUE | {"variable": "ast"}, VALUE | {"patient": "p2"}])
    changes = put(store, [VALUE, VALUE | {"variable": "alt"}], replacing={"patient": "p1"})
    assert changes == Changes(added=1, removed=1, unchanged=1)
    assert set(values(store)) == {("p1", "afp"), ("p1", "alt"), ("p2", "afp")}
    assert put(store, [], replacing={"patient": "p1"}) == Changes(removed=2)
    assert set(values(store)) == {("p2", "afp")}


def test_replacing_twice_changes_nothing(store):
    """The same replacement again makes no commit."""
    for expected in (Changes(added=1), Changes(unchanged=1)):
        assert put(store, [VALUE], replacing={"patient": "p1"}) == expected
    assert newest_commit(store) == 1


def test_a_row_outside_the_replaced_scope_is_refused(store):
    """Such a row would become a second live row of its key; nothing is written."""
    put(store, [VALUE | {"patient": "p2"}])
    with pytest.raises(ValueError, match="lie outside"):
        put(store, [VALUE | {"patient": "p2"}], replacing={"patient": "p1"})
    assert len(Snapshot(store).rows("clinical")) == newest_commit(store) == 1


def test_remove_ends_rows_by_key(store):
    """Rows that are removed are gone from now on and counted; those that were not there are not."""
    put(store, [VALUE, VALUE | {"variable": "ast"}])
    with commit_to(store, "test") as commit:
        assert commit.remove("clinical", [VALUE, VALUE | {"patient": "nobody"}]) == Changes(removed=1)
    assert set(values(store)) == {("p1", "ast")}
    assert set(values(store, 1)) == {("p1", "afp"), ("p1", "ast")}


def test_two_puts_of_one_commit_add_up(store):
    """A key written twice in one commit has the last value, one live row, and no state in between."""
    with commit_to(store, "test") as commit:
        commit.put("clinical", [VALUE])
        assert commit.put("clinical", [VALUE | {"value": 2.0}]) == Changes(changed=1)
        assert commit.changes["clinical"] == Changes(added=1, changed=1)
    assert newest_commit(store) == 1
    assert values(store, 1) == {("p1", "afp"): 2.0}
    assert values(store, 0) == {}


def test_more_rows_than_one_statement_takes(store):
    """Look-ups and endings go in batches: a thousand rows are added, left, changed and removed as few are."""
    rows = [VALUE | {"patient": f"p{number}"} for number in range(1001)]
    assert put(store, rows) == Changes(added=1001)
    assert put(store, rows) == Changes(unchanged=1001)
    assert put(store, [row | {"value": 2.0} for row in rows[:500]]) == Changes(changed=500)
    assert put(store, [], replacing={"variable": "afp"}) == Changes(removed=1001)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_inside_leaves_no_trace(store, error):
    """A commit that is interrupted, by a fault or by the user, leaves the store as it was."""
    put(store, [VALUE])
    before = Snapshot(store).rows("clinical")
    with pytest.raises(error):
        broken_off(store, error, [VALUE | {"value": 2.0}, VALUE | {"patient": "p2"}])
    assert newest_commit(store) == 1
    assert Snapshot(store).rows("clinical") == before
    assert Snapshot(store).rows("patients") == []
    with read_transaction(store.engine) as connection:
        assert len(connection.execute(VERSIONED["clinical"].select()).all()) == 1
    put(store, [VALUE | {"value": 3.0}])
    assert newest_commit(store) == 2


def test_a_row_without_its_key_leaves_no_trace(store):
    """A row that lacks a key column is a fault of the caller; rows before it are not written either."""
    with pytest.raises(KeyError, match="variable"):
        broken_off(store, RuntimeError, [{"patient": "p1"}])
    assert Snapshot(store).rows("patients") == []


def test_ids_are_consecutive(store):
    """Commits count 1, 2, 3 ...; those that changed nothing or failed use up no number."""
    for number in range(6):
        put(store, [VALUE | {"value": float(number // 2)}])
        with pytest.raises(RuntimeError):
            broken_off(store, RuntimeError, [VALUE | {"value": -1.0}])
    assert Snapshot(store).arrow("commits").column("commit_id").to_pylist() == [1, 2, 3]


WRITER = """
import sys
from pathlib import Path
from store.commits.commit import commit_to
from store.home import Store

store, name = Store(Path(sys.argv[1]), create=True), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for number in range(10):
    with commit_to(store, f"{name} {number}") as commit:
        commit.put("patients", [{"patient": f"{name}-{number}"}])
        commit.put("exams", [{"patient": "shared", "exam": "e", "acquired_on": f"{name}-{number}"}])
"""


def test_two_processes_that_write_at_once(tmp_path):
    """Two processes make the store and ten commits each at the same time: all land, in one order, none is lost."""
    root = tmp_path / "store"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(root), name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for name in ("a", "b")
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    store = Store(root)
    history = Snapshot(store).arrow("commits").to_pylist()
    assert [row["commit_id"] for row in history] == list(range(1, 21))
    assert {row["message"] for row in history} == {f"{name} {number}" for name in "ab" for number in range(10)}
    for row in history:
        snapshot = Snapshot(store, row["commit_id"])
        assert len(snapshot.rows("patients")) == row["commit_id"]
        # The row that both write is, after each commit, the one of that commit.
        assert snapshot.row("exams")["acquired_on"] == row["message"].replace(" ", "-")


def test_a_reader_is_not_blocked_by_a_writer(store):
    """While a commit is open a reader with next to no patience sees the state before it, and the new one after."""
    put(store, [VALUE])
    with opened_again(store, 0.01) as reader:
        with commit_to(store, "test") as commit:
            commit.put("clinical", [VALUE | {"value": 2.0}])
            assert values(reader) == {("p1", "afp"): 1.0}
        assert values(reader) == {("p1", "afp"): 2.0}


def test_a_read_transaction_sees_one_state(store):
    """A reader that has begun to read keeps its state while another commits, and does not hold the writer up."""
    put(store, [VALUE])
    with read_transaction(store.engine) as connection:
        before = connection.execute(commits.select()).all()
        with opened_again(store, 0.01) as writer:
            put(writer, [VALUE | {"value": 2.0}])
        assert connection.execute(commits.select()).all() == before
    assert newest_commit(store) == 2


def test_a_second_writer_gives_up_after_its_timeout(store):
    """A writer that waits in vain says so with exit code 6, and writes nothing."""
    with opened_again(store, 0.05) as impatient:
        with write_transaction(store.engine):
            with pytest.raises(StoreBusyError) as caught:
                put(impatient, [VALUE])
            assert caught.value.exit_code == 6
            assert caught.value.where == (store.address.catalogue or str(store.catalogue_file))
            assert caught.value.hint
        assert newest_commit(store) == 0
        put(impatient, [VALUE])
        assert newest_commit(store) == 1


def test_a_second_writer_waits_its_turn(store):
    """A writer that finds the store held waits and then commits on top of what landed meanwhile."""
    with opened_again(store) as waiting:
        with write_transaction(store.engine):
            thread = threading.Thread(target=put, args=(waiting, [VALUE]))
            thread.start()
            thread.join(0.2)
            assert thread.is_alive()
        thread.join(30)
    assert values(store) == {("p1", "afp"): 1.0}


def test_every_table_takes_supersedes_and_removes_a_row(store):
    """All versioned tables follow the same rules, whatever their keys are, and no column's change is overlooked."""
    for table, columns in VERSIONED.items():
        types = {column.name: column.type.python_type for column in columns.columns}
        kept = ("row_id", "added_commit", "removed_commit", "recorded_at")
        content = [name for name in types if name not in (*KEYS[table], *kept)]
        # A row for each column beside the key: in each, another one changes.
        count = max(len(content), 1)
        keys = [{name: types[name](number) for name in KEYS[table]} for number in range(1, count + 1)]
        rows = [key | {name: types[name](1) for name in content} for key in keys]
        assert put(store, rows, table) == Changes(added=count), table
        assert put(store, rows, table) == Changes(unchanged=count), table
        for row, name in zip(rows, content, strict=False):
            row[name] = types[name](2)
        assert put(store, rows, table) == Changes(changed=len(content), unchanged=count - len(content)), table
        known = {"recorded_at": None} if "recorded_at" in types else {}
        known["added_commit"] = newest_commit(store)
        expected = {tuple(key.values()): row | known for key, row in zip(keys, rows, strict=True)}
        live = Snapshot(store).rows(table)
        assert {tuple(row[name] for name in KEYS[table]): row for row in live} == expected, table
        assert len(live) == count, table
        with commit_to(store, "test") as commit:
            assert commit.remove(table, keys) == Changes(removed=count), table
        assert Snapshot(store).rows(table) == [], table


def test_a_commit_that_could_not_be_read_again_does_not_land(filled):
    """A name that no view can have is refused before the commit lands; what was there answers as before."""
    before = newest_commit(filled)
    with pytest.raises(ContractError, match="could not be read again") as refused, commit_to(filled, "twins") as commit:
        put_features(commit, "other@1", ("Twin", "twin"))
    assert refused.value.exit_code == 4
    assert newest_commit(filled) == before
    assert answer(Snapshot(filled), "from two_features").num_rows > 0
