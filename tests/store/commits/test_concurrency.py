"""Writers and readers at the same time, each a process of its own."""

from __future__ import annotations

import itertools
import subprocess
import sys

import pytest
from builders.store import opened_at
from rivals import asked, counted, of_client, race, whole

from store.analyst.publish import publish_snapshot
from store.catalogue.connection import read_transaction
from store.catalogue.tables import KEYS, VERSIONED
from store.history.snapshot import Snapshot
from store.home import Store

WRITERS, COMMITS = 3, 4


@pytest.fixture(scope="module", params=["sqlite-local", "postgresql-local"])
def raced(request, new_address_of_module, tmp_path_factory):
    """Give a store after a race, and what its processes reported: 3 writers, one that publishes too, and 2 readers."""
    for store in opened_at(
        new_address_of_module(request.param, with_tables=True), tmp_path_factory.mktemp("raced") / "store"
    ):
        yield store, race(store.root, writers=WRITERS, commits=COMMITS, readers=2)


@pytest.mark.slow
def test_writers_land_all_their_commits_and_readers_never_wait(raced):
    """3 writers land 4 commits each, numbered without a gap; 2 readers fail never, wait never, see whole commits."""
    store, found = raced
    total = WRITERS * COMMITS
    assert sorted(number for each in found.commits for number in each) == list(range(1, total + 1))
    assert [len(each) for each in found.commits] == [COMMITS] * WRITERS
    assert all(each == sorted(each) for each in found.commits)
    assert [reader["faults"] for reader in found.readers] == [[], []]
    assert all(count > 0 for reader in found.readers for count in reader["reads"].values())
    assert counted(store, None) == asked(store, None) == (total, whole(total))
    for past in (1, total // 2):
        assert counted(store, past) == asked(store, past) == (past, whole(past))
    publish_snapshot(Snapshot(store))
    assert of_client(store) == (total, whole(total))


@pytest.mark.slow
def test_no_row_is_doubled_and_each_segment_is_named_once(raced):
    """After a race no two live rows share a key, lives of one key do not overlap, and no segment is an orphan."""
    store, _ = raced
    with read_transaction(store.engine) as connection:
        for name, table in VERSIONED.items():
            lives: dict[tuple, list[tuple[int, int]]] = {}
            for row in connection.execute(table.select()).mappings():
                key = tuple(row[column] for column in KEYS[name])
                lives.setdefault(key, []).append((row["added_commit"], row["removed_commit"] or 10**9))
            for spans in lives.values():
                ordered = sorted(spans)
                assert all(end <= begin for (_, end), (begin, _) in itertools.pairwise(ordered))
    named = sorted(row["path"] for row in Snapshot(store).rows("segments"))
    assert named == sorted(store.segments.paths())
    assert len(named) == WRITERS * COMMITS


def test_processes_that_open_a_new_store_at_once_make_one(tmp_path):
    """Many processes that find no store make one together: none fails, and the store is whole."""
    code = (
        "import sys; from pathlib import Path; from store.home import Store\n"
        "from store.commits.commit import commit_to\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "with commit_to(Store(Path(sys.argv[1]), create=True), 'first') as commit:\n"
        "    commit.put('patients', [{'patient': sys.argv[2]}])"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "store"), f"p{n}"], **pipes) for n in range(4)
    ]
    assert [each.stdout.readline() for each in running] == ["ready\n"] * 4
    for each in running:
        each.stdin.write("go\n")
        each.stdin.flush()
    errors = [each.communicate()[1] for each in running]
    assert errors == [""] * 4
    store = Store(tmp_path / "store")
    assert {row["patient"] for row in Snapshot(store).rows("patients")} == {f"p{n}" for n in range(4)}
    assert Snapshot(store).commit_id == 4
