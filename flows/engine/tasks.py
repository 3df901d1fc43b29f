"""Work in pieces, carried out by one Prefect flow, which is loaded when it is needed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from flows.engine.interrupts import let_interrupts_wake
from flows.engine.pieces import Pieces
from flows.engine.server.launch import begin_prefect_server
from store.loading import without_collector

__all__ = ["run_tasks"]

T = TypeVar("T")


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
    # Its process loads its libraries while this one loads Prefect.
    begin_prefect_server()
    with without_collector():
        from flows.engine.piece_flow import run_pieces

    pieces = Pieces(len(names), carry_out, stop)
    run_pieces(verb, what, names, pieces, threads=threads, work=work)
    return pieces.found
