"""Worker processes that tell people what they do: their lines are said by the process that has the progress bar."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from functools import partial
from typing import Any

from flows.engine.pool import worker_pool
from flows.engine.progress import say, say_elsewhere

__all__ = ["telling_pool"]


@contextmanager
def telling_pool(workers: int) -> Iterator[Executor]:
    """Give a pool of processes for networks (`flows.engine.pool`) whose `flows.engine.progress.say` is heard here.

    Parameters
    ----------
    workers : int
        How many.
    """
    lines: Any = multiprocessing.get_context("spawn").SimpleQueue()
    listener = threading.Thread(target=_repeated, args=(lines,), name="worker-lines", daemon=True)
    listener.start()
    try:
        with worker_pool(workers, partial(say_elsewhere, lines.put), networks=True) as pool:
            yield pool
    finally:
        lines.put(None)
        listener.join()


def _repeated(lines: Any) -> None:
    while (line := lines.get()) is not None:
        say(line)
