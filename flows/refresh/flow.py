"""The Prefect flow that extracts, patient by patient, fed to worker processes with limits."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

from flows.engine.pool import one_thread_each
from flows.engine.progress import Advance
from flows.engine.tasks import run_tasks
from flows.extract.batch import Receipt, unit_receipts
from flows.extract.limited_units import extract_in_child, extraction_limits
from flows.extract.planned import PlannedExtraction
from flows.imaging.volumes import ReadingFolders
from flows.refresh.feature_sets import BoundFeatureSet
from flows.scans.reader import temporary_folder
from schemas.settings import Engine
from store.limits.process import LimitedProcess

__all__ = ["extract_batches"]

Batch = Sequence[PlannedExtraction]


def extract_batches(
    bound: BoundFeatureSet,
    batches: Sequence[Batch],
    staging: Path,
    *,
    study_folder: Path | None = None,
    names_files: bool = True,
    workers: int,
    engine: Engine,
    advance: Advance,
) -> list[Receipt]:
    """Run the flow on ``workers`` limited child processes and return a receipt for each extraction.

    Batches go to the workers directly, who stage their rows on disk and say what failed.

    Parameters
    ----------
    bound : BoundFeatureSet
        What is computed.
    batches : sequence
        Of one patient each.
    staging : Path
        Where finished extractions go.
    study_folder : Path, optional
        Below which data files may lie that images' headers name.
    names_files : bool
        Whether what is said of a file may say where it lies.
    workers : int
        How many.
    engine : {'fast', 'pyradiomics'}
        What calculates features.
    advance : callable
        Called with the number of extractions that ended, and how long they take.
    """
    settings, compute = bound.definition.settings, bound.kind.compute(engine)
    staging.mkdir(parents=True, exist_ok=True)
    idle: SimpleQueue[LimitedProcess] = SimpleQueue()
    with one_thread_each(), ExitStack() as children, temporary_folder() as temporary:
        folders = ReadingFolders(study_folder, temporary, names_files)
        limits = extraction_limits((staging,) if temporary is None else (staging, temporary))
        for _ in range(workers):
            # Fresh ones, not forked: a fork would copy Prefect's threads' locks in whatever state they are.
            child = children.enter_context(LimitedProcess(limits, modules=(extract_in_child.__module__,)))
            # They load their libraries while Prefect's server comes up.
            child.begin()
            idle.put(child)

        def carry_out(position: int) -> list[Receipt]:
            batch = batches[position]
            units = bound.kind.units(batch)
            child = idle.get()
            try:
                failures = extract_in_child(child, compute, units, settings, staging, folders)
            finally:
                idle.put(child)
            advance(len(batch), work[position])
            return unit_receipts(units, failures)

        names = [f"extract {batch[0].key.patient}" for batch in batches]
        work = list(map(bound.work, batches))
        # One thread more than processes keeps the processes from waiting.
        found = run_tasks("extract", bound.feature_set, names, carry_out, threads=workers + 1, work=work)
    return [receipt for receipts in found for receipt in receipts]
