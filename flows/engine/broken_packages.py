"""One line for what installed packages add to the zoo and cannot be used."""

from __future__ import annotations

from functools import cache

from flows.engine.progress import say
from zoo.members import package_faults

__all__ = ["warn_of_broken_packages"]


@cache
def warn_of_broken_packages() -> None:
    """Say once, in one line, what packages add and cannot be used; every other model is there as ever."""
    if faults := package_faults():
        more = f"; {len(faults) - 1} more" if len(faults) > 1 else ""
        say(f"warning: {faults[0]}{more}; next: radzoo doctor")
