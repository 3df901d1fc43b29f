"""Prefect's temporary server, where no other is configured: it must not outlive the process that started it.

Prefect would start one by itself, and would load the whole server in this process for that, which takes seconds.
"""

from __future__ import annotations

import atexit
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import IO, Any

from flows.engine.prefect_settings import checked_settings
from flows.engine.progress import say
from flows.engine.server.check import refuse_unreachable_server
from flows.engine.server.process import LOOPBACK, ending_reason, is_healthy, server_command, server_environment
from flows.engine.server.watcher import end_with_this_process
from flows.engine.workflow import (
    PREFECT_API_URL,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    get_current_settings,
)
from schemas.errors import NotFoundError

__all__ = ["TemporaryServer", "ensure_prefect_server", "kept_up"]

_TRIES = 3
_PORT_TAKEN = "address already in use"
_END_S = 5
_RESTARTS = 3
_LOOK_S = 0.5
_EPHEMERAL = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
"""What Prefect gives a temporary server of its own: no pages, and only the services that flows need."""


@dataclass(frozen=True)
class TemporaryServer:
    """A server that ends with this process.

    Attributes
    ----------
    port : int
        Of this machine.
    process : subprocess.Popen
        Its own.
    """

    port: int
    process: subprocess.Popen[Any]

    @property
    def url(self) -> str:
        """Return the address of its API, as ``PREFECT_API_URL`` names it."""
        return f"http://{LOOPBACK}:{self.port}/api"


_server: TemporaryServer | None = None


def ensure_prefect_server() -> TemporaryServer | None:
    """Start a temporary server where there was none and return it; None where flows use another server.

    It ends with this process, whether that exits or is killed (on Linux; elsewhere only where it exits). One that has
    ended meanwhile is started again.

    Raises
    ------
    UsageError
        If Prefect's settings cannot be used.
    NotFoundError
        If the server does not come up, or the other one does not answer.
    """
    global _server
    checked_settings()
    if PREFECT_API_URL.value():
        refuse_unreachable_server()
        return None
    if _server is None or _server.process.poll() is not None:
        _server = _started()
    refuse_unreachable_server(_server.url)
    return _server


def _started() -> TemporaryServer:
    patience = PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value()
    # What it says is kept back: a fault of the start is told in a line.
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        for tries_left in reversed(range(_TRIES)):
            server = _launched(log)
            if _came_up(server, patience):
                return server
            ended = server.process.poll() is not None
            _end(server)
            log.seek(0)
            said = log.read()
            # Another program took the port between the look and the start.
            if not (tries_left and _PORT_TAKEN in said):
                break
    raise NotFoundError(
        "Prefect's temporary server "
        + (f"ends at once: {ending_reason(said)}" if ended else f"does not come up within {patience} s"),
        where=server.url,
        hint="radzoo doctor looks at what it needs; on a busy machine run the command again; "
        "PREFECT_API_URL names a server of your own",
    )


@contextmanager
def kept_up(server: TemporaryServer) -> Iterator[None]:
    """Start a temporary server again where it ends while the block runs, at its port, which clients ask for a minute.

    Its records are the same, and it asks for the same secret: a run goes on where it was. Without that each event of
    Prefect's would be waited for in vain, one after another, for minutes.
    """
    is_over = Event()
    watching = Thread(target=_restart, args=(server, is_over), name="prefect-server", daemon=True)
    watching.start()
    try:
        yield
    finally:
        is_over.set()
        watching.join()


def _restart(server: TemporaryServer, is_over: Event) -> None:
    global _server
    for _ in range(_RESTARTS):
        while server.process.poll() is None:
            if is_over.wait(_LOOK_S):
                return
        if is_over.is_set():
            return
        say("Prefect's temporary server has ended: starting it again")
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
            # The next flow's too, should this one end before the server is up.
            _server = server = _launched(log, server.port)
            if not _came_up(server, PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value(), is_over):
                if not is_over.is_set():
                    _end(server)
                return


def _launched(log: IO[str], port: int | None = None) -> TemporaryServer:
    port = port or _free_port()
    settings = get_current_settings().to_environment_variables(exclude_unset=True)
    environment = server_environment(_EPHEMERAL | settings)
    server = TemporaryServer(port, subprocess.Popen(server_command(port), stderr=log, env=environment))  # noqa: S603
    atexit.register(_end, server)
    end_with_this_process(server.process.pid)
    return server


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((LOOPBACK, 0))
        port: int = one.getsockname()[1]
    return port


def _came_up(server: TemporaryServer, patience: float, is_over: Event | None = None) -> bool:
    deadline = time.monotonic() + patience
    while server.process.poll() is None and time.monotonic() < deadline and not (is_over and is_over.is_set()):
        if is_healthy(server.port):
            return True
        time.sleep(0.1)
    return False


def _end(server: TemporaryServer) -> None:
    server.process.terminate()
    try:
        server.process.wait(timeout=_END_S)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()
