"""The Prefect flow that extracts: one task a patient, fed to one pool of worker processes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from flows.extract.batch import Receipt, prepared_worker
from flows.extract.kinds import batch_of
from flows.plan import PlannedExtraction
from flows.temporary_server import started_server
from flows.worker_pool import worker_pool
from flows.workflow import NO_CACHE, ThreadPoolTaskRunner, flow, task, unmapped
from schemas.feature_sets import ComputedSettings

__all__ = ["extracted"]

Batch = Sequence[PlannedExtraction]


@task(cache_policy=NO_CACHE, persist_result=False, task_run_name="extract {patient}")
def extract_patient(patient: str, position: int, carry_out: Callable[[int], list[Receipt]]) -> list[Receipt]:
    """Extract one patient's scans in a worker process and return the receipts."""
    return carry_out(position)


@flow(name="extract", validate_parameters=False, persist_result=False)
def extract_missing(patients: Sequence[str], carry_out: Callable[[int], list[Receipt]]) -> list[Receipt]:
    """Extract every patient's batch of a feature set and return all receipts."""
    futures = extract_patient.map(
        patient=list(patients), position=list(range(len(patients))), carry_out=unmapped(carry_out)
    )
    return [receipt for future in futures for receipt in future.result()]


def extracted(
    feature_set: str,
    batches: Sequence[Batch],
    settings: ComputedSettings,
    staging: Path,
    *,
    workers: int,
    advance: Callable[[int], None],
) -> list[Receipt]:
    """Run the flow on ``workers`` processes and return a receipt for each extraction.

    Nothing but patients' names passes through Prefect, which keeps a flow's parameters and takes half a megabyte of
    them: batches go to the workers directly, who stage their rows on disk and give receipts.
    """
    with worker_pool(workers, prepared_worker) as pool:

        def carry_out(position: int) -> list[Receipt]:
            batch = batches[position]
            receipts = pool.submit(batch_of(settings), batch, settings, staging).result()
            advance(len(batch))
            return receipts

        # One thread more than processes keeps the pool's queue from running dry.
        # Any: its futures are a narrower type than with_options names.
        threads: Any = ThreadPoolTaskRunner(max_workers=workers + 1)
        run = extract_missing.with_options(flow_run_name=f"extract {feature_set}", task_runner=threads)
        started_server()
        return run([batch[0].key.patient for batch in batches], carry_out)
