"""Snapshots: the store as of any commit, against a model of plain dictionaries."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import ContractError, NotFoundError
from store.catalogue.tables import VERSIONED
from store.commits.commit import commit_to
from store.history.runs import record_run
from store.history.snapshot import Snapshot, newest_commit
from store.home import Store

Key = tuple[str, str, str]
State = dict[Key, tuple[float | None, str]]

patients = st.sampled_from(["p1", "p2", "p3"])
keys = st.tuples(patients, st.sampled_from(["afp", "ast"]), st.sampled_from(["", "2020"]))
rows = st.dictionaries(keys, st.sampled_from([None, -0.5, 0.0, 1.0, 2.0]), max_size=5)
operations = st.one_of(
    st.tuples(st.just("put"), rows),
    st.tuples(st.just("replace"), patients, rows),
    st.tuples(st.just("remove"), st.lists(keys, max_size=3)),
)
histories = st.lists(
    st.tuples(st.lists(operations, max_size=3), st.sampled_from([False, False, False, True])), max_size=8
)


def applied(state: State, operation, time: str) -> tuple[State, bool]:
    """Return the state after an operation, by the rules of the design, and whether anything differs."""
    new = dict(state)
    if operation[0] == "remove":
        for key in operation[1]:
            new.pop(key, None)
    else:
        given_rows = operation[-1]
        if operation[0] == "replace":
            given_rows = {key: value for key, value in given_rows.items() if key[0] == operation[1]}
            new = {key: row for key, row in new.items() if key[0] != operation[1] or key in given_rows}
        for key, value in given_rows.items():
            if key not in new or new[key][0] != value:
                new[key] = (value, time)
    return new, new != state


def carried_out(store: Store, operations_of_commit, fails: bool, time: str) -> None:
    """Do the same through a commit, which breaks off at its end where ``fails``."""
    with commit_to(store, time) as commit:
        for operation in operations_of_commit:
            if operation[0] == "remove":
                commit.remove(
                    "clinical",
                    [dict(zip(("patient", "variable", "observed_at"), key, strict=True)) for key in operation[1]],
                )
                continue
            wanted = [
                {"patient": p, "variable": v, "observed_at": o, "value": value, "recorded_at": time}
                for (p, v, o), value in operation[-1].items()
                if operation[0] == "put" or p == operation[1]
            ]
            commit.put("clinical", wanted, replacing={"patient": operation[1]} if operation[0] == "replace" else None)
        if fails:
            raise RuntimeError


def state_of(snapshot: Snapshot) -> State:
    """Return a snapshot's clinical rows as the model keeps them; a key that lives twice is a fault."""
    found = snapshot.rows("clinical")
    state = {(r["patient"], r["variable"], r["observed_at"]): (r["value"], r["recorded_at"]) for r in found}
    assert len(state) == len(found)
    return state


@settings(max_examples=15, deadline=None)
@given(histories)
def test_every_commit_of_a_random_history_can_be_read_back(history):
    """As of each commit the store holds what plain dictionaries held then, and no other commit was made."""
    states: list[State] = [{}]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), create=True)
        for number, (operations_of_commit, fails) in enumerate(history):
            time = f"2020-01-0{number + 1}"
            state, is_changed = states[-1], False
            for operation in operations_of_commit:
                state, differs = applied(state, operation, time)
                is_changed |= differs
            if fails:
                with pytest.raises(RuntimeError):
                    carried_out(store, operations_of_commit, fails, time)
            else:
                carried_out(store, operations_of_commit, fails, time)
                if is_changed:
                    states.append(state)
            assert newest_commit(store) == len(states) - 1
        assert [state_of(Snapshot(store, number)) for number in range(len(states))] == states
        assert state_of(Snapshot(store)) == states[-1]
        store.engine.dispose()


def test_a_snapshot_does_not_see_later_commits(store):
    """A snapshot taken before a commit keeps its rows, also those that the commit superseded."""
    with commit_to(store, "one") as commit:
        commit.put("patients", [{"patient": "p1"}])
    snapshot = Snapshot(store)
    with commit_to(store, "two") as commit:
        commit.put("patients", [{"patient": "p2"}], replacing={})
    assert [row["patient"] for row in snapshot.rows("patients")] == ["p1"]
    assert [row["patient"] for row in Snapshot(store).rows("patients")] == ["p2"]


def test_the_empty_store_is_commit_0(filled):
    """As of commit 0 every table is empty, and so are the lists of commits and runs."""
    snapshot = Snapshot(filled, 0)
    assert all(snapshot.arrow(table).num_rows == 0 for table in (*VERSIONED, "commits", "runs"))


@pytest.mark.parametrize("as_of", [-1, 4, 10**9])
def test_a_commit_that_is_not_there(shared_store, as_of):
    """A commit that was never made is not found, and the error tells which there are."""
    with pytest.raises(NotFoundError, match=f"no commit {as_of}") as caught:
        Snapshot(shared_store, as_of)
    assert "1 to 3" in str(caught.value.hint)


def test_rows_by_value(shared_store):
    """Rows can be asked for by the values of columns, NULL among them."""
    snapshot = Snapshot(shared_store)
    assert [row["patient"] for row in snapshot.rows("labels", label=None)] == ["p3"]
    assert [row["patient"] for row in snapshot.rows("labels", study="er", label=1)] == ["p1"]
    assert snapshot.rows("labels", study="other") == []


def test_one_row(shared_store):
    """One row is given where there is one; none and several are errors of their own kind."""
    snapshot = Snapshot(shared_store)
    assert snapshot.row("labels", patient="p1")["label"] == 1
    with pytest.raises(NotFoundError, match="no row of labels with patient 'px'"):
        snapshot.row("labels", patient="px")
    with pytest.raises(ContractError, match="3 live rows of labels"):
        snapshot.row("labels", study="er")


@pytest.mark.parametrize("table", [*VERSIONED, "commits", "runs"])
def test_arrow_types_do_not_depend_on_the_rows(store, shared_store, table):
    """An empty table has the same columns and types as a filled one, so that views can be defined on both."""
    empty, full = Snapshot(store).arrow(table), Snapshot(shared_store).arrow(table)
    assert empty.schema == full.schema
    assert set(empty.schema.types) <= {pa.int64(), pa.float64(), pa.string()}
    assert full.num_rows == (3 if table in ("commits", "runs") else len(Snapshot(shared_store).rows(table)))


def test_commits_and_runs_up_to_an_older_commit(filled):
    """As of a commit there are no later commits, and no runs that started after it; the newest shows all runs."""
    with pytest.raises(RuntimeError), record_run(filled, "refresh", "er", {}):
        raise RuntimeError
    newest = Snapshot(filled)
    flows_of = {as_of: Snapshot(filled, as_of).arrow("runs").column("flow").to_pylist() for as_of in (0, 1, 2, 3)}
    assert flows_of == {0: [], 1: ["ingest"], 2: ["ingest", "refresh"], 3: ["ingest", "refresh", "bench", "refresh"]}
    assert newest.arrow("runs").num_rows == 4
    assert Snapshot(filled, 2).arrow("commits").column("message").to_pylist() == ["ingest er", "refresh er"]
