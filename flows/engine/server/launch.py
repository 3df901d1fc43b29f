"""A process of Prefect's temporary server: started, before Prefect is loaded where its settings are known without."""

from __future__ import annotations

import atexit
import os
import socket
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from flows.engine.prefect_environment import DEFAULTS
from flows.engine.server.process import LOOPBACK, server_command, server_environment
from flows.engine.server.watcher import end_with_this_process
from flows.engine.server_secret import SECRET_VARIABLES, share_secret

__all__ = ["TemporaryServer", "begin_prefect_server", "end_server", "launch_server", "taken_over"]

_END_S = 5
_EPHEMERAL = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
"""What Prefect gives a temporary server of its own: no pages, and only the services that flows need."""
_HOME = "PREFECT_HOME"


@dataclass(frozen=True)
class TemporaryServer:
    """A server that ends with this process.

    Attributes
    ----------
    port : int
        Of this machine.
    process : subprocess.Popen
        Its own.
    log : file object
        What it says, kept back: a fault of the start is told in a line.
    """

    port: int
    process: subprocess.Popen[Any]
    log: IO[str] = field(repr=False)

    @property
    def url(self) -> str:
        """Return the address of its API, as ``PREFECT_API_URL`` names it."""
        return f"http://{LOOPBACK}:{self.port}/api"

    def said(self) -> str:
        """Return what it has said."""
        self.log.seek(0)
        return self.log.read()


_begun: TemporaryServer | None = None


def begin_prefect_server() -> None:
    """Start the process of a temporary server, where flows will surely use one, while this process loads Prefect.

    Both take seconds. Where Prefect is loaded here already, or settings of the user's may name a server or change this
    one, nothing is done: they are read first.
    """
    global _begun
    if _begun is None and "prefect" not in sys.modules and _is_as_it_comes(os.environ):
        # Prefect's client reads it when it is loaded.
        share_secret(os.environ, next(filter(None, map(os.environ.get, SECRET_VARIABLES)), None))
        _begun = launch_server()


def taken_over() -> TemporaryServer | None:
    """Return the server that was begun, once; None where none was."""
    global _begun
    begun, _begun = _begun, None
    return begun


def launch_server(settings: Mapping[str, str] | None = None, port: int | None = None) -> TemporaryServer:
    """Start a server's process; it does not answer yet.

    Parameters
    ----------
    settings : mapping of str to str, optional
        Variables beside those of this process.
    port : int, optional
        A free one where absent.
    """
    port = port or _free_port()
    log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")  # noqa: SIM115  (as long as the server)
    environment = server_environment(_EPHEMERAL | dict(settings or {}))
    process = subprocess.Popen(server_command(port), stderr=log, env=environment)  # noqa: S603
    server = TemporaryServer(port, process, log)
    atexit.register(_leave, server)
    end_with_this_process(process.pid)
    return server


def end_server(server: TemporaryServer) -> None:
    """End a server, however it takes it."""
    server.process.terminate()
    try:
        server.process.wait(timeout=_END_S)
    except subprocess.TimeoutExpired:
        server.process.kill()
        server.process.wait()


def _leave(server: TemporaryServer) -> None:
    end_server(server)
    server.log.close()


def _is_as_it_comes(environment: Mapping[str, str], folder: Path | None = None) -> bool:
    """Return whether no variable and no file is there that changes Prefect's settings, but for radzoo's own.

    Whoever reads them says what is wrong with a file or folder.
    """
    known = {*DEFAULTS, *SECRET_VARIABLES, _HOME}
    if any(name.upper().startswith("PREFECT_") and name not in known for name in environment):
        return False
    try:
        folder = folder or Path.cwd()
        home = Path(environment.get(_HOME) or Path("~/.prefect").expanduser())
        if any(file.exists() for file in (home / "profiles.toml", folder / "prefect.toml", folder / ".env")):
            return False
        project = folder / "pyproject.toml"
        return not project.exists() or "prefect" not in tomllib.loads(project.read_text("utf-8")).get("tool", {})
    except (OSError, ValueError, RuntimeError, AttributeError, TypeError):
        return False


def _free_port() -> int:
    with socket.socket() as one:
        one.bind((LOOPBACK, 0))
        port: int = one.getsockname()[1]
    return port
