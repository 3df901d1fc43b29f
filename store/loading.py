"""Libraries loaded without the garbage collector: what they make stays, and it is looked through again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["without_collector"]


@contextmanager
def without_collector() -> Iterator[None]:
    """Leave the garbage collector out while the block runs, which loads libraries.

    Prefect, PyTorch and scikit-learn make hundreds of thousands of objects that live as long as the process. The
    collector's passes over them take a sixth of the time that loading takes.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
