"""Deployments of a study in a Prefect work pool, whose workers run them: `radzoo serve` need not stay."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import cast
from uuid import UUID

from flows.engine.workflow import EntrypointType, ObjectAlreadyExists, ObjectNotFound, RunnerDeployment, get_client
from flows.serve.pooled import POOLED_FLOWS, run_parameters
from flows.serve.schedules import ScheduledFlow, fix_deployment
from schemas.errors import NotFoundError

__all__ = ["register_in_pool"]


def register_in_pool(scheduled: Sequence[ScheduledFlow], pool: str) -> str:
    """Register a study's deployments in a work pool of the server of ``PREFECT_API_URL``, and return their queue.

    All deployments of a store go to one queue of the pool, which lets one run begin at a time: the store has one
    writer.

    Parameters
    ----------
    scheduled : sequence of ScheduledFlow
        As `flows.serve.schedules.scheduled_flows` returns them; one at least.
    pool : str
        The pool's name.

    Raises
    ------
    NotFoundError
        When the server has no such pool.
    """
    queue = _queue_name(scheduled[0].served.store)
    _limit_queue(pool, queue)
    for each in scheduled:
        entry = POOLED_FLOWS[each.verb].to_deployment(
            each.name,
            schedule=each.schedule,
            description=each.description,
            work_pool_name=pool,
            work_queue_name=queue,
            parameters=run_parameters(each.served),
            entrypoint_type=EntrypointType.MODULE_PATH,
        )
        deployment = cast("RunnerDeployment", entry)
        fix_deployment(
            cast("UUID", deployment.apply()),
            run_parameters(each.served),
            has_schedule=each.schedule is not None,
            entrypoint=deployment.entrypoint,
        )
    return queue


def _limit_queue(pool: str, queue: str) -> None:
    """Have a queue of a pool that lets one run begin at a time, whatever it was before."""
    with get_client(sync_client=True) as client:
        try:
            client.read_work_pool(pool)
        except ObjectNotFound as error:
            raise NotFoundError(
                f"Prefect's server has no work pool '{pool}'", hint=f"prefect work-pool create {pool} --type process"
            ) from error
        try:
            client.create_work_queue(queue, concurrency_limit=1, work_pool_name=pool)
        except ObjectAlreadyExists:
            client.request(
                "PATCH",
                "/work_pools/{work_pool_name}/queues/{name}",
                path_params={"work_pool_name": pool, "name": queue},
                json={"concurrency_limit": 1},
            )


def _queue_name(store: Path) -> str:
    """Return the queue of a store's deployments: its folder's name, told apart from others of the same name."""
    return f"radzoo-{store.name}-{sha256(str(store).encode()).hexdigest()[:6]}"
