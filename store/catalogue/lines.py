"""The line to a catalogue's server: that nobody is at its other end any longer is noticed in seconds, not in hours."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Any

from schemas.settings import SERVER_SECONDS, limit_setting

__all__ = ["CONNECT_S", "SERVER_PROBES", "answers", "hang_up", "limit_silence"]

CONNECT_S = 10.0
"""Seconds in which a server must take up a connection."""

_SILENCE = 10
"""How many times as long as a server is waited for it may work on one statement, beside the wait for another writer."""

_PROBES = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4, "TCP_USER_TIMEOUT": 30_000}
"""Where the line is silent for 10 s it is probed each 5 s, and given up after 4 probes, or 30 s (in ms) without a word
that what was sent has come: by itself Linux would wait for two hours, or for a quarter of one."""

SERVER_PROBES = {"tcp_keepalives_idle": 10, "tcp_keepalives_interval": 5, "tcp_keepalives_count": 4}
"""The same for the server's end of a writer's line, by PostgreSQL's names."""


def limit_silence(connection: Any, busy_timeout_s: float) -> None:
    """Let a connection that is made wait for an answer as long as a statement may take, and no longer.

    Parameters
    ----------
    connection : pg8000 connection
        Its socket is meant, for which the driver has no setting but one of all its times.
    busy_timeout_s : float
        How long a writer waits for another one.
    """
    line = getattr(connection, "_usock", None)
    if line is None:
        return
    line.settimeout(_SILENCE * limit_setting(SERVER_SECONDS, os.environ) + busy_timeout_s)
    for name, value in _PROBES.items():
        # Not every system has them all, and a local socket has none.
        with suppress(AttributeError, OSError):
            line.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def answers(connection: Any) -> bool:
    """Ask the server at the other end of a connection for a word; one that stalls has as long as one that connects.

    Parameters
    ----------
    connection : pg8000 connection
        One that was kept for the next question: it would else be waited for as long as a statement may take.
    """
    line = getattr(connection, "_usock", None)
    cursor = connection.cursor()
    before = None if line is None else line.gettimeout()
    try:
        if line is not None:
            line.settimeout(CONNECT_S)
        cursor.execute("select 1")
    except OSError:
        return False
    finally:
        cursor.close()
        if line is not None:
            line.settimeout(before)
    return True


def hang_up(connection: Any) -> None:
    """Close a connection; where its other end is gone there is nobody to say goodbye to, and no error.

    Parameters
    ----------
    connection : pg8000 connection
        Whose own way ends where it cannot say goodbye, and leaves its socket to the collector.
    """
    stream = getattr(connection, "_sock", None)
    with suppress(Exception):
        connection.close()
    if stream is not None:
        with suppress(OSError, ValueError):
            stream.close()
