"""The child's side of `store.limits.process`: it gives up its rights, then answers one call after another."""

from __future__ import annotations

import copyreg
import faulthandler
import importlib
import io
import json
import logging
import math
import os
import pickle
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from store.limits.landlock import bar, library_folders
from store.limits.message_pipe import received, send

__all__ = ["Rights", "serve", "serve_as_started"]

_PAGE = resource.getpagesize()


class Rights(NamedTuple):
    """What the child keeps of its parent's rights."""

    seconds: float
    memory_bytes: int
    readable: tuple[str, ...] | None
    writable: tuple[str, ...]
    network: bool
    modules: tuple[str, ...] = ()
    """What is loaded before the first call."""


def serve_as_started() -> None:
    """Serve with what the command line says: the pipes, the rights and the parent's module path."""
    requests, answers, written, path = sys.argv[1:]
    sys.path[:] = json.loads(path)
    rights = Rights(**json.loads(written))
    serve(int(requests), int(answers), rights)


def serve(requests: int, answers: int, rights: Rights) -> NoReturn:
    """Answer calls until the parent closes its pipe, and end the process.

    Parameters
    ----------
    requests, answers : int
        The pipes: calls come from the first, answers go to the second.
    rights : Rights
        All other rights are given up first.
    """
    # The terminal sends it to parent and child alike; the parent decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    # Its dump of a crash would reach the parent's terminal, by a copy of the handle.
    faulthandler.disable()
    logging.raiseExceptions = False
    # Libraries that want the user's name would read the list of users, which they may not.
    os.environ.setdefault("LOGNAME", "nobody")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    readable = None if rights.readable is None else [*library_folders(), *map(Path, rights.readable)]
    bar(readable=readable, writable=map(Path, rights.writable), network=rights.network)
    try:
        for module in rights.modules:
            importlib.import_module(module)
        send(answers, ("ready", None))
        while True:
            _answer(requests, answers, rights)
    except (EOFError, BrokenPipeError):
        pass
    except Exception as error:
        # Its last words: what it was started for cannot be loaded.
        os.write(2, f"{type(error).__name__}: {error}\n".encode(errors="replace"))
    finally:
        os._exit(0)


def _answer(requests: int, answers: int, rights: Rights) -> None:
    def fill(view: memoryview) -> None:
        while view:
            count = os.readv(requests, [view])
            if not count:
                raise EOFError
            view = view[count:]

    body, buffers = received(fill)
    # The parent waits no longer; where it died, the kernel ends what hangs.
    _limit_time(rights.seconds)
    try:
        # From the parent, who is trusted.
        module, name, is_stream, arguments = pickle.loads(body, buffers=buffers)  # noqa: S301
        function = _function(module, name)
        # What the libraries take is no part of what a call may take.
        _limit_memory(rights.memory_bytes)
        for kind, value in _outcome(function(*arguments), is_stream):
            _limit_time(0)
            send(answers, (kind, value))
            _limit_time(rights.seconds)
    except (EOFError, BrokenPipeError):
        raise
    except MemoryError:
        _limit_memory(None)
        send(answers, ("memory", None))
    except Exception as error:
        _limit_memory(None)
        send(answers, ("error", (type(error).__name__, _pickled(error))))
    finally:
        _limit_time(0)
        _limit_memory(None)


def _function(module: str, name: str) -> Callable[..., Any]:
    found: Any = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    function: Callable[..., Any] = found
    return function


def _outcome(value: Any, is_stream: bool) -> Iterator[tuple[str, Any]]:
    if is_stream:
        for item in value:
            yield "item", item
        yield "end", None
    else:
        yield "value", value


def _pickled(error: Exception) -> bytes | None:
    """Return an error as a pickle names it by itself, None where it cannot be one.

    Other libraries (dask's tblib) have errors pickled by functions of theirs, for the whole process: nobody here trusts
    these.
    """
    body = io.BytesIO()
    pickler = pickle.Pickler(body)
    pickler.dispatch_table = {
        kind: reduced for kind, reduced in copyreg.dispatch_table.items() if not issubclass(kind, BaseException)
    }
    try:
        pickler.dump(error)
    except Exception:
        return None
    return body.getvalue()


def _limit_time(seconds: float) -> None:
    # Twice the parent's patience, in whole seconds: it acts first while it lives.
    signal.alarm(math.ceil(2 * seconds) + 1 if seconds else 0)


def _limit_memory(more: int | None) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    soft = hard if more is None else _held_bytes() + more
    if hard != resource.RLIM_INFINITY:
        soft = min(soft, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _held_bytes() -> int:
    """Return the bytes of data that the process holds, as RLIMIT_DATA counts them; 0 where nobody tells."""
    try:
        figures = Path("/proc/self/statm").read_text(encoding="ascii").split()
    except OSError:
        return 0
    return int(figures[5]) * _PAGE
