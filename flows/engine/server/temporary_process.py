"""The process of Prefect's temporary server, which is given up in seconds where it cannot start.

Loading this module takes seconds: only who has no server needs it.
"""

from __future__ import annotations

import atexit
import subprocess
import tempfile
import time
from typing import IO, Any

from prefect.server.api.server import SubprocessASGIServer
from prefect.settings import PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS, get_current_settings

from flows.engine.server.process import ending_reason, is_healthy, server_command, server_environment
from schemas.errors import NotFoundError

__all__ = ["TemporaryServer"]

_TRIES = 3
_PORT_TAKEN = "address already in use"


class TemporaryServer(SubprocessASGIServer):
    """Prefect's own class, where one that ends at once is neither waited for nor started without end.

    Prefect keeps one instance a process and finds this one instead of its own.
    """

    def start(self, timeout: int | None = None) -> None:
        """Start the server's process and wait until it answers.

        Raises
        ------
        NotFoundError
            If it ends, or does not answer in time.
        """
        if self.running:
            return
        atexit.register(self.stop)
        patience = timeout or PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS.value()
        # What it says is kept back: a fault of the start is told in a line.
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
            for tries_left in reversed(range(_TRIES)):
                self.port = self.find_available_port()
                process = self.server_process = self._started(self.port, log)
                if self._came_up(process, self.port, patience):
                    self.running = True
                    return
                log.seek(0)
                said = log.read()
                # Another program took the port between the look and the start.
                if tries_left and _PORT_TAKEN in said:
                    continue
                ended = process.poll() is not None
                what = f"ends at once: {ending_reason(said)}" if ended else f"does not come up within {patience} s"
                where = self.address
                self.stop()
                raise NotFoundError(
                    f"Prefect's temporary server {what}",
                    where=where,
                    hint="radzoo doctor looks at what it needs; on a busy machine run the command again; "
                    "PREFECT_API_URL names a server of your own",
                )

    def _started(self, port: int, log: IO[str]) -> subprocess.Popen[Any]:
        own = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
        settings = get_current_settings().to_environment_variables(exclude_unset=True)
        return subprocess.Popen(server_command(port), stderr=log, env=server_environment(own | settings))  # noqa: S603

    def _came_up(self, process: subprocess.Popen[Any], port: int, patience: float) -> bool:
        deadline = time.monotonic() + patience
        while process.poll() is None and time.monotonic() < deadline:
            if is_healthy(port):
                return True
            time.sleep(0.1)
        return False
