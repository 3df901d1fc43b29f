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
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from schemas.foreign_text import one_line

__all__ = ["Advance", "progress_bar", "say", "say_elsewhere"]

_LINE_EVERY_S = 10.0


class Advance(Protocol):
    """Tell that ``steps`` more are done, and how much of the work they were: by default as much as each other step."""

    def __call__(self, steps: int = 1, work: float | None = None) -> None:
        """Advance the bar."""


def say(line: str) -> None:
    """Say a line to the person who watches."""
    _tell(one_line(line))


@contextmanager
def progress_bar(what: str, total: int, unit: str, *, work: float | None = None) -> Iterator[Advance]:
    """Give a function that advances the progress of ``total`` steps.

    Parameters
    ----------
    what : str
        What is being done, such as ``extracting hcc-cemri@1``.
    total : int
        Number of steps.
    unit : str
        What a step is, such as ``patients``.
    work : float, optional
        The sum of what the steps weigh, where some take longer than others: the time left follows from it. By default
        each weighs 1.
    """
    whole = float(total) if work is None else work
    if sys.stderr.isatty():
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[steps]}/{task.fields[of]} {task.fields[unit]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(one_line(what), total=whole, steps=0, of=total, unit=unit)

            def move(steps: int = 1, work: float | None = None) -> None:
                bar.advance(task, steps if work is None else work)
                bar.update(task, steps=bar.tasks[task].fields["steps"] + steps)

            yield move
        return
    done, weighed, started, spoken = 0, 0.0, time.monotonic(), time.monotonic()

    def advance(steps: int = 1, work: float | None = None) -> None:
        nonlocal done, weighed, spoken
        done, weighed = done + steps, weighed + (steps if work is None else work)
        now = time.monotonic()
        if now - spoken >= _LINE_EVERY_S and done < total:
            spoken = now
            left = (now - started) * (whole - weighed) / weighed
            say(f"{what}: {done} of {total} {unit}, {now - started:.0f} s, about {left:.0f} s left")

    yield advance
    say(f"{what}: {done} of {total} {unit}, {time.monotonic() - started:.1f} s")


def say_elsewhere(tell: Callable[[str], None]) -> None:
    """Let another process say what this one says from now on: a worker's lines would cut through its parent's bar."""
    global _tell
    _tell = tell


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


_tell: Callable[[str], None] = _to_stderr
