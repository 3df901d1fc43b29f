"""The one Prefect flow of work in pieces: a task for each, known by its name; short ones share a task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from threading import Event, Lock
from typing import Any, TypeVar

from flows.engine.interrupts import let_interrupts_wake
from flows.engine.server.temporary import ensure_prefect_server, kept_up
from flows.engine.workflow import (
    NO_CACHE,
    PREFECT_API_URL,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    ThreadPoolTaskRunner,
    flow,
    task,
    temporary_settings,
    unmapped,
)

__all__ = ["run_tasks", "shared_tasks"]

T = TypeVar("T")


_MANY = 200
"""Tasks, from which on the short pieces share them: each takes Prefect milliseconds here and more in its server."""


class _Pieces:
    """What carries out pieces, until nobody waits for them: a task of many asks before each."""

    def __init__(self, many: int, carry_out: Callable[[int], Any], stop: Callable[[], None] | None) -> None:
        self.found: list[Any] = [None] * many
        self._carry_out = carry_out
        self._stop = stop
        self._is_over = Event()
        self._in_turn = iter(range(many))
        self._taking = Lock()

    def carry_out(self, positions: range | None) -> None:
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
        with self._taking:
            is_first = not self._is_over.is_set()
            self._is_over.set()
        if is_first and self._stop is not None:
            self._stop()


@task(cache_policy=NO_CACHE, persist_result=False, task_run_name="{name}")
def _some(name: str, positions: range | None, pieces: _Pieces) -> None:
    pieces.carry_out(positions)


@flow(validate_parameters=False, persist_result=False)
def _all(names: Sequence[str], shares: Sequence[range | None], pieces: _Pieces) -> None:
    try:
        for future in _some.map(name=list(names), positions=list(shares), pieces=unmapped(pieces)):
            future.result()
    except BaseException:
        # Interrupted: the tasks under way end after the piece that each is at.
        pieces.stop()
        raise


def run_tasks(
    verb: str,
    what: str,
    names: Sequence[str],
    carry_out: Callable[[int], T],
    *,
    threads: int,
    work: Sequence[float] | None = None,
    stop: Callable[[], None] | None = None,
) -> list[T]:
    """Run a flow of pieces and return what they return, in the order of their names.

    Nothing but names passes through Prefect, which keeps a flow's parameters and takes half a megabyte of them: what a
    piece is, ``carry_out`` knows by its position.

    Parameters
    ----------
    verb : str
        The flow's name, such as ``extract``.
    what : str
        Of what, in the name of the flow's run.
    names : sequence of str
        Of the pieces, for people.
    carry_out : callable
        Takes a position among the names; called in a thread, many at once.
    threads : int
        How many are called at once.
    work : sequence of float, optional
        How long the pieces take, in any unit; all alike where absent. Of more than 200 those that follow one another
        share a task while they take no longer than a 200th of all: what Prefect takes does not grow with them. Where
        more are called at once, there are four tasks for each of these. A temporary server, which runs beside the work
        and has nobody who looks at single tasks, gets one for each thread, which takes the next piece in turn.
    stop : callable, optional
        Called where a piece fails or the run is interrupted: nobody waits any longer, for those under way neither.
    """
    let_interrupts_wake()
    # Any: its futures are a narrower type than with_options names.
    runner: Any = ThreadPoolTaskRunner(max_workers=threads)
    run = _all.with_options(name=verb, flow_run_name=f"{verb} {what}", task_runner=runner)
    # Heartbeats tell a server of a run whose process died. A temporary server dies with it, and each run would wait up
    # to a second for the last one.
    server = ensure_prefect_server()
    pieces = _Pieces(len(names), carry_out, stop)
    shares: list[range | None]
    if server is None:
        shares = [*shared_tasks([1.0] * len(names) if work is None else work, max(_MANY, 4 * threads))]
        titles = [_name(names, share) for share in shares if share is not None]
    else:
        shares = [None] * min(threads, len(names))
        titles = [f"{verb} in turn, {number} of {len(shares)}" for number in range(1, len(shares) + 1)]
    temporary = {} if server is None else {PREFECT_API_URL: server.url, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
    with temporary_settings(temporary), nullcontext() if server is None else kept_up(server):
        run(titles, shares, pieces)
    return pieces.found


def shared_tasks(work: Sequence[float], many: int = _MANY) -> list[range]:
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


def _name(names: Sequence[str], share: range) -> str:
    return names[share.start] + (f" and {len(share) - 1} more" if len(share) > 1 else "")
