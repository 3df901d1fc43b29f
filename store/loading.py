"""Libraries loaded without the garbage collector: what they make stays, and it is looked through again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

__all__ = ["without_collector"]

_changing = Lock()
_blocks: list[bool] = []
"""For each block under way, whether the collector was on when the first of them began."""


@contextmanager
def without_collector() -> Iterator[None]:
    """Leave the garbage collector out while the block runs, which loads libraries; blocks of several threads overlap.

    Prefect, PyTorch and scikit-learn make hundreds of thousands of objects that live as long as the process. The
    collector's passes over them take a sixth of the time that loading takes.
    """
    with _changing:
        _blocks.append(_blocks[0] if _blocks else gc.isenabled())
        gc.disable()
    try:
        yield
    finally:
        with _changing:
            if _blocks.pop() and not _blocks:
                gc.enable()
