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
from typing import NamedTuple

from flows.progress import said
from schemas.errors import RadzooError

__all__ = ["PrefectApi", "prefect_api", "running"]

_API = "PREFECT_API_URL"
_HOST = "127.0.0.1"
_STARTUP_S = 120


class PrefectApi(NamedTuple):
    """Where a Prefect API is."""

    url: str
    port: int | None
    """Of a server on this machine that `running` starts; None for one that somebody else runs."""


@contextmanager
def prefect_api(port: int) -> Iterator[PrefectApi]:
    """Give the Prefect API of ``PREFECT_API_URL``, or that of a server on this machine, named there for the while.

    Nothing is started: Prefect can be loaded, and schedules be checked, before `running` takes the time.

    Parameters
    ----------
    port : int
        Where a local server listens, on the loopback address only.
    """
    if url := os.environ.get(_API):
        yield PrefectApi(url, None)
        return
    # Read by Prefect when it is imported, here and in the processes that run the flows.
    os.environ[_API] = f"http://{_HOST}:{port}/api"
    try:
        yield PrefectApi(os.environ[_API], port)
    finally:
        os.environ.pop(_API, None)


@contextmanager
def running(api: PrefectApi) -> Iterator[None]:
    """Have the API's server run for the while: the one on this machine is started.

    Raises
    ------
    RadzooError
        When the local server does not come up.
    """
    if (port := api.port) is None:
        yield
        return
    said(f"starting a Prefect server at {_HOST}:{port} (set {_API} to use another)")
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", _HOST, "--port", str(port)]
    own = {name: value for name, value in os.environ.items() if name != _API}
    process = subprocess.Popen(  # noqa: S603
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=own
    )
    try:
        _wait(process, port)
        yield
    finally:
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
