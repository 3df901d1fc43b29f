"""Prefect's temporary server, where no other is configured: it must not outlive the process that started it."""

from __future__ import annotations

import subprocess
from typing import Any

from flows.engine.prefect_settings import checked_settings
from flows.engine.server.check import refuse_unreachable_server
from flows.engine.server.watcher import end_with_this_process
from flows.engine.workflow import PREFECT_API_URL

__all__ = ["ensure_prefect_server"]


def ensure_prefect_server() -> subprocess.Popen[Any] | None:
    """Start Prefect's temporary server where it was not and return its process; None where flows use another server.

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
    from flows.engine.server.temporary_process import TemporaryServer

    server = TemporaryServer()
    server.start()
    refuse_unreachable_server()
    process = server.server_process
    if process is not None:
        end_with_this_process(process.pid)
    return process
