"""The scans and masks of a study's patients: found, read, checked and hashed.

A mask that is missing, empty, of another geometry or without its label becomes a failure with its
reason; the others go on. No error of a file, of whatever kind, ends the inventory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from flows.imaging.grids import Place
from flows.imaging.labels import LabelAbsentError
from flows.imaging.opened_files import is_absent, shown_below, system_words
from flows.imaging.sources import Source, image_source, mask_source, stat_of_source
from flows.scans.reader import ImageReader
from flows.study.tables import CohortPatient
from schemas.errors import ContractError
from schemas.keys import MaskKey
from schemas.study.cohort import Phase, Reading
from schemas.study.file import Study
from schemas.study.path_patterns import filled_pattern

__all__ = ["Inventory", "PatientInventory", "image_inventory"]

Row = dict[str, Any]
_LONGEST_REASON = 1000
LESION = "1"  # one lesion per scan is read so far: the one the study's masks draw


@dataclass
class PatientInventory:
    """One patient's rows of the catalogue, and what failed."""

    scans: list[Row] = field(default_factory=list)
    masks: list[Row] = field(default_factory=list)
    study_masks: list[Row] = field(default_factory=list)
    failures: list[Row] = field(default_factory=list)
    missing_images: list[str] = field(default_factory=list)
    """The phase of each image that is not there."""
    missing_masks: list[str] = field(default_factory=list)
    """The phase of each mask that is not there."""
    absent_labels: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    """The phase of each mask without the study's label, and the labels that it has."""
    unoriented: list[str] = field(default_factory=list)
    """The names of images, read this time, whose files do not say which way their axes run."""


@dataclass
class Inventory(PatientInventory):
    """All patients' rows."""

    def add(self, other: PatientInventory) -> None:
        """Take over one patient's rows."""
        self.scans += other.scans
        self.masks += other.masks
        self.study_masks += other.study_masks
        self.failures += other.failures
        self.missing_images += other.missing_images
        self.missing_masks += other.missing_masks
        self.absent_labels += other.absent_labels
        self.unoriented += other.unoriented


