"""The scans and masks of a study's patients: found, read, checked and hashed.

A mask that is missing, empty, of another geometry or without its label becomes a failure with its
reason; the others go on. No error of a file, of whatever kind, ends the inventory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from flows.ingest.inventory import Inventory, KnownMasks, PatientInventory
from flows.ingest.patient_reading import PatientReading
from flows.remote.copies import HeldCopies
from flows.remote.study_files import StudyFiles
from flows.scans.reader import ImageReader
from flows.study.patients import CohortPatient
from schemas.study.file import Study

__all__ = ["image_inventory"]

Row = dict[str, Any]


def image_inventory(
    study: Study,
    folder: Path,
    patients: Iterable[CohortPatient],
    *,
    known_scans: Mapping[str, Row],
    known_masks: Iterable[Row],
    tolerance: float,
    advance: Callable[[], None],
    workers: int,
) -> Inventory:
    """Return the scans, masks and failures of all patients.

    Parameters
    ----------
    study : Study
        The parsed study file.
    folder : Path
        Where it lies; path patterns are relative to it.
    patients : iterable of CohortPatient
        The cohort.
    known_scans, known_masks : mapping, iterable
        Rows of the store, of scans by their source: a file whose size and time of change are as they were is not
        read again.
    tolerance : float
        Largest difference of a mask's grid from its image's, as `geometry_difference` counts it.
    advance : callable
        Called once a patient.
    workers : int
        Child processes that read files, each with a thread that waits for it.

    Raises
    ------
    BucketError
        When a bucket's server does not answer or refuses.
    """
    readers: SimpleQueue[ImageReader] = SimpleQueue()
    masks = KnownMasks(known_masks)

    def one(patient: CohortPatient) -> PatientInventory:
        reader, copies = readers.get(), HeldCopies()
        try:
            files = StudyFiles(folder, copies)
            reading = PatientReading(study, files, patient, known_scans, masks, tolerance, reader)
            for exam in patient.exams:
                reading.read_exam(exam.name)
        finally:
            copies.release()
            readers.put(reader)
        if copies.broken is not None:
            # No image is at fault where its bucket cannot be asked.
            raise copies.broken
        advance()
        return reading.found

    everything = Inventory()
    with ExitStack() as children, ThreadPoolExecutor(workers) as pool:
        for _ in range(workers):
            readers.put(children.enter_context(ImageReader(folder)))
        for found in pool.map(one, patients):
            everything.add(found)
    return everything
