"""The Prefect flow of a cross-validation: one task a fold's fit, fed to one pool of worker processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from flows.engine.pool import worker_pool
from flows.engine.tasks import run_tasks
from flows.engine.watching import watch_networks
from store.rows.staged_units import stage_unit
from zoo.benchmark.fold_fits import FitTask, fitted_task

__all__ = ["fit_folds", "stage_fit"]


def stage_fit(fit: FitTask, staging: Path) -> str:
    """Carry out a fit in a worker process, stage its result, and return its key."""
    with watch_networks(staging.parent, fit.key):
        found = fitted_task(fit)
    stage_unit(staging, fit.key, found)
    return fit.key


def fit_folds(
    what: str, fits: Sequence[FitTask], staging: Path, *, workers: int, advance: Callable[[int], None]
) -> list[str]:
    """Run the flow on ``workers`` processes and return the keys of the staged results.

    Fits go to the workers directly, who read pinned datasets, stage what they found and give its key.
    """
    with worker_pool(workers) as pool:

        def carry_out(position: int) -> str:
            key = pool.submit(stage_fit, fits[position], staging).result()
            advance(1)
            return key

        names = [f"fold {fit.fold}" + ("" if fit.inner is None else f", inner {fit.inner}") for fit in fits]
        # One thread more than processes keeps the pool's queue from running dry.
        return run_tasks("cross-validate", what, names, carry_out, threads=workers + 1)
