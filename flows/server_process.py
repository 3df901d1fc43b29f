"""A process of Prefect's server on this machine: whether it answers, and why it ended."""

from __future__ import annotations

import os
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException

from flows.prefect_environment import DEFAULTS
from flows.prefect_settings import masked

__all__ = ["ending_reason", "is_healthy", "server_environment"]

_LOGGING = ("PREFECT_LOGGING_SETTINGS_PATH", "PREFECT_LOGGING_CONFIG_PATH")
"""Two names of one setting of Prefect's."""


def server_environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a server's process: this one's, with Prefect's own way of logging.

    A server's messages go to a file, where the cause of its end is looked for; cut to one line each, as a terminal
    shows them, they would not have it.

    Parameters
    ----------
    settings : mapping of str to str, optional
        Variables that come on top.
    """
    merged = os.environ | dict(settings or {})
    own = DEFAULTS[_LOGGING[0]]
    return {name: value for name, value in merged.items() if name not in _LOGGING or value != own}


def is_healthy(port: int) -> bool:
    """Return whether Prefect's server answers at a port of this machine; no proxy is asked."""
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/api/health")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def ending_reason(log: str) -> str:
    """Return the line of a server's messages that tells why it ended: its last exception's, else its last one."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    raised = [line for line in log.splitlines() if _names_exception(line)]
    return masked((raised or lines or ["it gives no reason"])[-1])


def _names_exception(line: str) -> bool:
    # An exception's own line is not indented and begins with its class.
    name, colon, _ = line.partition(": ")
    return (
        bool(colon) and all(part.isidentifier() for part in name.split(".")) and name.endswith(("Error", "Exception"))
    )
