"""A child process and its pipes: started as a fresh Python or forked, heard with a deadline, ended."""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import select
import signal
import sys
import time
import warnings
import weakref
from collections.abc import Iterable
from itertools import chain

from store.limits.child import Rights, serve
from store.limits.fork_server import NUMBER, fork_server, start_python

__all__ = ["Child", "copy_child", "fork_child", "start_child"]

_START = "from store.limits.child import serve_as_started; serve_as_started()"
_PATIENCE_S = 2.0
_LONGEST_WAIT_MS = 1 << 30


class Child:
    """A running child and the parent's ends of its three pipes."""

    def __init__(self, pid: int, requests: int, answers: int, errors: int) -> None:
        self._pid = pid
        self.requests = requests
        self._answers = answers
        self._errors = errors
        self._code: int | None = None
        self._last_words = b""
        os.set_blocking(errors, False)
        _RUNNING.add(self)

    @property
    def pid(self) -> int:
        """Return the child's number."""
        return self._pid

    def fill(self, view: memoryview, deadline: float) -> None:
        """Fill a view with what the child answers, or raise `TimeoutError`, or `EOFError` at its end."""
        # Not `select`, which knows no file number above 1,023: a process may have more open.
        answers = select.poll()
        answers.register(self._answers, select.POLLIN)
        while view:
            left = deadline - time.monotonic()
            if left <= 0 or not answers.poll(min(math.ceil(left * 1000), _LONGEST_WAIT_MS)):
                raise TimeoutError
            count = os.readv(self._answers, [view])
            if not count:
                raise EOFError
            view = view[count:]

    def heard_of_errors(self) -> None:
        """Empty the pipe of the child's stderr, and keep its last words."""
        with contextlib.suppress(OSError):
            while text := os.read(self._errors, 1 << 16):
                self._last_words = (self._last_words + text)[-4096:]

    def is_alive(self) -> bool:
        """Return whether the child runs."""
        if self._code is None:
            self._code = self._exit_code()
        return self._code is None

    def _exit_code(self) -> int | None:
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            return 0  # somebody else waited for it
        return os.waitstatus_to_exitcode(status) if pid else None

    def ended(self) -> tuple[int, bytes]:
        """Wait for the child's end; return its exit code, the signal's number negated, and its last words."""
        deadline = time.monotonic() + _PATIENCE_S
        while self.is_alive():
            # It closed its pipe and goes on.
            if time.monotonic() > deadline:
                if not self.pid:
                    break
                os.kill(self.pid, signal.SIGKILL)
            time.sleep(0.001)
        self.heard_of_errors()
        self._close()
        return self._code or 0, self._last_words

    def kill(self) -> None:
        """End the child now."""
        if self.is_alive():
            os.kill(self.pid, signal.SIGKILL)
        self.ended()

    def close_copies(self) -> None:
        """Close what a fork of the parent copied: the child would never see its pipe's end."""
        self._close()

    def _close(self) -> None:
        for pipe in (self.requests, self._answers, self._errors):
            with contextlib.suppress(OSError):
                os.close(pipe)
        _RUNNING.discard(self)


class _CopiedChild(Child):
    """A copy of a fork server, which alone can wait for it and tells of it through a pipe.

    Its number is its own until that pipe is closed.
    """

    def __init__(self, status: int, requests: int, answers: int, errors: int) -> None:
        self._status = status
        self._told = b""
        os.set_blocking(status, False)
        super().__init__(0, requests, answers, errors)

    def _exit_code(self) -> int | None:
        two = 2 * NUMBER.size
        with contextlib.suppress(BlockingIOError):
            while len(self._told) < two:
                text = os.read(self._status, two - len(self._told))
                if not text:
                    # The server was killed, and its copies end with it.
                    return -signal.SIGKILL
                self._told += text
        if len(self._told) >= NUMBER.size:
            (self._pid,) = NUMBER.unpack(self._told[: NUMBER.size])
        return int(NUMBER.unpack(self._told[NUMBER.size :])[0]) if len(self._told) == two else None

    @property
    def pid(self) -> int:
        """Return the child's number, 0 while the server has not made it."""
        if not self._pid:
            self.is_alive()
        return self._pid

    def kill(self) -> None:
        """End the child now; one that is not there yet ends when it finds its pipes closed."""
        if self.is_alive() and not self.pid:
            self._close()
        else:
            super().kill()

    def _close(self) -> None:
        super()._close()
        with contextlib.suppress(OSError):
            os.close(self._status)


_RUNNING: weakref.WeakSet[Child] = weakref.WeakSet()


def _pipes() -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    opened: list[tuple[int, int]] = []
    try:
        while len(opened) < 3:
            opened.append(os.pipe())
    except OSError:
        _close_all(chain(*opened))
        raise
    requests, answers, errors = opened
    # A child that says more than the pipe holds goes on; what it says is lost.
    os.set_blocking(errors[1], False)
    return requests, answers, errors


def _close_all(pipes: Iterable[int]) -> None:
    for pipe in pipes:
        os.close(pipe)


def start_child(rights: Rights) -> Child:
    """Start a fresh Python that serves calls with these rights."""
    requests, answers, errors = _pipes()
    kept = requests[0], answers[1]
    arguments = [*map(str, kept), json.dumps(rights._asdict())]
    try:
        pid = start_python(_START, arguments, kept, errors[1])
    except BaseException:
        _close_all((requests[1], answers[0], errors[0]))
        raise
    finally:
        _close_all((*kept, errors[1]))
    # It is waited for by its number.
    return Child(pid, requests[1], answers[0], errors[0])


def copy_child(rights: Rights) -> Child:
    """Start a copy of a process that has loaded the modules (`store.limits.fork_server`); off Linux a fresh Python."""
    if sys.platform != "linux":
        return start_child(rights)
    requests, answers, errors = _pipes()
    status = None
    # A server that waited for long has ended.
    for fresh in (False, True):
        try:
            server = fork_server(rights.modules, fresh=fresh)
            status = server.begin_child(requests[0], answers[1], errors[1], rights)
            break
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET):
                break
    _close_all((requests[0], answers[1], errors[1]))
    if status is None:
        _close_all((requests[1], answers[0], errors[0]))
        return start_child(rights)
    return _CopiedChild(status, requests[1], answers[0], errors[0])


def fork_child(rights: Rights) -> Child:
    """Fork this process into one that serves calls with these rights."""
    requests, answers, errors = _pipes()
    # Python swallows an interrupt that comes while the hooks of a fork run: it is kept until they have run.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        with warnings.catch_warnings():
            # Python 3.12 warns where other threads run; the docstring of LimitedProcess says when a fork is right.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            _become_child(requests, answers, errors, rights)
        _close_all((requests[0], answers[1], errors[1]))
        return Child(pid, requests[1], answers[0], errors[0])
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _become_child(requests: tuple[int, int], answers: tuple[int, int], errors: tuple[int, int], rights: Rights) -> None:
    try:
        for other in list(_RUNNING):
            other.close_copies()
        _close_all((requests[1], answers[0], errors[0]))
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream, target in ((0, nothing), (1, nothing), (2, errors[1])):
            os.dup2(target, stream)
        serve(requests[0], answers[1], rights)
    finally:
        os._exit(1)
