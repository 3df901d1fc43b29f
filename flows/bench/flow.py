"""The Prefect flow of a cross-validation: one task a fold's fit, fed to one pool of processes here or to a cluster."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from flows.bench.remote_fit import FitAnswer, RemoteFit, fit_on_worker
from flows.bench.stage_fit import stage_fit
from flows.engine.pool import worker_pool
from flows.engine.runners.cluster import Cluster
from flows.engine.runners.environment import environment
from flows.engine.tasks import run_tasks
from schemas.errors import RadzooError
from store.rows.staged_units import stage_unit
from zoo.benchmark.fold_fits import FitTask

__all__ = ["fit_folds"]

_ASKED = 3
"""How often a fit is sent with tables that a worker lacks: it may meet another worker each time, one that dies too."""


def fit_folds(
    what: str,
    fits: Sequence[FitTask],
    staging: Path,
    *,
    workers: int,
    networks: bool,
    advance: Callable[[int], None],
    cluster: Cluster | None = None,
) -> list[str]:
    """Run the flow on ``workers`` processes and return the keys of the staged results.

    Fits go to the workers directly, who read pinned datasets, stage what they found and give its key. Those of a
    cluster give what they found, and it is staged here; they are given ``workers`` fits at once.
    """
    with _fitting(staging, workers, networks) if cluster is None else _fitting_on(cluster, staging) as fit:

        def carry_out(position: int) -> str:
            key = fit(fits[position])
            advance(1)
            return key

        names = [each.place for each in fits]
        # One thread more than processes keeps the pool's queue from running dry.
        threads = workers + 1 if cluster is None else workers
        stop = None if cluster is None else cluster.stop
        return run_tasks("cross-validate", what, names, carry_out, threads=threads, stop=stop)


@contextmanager
def _fitting(staging: Path, workers: int, networks: bool) -> Iterator[Callable[[FitTask], str]]:
    """Give what fits in processes of this machine."""
    with worker_pool(workers, networks=networks) as pool:
        yield lambda task: pool.submit(stage_fit, task, staging).result()


@contextmanager
def _fitting_on(cluster: Cluster, staging: Path) -> Iterator[Callable[[FitTask], str]]:
    """Give what fits on the workers of a cluster and stages here what they found."""
    here = environment()

    def fit(task: FitTask) -> str:
        answer = FitAnswer(None)
        for _ in range(_ASKED):
            tables = {
                each.dataset_sha256: each.dataset.read_bytes()
                for each in task.recipes
                if each.dataset_sha256 in answer.lacking
            }
            answer = cluster.carry_out(fit_on_worker, RemoteFit(task, here, tables))
            if answer.result is not None:
                stage_unit(staging, task.key, json.loads(answer.result))
                return task.key
        raise RadzooError(
            "the workers of the cluster lack a pinned table that was sent to them",
            where=f"{cluster.runner}, {task.place}",
            hint="what was finished is kept; run the command again",
        )

    yield fit
