"""A store whose path has letters that SQL, URLs or patterns give a meaning to: written, read, published, copied."""

import shutil

import duckdb
import pytest
from builders.store import fill

from schemas.errors import ContractError
from store.analyst.export import export_snapshot
from store.analyst.publish import publish_snapshot
from store.analyst.query import answer, snapshot_connection
from store.backup.copy import back_up_store
from store.history.snapshot import Snapshot
from store.home import Store
from store.rows.reader import feature_table
from store.verification.verify import store_verification

NAMES = ("a?b", "a#%20b", 'it\'s "here"\n', "ünïcödé", "[!a]*", "x" * 200)
QUESTION = "from two_features order by all"


@pytest.fixture(scope="module")
def right(tmp_path_factory):
    """Return a store at an ordinary place and its answer."""
    store = Store(tmp_path_factory.mktemp("ordinary") / "store", create=True)
    fill(store)
    return store, answer(Snapshot(store), QUESTION)


@pytest.mark.parametrize("name", NAMES)
def test_a_store_may_lie_at_a_path_of_any_letters(tmp_path, right, name):
    """Every reader gives what it gives elsewhere; a sibling that the name would fit as a pattern is not read."""
    ordinary, expected = right
    ordinary.engine.dispose()
    for folder in (name, "a", "axb"):
        if not (tmp_path / folder).exists():
            shutil.copytree(ordinary.root, tmp_path / folder / "store")
    store = Store(tmp_path / name / "store")
    snapshot = Snapshot(store)
    assert answer(snapshot, QUESTION).equals(expected)
    assert feature_table(snapshot, "two-features@1").num_rows == expected.num_rows
    assert store_verification(store).is_clean
    with duckdb.connect(str(publish_snapshot(snapshot)), read_only=True) as client:
        assert client.sql(QUESTION).to_arrow_table().num_rows == expected.num_rows
    shutil.copy(store.analyst_file, tmp_path / "copy.duckdb")
    with duckdb.connect(str(tmp_path / "copy.duckdb"), read_only=True) as client:
        client.execute("set variable radzoo_store = $1", [str(store.root)])
        assert client.sql(QUESTION).to_arrow_table().num_rows == expected.num_rows
    export_snapshot(snapshot, tmp_path / f"out {name}"[:200])
    backup = back_up_store(store, tmp_path / f"backup {name}"[:200])
    assert backup.verification.is_clean
    assert back_up_store(store, tmp_path / f"backup {name}"[:200]).files.copied == 0
    store.engine.dispose()


def test_a_path_that_duckdb_cannot_name_is_told(tmp_path, right):
    """Below a backslash questions are answered and nothing is published: one line says why, and what to do."""
    ordinary, _ = right
    ordinary.engine.dispose()
    shutil.copytree(ordinary.root, tmp_path / "back\\*" / "store")
    store = Store(tmp_path / "back\\*" / "store")
    assert answer(Snapshot(store), QUESTION).num_rows > 0
    with pytest.raises(ContractError, match="backslash") as refused, snapshot_connection(Snapshot(store)):
        pass
    assert "move the store" in refused.value.hint
    store.engine.dispose()
    (tmp_path / "back\\*").rename(tmp_path / "back\\slash")
    store = Store(tmp_path / "back\\slash" / "store")
    assert answer(Snapshot(store), QUESTION).num_rows > 0
    with pytest.raises(ContractError, match="backslash") as refused:
        publish_snapshot(Snapshot(store))
    assert "move the store" in refused.value.hint
    store.engine.dispose()
