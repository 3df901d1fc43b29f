"""Runs of the command line on a cluster, what they leave in a store, and processes that are killed meanwhile."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from store.history.snapshot import Snapshot
from store.home import Store

__all__ = ["children", "content", "extracting", "is_running", "refreshed", "wait_for"]

TABLES = ("feature_sets", "features", "extractions", "study_extractions", "failures", "segments")


def refreshed(root: Path, server: str, runner: str, **variables: str) -> tuple[int, Any]:
    """Run ``radzoo refresh`` as its own process and return the exit code and what it printed."""
    entry = "from flows.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", entry, "--json", "--store", str(root), "refresh", "--runner", runner],
        env=os.environ | {"PREFECT_API_URL": server} | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout or done.stderr[done.stderr.index("{\n") :])


def content(store: Store) -> str:
    """Return a hash of the sorted rows that a refresh commits; segments are in it by the hashes of their files."""
    snapshot = Snapshot(store)
    rows = {table: sorted(json.dumps(row, sort_keys=True) for row in snapshot.rows(table)) for table in TABLES}
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def children(process: int) -> list[int]:
    """Return the processes that a process has started."""
    tasks = Path(f"/proc/{process}/task").glob("*/children")
    return [int(each) for task in tasks for each in task.read_text().split()]


def extracting(process: int) -> list[int]:
    """Return the Ray workers below a process that have a limited child at work."""
    found, pending = [], [process]
    while pending:
        below = children(pending.pop())
        pending += below
        found += [each for each in below if any("store.limits" in _words(child) for child in children(each))]
    return found


def _words(process: int) -> str:
    """Return a process's command line; nothing of one that is gone."""
    try:
        return Path(f"/proc/{process}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def is_running(process: int) -> bool:
    """Return whether a process is there and does not merely wait to be collected."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_for(what: Callable[[], object], seconds: float = 60) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)
