"""What can pass is tried again: with growing pauses, for a bounded time, and saying so. A contract error never is.

One place for the whole store. Who calls says what of an error can pass, such as a server that is being restarted.
"""

from __future__ import annotations

import logging
import os
import random
import time
from collections.abc import Callable
from typing import TypeVar

from schemas.settings import SERVER_SECONDS, limit_setting

__all__ = ["tell_waits", "tried_again"]

T = TypeVar("T")

_FIRST_S, _LONGEST_S = 0.25, 8.0
_JITTER = 0.25
"""How far a pause varies: what a restart has cut off at once shall not come back at once."""


def tried_again(call: Callable[[], T], passing: Callable[[Exception], str | None], *, what: str) -> T:
    """Return what a call returns, tried again while what it fails of can pass.

    The pauses double from a quarter of a second to eight seconds. After `SERVER_SECONDS` the last error is raised.

    Parameters
    ----------
    call : callable
        Can be called again after it failed: what it does is done once, or is the same when it is done twice.
    passing : callable
        Takes an error and returns in few words what can pass, None where it cannot: then it is raised at once.
    what : str
        What is waited for, such as ``the catalogue's server``.

    Raises
    ------
    UsageError
        When the setting of the environment is no number.
    """
    pause, until, waits = _FIRST_S, 0.0, False
    while True:
        try:
            found = call()
        except Exception as error:
            reason = passing(error)
            if reason is None:
                raise
            now = time.monotonic()
            if not waits:
                until, waits = now + limit_setting(SERVER_SECONDS, os.environ), True
                _tell(f"{what} does not answer ({reason}): trying again for {until - now:.0f} s")
            if now >= until:
                raise
            varied = pause * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311  (how long to wait)
            time.sleep(min(varied, until - now))
            pause = min(2 * pause, _LONGEST_S)
        else:
            if waits:
                _tell(f"{what} answers again")
            return found


def tell_waits(tell: Callable[[str], None]) -> None:
    """Let somebody hear of waits in their own way: by default they are warnings of the logger ``radzoo``."""
    global _tell
    _tell = tell


_tell: Callable[[str], None] = logging.getLogger("radzoo").warning
