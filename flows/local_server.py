"""A Prefect server on this machine, for schedules where no other server is set.

Prefect's temporary in-process server runs no scheduler, so a schedule registered with it never fires.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, NamedTuple

from flows.prefect_settings import checked_settings, refuse_unusable_database
from flows.progress import said
from flows.server_process import ending_reason, is_healthy, server_environment
from schemas.errors import NotFoundError

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
    UsageError
        When Prefect's settings cannot be used.
    NotFoundError
        When the local server does not come up, or the other one does not answer.
    """
    if (port := api.port) is None:
        # Imported here: Prefect reads its settings when it is loaded.
        from flows.server_check import refuse_unreachable_server

        refuse_unreachable_server()
        yield
        return
    refuse_unusable_database(checked_settings())
    said(f"starting a Prefect server at {_HOST}:{port} (set {_API} to use another)")
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", _HOST, "--port", str(port)]
    own = {name: value for name, value in server_environment().items() if name != _API}
    # A pipe that nobody reads would fill up and stop the server.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=log, env=own)  # noqa: S603
        try:
            _wait(process, port, log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(process: subprocess.Popen[bytes], port: int, log: IO[str]) -> None:
    deadline = time.monotonic() + _STARTUP_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            log.seek(0)
            raise NotFoundError(
                f"the Prefect server ends at once: {ending_reason(log.read())}",
                where=f"{_HOST}:{port}",
                hint="radzoo doctor looks at what it needs; where another program uses the port: --port 4300",
            )
        if is_healthy(port):
            return
        time.sleep(0.5)
    raise NotFoundError(f"the Prefect server does not come up within {_STARTUP_S} s", where=f"{_HOST}:{port}")
