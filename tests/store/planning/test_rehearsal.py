"""A copy of the catalogue to try a commit on: the same rows, and nothing of it in the store."""

from __future__ import annotations

import pytest
from builders.store import fill, rows_of

from schemas.errors import ContractError
from store.catalogue.tables import VERSIONED
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.planning.rehearsal import rehearsal


def test_a_copy_has_the_same_rows_and_may_be_written(store_of_any_catalogue):
    """On either catalogue all tables and commits are copied; what is committed there is not in the store."""
    store = store_of_any_catalogue
    fill(store)
    with rehearsal(store, store.root) as copy:
        for table in VERSIONED:
            assert Snapshot(copy).rows(table) == Snapshot(store).rows(table), table
        assert Snapshot(copy).arrow("runs") == Snapshot(store).arrow("runs")
        with commit_to(copy, "tried") as commit:
            commit.put("patients", [{"patient": "p9"}])
        assert commit.landed_id == 4
        assert len(rows_of(copy, "from patients")) == len(rows_of(store, "from patients"))
        assert len(Snapshot(copy).rows("patients")) == len(Snapshot(store).rows("patients")) + 1
        root = copy.root
    assert Snapshot(store).commit_id == 3
    assert not root.exists()


def test_a_fault_names_the_store_and_leaves_no_copy(filled):
    """What is refused on the copy is told of the store that the user knows."""
    places = []

    def refuse() -> None:
        with rehearsal(filled, filled.root) as copy:
            places.append(copy.root)
            raise ContractError("a fault", where=str(copy.root / "catalogue.sqlite"))

    with pytest.raises(ContractError) as refusal:
        refuse()
    assert refusal.value.where == str(filled.root / "catalogue.sqlite")
    assert not places[0].exists()
