"""Extractions on a worker of a cluster: in a limited child there as well, and sent back as they would be staged.

A worker needs the study's images under the paths that the catalogue names, and no folder of the store: what its child
finishes is read from a folder of the worker's own and goes back with the receipt. Whoever asked stages it.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from flows.engine.pool import one_thread_each
from flows.engine.runners.environment import refuse_other_environment
from flows.extract import limited_units
from flows.extract.limited_units import extract_in_child
from flows.extract.planned import PlannedExtraction
from flows.imaging.volumes import ReadingFolders
from schemas.errors import RadzooError
from schemas.features.sets import ComputedSettings
from store.limits.process import LimitedProcess, Limits

__all__ = ["RemoteBatch", "RemoteReceipts", "extract_on_worker"]

_KEPT_S = 60.0
"""How long an idle child waits for the next batch: a run's batches follow one another closer."""
_LONGEST_RECORD = 1 << 30


@dataclass(frozen=True)
class RemoteBatch:
    """Units of one patient, and all that computing them needs."""

    compute: Callable[..., Iterator[str | None]]
    units: Sequence[Sequence[PlannedExtraction]]
    settings: ComputedSettings
    limits: Limits
    """Of the child; it writes to folders of the worker's alone."""
    study_folder: Path | None
    names_files: bool
    environment: Mapping[str, str]
    """Of the machine that asks."""


@dataclass(frozen=True)
class RemoteReceipts:
    """What became of a batch."""

    failures: list[str | None]
    """Of each unit, why it failed."""
    records: dict[str, bytes]
    """By extraction id, the finished extractions of the other units, as `store.rows.staging` writes them."""


def extract_on_worker(batch: RemoteBatch) -> RemoteReceipts:
    """Compute a batch in a child of this worker, and return what it staged.

    Raises
    ------
    ContractError
        When this worker's installation is another than that of who asks: one that joins late is met here first.
    RadzooError
        When this machine cannot keep what is computed until it is sent.
    """
    refuse_other_environment(batch.environment)
    try:
        with _lent(batch.limits) as place:
            folders = ReadingFolders(batch.study_folder, place.temporary, batch.names_files)
            failures = extract_in_child(place.child, batch.compute, batch.units, batch.settings, place.staging, folders)
            finished = [
                each.extraction_id
                for unit, failure in zip(batch.units, failures, strict=True)
                if failure is None
                for each in unit
            ]
            return RemoteReceipts(failures, {each: place.taken(each) for each in finished})
    except OSError as error:
        raise RadzooError(
            f"a worker cannot keep what it computes: {error.strerror or error}",
            where=socket.gethostname(),
            hint="look at that machine's temporary folder (TMPDIR), then run the command again; what was finished is "
            "kept",
        ) from error


class _Place:
    """A limited child on this worker and the two folders that it may write to."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._folder = Path(tempfile.mkdtemp(prefix="radzoo-worker-"))
        self.staging, self.temporary = self._folder / "staged", self._folder / "temporary"
        for each in (self.staging, self.temporary):
            each.mkdir()
        own = replace(limits, writable=(self.staging, self.temporary))
        self.child = LimitedProcess(own, modules=(limited_units.__name__,))
        self.child.begin()

    def taken(self, extraction_id: str) -> bytes:
        """Return a staged extraction, and remove it from here."""
        file = self.staging / f"{extraction_id}.json"
        # What the child wrote may be no file of its own: a link would give away another one.
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as stream:
            about = os.fstat(stream.fileno())
            if not stat.S_ISREG(about.st_mode) or about.st_size > _LONGEST_RECORD:
                raise OSError(f"{file} is no staged extraction")
            content = stream.read()
        file.unlink()
        return content

    def close(self) -> None:
        """End the child and remove its folders."""
        self.child.close()
        shutil.rmtree(self._folder, ignore_errors=True)


_lock = threading.Lock()
_idle: list[_Place] = []
_sweep: threading.Timer | None = None


@contextmanager
def _lent(limits: Limits) -> Iterator[_Place]:
    """Give a place that nobody else uses meanwhile: one that waits, or a new one."""
    with _lock:
        place = next((each for each in _idle if each.limits == limits), None)
        if place is not None:
            _idle.remove(place)
        else:
            # Under the lock: the environment is the process's, and its threads share it.
            with one_thread_each():
                place = _Place(limits)
    try:
        yield place
    except BaseException:
        place.close()
        raise
    _give_back(place)


def _give_back(place: _Place) -> None:
    global _sweep
    with _lock:
        _idle.append(place)
        if _sweep is not None:
            _sweep.cancel()
        _sweep = threading.Timer(_KEPT_S, _close_idle)
        _sweep.daemon = True
        _sweep.start()


def _close_idle() -> None:
    with _lock:
        waiting = [*_idle]
        _idle.clear()
    for each in waiting:
        each.close()
