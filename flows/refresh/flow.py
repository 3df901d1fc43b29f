"""The Prefect flow that extracts: one task a patient, fed to worker processes with limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from flows.engine.pool import one_thread_each
from flows.engine.server.temporary import started_server
from flows.engine.workflow import NO_CACHE, ThreadPoolTaskRunner, flow, task, unmapped
from flows.extract.batch import Receipt
from flows.extract.limited_units import extraction_limits, limited_failures, units_of
from flows.extract.planned import PlannedExtraction
from flows.imaging.volumes import ReadingFolders
from flows.refresh.kinds import receipts_of
from flows.scans.reader import temporary_folder
from schemas.features.sets import ComputedSettings
from store.limits.process import LimitedProcess

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
    study_folder: Path | None = None,
    workers: int,
    advance: Callable[[int], None],
) -> list[Receipt]:
    """Run the flow on ``workers`` limited child processes and return a receipt for each extraction.

    Nothing but patients' names passes through Prefect, which keeps a flow's parameters and takes half a megabyte of
    them: batches go to the workers directly, who stage their rows on disk and say what failed.

    Parameters
    ----------
    feature_set : str
        Its name, for people.
    batches : sequence
        Of one patient each.
    settings : ComputedSettings
        What is computed.
    staging : Path
        Where finished extractions go.
    study_folder : Path, optional
        Below which data files may lie that images' headers name.
    workers : int
        How many.
    advance : callable
        Called with the number of extractions that ended.
    """
    staging.mkdir(parents=True, exist_ok=True)
    idle: SimpleQueue[LimitedProcess] = SimpleQueue()
    with one_thread_each(), ExitStack() as children, temporary_folder() as temporary:
        folders = ReadingFolders(study_folder, temporary)
        limits = extraction_limits((staging,) if temporary is None else (staging, temporary))
        for _ in range(workers):
            # Fresh ones, not forked: a fork would copy Prefect's threads' locks in whatever state they are.
            idle.put(children.enter_context(LimitedProcess(limits)))

        def carry_out(position: int) -> list[Receipt]:
            units = units_of(batches[position], settings)
            child = idle.get()
            try:
                failures = limited_failures(child, units, settings, staging, folders)
            finally:
                idle.put(child)
            advance(len(batches[position]))
            return receipts_of(units, failures)

        # One thread more than processes keeps the processes from waiting.
        # Any: its futures are a narrower type than with_options names.
        threads: Any = ThreadPoolTaskRunner(max_workers=workers + 1)
        run = extract_missing.with_options(flow_run_name=f"extract {feature_set}", task_runner=threads)
        started_server()
        return run([batch[0].key.patient for batch in batches], carry_out)
