"""Pieces of work, and which of them share a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Event, Lock
from typing import Any

__all__ = ["MANY", "Pieces", "shared_tasks"]

MANY = 200
"""Tasks, from which on the short pieces share them: each takes Prefect milliseconds here and more in its server."""


class Pieces:
    """What carries out pieces, until nobody waits for them: a task of many asks before each."""

    def __init__(self, many: int, carry_out: Callable[[int], Any], stop: Callable[[], None] | None) -> None:
        self.found: list[Any] = [None] * many
        self._carry_out = carry_out
        self._stop = stop
        self._is_over = Event()
        self._in_turn = iter(range(many))
        self._taking = Lock()

    def carry_out(self, positions: range | None) -> None:
        """Carry out these; where none are named, the next that no other task has taken, until there is none."""
        for position in self._next_ones() if positions is None else positions:
            if self._is_over.is_set():
                # An error would be logged, and nobody takes the results.
                break
            try:
                self.found[position] = self._carry_out(position)
            except BaseException:
                # Who waits for the tasks in their order hears of it when those before have ended.
                self.stop()
                raise

    def _next_ones(self) -> Iterator[int]:
        """Yield the next piece that no other task has taken, until there is none."""
        while True:
            with self._taking:
                position = next(self._in_turn, None)
            if position is None:
                return
            yield position

    def stop(self) -> None:
        """Begin no piece any more."""
        with self._taking:
            is_first = not self._is_over.is_set()
            self._is_over.set()
        if is_first and self._stop is not None:
            self._stop()


def shared_tasks(work: Sequence[float], many: int = MANY) -> list[range]:
    """Return the positions of each task's pieces, given how long each takes, and from how many tasks on they share."""
    most = sum(work) / many
    shares: list[range] = []
    start, held = 0, 0.0
    for position, each in enumerate(work):
        if position > start and (len(work) <= many or held + each > most * (1 + 1e-9)):
            shares.append(range(start, position))
            start, held = position, 0.0
        held += each
    return [*shares, range(start, len(work))] if len(work) else []
