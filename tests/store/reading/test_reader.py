"""A store opened to read from Python: nothing is written, one commit is read, answers come in three forms."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import date
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from archives.unpacking import ARCHIVES, unpack
from builders.store import fill

from flows.cli.main import exit_code
from schemas.errors import ContractError, NotFoundError, UsageError
from store import Answer, open_store
from store.address import write_address
from store.catalogue.connection import read_transaction
from store.catalogue.migrations import FORMAT_VERSION
from store.commits.commit import commit_to
from store.creation import create_store
from store.home import Store

OLD = [f"format_{number}" for number in range(1, FORMAT_VERSION)]
UNPRIVILEGED = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []

READ = """
import sys
from store import open_store
with open_store(sys.argv[1]) as s:
    print(s.commit, len(s.sql("from two_features")), len(s.models()), len(s.sql("from commits")))
"""


def hashes(root: Path) -> dict[str, tuple[str, int, int]]:
    """Return hash, time of change and permissions of everything below a folder, and of the folder itself."""
    return {
        str(path.relative_to(root)): (
            hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
            path.stat().st_mtime_ns,
            path.stat().st_mode,
        )
        for path in (root, *root.rglob("*"))
    }


def read_elsewhere(root: Path, *, unprivileged: bool = False) -> str:
    """Return what a process of its own reads of a store: its commit, and numbers of rows."""
    prefix = UNPRIVILEGED if unprivileged else []
    done = subprocess.run([*prefix, sys.executable, "-c", READ, str(root)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def old(request, tmp_path):
    """Return the folder of a store that an old release wrote."""
    unpack(ARCHIVES[request.param], tmp_path)
    return tmp_path / "store"


@pytest.mark.parametrize("is_locked", [False, True])
def test_reading_changes_no_file(filled, is_locked):
    """Opened, asked and closed, a store's folder is what it was to the last byte, where it may be written or not."""
    filled.close()
    if is_locked:
        for path in (filled.root, *filled.root.rglob("*")):
            path.chmod(path.stat().st_mode & ~0o222)
    before = hashes(filled.root)
    try:
        assert read_elsewhere(filled.root, unprivileged=is_locked) == "3 6 1 3"
        assert hashes(filled.root) == before
    finally:
        for path in (filled.root, *filled.root.rglob("*")):
            path.chmod(path.stat().st_mode | 0o200)


@pytest.mark.parametrize("has_index", [True, False])
def test_the_log_of_a_killed_writer_is_read_and_left(filled, tmp_path, has_index):
    """The newest commit is read where it lies in the log still; neither log nor index is written or made."""
    with commit_to(filled, "newest") as commit:
        commit.put("patients", [{"patient": "p4"}])
    left = tmp_path / "left"
    # What lies on the disk while the writer's connection is open is what its death leaves.
    subprocess.run(["cp", "-rp", str(filled.root), str(left)], check=True)
    assert (left / "catalogue.sqlite-wal").stat().st_size > 0
    if not has_index:
        (left / "catalogue.sqlite-shm").unlink()
    before = hashes(left)
    assert read_elsewhere(left) == "4 6 1 4"
    assert hashes(left) == before


def test_a_reader_meets_a_writer_at_work(filled):
    """While another process holds the catalogue open its newest commit is read, and its index is not written."""
    with commit_to(filled, "newest") as commit:
        commit.put("patients", [{"patient": "p4"}])
    before = hashes(filled.root)
    with read_transaction(filled.engine):
        assert read_elsewhere(filled.root) == "4 6 1 4"
    assert hashes(filled.root) == before


def test_what_others_commit_meanwhile_is_not_read(filled):
    """A reader stands at its commit however long it is open; who opens later gets the newest."""
    filled.close()
    with open_store(filled.root) as s:
        assert s.sql("select count(*) n from patients").rows() == [{"n": 3}]
        for number in range(3):
            # Opened, written and closed: each time the log goes into the file.
            other = Store(filled.root)
            with commit_to(other, "more") as commit:
                commit.put("patients", [{"patient": f"q{number}"}])
                commit.put("study_patients", [{"study": "er", "patient": f"q{number}"}])
            other.close()
            assert s.commit == 3
            assert s.sql("select count(*) n from patients").rows() == [{"n": 3}]
    with open_store(filled.root) as s:
        assert (s.commit, s.sql("select count(*) n from patients").rows()) == (6, [{"n": 6}])
    with open_store(filled.root, as_of=1) as s:
        assert (s.commit, len(s.models()), len(s.sql("from commits"))) == (1, 0, 1)
        assert str(s.path) in repr(s)


