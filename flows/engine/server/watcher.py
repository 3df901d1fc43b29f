"""A server's process ends with the process that started it, however that ends."""

from __future__ import annotations

import atexit
import os
import subprocess
import sys

__all__ = ["end_with_this_process"]

# Prefect ends its server when its process exits, which one that is killed never does. The kernel's own signal at a
# parent's death would come when the thread ends that started the server. So a process of a few megabytes waits at a
# pipe whose other end nobody but this process holds.
_WATCHER = """
import os, select, signal, sys
try:
    server = os.pidfd_open(int(sys.argv[1]))
except ProcessLookupError:  # it has ended already
    sys.exit()
sys.stdin.buffer.read()
for each in (signal.SIGTERM, signal.SIGKILL):
    try:
        signal.pidfd_send_signal(server, each)
    except ProcessLookupError:
        break
    if select.select([server], [], [], 10)[0]:
        break
"""
_watchers: dict[int, subprocess.Popen[bytes]] = {}


def end_with_this_process(server: int) -> None:
    """Have a process that was started here end when this one does, whether it exits or is killed (on Linux).

    Parameters
    ----------
    server : int
        Its number.
    """
    if server in _watchers or not hasattr(os, "pidfd_open"):
        return
    _watchers[server] = subprocess.Popen(  # noqa: S603  (this interpreter, with a text of our own)
        [sys.executable, "-I", "-S", "-c", _WATCHER, str(server)],
        stdin=subprocess.PIPE,
        # A Ctrl-C is meant for the process that is watched.
        start_new_session=True,
    )


def _let_watchers_go() -> None:
    """Let the watchers end, after the servers have ended."""
    for watcher in _watchers.values():
        watcher.communicate()
    _watchers.clear()


# Before Prefect registers the end of its servers: called the other way round, after them.
atexit.register(_let_watchers_go)
