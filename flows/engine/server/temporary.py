"""Prefect's temporary server, where no other is configured: it must not outlive the process that started it.

Prefect would start one by itself, and would load the whole server in this process for that, which takes seconds.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from flows.engine.prefect_settings import checked_settings
from flows.engine.progress import say
from flows.engine.server.check import refuse_unreachable_server
from flows.engine.server.launch import TemporaryServer, end_server, launch_server, taken_over
from flows.engine.server.process import ending_reason, is_healthy
from flows.engine.workflow import (
    PREFECT_API_URL,
    PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS,
    get_current_settings,
)
from schemas.errors import NotFoundError

__all__ = ["ensure_prefect_server", "kept_up"]

_TRIES = 3
_PORT_TAKEN = "address already in use"
_RESTARTS = 3
_LOOK_S = 0.5

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
    for tries_left in reversed(range(_TRIES)):
        begun = taken_over()
        server = begun or _launch_as_set()
        if _came_up(server, patience):
            return server
        ended = server.process.poll() is not None
        end_server(server)
        said = server.said()
        # Another program took the port between the look and the start; or it was begun before settings were read.
        if not (tries_left and (begun is not None or _PORT_TAKEN in said)):
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
        # The next flow's too, should this one end before the server is up.
        _server = server = _launch_as_set(server.port)
        if not _came_up(server, PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value(), is_over):
            if not is_over.is_set():
                end_server(server)
            return


def _launch_as_set(port: int | None = None) -> TemporaryServer:
    return launch_server(get_current_settings().to_environment_variables(exclude_unset=True), port)


def _came_up(server: TemporaryServer, patience: float, is_over: Event | None = None) -> bool:
    deadline = time.monotonic() + patience
    while server.process.poll() is None and time.monotonic() < deadline and not (is_over and is_over.is_set()):
        if is_healthy(server.port):
            return True
        time.sleep(0.1)
    return False
