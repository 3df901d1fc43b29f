"""A process of Prefect's server on this machine: whether it answers, and why it ended."""

from __future__ import annotations

import os
import sys
from base64 import b64encode
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from flows.engine.prefect_environment import DEFAULTS
from flows.engine.prefect_settings import masked

__all__ = ["LOOPBACK", "ending_reason", "is_healthy", "server_command", "server_environment"]

LOOPBACK = "127.0.0.1"
"""Where a server of radzoo's own listens: no other machine reaches it."""

_LOGGING = ("PREFECT_LOGGING_SETTINGS_PATH", "PREFECT_LOGGING_CONFIG_PATH")
"""Two names of one setting of Prefect's."""
# Prefect allows all origins where none is named; one without a port is that of no page of the server's own.
_NO_FOREIGN_ORIGIN = {
    "PREFECT_SERVER_API_CORS_ALLOWED_ORIGINS": f"http://{LOOPBACK}",
    "PREFECT_SERVER_API_CORS_ALLOWED_METHODS": "GET",
    "PREFECT_SERVER_API_CORS_ALLOWED_HEADERS": "accept",
}


def server_command(port: int) -> list[str]:
    """Return the command of a server's process; its secret is in its environment alone."""
    # The folder of this very package, for the one that the command runs in may have another of that name.
    command = [sys.executable, "-P", "-m", "uvicorn", "--app-dir", str(Path(__file__).parents[3])]
    command += ["--factory", "flows.engine.server.loopback_app:loopback_app", "--host", LOOPBACK, "--port", str(port)]
    return [*command, "--log-level", "error", "--lifespan", "on"]


def server_environment(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a server's process: this one's, with Prefect's own way of logging.

    A server's messages go to a file, where the cause of its end is looked for; cut to one line each, as a terminal
    shows them, they would not have it.

    Parameters
    ----------
    settings : mapping of str to str, optional
        Variables that come on top.
    """
    merged = os.environ | dict(settings or {}) | _NO_FOREIGN_ORIGIN
    own = DEFAULTS[_LOGGING[0]]
    return {name: value for name, value in merged.items() if name not in _LOGGING or value != own}


def is_healthy(port: int, secret: str | None = None) -> bool:
    """Return whether Prefect's server answers at a port of this machine; no proxy is asked.

    Parameters
    ----------
    port : int
        Where.
    secret : str, optional
        What it must ask for: a server of somebody else's at that port has another.
    """
    connection = HTTPConnection(LOOPBACK, port, timeout=2)
    try:
        if secret is None:
            connection.request("GET", "/api/health")
        else:
            key = b64encode(secret.encode()).decode()
            connection.request("GET", "/api/admin/version", headers={"Authorization": f"Basic {key}"})
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
