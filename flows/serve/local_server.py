"""A Prefect server on this machine, for schedules where no other server is set.

Prefect's temporary in-process server runs no scheduler, so a schedule registered with it never fires.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from flows.engine.kept_environment import keep_environment
from flows.engine.prefect_settings import checked_settings, chosen_secret, loaded_settings, refuse_unusable_database
from flows.engine.progress import say
from flows.engine.server.process import LOOPBACK, ending_reason, is_healthy, server_command, server_environment
from flows.engine.server.watcher import end_with_this_process
from flows.engine.server_secret import SECRET_VARIABLES, secret_file, share_secret
from schemas.errors import NotFoundError

__all__ = ["PrefectApi", "prefect_api", "running"]

_API = "PREFECT_API_URL"
_STARTUP_S = 120
_FINAL = {"PREFECT__SERVER_FINAL": "1"}
"""Prefect's mark of a process that makes one server only."""


@dataclass(frozen=True)
class PrefectApi:
    """Where a Prefect API is."""

    url: str
    port: int | None
    """Of a server on this machine that `running` starts; None for one that somebody else runs."""
    secret: str | None = field(default=None, repr=False)
    """What the server on this machine asks for."""


@contextmanager
def prefect_api(port: int) -> Iterator[PrefectApi]:
    """Give the Prefect API of ``PREFECT_API_URL``, or that of a server on this machine, named there for the while.

    Nothing is started: Prefect can be loaded, and schedules be checked, before `running` takes the time.

    Parameters
    ----------
    port : int
        Where a local server listens, on the loopback address only.
    """
    settings = loaded_settings()
    if settings.api.url:
        yield PrefectApi(settings.api.url, None)
        return
    with keep_environment(_API, *SECRET_VARIABLES):
        # Read by Prefect when flows are loaded, here and in the processes that run them.
        os.environ[_API] = f"http://{LOOPBACK}:{port}/api"
        yield PrefectApi(os.environ[_API], port, share_secret(os.environ, chosen_secret(settings)))


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
    if (port := api.port) is None or api.secret is None:
        # Imported here: Prefect reads its settings when it is loaded.
        from flows.engine.server.check import refuse_unreachable_server

        refuse_unreachable_server()
        yield
        return
    settings = checked_settings()
    refuse_unusable_database(settings)
    say(f"starting a Prefect server at {LOOPBACK}:{port} (set {_API} to use another)")
    place = {"PREFECT_SERVER_API_HOST": LOOPBACK, "PREFECT_SERVER_API_PORT": str(port)}
    own = {name: value for name, value in server_environment(place | _FINAL).items() if name != _API}
    # A pipe that nobody reads would fill up and stop the server.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        process = subprocess.Popen(  # noqa: S603
            server_command(port),
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=own,
            # A terminal's Ctrl-C would end it before runs have told it that they end.
            start_new_session=True,
        )
        end_with_this_process(process.pid)
        try:
            _wait(process, port, api.secret, log)
            # Only now: where another server has the port, its file is another one's.
            with secret_file(api.secret, settings.home, port) as file:
                say(f"its page http://{LOOPBACK}:{port} asks for a password: copy it from {file}, which is yours alone")
                yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(process: subprocess.Popen[bytes], port: int, secret: str, log: IO[str]) -> None:
    deadline = time.monotonic() + _STARTUP_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            log.seek(0)
            raise NotFoundError(
                f"the Prefect server ends at once: {ending_reason(log.read())}",
                where=f"{LOOPBACK}:{port}",
                hint="radzoo doctor looks at what it needs; where another program uses the port: --port 4300",
            )
        if is_healthy(port, secret):
            return
        time.sleep(0.5)
    raise NotFoundError(f"the Prefect server does not come up within {_STARTUP_S} s", where=f"{LOOPBACK}:{port}")
