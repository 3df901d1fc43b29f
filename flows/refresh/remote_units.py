"""Extractions on a worker of a cluster: in a limited child there as well, and sent back as they would be staged.

A worker needs the study's images under the paths that the catalogue names, or fetches them from their bucket, and needs
no folder of the store: what its child finishes is read from a folder of the worker's own and goes back with the
receipt. Whoever asked stages it.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.engine.runners.environment import refuse_other_environment
from flows.engine.runners.lent_child import lent_child
from flows.extract.limited_units import extract_in_child
from flows.extract.planned import PlannedExtraction, sources_of_units
from flows.imaging.volumes import ReadingFolders
from flows.remote.copies import held_copies
from schemas.errors import RadzooError
from schemas.features.sets import ComputedSettings
from store.limits.process import Limits

__all__ = ["RemoteBatch", "RemoteReceipts", "extract_on_worker"]

_LONGEST_RECORD = 1 << 30


@dataclass(frozen=True)
class RemoteBatch:
    """Units of one patient, and all that computing them needs."""

    compute: Callable[..., Iterator[str | None]]
    units: Sequence[Sequence[PlannedExtraction]]
    settings: ComputedSettings
    limits: Limits
    """Of the child; it writes to a folder of the worker's alone."""
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
        When this worker's installation is another than that of who asks: one that joins late is met here first. Or when
        the server of the images' bucket refuses this worker, or does not answer it.
    RadzooError
        When this machine cannot keep what is computed until it is sent.
    """
    refuse_other_environment(batch.environment)
    try:
        # Fetched by the worker itself, with its own keys: the child has no way to a bucket.
        with (
            held_copies(sources_of_units(batch.units)) as copies,
            lent_child(batch.limits, (extract_in_child.__module__,)) as child,
        ):
            staging, temporary = child.folder / "staged", child.folder / "temporary"
            for each in (staging, temporary):
                each.mkdir(exist_ok=True)
            folders = ReadingFolders(batch.study_folder, temporary, batch.names_files, copies)
            failures = extract_in_child(child.process, batch.compute, batch.units, batch.settings, staging, folders)
            finished = [
                each.extraction_id
                for unit, failure in zip(batch.units, failures, strict=True)
                if failure is None
                for each in unit
            ]
            return RemoteReceipts(failures, {each: _taken(staging / f"{each}.json") for each in finished})
    except OSError as error:
        raise RadzooError(
            f"a worker cannot keep what it computes: {error.strerror or error}",
            where=socket.gethostname(),
            hint="look at that machine's temporary folder (TMPDIR), then run the command again; what was finished is "
            "kept",
        ) from error


def _taken(file: Path) -> bytes:
    """Return a staged extraction, and remove it from here."""
    # What the child wrote may be no file of its own: a link would give away another one.
    descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as stream:
        about = os.fstat(stream.fileno())
        if not stat.S_ISREG(about.st_mode) or about.st_size > _LONGEST_RECORD:
            raise OSError(f"{file} is no staged extraction")
        content = stream.read()
    file.unlink()
    return content
