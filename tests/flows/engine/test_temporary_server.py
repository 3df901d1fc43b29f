"""Prefect's temporary server: it ends with the process that started it, however that ends."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys

import pytest

from flows.engine.prefect_environment import set_prefect_environment
from flows.engine.server.launch import _is_as_it_comes

PARENT = """
import os, sys
from flows.engine.prefect_environment import set_prefect_environment
set_prefect_environment(os.environ)
from flows.engine.server import launch
launch.begin_prefect_server()
assert "prefect" not in sys.modules
begun = launch._begun
from flows.engine.server.temporary import ensure_prefect_server
assert begun is not None and ensure_prefect_server() is begun
launch.begin_prefect_server()
assert launch._begun is None
print(ensure_prefect_server().process.pid, flush=True)
assert ensure_prefect_server() is ensure_prefect_server()
from flows.engine.tasks import run_tasks
from threading import get_ident
found = run_tasks("try", "pieces in turn", [str(number) for number in range(60)], lambda p: (p, get_ident()), threads=3)
assert [position for position, _ in found] == list(range(60)), found
print(len({thread for _, thread in found}), flush=True)
sys.stdin.readline()
"""


DEAD_PROXIES = dict.fromkeys(("HTTP_PROXY", "https_proxy", "ALL_PROXY"), "http://127.0.0.1:9")


@pytest.mark.slow
@pytest.mark.parametrize("end", ["killed", "exits"])
def test_the_server_does_not_outlive_its_process(end, prefect_records, tmp_path):
    """After kill -9 of the process that started it, and after its exit, it is gone; dead proxies do not matter.

    It is begun before Prefect is loaded, for nothing says what Prefect's settings are, and it is the one that is used.
    """
    shutil.copy(prefect_records, tmp_path)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment | {"PREFECT_HOME": str(tmp_path)} | DEAD_PROXIES,
    )
    with parent:
        server = int(parent.stdout.readline())
        alive = os.pidfd_open(server)
        # It gets a task for each thread, and these take pieces in turn: a quick one may take them all.
        assert 1 <= int(parent.stdout.readline()) <= 3
        try:
            if end == "killed":
                os.kill(parent.pid, signal.SIGKILL)
            else:
                parent.stdin.write("\n")
                parent.stdin.flush()
            # A process's descriptor becomes readable when the process ends.
            ended, _, _ = select.select([alive], [], [], 60)
            assert ended == [alive]
        finally:
            if not select.select([alive], [], [], 0)[0]:
                os.kill(server, signal.SIGKILL)
            os.close(alive)
        assert parent.wait() == (-signal.SIGKILL if end == "killed" else 0)


def test_what_may_change_prefects_settings_is_read_first(tmp_path):
    """A variable of Prefect's that is not radzoo's own, and a file that it reads, keep a server from being begun."""
    home, folder = tmp_path / "home", tmp_path / "folder"
    folder.mkdir()
    plain = {"PREFECT_HOME": str(home), "PREFECT_API_AUTH_STRING": "a:b", "HOME": str(tmp_path)}
    set_prefect_environment(plain)
    assert _is_as_it_comes(plain, folder)
    for name in ("PREFECT_API_URL", "PREFECT_PROFILE", "prefect_server_database_connection_url"):
        assert not _is_as_it_comes(plain | {name: "x"}, folder)
    home.mkdir()
    for file in (home / "profiles.toml", folder / "prefect.toml", folder / ".env"):
        file.write_text("")
        assert not _is_as_it_comes(plain, folder)
        file.unlink()
    project = folder / "pyproject.toml"
    for text, is_plain in (("[tool.ruff]", True), ("[tool.prefect]", False), ("tool = 1", False), ("[", False)):
        project.write_text(text)
        assert _is_as_it_comes(plain, folder) is is_plain
    project.write_text("a = " + "[" * 5_000)
    assert not _is_as_it_comes(plain, folder)
    project.unlink()
    assert not _is_as_it_comes(plain | {"PREFECT_HOME": "x" * 300}, folder)


def test_a_server_that_is_configured_is_used(monkeypatch, prefect_server):
    """Where flows have a server, none is started."""
    from flows.engine.server.temporary import ensure_prefect_server

    assert prefect_server
    assert ensure_prefect_server() is None


KEPT_UP = """
import os, signal, sys, time
from flows.engine.prefect_environment import set_prefect_environment
set_prefect_environment(os.environ)
from flows.engine.server.process import is_healthy
from flows.engine.server.temporary import ensure_prefect_server, kept_up
server = ensure_prefect_server()
with kept_up(server):
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    until = time.monotonic() + 120
    while not is_healthy(server.port) and time.monotonic() < until:
        time.sleep(0.2)
again = ensure_prefect_server()
print(again.port == server.port, again.process.pid != server.process.pid, is_healthy(server.port), flush=True)
"""


@pytest.mark.slow
def test_a_server_that_ends_in_mid_run_is_started_again_at_its_port(prefect_records, tmp_path):
    """Whoever asks it meets the same address, and a line says what happened; it ends with the process as the first."""
    shutil.copy(prefect_records, tmp_path)
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    done = subprocess.run(
        [sys.executable, "-c", KEPT_UP],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env=environment | {"PREFECT_HOME": str(tmp_path)},
    )
    assert done.stdout == "True True True\n", done.stderr
    assert done.stderr == "Prefect's temporary server has ended: starting it again\n"
    assert done.returncode == 0
