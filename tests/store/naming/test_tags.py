"""Commits that have names, and what is asked by them."""

from __future__ import annotations

import pytest

from schemas.errors import ContractError, NotFoundError, UsageError
from store import open_store
from store.analyst.query import answer
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot, newest_commit
from store.history.tags import snapshot_as_of, tags_by_commit
from store.home import Store
from store.naming.tags import remove_tag, tag_commit
from store.verification.verify import store_verification


@pytest.fixture
def store(tmp_path):
    """Return a store of three commits, a patient each."""
    made = Store(tmp_path / "store", create=True)
    for number in range(1, 4):
        with commit_to(made, f"patient {number}") as commit:
            commit.put("patients", [{"patient": f"p{number}"}])
    return made


def patients_as_of(store, commit):
    """Return who is in the store as of a commit that somebody names."""
    return snapshot_as_of(store, commit).column("patients", "patient")


def test_a_tag_stands_for_its_commit(store):
    """By tag as by number, from SQL, Python and as text; the tag itself is a commit behind it."""
    tag_commit(store, "paper-v1", 2, description="as submitted")
    assert newest_commit(store) == 4
    assert patients_as_of(store, "paper-v1") == patients_as_of(store, "2") == patients_as_of(store, 2) == ["p1", "p2"]
    with open_store(store.root, as_of="paper-v1") as reader:
        assert (reader.commit, reader.sql("from commits").arrow().num_rows) == (2, 2)
    (row,) = answer(Snapshot(store), "select * exclude (author, tagged_at) from tags").to_pylist()
    assert row == {"tag": "paper-v1", "commit_id": 2, "description": "as submitted", "since_commit": 4}
    assert tags_by_commit(Snapshot(store)) == {2: ["paper-v1"]}
    assert store_verification(store).is_clean


def test_without_a_number_the_newest_commit_is_named(store):
    """What a person sees now gets the name; another tag's commit may be named by that tag."""
    assert tag_commit(store, "now")["commit_id"] == 3
    assert tag_commit(store, "again", "now")["commit_id"] == 3


def test_a_tag_is_moved_only_when_asked(store):
    """Naming another commit is refused with the command that moves it; what it named stays in the history."""
    tag_commit(store, "paper", 1, description="first draft")
    with pytest.raises(ContractError, match="names commit 1") as caught:
        tag_commit(store, "paper", 2)
    assert caught.value.hint.endswith("radzoo store tag paper --commit 2 --move")
    before = newest_commit(store)
    assert tag_commit(store, "paper", 2, move=True)["description"] == "first draft"
    assert patients_as_of(store, "paper") == ["p1", "p2"]
    assert Snapshot(store, before).row("tags", tag="paper")["commit_id"] == 1


def test_the_same_again_is_no_commit(store):
    """A tag that is given twice changes nothing the second time."""
    tag_commit(store, "paper", 1)
    before = newest_commit(store)
    tag_commit(store, "paper", 1)
    assert newest_commit(store) == before


def test_a_removed_tag_is_unknown(store):
    """Its commit stays; the refusal of a name that is spelled like another says so."""
    tag_commit(store, "paper-v1", 1)
    tag_commit(store, "paper-v2", 2)
    assert remove_tag(store, "paper-v1") == 1
    with pytest.raises(NotFoundError, match="no commit or tag 'paper-v1'") as caught:
        patients_as_of(store, "paper-v1")
    assert caught.value.hint == "did you mean paper-v2?"
    with pytest.raises(NotFoundError, match="no tag 'paper-v1'"):
        remove_tag(store, "paper-v1")
    assert patients_as_of(store, 1) == ["p1"]


@pytest.mark.parametrize("name", ["12", "-1", "", "a b", "HEAD", "latest", "x" * 65, "tag\n", "ü"])
def test_a_name_that_could_be_read_otherwise_is_refused(store, name):
    """Numbers, words for the newest commit, blanks and what is longer than a name."""
    with pytest.raises(UsageError, match="is no name for a tag"):
        tag_commit(store, name, 1)
    assert newest_commit(store) == 3


@pytest.mark.parametrize("commit", [0, 4, "4", "-1", "²", "1.0"])
def test_a_commit_that_is_not_there_gets_no_tag(store, commit):
    """Neither the empty store before the first commit nor one to come, nor what is no number."""
    with pytest.raises(NotFoundError):
        tag_commit(store, "paper", commit)


def test_an_empty_store_has_nothing_to_name(tmp_path):
    """The next command is the one that makes the first commit."""
    with pytest.raises(ContractError, match="no commit to name"):
        tag_commit(Store(tmp_path / "store", create=True), "paper")


def test_a_tag_of_no_commit_is_found(store):
    """A row that names a commit which is not there breaks a promise."""
    with commit_to(store, "by hand") as commit:
        commit.put("tags", [{"tag": "lost", "commit_id": 99, "description": "", "author": "a", "tagged_at": ""}])
    (found,) = [check for check in store_verification(store).checks if check.findings]
    assert (found.name, found.findings[0].what) == ("tags -> commits", "1 tags name no commit")
