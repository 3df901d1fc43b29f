"""A pool of worker processes, one numerical thread each, that end when the process that made them does.

On Linux they are forked from a clean process that has loaded the libraries once (Python's ``forkserver``): the second
worker and the second pool start in milliseconds and share the libraries' memory. Elsewhere each loads its own.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.context import BaseContext

from flows.engine.interrupts import let_interrupts_wake
from flows.engine.kept_environment import keep_environment
from schemas.errors import RadzooError
from store.running import is_running

__all__ = ["end_with_parent", "one_thread_each", "worker_pool"]


_LOADED = "flows.engine.loaded.fits"
_LOADED_FOR_NETWORKS = "flows.engine.loaded.networks"
_WATCH_S = 0.5
_watched_parent = 0


@contextmanager
def worker_pool(
    workers: int, prepared: Callable[[], None] | None = None, *, networks: bool = False
) -> Iterator[Executor]:
    """Give a pool of processes.

    Parameters
    ----------
    workers : int
        How many.
    prepared : callable, optional
        Called in each worker when it starts.
    networks : bool
        Whether they train or ask networks. Where this process's first pool does, PyTorch and MONAI are loaded once for
        all workers of all its pools; else each such worker loads them.

    Raises
    ------
    RadzooError
        When a worker dies, most likely because memory ran out.
    """
    let_interrupts_wake()
    with one_thread_each():
        try:
            arguments = (dict(os.environ), prepared)
            context = _context(networks)
            with ProcessPoolExecutor(workers, mp_context=context, initializer=_started, initargs=arguments) as pool:
                yield pool
        except BrokenProcessPool as error:
            raise RadzooError(
                "a worker process died, most likely because memory ran out; what was finished is kept",
                hint="run the command again with fewer --workers",
            ) from error


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Let the numerical libraries of processes that are started meanwhile use one thread: a process per core."""
    # Read by the libraries when a worker imports them.
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    with keep_environment(*one_thread):
        os.environ.update(one_thread)
        yield


def _context(networks: bool) -> BaseContext:
    # Never forked from this process: that would copy Prefect's threads' locks in whatever state they are.
    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([_LOADED, *([_LOADED_FOR_NETWORKS] if networks else [])])
    return context


def _started(environment: Mapping[str, str], prepared: Callable[[], None] | None) -> None:
    """Prepare a worker, and see to it that it does not outlive a parent that was killed."""
    # The process it was forked from has the environment of the first pool.
    os.environ.clear()
    os.environ.update(environment)
    # A worker holds both ends of the queue it waits at, so a parent's end would never wake it. The kernel's own signal
    # at a parent's death would come too early: it is sent when the thread ends that started the worker.
    threading.Thread(target=_ended_with_parent, name="parent-watch", daemon=True).start()
    if prepared is not None:
        prepared()


def end_with_parent(parent: int) -> None:
    """Let this process, which works for ``parent`` and which no pool watches, end when that does.

    It is its child, or a child of what is copied for it.
    """
    global _watched_parent
    if _watched_parent != parent:
        _watched_parent = parent
        threading.Thread(target=_end_after, args=(parent,), name="parent-watch", daemon=True).start()


def _end_after(parent: int) -> None:
    own = os.getppid()
    while os.getppid() == own and is_running(parent):
        time.sleep(_WATCH_S)
    os._exit(1)


def _ended_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        # Nobody is left to take a result, and what was finished lies on disk.
        os._exit(1)
