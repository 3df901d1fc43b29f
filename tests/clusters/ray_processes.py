"""A Ray cluster of one machine, its processes started for a test and ended with it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from servers import free_port

__all__ = ["RayProcesses", "running_ray"]

_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class RayProcesses:
    """A running cluster."""

    runner: str
    """What ``--runner`` names it by."""
    head: int
    """The process that has started all others."""


@contextmanager
def running_ray(processors: int = 2) -> Iterator[RayProcesses]:
    """Give a new Ray cluster; the test is skipped where Ray's client is not installed."""
    if importlib.util.find_spec("ray") is None or importlib.util.find_spec("grpc") is None:
        pytest.skip("Ray's client is not installed: pip install 'radzoo[ray]'")
    # Short, for the paths of its sockets.
    folder = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    clients = free_port()
    options = ["--port", str(free_port()), "--ray-client-server-port", str(clients), "--num-cpus", str(processors)]
    options += ["--object-store-memory", str(100 << 20), "--temp-dir", str(folder), "--include-dashboard", "false"]
    entry = "from ray.scripts.scripts import main; main()"
    head = subprocess.Popen(
        [sys.executable, "-c", entry, "start", "--head", "--block", "--disable-usage-stats", *options],
        env=os.environ | {"PYTHONPATH": str(_ROOT), "PYTHONWARNINGS": "ignore"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        _wait_for_clients(clients, head)
        yield RayProcesses(f"ray://127.0.0.1:{clients}", head.pid)
    finally:
        head.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            head.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(head.pid, signal.SIGKILL)
        head.wait()
        time.sleep(0.2)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for_clients(port: int, head: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and head.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return
        time.sleep(0.2)
    raise TimeoutError(f"the Ray head answers no client: {head.poll()}")
