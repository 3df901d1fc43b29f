"""Publishing behind a block of commits: once, whether the block ends or fails, and never in place of its error."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from flows.commits.publication import publish_at_end
from schemas.errors import ContractError, UsageError
from store.analyst.publish import is_published
from store.commits.commit import commit_to
from store.home import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Return an empty store."""
    return Store(tmp_path / "store", create=True)


def add_patient(store: Store, patient: str) -> None:
    """Commit a row."""
    with commit_to(store, f"add {patient}") as commit:
        commit.put("patients", [{"patient": patient}])


def fail_behind_commit(store: Store, error: BaseException) -> None:
    """Commit a row in a block that then fails."""
    with publish_at_end(store):
        add_patient(store, "a")
        raise error


def end_block(store: Store) -> None:
    """End a block that commits nothing."""
    with publish_at_end(store):
        pass


def shown(store: Store) -> list[str]:
    """Return the patients that a client of the published file sees."""
    with duckdb.connect(str(store.analyst_file), read_only=True) as client:
        return [patient for (patient,) in client.sql("select patient from catalogue.patients order by 1").fetchall()]


def test_commits_of_a_block_are_published_together(store):
    """Not one by one, and not again where nothing is new."""
    with publish_at_end(store):
        for patient in ("a", "b"):
            add_patient(store, patient)
            assert not store.analyst_file.exists()
    assert shown(store) == ["a", "b"]
    before = store.analyst_file.stat()
    with publish_at_end(store):
        pass
    assert store.analyst_file.stat().st_ino == before.st_ino


@pytest.mark.parametrize("error", [UsageError("the second commit is refused"), KeyboardInterrupt()])
def test_what_landed_before_a_fault_is_published(store, error):
    """And the fault goes on to whoever hears of it."""
    with pytest.raises(type(error)) as raised:
        fail_behind_commit(store, error)
    assert raised.value is error
    assert shown(store) == ["a"]


def test_what_cannot_be_published_hides_no_fault(store):
    """The block's own fault is told; without one, that of the publication is."""
    store.analyst_file.mkdir()
    with pytest.raises(UsageError, match="the first"):
        fail_behind_commit(store, UsageError("the first"))
    with pytest.raises(ContractError, match=r"commit 1 landed; analyst\.duckdb could not be published"):
        end_block(store)
    store.analyst_file.rmdir()
    end_block(store)
    assert is_published(store)
    assert shown(store) == ["a"]
