"""A store whose folder, catalogue or disk is not as it should be: one sentence, one exit code, never a traceback."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from schemas.errors import ContractError, NotFoundError, RadzooError, StoreBusyError
from store.analyst.publish import publish_snapshot
from store.analyst.query import answer
from store.catalogue.connection import read_transaction, write_transaction
from store.catalogue.migrations import FORMAT_VERSION
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.home import Store
from store.verification.verify import store_verification

UNPRIVILEGED = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []

ASKED = """
import json, sys
from pathlib import Path
from schemas.errors import RadzooError
from store.commits.commit import commit_to
from store.home import Store
from store.analyst.publish import publish_snapshot
from store.analyst.query import answer
from store.history.snapshot import Snapshot
from store.verification.verify import store_verification

def told(does):
    try:
        return does()
    except RadzooError as error:
        return [type(error).__name__, error.message]

def written(store):
    with commit_to(store, "new") as commit:
        commit.put("patients", [{"patient": "p9"}])

def all_of_it():
    store = Store(Path(sys.argv[1]))
    snapshot = Snapshot(store)
    return {
        "commit": snapshot.commit_id,
        "rows": answer(snapshot, "select count(*) n, max(original_firstorder_Mean) m from two_features").to_pylist(),
        "clean": store_verification(store, quick=True).is_clean,
        "write": told(lambda: written(store)),
        "publish": told(lambda: str(publish_snapshot(snapshot))),
    }

