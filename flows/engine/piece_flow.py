"""The one Prefect flow of work in pieces: a task for each, known by its name; short ones share a task."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from flows.engine.pieces import MANY, Pieces, shared_tasks
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

__all__ = ["run_pieces"]


@task(cache_policy=NO_CACHE, persist_result=False, task_run_name="{name}")
def _some(name: str, positions: range | None, pieces: Pieces) -> None:
    pieces.carry_out(positions)


def run_pieces(
    verb: str, what: str, names: Sequence[str], pieces: Pieces, *, threads: int, work: Sequence[float] | None
) -> None:
    """Run the flow; parameters as those of `flows.engine.tasks.run_tasks`."""
    server = ensure_prefect_server()
    shares: list[range | None]
    if server is None:
        shares = [*shared_tasks([1.0] * len(names) if work is None else work, max(MANY, 4 * threads))]
        titles = [_name(names, share) for share in shares if share is not None]
    else:
        shares = [None] * min(threads, len(names))
        titles = [f"{verb} in turn, {number} of {len(shares)}" for number in range(1, len(shares) + 1)]
    # Any: its futures are a narrower type than a flow's options name.
    runner: Any = ThreadPoolTaskRunner(max_workers=threads)

    # Without parameters: to keep them, Prefect loads FastAPI here too.
    @flow(name=verb, flow_run_name=f"{verb} {what}", task_runner=runner, persist_result=False)
    def carry_out_all() -> None:
        try:
            for future in _some.map(name=titles, positions=shares, pieces=unmapped(pieces)):
                future.result()
        except BaseException:
            # Interrupted: the tasks under way end after the piece that each is at.
            pieces.stop()
            raise

    # Heartbeats tell a server of a run whose process died. A temporary server dies with it, and each run would wait up
    # to a second for the last one.
    temporary = {} if server is None else {PREFECT_API_URL: server.url, PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
    with temporary_settings(temporary), nullcontext() if server is None else kept_up(server):
        carry_out_all()


def _name(names: Sequence[str], share: range) -> str:
    return names[share.start] + (f" and {len(share) - 1} more" if len(share) > 1 else "")