def image_inventory(
    study: Study,
    folder: Path,
    patients: Iterable[CohortPatient],
    *,
    known_scans: Mapping[str, Row],
    known_masks: Mapping[tuple[str, int], Row],
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
    known_scans, known_masks : mapping
        Rows of the store by source file (masks: and label): a file whose size and time of change are
        as they were is not read again.
    tolerance : float
        Largest difference of a mask's grid from its image's, as `geometry_difference` counts it.
    advance : callable
        Called once a patient.
    workers : int
        Child processes that read files, each with a thread that waits for it.
    """
    readers: SimpleQueue[ImageReader] = SimpleQueue()

    def one(patient: CohortPatient) -> PatientInventory:
        reader = readers.get()
        try:
            reading = _PatientReading(study, folder, patient, known_scans, known_masks, tolerance, reader)
            for name, phase in study.phases.items():
                reading.read_phase(name, phase)
        finally:
            readers.put(reader)
        advance()
        return reading.found

    everything = Inventory()
    with ExitStack() as children, ThreadPoolExecutor(workers) as pool:
        for _ in range(workers):
            readers.put(children.enter_context(ImageReader(folder)))
        for found in pool.map(one, patients):
            everything.add(found)
    return everything


@dataclass
class _PatientReading:
    """One patient's images and masks, read phase by phase."""

    study: Study
    folder: Path
    patient: CohortPatient
    known_scans: Mapping[str, Row]
    known_masks: Mapping[tuple[str, int], Row]
    tolerance: float
    reader: ImageReader
    found: PatientInventory = field(default_factory=PatientInventory)
    seen: dict[tuple[str, str, int], Reading] = field(default_factory=dict)
    """The first reading of each phase, mask's source and label."""

    def read_phase(self, name: str, phase: Phase) -> None:
        """Add a phase's rows and failures to what was found."""
        try:
            self._read_phase(name, phase)
        except Exception as error:
            key = MaskKey(self.patient.patient, self.study.cohort.exam, name, LESION, reader="", reading=0)
            self.found.failures.append(_failure(self.study.id, key, _words(error)))

    def _read_phase(self, name: str, phase: Phase) -> None:
        file = self._file(phase.image, name, Reading())
        place: Place | None = None
        scan: Row | None = None
        scan_fault = ""
        source = Source(file)
        try:
            source = image_source(file, phase)
            scan = self._known(self.known_scans.get(self._text(source)), source)
            if scan is None:
                scan, place, lacks_orientation = self.reader.scan(source)
                if lacks_orientation:
                    self.found.unoriented.append(file.name)
        except Exception as error:
            # A library's own error on one file must not cost the other patients their rows.
            scan_fault = f"image {self._shown(file)}: {_words(error)}"
            if is_absent(file):
                self.found.missing_images.append(name)
        if scan is not None:
            # The modality is the study file's word, and may change where the file does not.
            declared = {"exam": self.study.cohort.exam, "phase": name, "modality": phase.modality}
            self.found.scans.append(scan | {"patient": self.patient.patient} | declared)
        for reading in self.patient.readings:
            place = self._read_mask(name, phase, reading, source, place, scan, scan_fault)

    def _read_mask(
        self,
        name: str,
        phase: Phase,
        reading: Reading,
        image: Source,
        place: Place | None,
        scan: Row | None,
        scan_fault: str,
    ) -> Place | None:
        """Add a mask's row or failure, and return the image's place where it is known by then."""
        key = MaskKey(
            self.patient.patient, self.study.cohort.exam, name, LESION, reader=reading.reader, reading=reading.reading
        )
        file = self._file(phase.mask, name, reading)
        if is_absent(file):
            self.found.missing_masks.append(name)
        if scan is None:
            self.found.failures.append(_failure(self.study.id, key, scan_fault))
            return place
        try:
            source = mask_source(file, phase, self.patient.pattern_values(name, reading))
            known_as = self._text(source), phase.label
            self._refuse_another_readings(name, source, known_as, reading)
            row = self._known(self.known_masks.get(known_as), source)
            if row is None or row["image_sha256"] != scan["image_sha256"]:
                place = place or self.reader.scan(image)[1]
                row = self.reader.mask(source, place, phase.label, self.tolerance)
                row |= {"image_sha256": scan["image_sha256"]}
        except Exception as error:
            if isinstance(error, LabelAbsentError):
                self.found.absent_labels.append((name, error.present))
            is_of_image = isinstance(error, ContractError) and error.where == str(image.file)
            named = f"image {self._shown(image.file)}" if is_of_image else f"mask {self._shown(file)}"
            self.found.failures.append(_failure(self.study.id, key, f"{named}: {_words(error)}"))
            return place
        self.found.masks.append(row | key._asdict())
        is_primary = int(reading == self.patient.readings[0])
        self.found.study_masks.append({"study": self.study.id, **key._asdict(), "is_primary": is_primary})
        return place

    def _refuse_another_readings(self, phase: str, source: Source, known_as: tuple[str, int], reading: Reading) -> None:
        """Refuse a DICOM mask that is another reading's already: the two would agree in everything."""
        # What has no text in the catalogue is refused when it is read.
        if source.part is None or not known_as[0]:
            return
        first = self.seen.setdefault((phase, *known_as), reading)
        if first != reading:
            raise ContractError(
                f"is the mask of reading {first.reader}.{first.reading} too: its path or its segment needs {{reader}} "
                "or {reading}"
            )

    def _file(self, pattern: str, phase: str, reading: Reading) -> Path:
        return self.folder / filled_pattern(pattern, self.patient.pattern_values(phase, reading))

    def _known(self, row: Row | None, source: Source) -> Row | None:
        """Return a row of the store where its files are as they were."""
        return row if row is not None and row["source_stat"] == stat_of_source(source, self.folder) else None

    def _text(self, source: Source) -> str:
        try:
            return source.text(self.folder)
        except (ContractError, OSError, ValueError):
            return ""  # reading it says why

    def _shown(self, file: Path) -> str:
        """Return a file's path below the study's folder, its name alone where it lies elsewhere."""
        return shown_below(file, self.folder)


def _words(error: Exception) -> str:
    if isinstance(error, ContractError):
        return f"{error.message} ({error.hint})" if error.hint else error.message
    if isinstance(error, OSError):
        return f"cannot be read: {system_words(error)}"
    # A library's words may hold the file's own, and places in memory.
    return f"reading it ends in a {type(error).__name__}"


def _failure(study: str, key: MaskKey, reason: str) -> Row:
    return {
        "stage": "ingest",
        "study": study,
        **key._asdict(),
        "feature_set": "",
        "feature": "",
        "reason": "".join(each if each.isprintable() else "?" for each in " ".join(reason.split()))[:_LONGEST_REASON],
    }
