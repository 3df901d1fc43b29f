"""Who owns a study or a feature set, and what is said of it."""

from __future__ import annotations

import pytest
from builders.store import fill

from schemas.errors import NotFoundError, UsageError
from store.analyst.query import answer
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot, newest_commit
from store.home import Store
from store.naming.descriptions import Description, describe_named, description_of


@pytest.fixture
def store(tmp_path):
    """Return a store with the study `er` and the feature set `two-features@1`."""
    made = Store(tmp_path / "store", create=True)
    fill(made)
    with commit_to(made, "as if nothing was said") as commit:
        commit.remove("descriptions", Snapshot(made).rows("descriptions"))
    return made


def test_what_is_said_is_in_the_views(store):
    """A study by its id, a feature set by its name: owner, tags in order and notes; values stay."""
    describe_named(store, "er", owner="Liver group", description="first study")
    said = describe_named(store, "two-features", owner="Liver group", tags=["MRI", "liver", "MRI"])
    assert said == Description("feature_set", "two-features@1", "Liver group", ("MRI", "liver"))
    snapshot = Snapshot(store)
    (study,) = answer(snapshot, "select owner, tags, notes from studies").to_pylist()
    assert study == {"owner": "Liver group", "tags": [], "notes": "first study"}
    (row,) = answer(snapshot, "select owner, tags, notes from feature_sets").to_pylist()
    assert row == {"owner": "Liver group", "tags": ["MRI", "liver"], "notes": None}
    before = Snapshot(store, 4)
    assert answer(before, "select owner, tags, notes from studies").to_pylist() == [
        {"owner": None, "tags": None, "notes": None}
    ]


def test_what_is_not_given_stays(store):
    """One word more changes no other; an empty text takes a word away; the same again is no commit."""
    describe_named(store, "er", owner="Liver group", tags=["liver"])
    describe_named(store, "er", description="first study")
    assert description_of(Snapshot(store), "er") == Description("study", "er", "Liver group", ("liver",), "first study")
    before = newest_commit(store)
    describe_named(store, "er", owner=" Liver group ")
    assert newest_commit(store) == before
    describe_named(store, "er", owner="", tags=[], description="")
    assert description_of(Snapshot(store), "er") == Description("study", "er")
    assert Snapshot(store).rows("descriptions") == []


def test_an_unknown_name_is_refused_with_those_there_are(store):
    """Neither a study nor a feature set: both kinds are named."""
    with pytest.raises(NotFoundError, match="no study or feature set 'two-feature'") as caught:
        describe_named(store, "two-feature", owner="x")
    assert "the studies are: er" in caught.value.hint
    assert "two-features@1" in caught.value.hint


@pytest.mark.parametrize(
    "said",
    [{"owner": "x" * 201}, {"description": "x" * 2001}, {"tags": ["two words"]}, {"tags": [""]}, {"owner": "a\nb"}],
)
def test_what_is_too_long_or_no_word_is_refused(store, said):
    """Nothing is written."""
    with pytest.raises(UsageError):
        describe_named(store, "er", **said)
    assert Snapshot(store).rows("descriptions") == []
