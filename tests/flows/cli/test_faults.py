"""What no verb foresaw: a fault of the machine in one line, one of radzoo with a file; never a traceback."""

import errno
import io
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy.exc import OperationalError

from flows.cli.main import exit_code
from flows.faults import fault_of
from schemas.errors import ContractError

RADZOO = "from flows.cli.main import main; main()"


def of_system(number, name="/data/file"):
    """Return the operating system's error of a number."""
    return OSError(number, os.strerror(number), name)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (of_system(errno.ENOENT), 3, "/data/file: no such file or directory"),
        (of_system(errno.EACCES), 1, "/data/file: permission denied"),
        (of_system(errno.EPERM), 1, "/data/file: operation not permitted"),
        (of_system(errno.ENOSPC), 1, "/data/file: no space left on device"),
        (of_system(errno.EDQUOT), 1, "/data/file: disk quota exceeded"),
        (of_system(errno.EROFS), 1, "/data/file: read-only file system"),
        (of_system(errno.EIO), 1, "/data/file: input/output error"),
        (of_system(errno.ENOTDIR), 2, "/data/file: not a directory"),
        (of_system(errno.EISDIR), 2, "/data/file: is a directory"),
        (of_system(errno.EEXIST), 2, "/data/file: file exists"),
        (of_system(errno.ELOOP), 2, "/data/file: too many levels of symbolic links"),
        (of_system(errno.ENAMETOOLONG), 2, "/data/file: file name too long"),
        (of_system(errno.EMFILE), 1, "/data/file: too many open files"),
        (OSError(errno.ENOSPC, "Error writing. Detail: [errno 28] No space left"), 1, "no space left on device"),
        (RuntimeError("Symlink loop from '/data/file'"), 2, "/data/file: too many levels of symbolic links"),
        (ValueError("embedded null byte"), 2, "a path has a NUL character in it"),
        (MemoryError(), 1, "the memory does not suffice"),
        (RecursionError("maximum recursion depth exceeded"), 1, "an input is nested too deeply"),
        (UnicodeEncodeError("utf-8", "a\udcff", 1, 2, "surrogates not allowed"), 2, "this is no text that utf-8"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte"), 4, "a text is not utf-8"),
        (sqlite3.OperationalError("database or disk is full"), 1, "the database says: database or disk is full"),
        (sqlite3.OperationalError("attempt to write a readonly database"), 1, "attempt to write a readonly database"),
        (sqlite3.OperationalError("database is locked"), 6, "database is locked"),
        (sqlite3.DatabaseError("database disk image is malformed"), 4, "disk image is malformed"),
        (OperationalError("select", {}, sqlite3.OperationalError("disk I/O error")), 1, "disk I/O error"),
        (duckdb.IOException("Could not write file: No space left on device"), 1, "No space left on device"),
        (duckdb.OutOfMemoryException("Out of Memory Error: failed to pin block"), 1, "failed to pin block"),
    ],
)
def test_a_fault_of_the_machine_has_its_cause_its_code_and_a_next_step(error, code, message):
    """Whatever the machine or a database refuses is named, with an exit code and what to do."""
    fault = fault_of(error)
    assert fault.exit_code == code
    assert str(fault).startswith(message) or message in fault.message
    assert fault.hint


def test_a_cause_is_found_below_what_was_raised_from_it():
    """A task's or a worker's error is reported, not the one that it was wrapped in."""
    wrapped = RuntimeError("the task failed")
    wrapped.__cause__ = ContractError("mask is empty", where="mask.nii.gz")
    assert fault_of(ExceptionGroup("some tasks", [wrapped])) is wrapped.__cause__


def test_a_fault_of_the_database_names_the_store(tmp_path):
    """SQLite's own message has no path: the store's stands before it."""
    fault = fault_of(sqlite3.OperationalError("unable to open database file"), store=tmp_path)
    assert fault.where == str(tmp_path)