print(json.dumps(told(all_of_it)))
"""


def unprivileged(root: Path) -> object:
    """Return what a process finds that may do only what the files' permissions allow."""
    import json

    done = subprocess.run(
        [*UNPRIVILEGED, sys.executable, "-c", ASKED, str(root)], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def locked():
    """Return a function that takes the right to write from a folder and all that is in it; it is given back."""
    taken: list[Path] = []

    def lock(root: Path) -> None:
        for path in (root, *root.rglob("*")):
            path.chmod(path.stat().st_mode & ~0o222)
            taken.append(path)

    yield lock
    for path in taken:
        if path.exists():
            path.chmod(path.stat().st_mode | 0o200)


def contents(root: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_a_store_that_may_only_be_read_answers(filled, locked):
    """Questions and checks are answered and leave no file; what would write is refused with its reason."""
    filled.engine.dispose()
    locked(filled.root)
    before = contents(filled.root)
    found = unprivileged(filled.root)
    assert (found["commit"], found["rows"], found["clean"]) == (3, [{"n": 6, "m": 5.0}], True)
    assert found["write"] == ["ContractError", "the store may only be read here"]
    assert found["publish"][0] == "ContractError"
    assert "cannot be" in found["publish"][1]
    assert contents(filled.root) == before


def test_commits_in_the_log_of_a_killed_writer_are_read(filled, locked, tmp_path):
    """The newest commit is seen where it lies in the log still, whether the log's index is there or not."""
    with commit_to(filled, "newest") as commit:
        commit.put("patients", [{"patient": "p4"}])
    left = tmp_path / "left"
    # What lies on the disk while the writer's connection is open is what its death leaves.
    subprocess.run(["cp", "-r", str(filled.root), str(left)], check=True)
    assert (left / "catalogue.sqlite-wal").stat().st_size > 0
    for index in (left / "catalogue.sqlite-shm", None):
        if index is None:
            (left / "catalogue.sqlite-shm").unlink()
        locked(left)
        assert unprivileged(left)["commit"] == 4
        for path in (left, *left.rglob("*")):
            path.chmod(path.stat().st_mode | 0o200)


def test_a_reader_without_rights_sees_what_a_writer_does_meanwhile(filled, locked):
    """While another process holds the catalogue open, who may only read gets its newest commit."""
    with commit_to(filled, "newest") as commit:
        commit.put("patients", [{"patient": "p4"}])
    locked(filled.root)
    with read_transaction(filled.engine):
        assert unprivileged(filled.root)["commit"] == 4


def test_an_old_store_that_may_only_be_read_says_what_to_do(filled, locked):
    """The catalogue of an older release is brought up to date where it may be written, and nowhere else."""
    with write_transaction(filled.engine) as connection:
        connection.exec_driver_sql("delete from store_format where version > 1")
    filled.engine.dispose()
    locked(filled.root)
    kind, said = unprivileged(filled.root)
    assert kind == "ContractError"
    assert said == f"the store has format 1, this radzoo reads {FORMAT_VERSION}, and the store may only be read"


def test_a_folder_that_may_not_be_entered(filled):
    """No right to look into the store's folder is said as such, and not that there is no store."""
    filled.engine.dispose()
    filled.root.chmod(0)
    try:
        kind, said = unprivileged(filled.root)
    finally:
        filled.root.chmod(0o755)
    assert (kind, said) == ("ContractError", "the store cannot be used: Permission denied")


def test_a_path_that_is_no_store(tmp_path):
    """A file, an empty folder, a link that leads nowhere or round, a name too long: not found, exit code 3."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere" / "at-all")
    (tmp_path / "below").symlink_to(tmp_path / "file" / "below")
    for name in ("file", "folder", "loop", "broken", "file/below", "n" * 300):
        with pytest.raises(NotFoundError) as caught:
            Store(tmp_path / name)
        assert caught.value.where
        assert "--store PATH" in str(caught.value.hint)
    for name in ("file", "loop", "file/below", "n" * 300):
        with pytest.raises(RadzooError):
            Store(tmp_path / name, create=True)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda file: file.write_bytes(b"no database at all" * 100), "it is not an SQLite file"),
        (lambda file: file.write_bytes(file.read_bytes()[:8192] + b"\xff" * 60_000), "it is damaged"),
        (lambda file: (file.unlink(), file.mkdir()), "cannot be opened"),
        (lambda file: sqlite3.connect(file).executescript("drop table commits").connection.close(), "no such table"),
    ],
)
def test_a_damaged_catalogue_is_one_sentence(filled, damage, said):
    """A catalogue of other bytes, cut short, a folder, without a table: exit code 4 from whatever reads."""
    filled.engine.dispose()
    damage(filled.catalogue_file)
    with pytest.raises(ContractError) as caught:
        store_verification(Store(filled.root))
    assert said in caught.value.message
    assert caught.value.where == str(filled.catalogue_file)
    assert caught.value.hint


@pytest.mark.parametrize("read", [Snapshot.rows, Snapshot.arrow], ids=["rows", "columns"])
@pytest.mark.parametrize("damage", ["a page", "no table"])
def test_a_damaged_table_is_one_sentence_to_whoever_reads_its_rows(filled, damage, read):
    """A page of a table in the middle of its rows, or a table that is gone: the catalogue's place and the backup."""
    with commit_to(filled, "many pages") as commit:
        commit.put("patients", [{"patient": f"many{number:05}{'x' * 50}"} for number in range(2_000)])
    filled.engine.dispose()
    with closing(sqlite3.connect(filled.catalogue_file)) as catalogue:
        if damage == "no table":
            catalogue.executescript("drop table patients")
        catalogue.execute("pragma wal_checkpoint(truncate)")
        size = catalogue.execute("pragma page_size").fetchone()[0]
    if damage == "a page":
        content = filled.catalogue_file.read_bytes()
        # Of a leaf of the table itself: there the rows lie whole, in an index each has its key alone.
        row = content.index(b"many01000")
        page = row // size * size
        filled.catalogue_file.write_bytes(content[:page] + b"\xff" * size + content[page + size :])
    with pytest.raises(ContractError) as caught:
        read(Snapshot(Store(filled.root)), "patients")
    assert "damaged" in caught.value.message
    assert caught.value.where == str(filled.catalogue_file)
    assert "radzoo store backup" in str(caught.value.hint)


def test_a_newer_format_says_where(filled):
    """A store of a release to come is refused with its place and the next step."""
    with write_transaction(filled.engine) as connection:
        connection.exec_driver_sql("insert into store_format values (99)")
    with pytest.raises(ContractError, match="the store has format 99") as caught:
        Store(filled.root)
    assert (caught.value.where, caught.value.hint) == (str(filled.root), "install a newer radzoo")


def test_a_full_disk_leaves_the_old_state(filled):
    """A commit and a publication that find no room say so, and what was there stays."""
    publish_snapshot(Snapshot(filled))
    before = filled.analyst_file.read_bytes()
    filled.engine.dispose()
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            ASKED.replace('{"patient": "p9"}', '{"patient": f"p{n}" * 99} for n in range(3000)'),
            filled.root,
        ],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)),
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert '"write": ["RadzooError", "the disk' in done.stdout
    assert '"publish": ["RadzooError", "analyst.duckdb cannot be written' in done.stdout
    assert filled.analyst_file.read_bytes() == before
    store = Store(filled.root)
    assert Snapshot(store).commit_id == 3
    assert store_verification(store).is_clean


def test_what_changes_under_an_unlocked_reader_is_told(filled, monkeypatch):
    """Where a catalogue was opened as one that does not change and somebody writes, the answer is not given."""
    filled.engine.dispose()
    monkeypatch.setattr("store.catalogue.connection.may_only_be_read", lambda _file: True)
    reader = Store(filled.root)
    monkeypatch.undo()
    assert reader.is_read_only
    assert Snapshot(reader).commit_id == 3
    with (
        pytest.raises(StoreBusyError, match="written while it was read"),
        read_transaction(reader.engine),
        commit_to(Store(filled.root), "meanwhile") as commit,
    ):
        commit.put("patients", [{"patient": "p5"}])


def test_spilling_goes_elsewhere(filled, monkeypatch):
    """Where nothing may be written beside the store, DuckDB's spill folder is one of its own."""
    assert filled.spill == filled.root / "spill"
    monkeypatch.setattr("os.access", lambda *_: False)
    assert filled.root not in filled.spill.parents
    assert answer(Snapshot(filled), "select 1 as a").to_pylist() == [{"a": 1}]