@pytest.mark.parametrize("as_of", [0, 4, -1])
def test_a_commit_that_is_not_there(filled, as_of):
    """Neither the future nor the time before the first commit can be opened."""
    with pytest.raises(NotFoundError, match=f"there is no commit {as_of}") as refused:
        open_store(filled.root, as_of=as_of)
    assert refused.value.hint == "commits run from 1 to 3"


@pytest.mark.parametrize("as_of", ["3", 3.0, True])
def test_what_is_no_commit_is_refused(filled, as_of):
    """A commit is a whole number; nothing is guessed."""
    with pytest.raises(UsageError, match="is no commit"):
        open_store(filled.root, as_of=as_of)


def test_no_store_is_made_where_there_is_none(tmp_path):
    """A folder that is empty, one that is not there, a file, a catalogue of nothing: refused, and left as it was."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "blank").mkdir()
    (tmp_path / "blank" / "catalogue.sqlite").touch()
    (tmp_path / "other").mkdir()
    with closing(sqlite3.connect(tmp_path / "other" / "catalogue.sqlite")) as connection:
        connection.execute("create table t (a)")
    before = hashes(tmp_path)
    for name in ("empty", "nowhere", "file"):
        with pytest.raises(NotFoundError):
            open_store(tmp_path / name)
    for name in ("blank", "other"):
        with pytest.raises(ContractError, match="the catalogue is empty, or is that of no store of radzoo"):
            open_store(tmp_path / name)
    assert hashes(tmp_path) == before


@pytest.mark.parametrize("old", OLD, indirect=True)
def test_an_old_store_is_left_as_it_is_and_the_hint_is_true(old):
    """A store of an older format is refused unchanged; the command of the hint brings it up to date, and it opens."""
    before = hashes(old)
    with pytest.raises(ContractError, match=r"the store has format \d, this radzoo reads") as refused:
        open_store(old)
    assert hashes(old) == before
    command = str(refused.value.hint).partition(",")[0].split()
    assert command[0] == "radzoo"
    assert exit_code(command[1:]) == 0
    with open_store(old) as s:
        assert len(s.studies()) == 1


def test_a_store_of_a_newer_release_is_refused(filled):
    """What a later format means is not guessed."""
    filled.close()
    with closing(sqlite3.connect(filled.catalogue_file)) as connection:
        connection.execute("insert into store_format (version) values (99)")
        connection.commit()
    with pytest.raises(ContractError, match="format 99") as refused:
        open_store(filled.root)
    assert refused.value.hint == "install a newer radzoo"


def test_an_old_catalogue_on_a_server_is_not_migrated(new_address, tmp_path):
    """Where the catalogue is a database, opening to read takes no step either."""
    root, address = tmp_path / "store", new_address("postgresql-local")
    create_store(root, address)
    store = Store(root)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("delete from store_format where version > 1")
    with pytest.raises(ContractError, match="the store has format 1"):
        open_store(root)
    with store.engine.begin() as connection:
        assert connection.exec_driver_sql("select max(version) from store_format").scalar() == 1
    store.close()


def test_remote_files_are_copied_elsewhere(new_address, tmp_path):
    """The files of a bucket are read, and this machine's folder of the store gets no copy of them."""
    root, address = tmp_path / "store", new_address("sqlite-s3")
    write_address(root, address)
    store = Store(root, create=True)
    fill(store)
    store.close()
    shutil.rmtree(root / "copies")
    before = hashes(root)
    with open_store(root) as s:
        assert len(s.sql("from two_features")) == 6
    assert hashes(root) == before


