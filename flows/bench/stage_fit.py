"""What a worker process of a cross-validation does: one fit, staged. Workers need no Prefect, so none is imported."""

from __future__ import annotations

from pathlib import Path

from flows.engine.watching import checkpoints, watch_networks
from store.rows.staged_units import stage_unit
from zoo.benchmark.fold_fits import FitTask, fitted_task

__all__ = ["stage_fit"]


def stage_fit(fit: FitTask, staging: Path) -> str:
    """Carry out a fit in a worker process, stage its result, and return its key."""
    with checkpoints(staging.parent, fit.key) as folder, watch_networks(folder):
        found = fitted_task(fit)
    stage_unit(staging, fit.key, found)
    return fit.key
