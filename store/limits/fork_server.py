"""A process that has loaded some modules and is copied for each child that needs them: their start is paid once.

A fresh child loads SimpleITK or PyTorch for seconds, a copy has them. The process that asks cannot be copied itself: it
may have threads that hold locks. Linux alone.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import errno
import gc
import importlib
import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from store.limits.child import Rights, serve
from store.loading import without_collector

__all__ = ["NUMBER", "ForkServer", "fork_server", "serve_forks", "start_python"]

_START = "from store.limits.fork_server import serve_forks; serve_forks()"
NUMBER = struct.Struct("i")
"""A process's number or exit code, as it is told."""
_LONGEST_REQUEST = 1 << 20
_MOST_SERVERS = 6
_READ_WHEN_LOADED = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables that libraries read once: a copy cannot have other ones."""
_TOLD_OF_PARENT = 1  # PR_SET_PDEATHSIG of Linux's prctl.h
_IDLE_MS = 600_000
"""So long a server waits for the next child where it has none."""


class ForkServer:
    """The asking side of one server.

    Parameters
    ----------
    modules : tuple of str
        What it loads.
    """

    def __init__(self, modules: tuple[str, ...]) -> None:
        self._socket, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # A request with a large environment is one message.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _LONGEST_REQUEST)
        # It ends when this process does.
        arguments = [str(other.fileno()), json.dumps(modules)]
        self._pid = start_python(_START, arguments, [other.fileno()], subprocess.DEVNULL)
        other.close()

    def begin_child(self, requests: int, answers: int, errors: int, rights: Rights) -> int:
        """Ask for a child, and return the pipe that tells its number and later its exit code, each as a C int.

        Nothing is waited for. A server that dies closes the pipe.

        Parameters
        ----------
        requests, answers, errors : int
            The child's ends of its pipes.
        rights : Rights
            What it may take and touch.

        Raises
        ------
        OSError
            Where the server is gone (EPIPE, ECONNRESET), or the environment is too long for a request (EMSGSIZE).
        """
        asked = {"rights": rights._asdict(), "environment": dict(os.environ), "folder": _folder(), "path": sys.path}
        told = json.dumps(asked).encode()
        if len(told) > _LONGEST_REQUEST:
            raise OSError(errno.EMSGSIZE, "the environment is too long for a request")
        status, other = os.pipe()
        try:
            socket.send_fds(self._socket, [told], [requests, answers, errors, other])
        except BaseException:
            os.close(status)
            raise
        finally:
            os.close(other)
        return status

    def close(self) -> None:
        """Let the server end, once its children have."""
        self._socket.close()

    def has_ended(self) -> bool:
        """Return whether it has; what it and its children took counts as this process's children's from then on."""
        if self._pid:
            with contextlib.suppress(ChildProcessError):
                if not os.waitpid(self._pid, os.WNOHANG)[0]:
                    return False
            self._pid = 0
        return True


def start_python(statement: str, arguments: Sequence[str], pipes: Sequence[int], stderr: int) -> int:
    """Start a fresh Python that has this process's module path, and return its number.

    Parameters
    ----------
    statement : str
        What it carries out.
    arguments : sequence of str
        What it is told, before the module path as JSON.
    pipes : sequence of int
        What it keeps open.
    stderr : int
        Where its last words go.
    """
    # The path is set by the child: an environment variable would reach what it starts.
    first_path = str(Path(__file__).resolve().parents[2])
    started = f"import sys; sys.path.insert(0, {first_path!r}); {statement}"
    process = subprocess.Popen(  # noqa: S603  (this Python, and code of the program's own)
        [sys.executable, "-P", "-c", started, *arguments, json.dumps(sys.path)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        pass_fds=pipes,
    )
    # The object would warn that nobody waited for it.
    process.returncode = 0
    return process.pid


_servers: dict[tuple[object, ...], ForkServer] = {}
_closed: list[ForkServer] = []
"""Those that end once their children have."""
_asking = threading.Lock()


def fork_server(modules: tuple[str, ...], *, fresh: bool = False) -> ForkServer:
    """Return this process's server for some modules, started where there is none or another one is asked for."""
    decided_by = (modules, *sys.path, *map(os.environ.get, _READ_WHEN_LOADED))
    with _asking:
        server = _servers.pop(decided_by, None)
        if server is not None and fresh:
            _close(server)
            server = None
        # The one that was asked last stands last.
        _servers[decided_by] = server or ForkServer(modules)
        while len(_servers) > _MOST_SERVERS:
            _close(_servers.pop(next(iter(_servers))))
        _closed[:] = [each for each in _closed if not each.has_ended()]
        return _servers[decided_by]


def _close(server: ForkServer) -> None:
    server.close()
    _closed.append(server)


def _end_servers() -> None:
    """Let all servers end with this process: what they took is then told of it, as of a command with other children."""
    while _servers:
        _close(_servers.popitem()[1])
    until = time.monotonic() + 0.5
    while not all(each.has_ended() for each in _closed) and time.monotonic() < until:
        time.sleep(0.002)


