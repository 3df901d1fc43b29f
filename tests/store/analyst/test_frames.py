"""What a process keeps of a published file for the next one: it differs in nothing but rows."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from schemas.errors import ContractError
from store.analyst import frames, layout
from store.analyst.publish import publish_snapshot
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.home import Store

SEEN = {
    "views": "select view_name, sql, comment from duckdb_views() where not internal order by all",
    "columns": "select table_name, column_name, data_type, comment from duckdb_columns() where not internal "
    "order by all",
    "commits": "from catalogue.commits order by all",
    "values": "from two_features order by all",
    "labels": "from labels order by all",
}


def seen(file: Path) -> dict[str, list[tuple]]:
    """Return what a client sees of a published file: views with their comments, and rows."""
    with duckdb.connect(str(file), read_only=True) as client:
        return {name: client.sql(query).fetchall() for name, query in SEEN.items()}


def add_patient(store: Store, patient: str) -> None:
    """Commit a row that changes no view."""
    with commit_to(store, f"add {patient}") as commit:
        commit.put("patients", [{"patient": patient}])


@pytest.fixture
def _of_many_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the views of a store with few columns for wide ones, and begin with nothing kept."""
    monkeypatch.setattr(layout, "_COMMENTS_AT_ONCE", 1)
    monkeypatch.setattr(frames, "_frames", {})


@pytest.mark.usefixtures("_of_many_columns")
def test_a_kept_frame_shows_what_a_new_one_does(filled: Store) -> None:
    """A commit that changes rows alone is published into the tables and views of the one before."""
    before = seen(publish_snapshot(Snapshot(filled)))
    add_patient(filled, "p9")
    (kept,) = frames._frames
    after = seen(publish_snapshot(Snapshot(filled)))
    assert list(frames._frames) == [kept]
    assert (after["views"], after["columns"]) == (before["views"], before["columns"])
    assert len(after["commits"]) == len(before["commits"]) + 1
    frames._frames.clear()
    assert seen(publish_snapshot(Snapshot(filled))) == after


@pytest.mark.usefixtures("_of_many_columns")
def test_a_segment_that_was_damaged_since_is_told(filled: Store) -> None:
    """Where the views are laid out already, the files that they read are looked at all the same."""
    publish_snapshot(Snapshot(filled))
    for segment in Path(str(filled.segments)).rglob("*.parquet"):
        segment.write_bytes(b"PAR1")
    add_patient(filled, "p9")
    with pytest.raises(ContractError, match="damaged"):
        publish_snapshot(Snapshot(filled))
    assert len(frames._frames) == 1


def test_of_few_columns_nothing_is_kept(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """To lay them out takes as long as to read what was kept; both ways show the same."""
    monkeypatch.setattr(frames, "_frames", {})
    at_once = seen(publish_snapshot(Snapshot(filled)))
    assert not frames._frames
    monkeypatch.setattr(layout, "_COMMENTS_AT_ONCE", 1)
    kept = seen(publish_snapshot(Snapshot(filled)))
    # Which column of an EXCLUDE list DuckDB writes first is left to chance.
    assert [(name, about) for name, _, about in kept.pop("views")] == [
        (name, about) for name, _, about in at_once.pop("views")
    ]
    assert kept == at_once
    assert frames._frames


@pytest.mark.usefixtures("_of_many_columns")
def test_of_many_stores_those_published_last_are_kept(filled: Store, tmp_path: Path) -> None:
    """Memory does not grow with the stores that a process has published."""
    for number in range(4):
        store = Store(tmp_path / f"store-{number}", create=True)
        add_patient(store, f"p{number}")
        publish_snapshot(Snapshot(store))
        with duckdb.connect(str(store.analyst_file), read_only=True) as client:
            assert client.sql("select patient from catalogue.patients").fetchall() == [(f"p{number}",)]
    publish_snapshot(Snapshot(filled))
    assert len(frames._frames) == 2
