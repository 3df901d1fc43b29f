"""The Prefect flow that extracts: one task a patient, fed to one pool of worker processes."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from prefect import flow, task, unmapped
from prefect.cache_policies import NO_CACHE
from prefect.task_runners import ThreadPoolTaskRunner

from flows.extract.batch import Receipt, extracted_batch, prepared_worker
from flows.plan import PlannedExtraction
from schemas.errors import RadzooError
from schemas.radiomics_settings import RadiomicsSettings

__all__ = ["extracted"]

Batch = Sequence[PlannedExtraction]


@task(cache_policy=NO_CACHE, persist_result=False, task_run_name="extract {patient}")
def extract_patient(
    patient: str,
    batch: Batch,
    settings: RadiomicsSettings,
    staging: Path,
    pool: Executor,
    advance: Callable[[int], None],
) -> list[Receipt]:
    """Extract one patient's scans in a worker process and return the receipts."""
    receipts = pool.submit(extracted_batch, batch, settings, staging).result()
    advance(len(batch))
    return receipts


@flow(name="extract", validate_parameters=False, persist_result=False)
def extract_missing(
    feature_set: str,
    batches: Sequence[Batch],
    settings: RadiomicsSettings,
    staging: Path,
    pool: Executor,
    advance: Callable[[int], None],
) -> list[Receipt]:
    """Extract every batch of a feature set and return all receipts."""
    futures = extract_patient.map(
        patient=[batch[0].key.patient for batch in batches],
        batch=list(batches),
        settings=unmapped(settings),
        staging=unmapped(staging),
        pool=unmapped(pool),
        advance=unmapped(advance),
    )
    return [receipt for future in futures for receipt in future.result()]


def extracted(
    feature_set: str,
    batches: Sequence[Batch],
    settings: RadiomicsSettings,
    staging: Path,
    *,
    workers: int,
    advance: Callable[[int], None],
) -> list[Receipt]:
    """Run the flow on ``workers`` processes and return a receipt for each extraction.

    Arrays never pass through Prefect: workers stage their rows on disk and give receipts.
    """
    # Read by the numerical libraries when a worker imports them: one thread each, a process per core.
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    before = {name: os.environ.get(name) for name in one_thread}
    os.environ.update(one_thread)
    try:
        # Spawned, not forked: a fork would copy Prefect's threads' locks in whatever state they are.
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context, initializer=prepared_worker) as pool:
            # One thread more than processes keeps the pool's queue from running dry.
            threads: Any = ThreadPoolTaskRunner(
                max_workers=workers + 1
            )  # Any: its futures are a narrower type than with_options names
            run = extract_missing.with_options(
                flow_run_name=f"extract {feature_set}",
                task_runner=threads,
            )
            return run(feature_set, batches, settings, staging, pool, advance)
    except BrokenProcessPool as error:
        raise RadzooError(
            "a worker process died, most likely for want of memory; what was finished is kept",
            hint="run the command again with fewer --workers",
        ) from error
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
