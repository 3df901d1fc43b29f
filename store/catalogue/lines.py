"""The line to a catalogue's server: a socket that notices when nobody is at its other end."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from schemas.settings import SERVER_SECONDS, limit_setting

__all__ = ["limit_silence", "server_line"]

_CONNECT_S = 30.0
_SILENCE = 10
"""How many times as long as a server is waited for it may work on one statement, beside the wait for another writer."""

_PROBES = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4, "TCP_USER_TIMEOUT": 30_000}
"""Where the line is silent for 10 s it is probed each 5 s, and given up after 4 probes, or 30 s (in ms) without a word
that what was sent has come: by itself Linux would wait for two hours, or for a quarter of one."""


def server_line(options: Mapping[str, Any]) -> dict[str, Any]:
    """Connect to a server and return the options of pg8000 with the socket among them.

    Parameters
    ----------
    options : mapping
        Of ``pg8000.connect``. Those of a local socket are returned as they are.

    Raises
    ------
    OSError
        When nobody answers.
    """
    if "unix_sock" in options or "sock" in options:
        return dict(options)
    line = socket.create_connection((options.get("host", "localhost"), int(options.get("port", 5432))), _CONNECT_S)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _PROBES.items():
        # Not every system has them all.
        with suppress(AttributeError, OSError):
            line.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return {**options, "sock": line}


def limit_silence(connection: Any, busy_timeout_s: float) -> None:
    """Let a connection that is made wait for an answer as long as a statement may take, and no longer.

    Parameters
    ----------
    connection : pg8000 connection
        Its own socket is meant: one that is secured is another one than was given to it.
    busy_timeout_s : float
        How long a writer waits for another one.
    """
    line = getattr(connection, "_usock", None)
    if line is not None:
        line.settimeout(_SILENCE * limit_setting(SERVER_SECONDS, os.environ) + busy_timeout_s)