def test_a_fault_of_radzoo_is_one_line_and_its_traceback_lies_in_a_file(tmp_path, monkeypatch, capsys):
    """What is no fault of the machine says that it is radzoo's own; the traceback is on the terminal when asked for."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def broken():
        return {}["a name\nthat is not there"]

    with pytest.raises(KeyError) as raised:
        broken()
    fault = fault_of(raised.value)
    (file,) = tmp_path.glob("radzoo-fault-*.txt")
    assert fault.exit_code == 1
    assert fault.message.startswith("this is a fault of radzoo: KeyError: ")
    assert "\n" not in fault.message
    assert fault.hint == f"report it with the file {file}"
    assert "in broken" in file.read_text()
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("RADZOO_TRACEBACK", "1")
    fault_of(raised.value)
    assert "in broken" in capsys.readouterr().err


def run(*arguments, **options):
    """Run the command line with streams of its own and return the finished process."""
    return subprocess.run([sys.executable, "-c", RADZOO, *arguments], check=False, timeout=120, **options)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_output_is_an_error_and_a_closed_one_is_not(ready_study):
    """What cannot be printed is said on stderr; a stream that was closed on purpose receives nothing."""
    query = ("--store", str(ready_study.store_root), "sql", "from range(3)", "--format", "csv")
    with Path("/dev/full").open("w") as full:
        done = run(*query, stdout=full, stderr=subprocess.PIPE, text=True)
        silent = run(*query[:-3], "nonsense", stdout=subprocess.PIPE, stderr=full, text=True)
    assert done.returncode == 1
    words = "error: standard output: the answer cannot be written: No space left on device\nnext: "
    assert done.stderr.startswith(words)
    assert "Exception ignored" not in done.stderr
    assert (silent.returncode, silent.stdout) == (2, "")
    done = subprocess.run(
        ["/bin/sh", "-c", 'exec "$0" "$@" >&-', sys.executable, "-c", RADZOO, *query],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_letters_that_the_output_lacks_are_written_as_codes(ready_study, monkeypatch):
    """A terminal that is not UTF-8 takes every table; what a program reads, CSV and JSON, is UTF-8 everywhere."""
    query = ["--store", str(ready_study.store_root), "sql", "select 'ä→' as x"]
    written = []
    for options in ([], ["--format", "csv"], ["--json"]):
        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
        monkeypatch.setattr("sys.stdout", stream)
        assert exit_code([*query, *options]) == 0
        written.append(stream.buffer.getvalue())
    table, as_csv, as_json = written
    assert "\\xe4\\u2192" in table.decode("ascii")
    assert as_csv.decode() == '"x"\n"ä→"\n'
    assert json.loads(as_json) == [{"x": "ä→"}]


def test_a_name_that_is_no_text_can_be_used_and_printed(tmp_path, capfd):
    """A folder whose name is not UTF-8 is a folder like others."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    assert exit_code(["init", str(folder)]) == 0
    assert (folder / "study.toml").is_file()
    assert "\\udcff/study.toml" in capfd.readouterr().out


def test_no_traceback_of_prefect_stands_among_the_progress(small_study, prefect_server):
    """A task that cannot stage its row ends the run with one line; the mask is not blamed, and the next run goes on."""
    small_study.ingest()
    small_study.store.staging.write_text("where the folder should be")
    done = small_study.run("refresh", "--workers", "1", variables={"PREFECT_API_URL": prefect_server})
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert [line for line in done.stderr.splitlines() if line.startswith("error: ")] == [
        f"error: {small_study.store.staging / small_study.plan().bound.definition_sha256[:20]}: not a directory"
    ]
    assert small_study.sql("from failures") == []


def test_the_file_that_arrow_names_within_its_sentence_is_said(tmp_path):
    """Arrow's errors have no file of their own; the message has the system's words and the path."""
    file = tmp_path / "it's absent" / "table.parquet"
    with pytest.raises(OSError, match="local file") as raised:
        pq.write_table(pa.table({"a": [1]}), file)
    fault = fault_of(raised.value)
    assert (fault.message, fault.where) == ("no such file or directory", str(file))
