"""The Prefect flow of a cross-validation: one task a fold's fit, fed to one pool of worker processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from flows.engine.pool import worker_pool
from flows.engine.server.temporary import started_server
from flows.engine.watching import watched_networks
from flows.engine.workflow import NO_CACHE, ThreadPoolTaskRunner, flow, task, unmapped
from store.rows.staged_units import stage_unit
from zoo.benchmark.fold_fits import FitTask, fitted_task

__all__ = ["fitted_folds", "staged_fit"]


def staged_fit(fit: FitTask, staging: Path) -> str:
    """Carry out a fit in a worker process, stage its result, and return its key."""
    with watched_networks(staging.parent, fit.key):
        found = fitted_task(fit)
    stage_unit(staging, fit.key, found)
    return fit.key


@task(cache_policy=NO_CACHE, persist_result=False, task_run_name="{name}")
def fit_fold(name: str, position: int, carry_out: Callable[[int], str]) -> str:
    """Carry out one fit in a worker process and return the key of its staged result."""
    return carry_out(position)


@flow(name="cross-validate", validate_parameters=False, persist_result=False)
def fit_missing(names: Sequence[str], carry_out: Callable[[int], str]) -> list[str]:
    """Carry out every fit that is named and return the keys of the staged results."""
    futures = fit_fold.map(name=list(names), position=list(range(len(names))), carry_out=unmapped(carry_out))
    return [future.result() for future in futures]


def fitted_folds(
    what: str, fits: Sequence[FitTask], staging: Path, *, workers: int, advance: Callable[[int], None]
) -> list[str]:
    """Run the flow on ``workers`` processes and return the keys of the staged results.

    Nothing but names passes through Prefect, which keeps a flow's parameters and takes half a megabyte of them:
    fits go to the workers directly, who read pinned datasets, stage what they found and give its key.
    """
    with worker_pool(workers) as pool:

        def carry_out(position: int) -> str:
            key = pool.submit(staged_fit, fits[position], staging).result()
            advance(1)
            return key

        # One thread more than processes keeps the pool's queue from running dry.
        # Any: its futures are a narrower type than with_options names.
        threads: Any = ThreadPoolTaskRunner(max_workers=workers + 1)
        run = fit_missing.with_options(flow_run_name=f"cross-validate {what}", task_runner=threads)
        names = [f"fold {fit.fold}" + ("" if fit.inner is None else f", inner {fit.inner}") for fit in fits]
        started_server()
        return run(names, carry_out)