def _forget_servers() -> None:
    """Leave a parent's servers to it: a copy of its socket would keep them alive behind its end."""
    global _asking
    _asking = threading.Lock()
    for server in _servers.values():
        server.close()
    _servers.clear()
    _closed.clear()


atexit.register(_end_servers)
os.register_at_fork(after_in_child=_forget_servers)


def _folder() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:
        return None


def serve_forks() -> NoReturn:
    """Be copied for each request, until the process that asks closes its socket or ends."""
    number, modules, path = sys.argv[1:]
    sys.path[:] = json.loads(path)
    # The terminal sends it to all; who asks decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with without_collector():
        for module in json.loads(modules):
            # What cannot be loaded is missed by the child, which has a way to say so.
            with contextlib.suppress(Exception):
                importlib.import_module(module)
    gc.collect()
    gc.freeze()
    try:
        _Serving(socket.socket(fileno=int(number))).loop()
    finally:
        os._exit(0)


class _Serving:
    """The server's children, and what it waits for: requests, a child's end, and the end of interest in a child."""

    def __init__(self, requests: socket.socket) -> None:
        self._own, self._requests = os.getpid(), requests
        self._statuses: dict[int, int] = {}
        """By process, the pipe that tells of it."""
        self._told: set[int] = set()
        self._left: set[int] = set()
        """Children that nobody asks for and that have not ended."""
        self._woken, self._waking = os.pipe()
        for pipe in (self._woken, self._waking):
            os.set_blocking(pipe, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._waking, warn_on_full_buffer=False)
        self._poll = select.poll()
        self._poll.register(requests, select.POLLIN)
        self._poll.register(self._woken, select.POLLIN)

    def loop(self) -> None:
        is_open = True
        while is_open or self._statuses:
            ready = dict(self._poll.poll(None if self._statuses else _IDLE_MS))
            is_idle = not ready and not self._statuses
            if is_idle:
                # From here on who asks is refused, and asks another server; who asked just now is served.
                self._requests.shutdown(socket.SHUT_RD)
                while self._begin():
                    pass
            if self._woken in ready:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._woken, 1 << 12)
            self._tell_ends()
            for pid, status in list(self._statuses.items()):
                if status in ready:
                    self._give_up(pid)
            if is_open and (is_idle or (self._requests.fileno() in ready and not self._begin())):
                # Children that are there work on; nobody waits for those of a process that has died.
                is_open = False
                self._poll.unregister(self._requests)

    def _begin(self) -> bool:
        """Copy this process for a request; return whether there was one."""
        told, pipes, _, _ = socket.recv_fds(self._requests, _LONGEST_REQUEST, 4)
        if not told:
            return False
        requests, answers, errors, status = pipes
        asked = json.loads(told)
        rights = Rights(**asked["rights"])
        try:
            pid = os.fork()
        except OSError:
            # No memory or no number for one more process: a child that ended at once, and this server goes on.
            for pipe in pipes:
                os.close(pipe)
            return True
        if pid == 0:
            self._become_child(requests, answers, errors, status, rights, asked)
        for pipe in (requests, answers, errors):
            os.close(pipe)
        self._statuses[pid] = status
        # Who asked may have given it up by now, which the loop finds at the pipe.
        with contextlib.suppress(BrokenPipeError):
            os.write(status, NUMBER.pack(pid))
        # It has an error once nobody reads it any more.
        self._poll.register(status, 0)
        return True

    def _become_child(
        self, requests: int, answers: int, errors: int, status: int, rights: Rights, asked: dict[str, Any]
    ) -> NoReturn:
        try:
            # Nobody else could end a copy whose server was killed.
            ctypes.CDLL(None).prctl(_TOLD_OF_PARENT, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != self._own:
                os._exit(1)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._requests.close()
            for pipe in (self._woken, self._waking, status, *self._statuses.values()):
                os.close(pipe)
            os.dup2(errors, 2)
            os.close(errors)
            os.environ.clear()
            os.environ.update(asked["environment"])
            time.tzset()
            sys.path[:] = asked["path"]
            if asked["folder"] is not None:
                with contextlib.suppress(OSError):
                    os.chdir(asked["folder"])
            serve(requests, answers, rights)
        finally:
            os._exit(1)

    def _tell_ends(self) -> None:
        for pid in set(self._statuses) - self._told:
            found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is not None:
                code = found.si_status if found.si_code == os.CLD_EXITED else -found.si_status
                self._told.add(pid)
                with contextlib.suppress(BrokenPipeError):
                    os.write(self._statuses[pid], NUMBER.pack(code))
        for pid in list(self._left):
            if os.waitpid(pid, os.WNOHANG)[0]:
                self._left.discard(pid)

    def _give_up(self, pid: int) -> None:
        """Forget a child that nobody asks for; until then its number is nobody else's, and killing it is safe."""
        status = self._statuses.pop(pid)
        self._told.discard(pid)
        self._poll.unregister(status)
        os.close(status)
        if not os.waitpid(pid, os.WNOHANG)[0]:
            self._left.add(pid)