def test_an_answer_comes_in_three_forms(filled):
    """Arrow, polars and pandas hold the same rows; a missing integer does not make others floats."""
    with open_store(filled.root) as s:
        answer = s.sql(
            "select n, 9007199254740993 + n big, case when n > 0 then n end gap, n > 0 as flag, 'x' || n word "
            "from range(3) t(n)"
        )
    assert isinstance(answer, Answer)
    assert (len(answer), answer.columns) == (3, ("n", "big", "gap", "flag", "word"))
    assert repr(answer) == "<Answer: 3 rows x 5 columns>"
    expected = [
        {"n": n, "big": 9007199254740993 + n, "gap": n or None, "flag": n > 0, "word": f"x{n}"} for n in range(3)
    ]
    assert answer.rows() == expected
    assert isinstance(answer.arrow(), pa.Table)
    assert answer.pl().rows(named=True) == expected
    frame = answer.df()
    assert isinstance(frame, pd.DataFrame)
    assert frame["big"].tolist() == [each["big"] for each in expected]
    assert frame["gap"].dtype == "Int64"
    assert frame["gap"][1:].tolist() == [1, 2]
    assert pl.DataFrame(answer).equals(answer.pl())
    assert pa.table(answer).equals(answer.arrow())


def test_parameters_are_values_and_no_sql(filled):
    """Numbers, dates, truth values and texts are compared as what they are; a text that looks like SQL is a text."""
    with open_store(filled.root) as s:
        assert len(s.sql("from commits where commit_id >= $first", {"first": 2})) == 2
        assert len(s.sql("from leaderboard where auc > $least", {"least": 0.7})) == 1
        assert len(s.sql("from leaderboard where auc > $least", {"least": 0.76})) == 0
        assert len(s.sql("from exams where acquired_on::date = $day", {"day": date(2020, 1, 31)})) == 3
        assert s.sql("select $flag::boolean as flag", {"flag": False}).rows() == [{"flag": False}]
        assert len(s.sql("from patients where patient = $p", {"p": "p1' or true --"})) == 0
        with pytest.raises(UsageError, match="parameter 'p' is a list"):
            s.sql("from patients where patient = $p", {"p": ["p1"]})


@pytest.mark.parametrize(
    "query",
    [
        "drop table catalogue.patients",
        "select 1; select 2",
        "copy (select 1) to 'out.csv'",
        "create table t as select 1",
        "attach 'x.duckdb'",
        "set threads = 1",
        "insert into catalogue.patients values ('x')",
    ],
)
def test_a_question_only_reads(filled, query, tmp_path, monkeypatch):
    """SQL that would write, attach or set anything is refused, and leaves nothing."""
    filled.close()
    monkeypatch.chdir(tmp_path)
    before = hashes(tmp_path)
    with open_store(filled.root) as s, pytest.raises(UsageError):
        s.sql(query)
    assert hashes(tmp_path) == before


def test_a_question_opens_no_file(filled, tmp_path):
    """Files beside the store cannot be read by SQL, nor can the store's own."""
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with open_store(filled.root) as s:
        for file in (tmp_path / "secret.csv", filled.catalogue_file):
            with pytest.raises((UsageError, NotFoundError)):
                s.sql(f"select * from '{file}'")
            with pytest.raises((UsageError, NotFoundError)):
                s.sql(f"select * from read_text('{file}')")
        with pytest.raises(NotFoundError, match="leaderbord"):
            s.sql("from leaderbord")


def test_a_closed_reader_answers_no_more(filled):
    """Closed, by hand or at the end of the block, and closed again; what it gave before stays."""
    with open_store(filled.root) as s:
        answer = s.sql("from patients")
    s.close()
    assert len(answer) == 3
    assert repr(s).endswith("as of commit 3, closed>")
    for ask in (lambda: s.sql("from patients"), s.studies, lambda: s.features("two-features"), lambda: s.model("cr")):
        with pytest.raises(UsageError, match="the store is closed"):
            ask()


def test_datasets_that_are_not_there(filled):
    """An unknown id, no id at all, a file that was erased: each is said as what it is."""
    with open_store(filled.root) as s:
        for name in ("x", ""):
            with pytest.raises(NotFoundError, match=r"datasets: |there is no dataset"):
                s.dataset(name)
        with pytest.raises(NotFoundError, match=r"the file of dataset d+ was erased"):
            s.dataset("ddd")


def test_altered_rows_are_no_answer(filled):
    """A catalogue whose rows nobody committed is refused, as on the command line."""
    filled.close()
    with closing(sqlite3.connect(filled.catalogue_file)) as connection:
        connection.execute("update leaderboard set auc = 0.99")
        connection.commit()
    with open_store(filled.root) as s, pytest.raises(ContractError, match="are not those that were committed"):
        s.sql("from leaderboard")
