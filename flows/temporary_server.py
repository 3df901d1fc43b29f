"""Prefect's temporary server, where no other is configured: it must not outlive the process that started it."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
from typing import Any

from flows.prefect_settings import checked_settings
from flows.server_check import refuse_unreachable_server
from flows.workflow import PREFECT_API_URL

__all__ = ["started_server"]

# Prefect ends its server when its process exits, which one that is killed never does. The kernel's own signal at a
# parent's death would come when the thread ends that started the server. So a process of a few megabytes waits at a
# pipe whose other end nobody but this process holds.
_WATCHER = """
import os, select, signal, sys
server = os.pidfd_open(int(sys.argv[1]))
sys.stdin.buffer.read()
for each in (signal.SIGTERM, signal.SIGKILL):
    try:
        signal.pidfd_send_signal(server, each)
    except ProcessLookupError:
        break
    if select.select([server], [], [], 10)[0]:
        break
"""
_watchers: dict[int, subprocess.Popen[bytes]] = {}


def started_server() -> subprocess.Popen[Any] | None:
    """Return the process of Prefect's temporary server, started where it was not; None where flows use another server.

    It ends with this process, whether that exits or is killed (on Linux; elsewhere only where it exits).

    Raises
    ------
    UsageError
        If Prefect's settings cannot be used.
    NotFoundError
        If the server does not come up, or the other one does not answer.
    """
    checked_settings()
    if PREFECT_API_URL.value():
        refuse_unreachable_server()
        return None
    # Imported here: it takes seconds, and nobody with a server of their own needs it.
    from flows.temporary_process import TemporaryServer

    if not _watchers:
        # Before Prefect registers its own: called the other way round, after Prefect has ended its server.
        atexit.register(_let_go)
    server = TemporaryServer()
    server.start()
    refuse_unreachable_server()
    process = server.server_process
    if process is not None and process.pid not in _watchers and hasattr(os, "pidfd_open"):
        _watchers[process.pid] = subprocess.Popen(  # noqa: S603  (this interpreter, with a text of our own)
            [sys.executable, "-I", "-S", "-c", _WATCHER, str(process.pid)],
            stdin=subprocess.PIPE,
            # A Ctrl-C is meant for the process that is watched.
            start_new_session=True,
        )
    return process


def _let_go() -> None:
    for watcher in _watchers.values():
        watcher.communicate()
    _watchers.clear()
