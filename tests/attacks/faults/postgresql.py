"""A PostgreSQL of the trials' own that can be stopped, killed and started again."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from servers import free_port, postgresql_binaries

__all__ = ["Postgresql"]


@dataclass
class Postgresql:
    """A durable server: what it has said to be committed outlives a kill."""

    port: int
    _control: list[str]
    _options: list[str]
    _folder: Path
    is_running: bool = True
    url: str = ""

    @classmethod
    @contextmanager
    def running(cls, listens: str = "127.0.0.1", within: Sequence[str] = ()) -> Iterator[Postgresql]:
        """Give a new, empty server that ends with the block; ``within`` are the words that enter its namespace."""
        binaries = postgresql_binaries()
        if binaries is None:
            raise RuntimeError("PostgreSQL is not installed: apt-get install postgresql")
        account = ["runuser", "-u", "postgres", "--"]
        folder, port = Path(tempfile.mkdtemp(prefix="radzoo-pg-")), free_port()
        folder.chmod(0o777)
        data = folder / "data"
        initdb = [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8"]
        quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
        subprocess.run([*account, *initdb, "--locale=C.UTF-8"], **quiet)
        with (data / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.0.0.0/8 trust\n")
        control = [*within, *account, str(binaries / "pg_ctl"), "-D", str(data), "-w"]
        options = ["-l", str(folder / "log"), "-o", f"-p {port} -k {folder} -c listen_addresses={listens}"]
        server = cls(port, control, options, folder)
        server.url = f"postgresql://postgres@{listens}:{port}/postgres"
        server.start()
        try:
            yield server
        finally:
            server.stop("immediate")
            shutil.rmtree(folder, ignore_errors=True)

    def start(self) -> None:
        """Start it where it does not run."""
        self._run(*self._options, "start")
        self.is_running = True

    def stop(self, mode: Literal["fast", "immediate"] = "fast") -> None:
        """Stop it: ``fast`` tells its clients, ``immediate`` kills it as a power cut would."""
        if self.is_running:
            self._run("-m", mode, "stop")
            self.is_running = False

    def _run(self, *arguments: str) -> None:
        subprocess.run(
            [*self._control, *arguments],
            check=True,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
