"""The one Prefect flow of work in pieces: a task a piece, each known by its name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flows.engine.server.temporary import ensure_prefect_server
from flows.engine.workflow import (
    NO_CACHE,
    PREFECT_FLOWS_HEARTBEAT_FREQUENCY,
    ThreadPoolTaskRunner,
    flow,
    task,
    temporary_settings,
    unmapped,
)

__all__ = ["run_tasks"]

T = TypeVar("T")


@task(cache_policy=NO_CACHE, persist_result=False, task_run_name="{name}")
def _piece(name: str, position: int, carry_out: Callable[[int], Any]) -> Any:
    return carry_out(position)


@flow(validate_parameters=False, persist_result=False)
def _pieces(names: Sequence[str], carry_out: Callable[[int], Any]) -> list[Any]:
    futures = _piece.map(name=list(names), position=list(range(len(names))), carry_out=unmapped(carry_out))
    return [future.result() for future in futures]


def run_tasks(verb: str, what: str, names: Sequence[str], carry_out: Callable[[int], T], *, threads: int) -> list[T]:
    """Run a flow with a task for each name and return what the tasks return, in the order of the names.

    Nothing but names passes through Prefect, which keeps a flow's parameters and takes half a megabyte of them: what a
    piece is, ``carry_out`` knows by its position.

    Parameters
    ----------
    verb : str
        The flow's name, such as ``extract``.
    what : str
        Of what, in the name of the flow's run.
    names : sequence of str
        Of the tasks' runs, for people.
    carry_out : callable
        Takes a position among the names; called in a thread, many at once.
    threads : int
        How many are called at once.
    """
    # Any: its futures are a narrower type than with_options names.
    runner: Any = ThreadPoolTaskRunner(max_workers=threads)
    run = _pieces.with_options(name=verb, flow_run_name=f"{verb} {what}", task_runner=runner)
    # Heartbeats tell a server of a run whose process died. A temporary server dies with it, and each run would wait up
    # to a second for the last one.
    heartbeat = {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None} if ensure_prefect_server() is not None else {}
    with temporary_settings(heartbeat):
        return run(names, carry_out)
