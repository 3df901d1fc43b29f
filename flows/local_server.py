"""A Prefect server on this machine, for schedules where no other server is set.

Prefect's temporary in-process server runs no scheduler, so a schedule registered with it never fires.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection

from flows.progress import said
from schemas.errors import RadzooError

__all__ = ["prefect_api"]

_API = "PREFECT_API_URL"
_HOST = "127.0.0.1"
_STARTUP_S = 120


@contextmanager
def prefect_api(port: int) -> Iterator[str]:
    """Give the URL of a Prefect API: that of ``PREFECT_API_URL``, or of a server started for the while.

    Parameters
    ----------
    port : int
        Where a local server listens, on the loopback address only.

    Raises
    ------
    RadzooError
        When the local server does not come up.
    """
    if url := os.environ.get(_API):
        yield url
        return
    said(f"starting a Prefect server at {_HOST}:{port} (set {_API} to use another)")
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", _HOST, "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)  # noqa: S603
    try:
        _wait(process, port)
        # Read by Prefect when it is imported, here and in the processes that run the flows.
        os.environ[_API] = f"http://{_HOST}:{port}/api"
        yield os.environ[_API]
    finally:
        os.environ.pop(_API, None)
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()


def _wait(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + _STARTUP_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            reason = (process.stderr.read() if process.stderr else "").strip().splitlines()
            raise RadzooError(
                f"the Prefect server ended at once: {reason[-1] if reason else 'no reason given'}",
                where=f"{_HOST}:{port}",
                hint="another program may use the port: try --port 4300",
            )
        if _is_healthy(port):
            return
        time.sleep(0.5)
    raise RadzooError(f"the Prefect server did not come up within {_STARTUP_S} s", where=f"{_HOST}:{port}")


def _is_healthy(port: int) -> bool:
    connection = HTTPConnection(_HOST, port, timeout=2)
    try:
        connection.request("GET", "/api/health")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
