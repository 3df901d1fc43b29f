"""Variables of the environment that are set for a while and then are what they were."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["keep_environment"]


@contextmanager
def keep_environment(*names: str) -> Iterator[None]:
    """Give variables their former values again when the block ends, however it ends."""
    before = {name: os.environ.get(name) for name in names}
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
