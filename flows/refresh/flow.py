"""The Prefect flow that extracts, patient by patient, fed to limited worker processes here or on other machines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue

from flows.engine.pool import one_thread_each
from flows.engine.progress import Advance
from flows.engine.runners.cluster import Cluster
from flows.engine.runners.environment import environment
from flows.engine.tasks import run_tasks
from flows.extract.batch import Receipt, unit_receipts
from flows.extract.limited_units import extract_in_child, extraction_limits
from flows.extract.planned import PlannedExtraction, sources_of_units
from flows.imaging.volumes import ReadingFolders
from flows.refresh.feature_sets import BoundFeatureSet
from flows.refresh.remote_units import RemoteBatch, extract_on_worker
from flows.remote.copies import held_copies
from flows.scans.reader import temporary_folder
from schemas.settings import Engine
from store.limits.process import LimitedProcess
from store.rows.staging import stage_content

__all__ = ["extract_batches"]

Batch = Sequence[PlannedExtraction]
Units = Sequence[Sequence[PlannedExtraction]]
ExtractUnits = Callable[[Units], list[str | None]]
"""Computes and stages units, one patient's, and returns why each failed, or None; called in a thread, many at once."""


def _keep_here(extraction_ids: Sequence[str]) -> None:
    """Leave finished extractions on this machine alone."""


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
    cluster: Cluster | None = None,
    share: Callable[[Sequence[str]], None] = _keep_here,
) -> list[Receipt]:
    """Run the flow and return a receipt for each extraction.

    Batches go to the workers directly, limited child processes, and what they finish is staged on disk at once. At most
    as many are under way as ``workers``, or twice as many as a cluster has places.

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
        How many child processes; of a cluster, how many batches it is given at once.
    engine : {'fast', 'pyradiomics'}
        What calculates features.
    advance : callable
        Called with the number of extractions that ended, and how long they take.
    cluster : Cluster, optional
        What computes; child processes of this one where absent.
    share : callable, optional
        Called with the ids of each batch's extractions that are staged by now; called in a thread, many at once.
    """
    staging.mkdir(parents=True, exist_ok=True)
    folders = ReadingFolders(study_folder, None, names_files)
    names = [f"extract {batch[0].key.patient}" for batch in batches]
    work = list(map(bound.work, batches))
    with ExitStack() as opened:
        if cluster is None:
            extract = opened.enter_context(_in_children(bound, staging, folders, workers, engine))
        else:
            extract = _on_cluster(bound, staging, folders, cluster, engine)

        def carry_out(position: int) -> list[Receipt]:
            batch = batches[position]
            units = bound.kind.units(batch)
            failures = extract(units)
            finished = [unit for unit, failure in zip(units, failures, strict=True) if failure is None]
            share([each.extraction_id for unit in finished for each in unit])
            advance(len(batch), work[position])
            return unit_receipts(units, failures)

        # One thread more than processes keeps the processes from waiting.
        threads = workers + 1 if cluster is None else workers
        stop = None if cluster is None else cluster.stop
        found = run_tasks("extract", bound.feature_set, names, carry_out, threads=threads, work=work, stop=stop)
    return [receipt for receipts in found for receipt in receipts]


@contextmanager
def _in_children(
    bound: BoundFeatureSet, staging: Path, folders: ReadingFolders, workers: int, engine: Engine
) -> Iterator[ExtractUnits]:
    """Give what extracts in child processes of this one."""
    compute, settings = bound.kind.compute(engine), bound.definition.settings
    idle: SimpleQueue[LimitedProcess] = SimpleQueue()
    with one_thread_each(), ExitStack() as children, temporary_folder() as temporary:
        limits = extraction_limits((staging,) if temporary is None else (staging, temporary))
        for _ in range(workers):
            # Fresh ones, not forked: a fork would copy Prefect's threads' locks in whatever state they are.
            child = children.enter_context(LimitedProcess(limits, modules=(extract_in_child.__module__,)))
            # They load their libraries while Prefect's server comes up.
            child.begin()
            idle.put(child)

        def extract(units: Units) -> list[str | None]:
            # Before a child is taken: while one thread fetches, the processes compute.
            with held_copies(sources_of_units(units)) as copies:
                child = idle.get()
                here = folders._replace(temporary=temporary, copies=copies)
                try:
                    return extract_in_child(child, compute, units, settings, staging, here)
                finally:
                    idle.put(child)

        yield extract


def _on_cluster(
    bound: BoundFeatureSet, staging: Path, folders: ReadingFolders, cluster: Cluster, engine: Engine
) -> ExtractUnits:
    """Return what extracts on the workers of a cluster and stages here what comes back."""
    compute, settings = bound.kind.compute(engine), bound.definition.settings
    # Of this machine's environment, so that a run has the same limits on all.
    limits, here = extraction_limits(()), environment()

    def extract(units: Units) -> list[str | None]:
        batch = RemoteBatch(compute, units, settings, limits, folders.study, folders.names_files, here)
        receipts = cluster.carry_out(extract_on_worker, batch)
        for extraction_id, content in receipts.records.items():
            stage_content(staging, extraction_id, content)
        return receipts.failures

    return extract
