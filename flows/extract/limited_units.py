"""Extractions in a limited child process: what one unit does to the child costs that unit its rows, and no other.

A unit is what fails together: one mask, or one exam's regions. The child stages what it finishes and answers with the
failures; where it dies, the unit it was at is named, and the next child goes on with the ones after it.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

from flows.engine.pool import end_with_parent
from flows.engine.progress import say
from flows.extract.planned import PlannedExtraction
from flows.extract.process_state import keep_freed_memory
from flows.extract.radiomics import use_single_thread
from flows.imaging.volumes import ReadingFolders
from schemas.errors import RadzooError
from schemas.features.sets import ComputedSettings
from schemas.settings import EXTRACTION_MEMORY, EXTRACTION_SECONDS, limit_setting
from store.limits.process import (
    AFTER_KILL_S,
    KilledError,
    LimitedProcess,
    LimitedProcessError,
    Limits,
    OutOfMemoryError,
    OutOfTimeError,
)

__all__ = ["extract_in_child", "extraction_limits"]

Unit = Sequence[PlannedExtraction]


def extraction_limits(writable: tuple[Path, ...]) -> Limits:
    """Return what one patient's extractions may take.

    Raises
    ------
    UsageError
        When a setting of the environment is no number.
    """
    seconds, memory = (limit_setting(each, os.environ) for each in (EXTRACTION_SECONDS, EXTRACTION_MEMORY))
    return Limits(seconds, memory, writable=writable)


def extract_in_child(
    child: LimitedProcess,
    compute: Callable[..., Iterator[str | None]],
    units: Sequence[Unit],
    settings: ComputedSettings,
    staging: Path,
    folders: ReadingFolders,
) -> list[str | None]:
    """Compute and stage units in a child process; return why each of them failed, or None.

    Parameters
    ----------
    child : LimitedProcess
        Where.
    compute : callable
        What computes a set's units: a function of a module, which the child imports.
    units : sequence
        What fails together, each.
    settings : ComputedSettings
        What is computed.
    staging : Path
        Where finished extractions go.
    folders : ReadingFolders
        Where files that images name may lie.

    Raises
    ------
    RadzooError
        When the run is interrupted.
    OSError
        When a finished extraction cannot be staged.
    """
    failures: list[str | None] = []
    killed_at = None
    while len(failures) < len(units):
        try:
            rest = tuple(units[len(failures) :])
            for failure in child.stream(compute_in_child, compute, rest, settings, staging, folders, os.getpid()):
                failures.append(failure)  # noqa: PERF402  (one by one: what the child has finished counts)
        except LimitedProcessError as error:
            if "SIGINT" in str(error):
                raise RadzooError("the run was interrupted; what was finished is kept") from error
            if isinstance(error, KilledError) and killed_at != len(failures):
                # No fault of the unit's own as far as one can tell: once more, when there may be memory again.
                killed_at = len(failures)
                say(f"a worker process was killed at {units[killed_at][0].key.patient}: trying again")
                time.sleep(AFTER_KILL_S)
                continue
            failures.append(_limit_words(error))
    return failures


def _limit_words(error: LimitedProcessError) -> str:
    again = "then run radzoo refresh --retry-failed"
    if isinstance(error, OutOfTimeError):
        return (
            f"the computation did not end: {error}; look at this image and mask in a viewer, or set "
            f"{EXTRACTION_SECONDS.variable} to more, {again}"
        )
    if isinstance(error, OutOfMemoryError):
        return (
            f"there was not enough memory for the computation: {error}; give a larger bin_width, or set "
            f"{EXTRACTION_MEMORY.variable} to more, {again} --workers 1"
        )
    return f"the computation crashes on this image and mask: look at both in a viewer, {again}"


def compute_in_child(
    compute: Callable[..., Iterator[str | None]],
    units: Sequence[Unit],
    settings: ComputedSettings,
    staging: Path,
    folders: ReadingFolders,
    parent: int,
) -> Iterator[str | None]:
    """Compute units, in the child: the terminal's interrupt ends it, and so does its parent's death."""
    _become_worker(parent)
    yield from compute(units, settings, staging, folders)


@cache
def _become_worker(parent: int) -> None:
    """Do once a process what it keeps from one call to the next."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    end_with_parent(parent)
    use_single_thread()
    keep_freed_memory()
