"""Limited children on a worker of a cluster, kept for the next piece: their start is paid once.

A piece of work is done in a child there too: what was made to do harm takes the child down and never the worker, and a
worker's own threads and libraries' settings decide nothing.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from flows.engine.pool import one_thread_each
from store.limits.process import LimitedProcess, Limits

__all__ = ["LentChild", "lent_child"]

_KEPT_S = 60.0
"""How long an idle child waits for the next piece: those of a run follow one another closer."""


class LentChild:
    """A limited child on this worker, and the one folder that it may write to."""

    def __init__(self, limits: Limits, modules: tuple[str, ...]) -> None:
        self.made_for = limits, modules
        self.folder = Path(tempfile.mkdtemp(prefix="radzoo-worker-"))
        self.process = LimitedProcess(replace(limits, writable=(self.folder,)), modules=modules)
        self.process.begin()

    def close(self) -> None:
        """End the child and remove its folder."""
        self.process.close()
        shutil.rmtree(self.folder, ignore_errors=True)


_lock = threading.Lock()
_idle: list[LentChild] = []
_sweep: threading.Timer | None = None


@contextmanager
def lent_child(limits: Limits, modules: tuple[str, ...]) -> Iterator[LentChild]:
    """Give a child that nobody else uses meanwhile: one that waits, or a new one.

    Parameters
    ----------
    limits : Limits
        What a call may take; it writes to its own folder alone.
    modules : tuple of str
        That it loads when it starts.
    """
    with _lock:
        child = next((each for each in _idle if each.made_for == (limits, modules)), None)
        if child is not None:
            _idle.remove(child)
        else:
            # Under the lock: the environment is the process's, and its threads share it.
            with one_thread_each():
                child = LentChild(limits, modules)
    try:
        yield child
    except BaseException:
        child.close()
        raise
    _give_back(child)


def _give_back(child: LentChild) -> None:
    global _sweep
    with _lock:
        _idle.append(child)
        if _sweep is not None:
            _sweep.cancel()
        _sweep = threading.Timer(_KEPT_S, _close_idle)
        _sweep.daemon = True
        _sweep.start()


@atexit.register
def _close_idle() -> None:
    with _lock:
        waiting = [*_idle]
        _idle.clear()
    for each in waiting:
        each.close()
