"""A Dask scheduler and its workers, each a process of its own that a test may kill."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

__all__ = ["DaskProcesses", "running_dask"]

_ROOT = Path(__file__).parents[2]


@dataclass
class DaskProcesses:
    """A running scheduler and its workers."""

    folder: Path
    scheduler: subprocess.Popen[bytes]
    address: str
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def runner(self) -> str:
        """Return what ``--runner`` names it by."""
        return self.address.replace("tcp://", "dask://")

    def start_worker(self, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a worker of one thread, which needs a moment to join."""
        place = ["--local-directory", str(self.folder / f"worker-{len(self.workers)}")]
        worker = _started("worker", self.address, "--nthreads", "1", "--no-nanny", *place, environment=environment)
        self.workers.append(worker)
        return worker


def _started(verb: str, *arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "dask", verb, "--no-dashboard", *arguments],
        # As where radzoo is installed: the modules that are tested, and none of the tests.
        env=os.environ | {"PYTHONPATH": str(_ROOT), "PYTHONWARNINGS": "ignore"} | dict(environment or {}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


@contextmanager
def running_dask(folder: Path, workers: int = 2) -> Iterator[DaskProcesses]:
    """Give a scheduler with workers that end with the block; the test is skipped where Dask is not installed."""
    if importlib.util.find_spec("distributed") is None:
        pytest.skip("dask.distributed is not installed: pip install 'radzoo[dask]'")
    file = folder / "scheduler.json"
    scheduler = _started("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
    cluster = None
    try:
        cluster = DaskProcesses(folder, scheduler, _address(file, scheduler))
        for _ in range(workers):
            cluster.start_worker()
        yield cluster
    finally:
        started = [scheduler, *(cluster.workers if cluster is not None else [])]
        for process in started:
            with suppress(ProcessLookupError):
                process.kill()
        for process in started:
            process.wait()


def _address(file: Path, scheduler: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and scheduler.poll() is None:
        with suppress(OSError, ValueError):
            return str(json.loads(file.read_text())["address"])
        time.sleep(0.05)
    raise TimeoutError(f"the Dask scheduler does not begin: {scheduler.poll()}")
