"""Real servers for the tests: a PostgreSQL of the tests' own, and an S3-compatible one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["answering", "free_port", "postgresql_binaries", "running_postgresql", "running_s3"]

_DEBIAN = Path("/usr/lib/postgresql")


def postgresql_binaries() -> Path | None:
    """Return the folder with initdb and pg_ctl, None where PostgreSQL is not installed."""
    found = shutil.which("pg_ctl")
    folders = [Path(found).parent] if found else []
    folders += sorted(_DEBIAN.glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


@contextmanager
def running_postgresql(binaries: Path, *, durable: bool = False) -> Iterator[str]:
    """Give the URL of a new, empty server that ends with the block; its databases are made by name.

    Only a ``durable`` one waits for the disk, as a real one does. PostgreSQL refuses to run as root: then the account
    ``postgres`` runs it.
    """
    port = free_port()
    as_account = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    # Not below pytest's folder, which the other account may not enter; and short, for the socket's path.
    folder = Path(tempfile.mkdtemp(prefix="radzoo-pg-"))
    try:
        folder.chmod(0o777)
        data = folder / "data"
        quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": folder}
        initdb = [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8"]
        subprocess.run([*as_account, *initdb, "--locale=C.UTF-8"], **quiet)
        # Durability is not what these tests look at, and the disk is shared.
        careless = "" if durable else " -c fsync=off -c full_page_writes=off"
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1{careless}"
        control = [*as_account, str(binaries / "pg_ctl"), "-D", str(data), "-w"]
        subprocess.run([*control, "-l", str(folder / "log"), "-o", options, "start"], **quiet)
        try:
            yield f"postgresql://postgres@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **quiet)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_s3() -> Iterator[str]:
    """Give the address, ``host:port``, of a moto server process that ends with the block."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        answering(f"http://127.0.0.1:{port}/moto-api/")
        yield f"127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def free_port() -> int:
    """Return a port of this machine at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answering(url: str) -> None:
    """Wait until a server answers.

    Raises
    ------
    TimeoutError
        When it does not within a minute.
    """
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(OSError), urllib.request.urlopen(url, timeout=5):  # noqa: S310  (an address of our own)
            return
        time.sleep(0.2)
    raise TimeoutError(url)
