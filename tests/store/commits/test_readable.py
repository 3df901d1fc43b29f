"""The look at a commit before it lands: each by itself, in one DuckDB that the process keeps."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from builders.store import put_features

from schemas.errors import ContractError
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.home import Store

ROOT = Path(__file__).parents[3]

COMMITS = """
import sys
from pathlib import Path

from builders.store import put_features
from store.commits.commit import commit_to
from store.home import Store

with commit_to(Store(Path(sys.argv[1]), create=True), "a set") as commit:
    put_features(commit, "other@1", ("one", "two"))
"""


def commit_set(root: Path, *columns: str) -> None:
    """Commit a feature set of these columns to a store of its own."""
    store = Store(root, create=True)
    with commit_to(store, "a set") as commit:
        put_features(commit, "other@1", columns)
    store.close()


def test_a_refused_commit_leaves_nothing_that_the_next_one_meets(tmp_path):
    """A set that no view can have is refused as often as it comes, and one of the same name lands after it."""
    for _ in range(2):
        with pytest.raises(ContractError, match="could not be read again"):
            commit_set(tmp_path / "store", "Twin", "twin")
    commit_set(tmp_path / "store", "one", "two")
    store = Store(tmp_path / "store")
    assert [row["feature"] for row in Snapshot(store).rows("features")] == ["one", "two"]
    store.close()


def test_commits_of_several_stores_are_looked_at_at_once(tmp_path):
    """Threads that commit sets of one name, each to its store, do not meet: only the wrong ones are refused."""
    columns = [("one",), ("Twin", "twin"), ("one", "two"), ("three",)] * 3
    with ThreadPoolExecutor(len(columns)) as threads:
        ended = [
            threads.submit(commit_set, tmp_path / str(number), *each).exception for number, each in enumerate(columns)
        ]
        refused = [isinstance(error(), ContractError) for error in ended]
    assert refused == [each == ("Twin", "twin") for each in columns]


def test_a_process_that_has_committed_ends_without_a_word(tmp_path):
    """The DuckDB that it keeps to look at commits ends with Python, in silence."""
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    done = subprocess.run(
        [sys.executable, "-c", COMMITS, str(tmp_path / "store")],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
