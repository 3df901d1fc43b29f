"""Calls in a child process, within limits: hostile input can take the child down, never the program.

The child keeps the right to read, and none to write (`store.limits.landlock`, where the kernel has it). What it may
take of memory is limited by the kernel, of time by the parent. It answers one call after another, so that its start is
paid once; after a crash the next call starts another one. Its answers are trusted no further than the classes they
name (`store.limits.message_pipe`).

The limits hold on Linux. macOS has no Landlock and does not count a process's data: there a crash and a hang are
contained, writing and memory are not.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, Self, TypeVar

from schemas.errors import RadzooError
from store.limits.child import Rights
from store.limits.message_pipe import LongMessageError, UntrustedError, received, send, unpickled
from store.limits.started import Child, copy_child, fork_child, start_child

__all__ = [
    "AFTER_KILL_S",
    "CrashedError",
    "KilledError",
    "LimitedProcess",
    "LimitedProcessError",
    "Limits",
    "OutOfMemoryError",
    "OutOfTimeError",
]

P = ParamSpec("P")
T = TypeVar("T")

AFTER_KILL_S = 1.0
"""How long to wait before a call is made again whose child was killed."""

_ANSWER_ROOM = 64 << 20
_START_S = 120.0
_WORDS_OF_MEMORY = (b"bad_alloc", b"MemoryError", b"Cannot allocate memory", b"out of memory", b"Memory allocation")


@dataclass(frozen=True)
class Limits:
    """What a child may take and touch.

    Parameters
    ----------
    seconds : float
        How long the parent waits in all for one call.
    memory_bytes : int
        What one call may take beyond what the child holds when it begins.
    readable : tuple of Path, optional
        Files and folders that it may read, besides Python's libraries; everything where None.
    writable : tuple of Path
        Folders below which it may write.
    network : bool
        Whether it may use the network.
    """

    seconds: float
    memory_bytes: int
    readable: tuple[Path, ...] | None = None
    writable: tuple[Path, ...] = ()
    network: bool = False

    def rights(self) -> Rights:
        """Return the limits as the child takes them."""
        readable = None if self.readable is None else tuple(str(each.absolute()) for each in self.readable)
        writable = tuple(str(each.absolute()) for each in self.writable)
        return Rights(self.seconds, self.memory_bytes, readable, writable, self.network)


class LimitedProcessError(Exception):
    """A call had no answer; the text is a phrase that says why."""


class OutOfTimeError(LimitedProcessError):
    """The call took longer than it may."""


class OutOfMemoryError(LimitedProcessError):
    """The call needs more memory than it may take."""


class KilledError(OutOfMemoryError):
    """Somebody killed the child: the system, where memory ends, or a person. The same call may have an answer."""


class CrashedError(LimitedProcessError):
    """The child died, or its answer cannot be trusted."""


class LimitedProcess:
    """A child process for calls whose input may be hostile; a context manager.

    Parameters
    ----------
    limits : Limits
        What each call may take and touch.
    trusted : tuple of str
        Modules whose classes may come back, besides numpy's, the standard library's plain ones, schemas' and store's.
    modules : tuple of str
        Modules that the child has when it starts; what loading them takes is no part of a call's time. On Linux they
        are loaded once, in a process that is copied for each child.
    by_fork : bool
        Copy this process instead of starting a fresh Python: cheap and with all modules loaded, for a process that
        has no threads yet that hold locks.

    Notes
    -----
    Threads may share one; their calls wait for each other.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        trusted: tuple[str, ...] = (),
        modules: tuple[str, ...] = (),
        by_fork: bool = False,
    ) -> None:
        self._limits = limits
        self._trusted = trusted
        self._modules = modules
        self._by_fork = by_fork
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._is_ready = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def call(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what a function of a module returns, called in the child.

        Raises
        ------
        OutOfTimeError, OutOfMemoryError, CrashedError
            When it has no answer.
        Exception
            What the function raises, where it is an error of the project, of the system or of a trusted module;
            `CrashedError` with the class's name otherwise.
        """
        with self._lock:
            child = self._asked(function, is_stream=False, args=args, kwargs=kwargs)
            answer: T = self._heard(child, time.monotonic() + self._limits.seconds)[1]
            return answer

    def stream(self, function: Callable[P, Iterator[T]], /, *args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
        """Give what a generator of a module yields in the child, one by one; the time between them is not counted.

        Raises
        ------
        OutOfTimeError, OutOfMemoryError, CrashedError, Exception
            As `call` does.
        """
        with self._lock:
            is_over = False
            left = self._limits.seconds
            child = self._asked(function, is_stream=True, args=args, kwargs=kwargs)
            try:
                while True:
                    began = time.monotonic()
                    try:
                        kind, value = self._heard(child, began + left)
                    except LimitedProcessError:
                        raise
                    except Exception:
                        # The function's own: the child waits for the next call.
                        is_over = True
                        raise
                    left -= time.monotonic() - began
                    if kind == "end":
                        is_over = True
                        return
                    yield value
            finally:
                if not is_over:
                    self._end()

    def begin(self) -> None:
        """Start the child now, and do not wait for it: it loads its modules while this process does something else."""
        with self._lock:
            self._begin()

    def close(self) -> None:
        """End the child."""
        with self._lock:
            self._end()

    def _asked(self, function: Callable[..., Any], *, is_stream: bool, args: Any, kwargs: Any) -> Child:
        if kwargs:
            raise TypeError("a call in a child takes arguments by position")
        module, name = function.__module__, function.__qualname__
        if module == "__main__" or "<" in name:
            raise TypeError(f"{module}.{name} cannot be imported by a child process")
        child = self._running_child()
        try:
            send(child.requests, (module, name, is_stream, args))
        except BrokenPipeError:
            raise self._death(child) from None
        except BaseException:
            # Half a message, or none: what follows would be read as its end.
            self._end()
            raise
        return child

    def _begin(self) -> Child:
        if self._child is None or not self._child.is_alive():
            self._end()
            rights = self._limits.rights()._replace(modules=self._modules)
            start = fork_child if self._by_fork else copy_child if self._modules else start_child
            self._child = start(rights)
            self._is_ready = False
        return self._child

    def _running_child(self) -> Child:
        child = self._begin()
        if not self._is_ready:
            # Its start is no part of a call's time.
            self._heard(child, time.monotonic() + _START_S)
            self._is_ready = True
        return child

    def _heard(self, child: Child, deadline: float) -> tuple[str, Any]:
        try:
            message = received(lambda view: child.fill(view, deadline), self._limits.memory_bytes + _ANSWER_ROOM)
        except TimeoutError:
            self._end()
            raise OutOfTimeError(f"it takes longer than {self._limits.seconds:g} s") from None
        except EOFError:
            raise self._death(child) from None
        except LongMessageError:
            self._end()
            raise CrashedError("its answer is longer than it may be") from None
        except BaseException:
            self._end()
            raise
        child.heard_of_errors()
        kind, value = self._trusted_answer(*message)
        if kind == "memory":
            raise self._too_large()
        if kind == "error":
            raise self._raised(*value)
        return kind, value

    def _trusted_answer(self, body: bytearray, buffers: list[bytearray]) -> tuple[str, Any]:
        try:
            kind, value = unpickled(body, buffers, self._trusted)
        except UntrustedError as error:
            self._end()
            raise CrashedError(f"its answer holds a {error}, which is not trusted") from error
        except Exception as error:
            self._end()
            raise CrashedError("its answer cannot be read") from error
        return kind, value

    def _raised(self, name: str, pickled: bytes | None) -> Exception:
        try:
            error = unpickled(bytearray(pickled or b""), [], self._trusted)
        except Exception:
            return CrashedError(f"it ends in a {name}")
        if isinstance(error, RadzooError | OSError) or (
            isinstance(error, Exception) and type(error).__module__.startswith(self._trusted)
        ):
            return error
        # A fault of what was read, or of a library that met it: its text may hold anything.
        return CrashedError(f"it ends in a {name}")

    def _death(self, child: Child) -> LimitedProcessError:
        code, last_words = child.ended()
        self._child = None
        if any(words in last_words for words in _WORDS_OF_MEMORY):
            return self._too_large()
        if code == -signal.SIGKILL:
            return KilledError("it was killed, as the system does where memory ends")
        if code < 0:
            return CrashedError(f"it crashes ({signal.Signals(-code).name})")
        words = last_words.decode(errors="replace").strip().rpartition("\n")[2]
        return CrashedError(f"it ends with exit code {code}{': ' if words else ''}{words}")

    def _too_large(self) -> OutOfMemoryError:
        return OutOfMemoryError(f"it needs more than {self._limits.memory_bytes / (1 << 20):,.0f} MiB of memory")

    def _end(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None
