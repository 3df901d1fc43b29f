"""Progress for people: a live bar on a terminal, plain lines in a log. Always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from schemas.foreign_text import one_line

__all__ = ["Advance", "progress_bar", "say", "say_elsewhere"]

_LINE_EVERY_S = 10.0


class Advance(Protocol):
    """Tell that ``steps`` more are done."""

    def __call__(self, steps: int = 1) -> None:
        """Advance the bar."""


def say(line: str) -> None:
    """Say a line to the person who watches."""
    _tell(one_line(line))


@contextmanager
def progress_bar(what: str, total: int, unit: str) -> Iterator[Advance]:
    """Give a function that advances the progress of ``total`` steps.

    Parameters
    ----------
    what : str
        What is being done, such as ``extracting hcc-cemri@1``.
    total : int
        Number of steps.
    unit : str
        What a step is, such as ``patients``.
    """
    if sys.stderr.isatty():
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn(unit, markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(one_line(what), total=total)
            yield lambda steps=1: bar.advance(task, steps)
        return
    done, started, spoken = 0, time.monotonic(), time.monotonic()

    def advance(steps: int = 1) -> None:
        nonlocal done, spoken
        done += steps
        now = time.monotonic()
        if now - spoken >= _LINE_EVERY_S and done < total:
            spoken = now
            say(f"{what}: {done} of {total} {unit}, {now - started:.0f} s")

    yield advance
    say(f"{what}: {done} of {total} {unit}, {time.monotonic() - started:.1f} s")


def say_elsewhere(tell: Callable[[str], None]) -> None:
    """Let another process say what this one says from now on: a worker's lines would cut through its parent's bar."""
    global _tell
    _tell = tell


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


_tell: Callable[[str], None] = _to_stderr
