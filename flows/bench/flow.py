"""The Prefect flow of a cross-validation: one task a fold's fit, fed to one pool of worker processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from flows.bench.stage_fit import stage_fit
from flows.engine.pool import worker_pool
from flows.engine.tasks import run_tasks
from zoo.benchmark.fold_fits import FitTask

__all__ = ["fit_folds"]


def fit_folds(
    what: str,
    fits: Sequence[FitTask],
    staging: Path,
    *,
    workers: int,
    networks: bool,
    advance: Callable[[int], None],
) -> list[str]:
    """Run the flow on ``workers`` processes and return the keys of the staged results.

    Fits go to the workers directly, who read pinned datasets, stage what they found and give its key.
    """
    with worker_pool(workers, networks=networks) as pool:

        def carry_out(position: int) -> str:
            key = pool.submit(stage_fit, fits[position], staging).result()
            advance(1)
            return key

        names = [fit.place for fit in fits]
        # One thread more than processes keeps the pool's queue from running dry.
        return run_tasks("cross-validate", what, names, carry_out, threads=workers + 1)
