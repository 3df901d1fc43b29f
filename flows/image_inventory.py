"""The scans and masks of a study's patients: found, read, checked and hashed.

A mask that is missing, empty, of another geometry or without its label becomes a failure with its
reason; the others go on. No error of a file, of whatever kind, ends the inventory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from flows.image_rows import mask_row, scan_row
from flows.imaging.image_files import source_path, source_stat
from flows.imaging.labels import LabelAbsentError
from flows.imaging.opened_files import is_absent, without_addresses
from flows.imaging.volumes import is_unoriented, read_volume
from flows.study_tables import CohortPatient
from schemas.cohort import Phase, Reading
from schemas.errors import ContractError
from schemas.keys import MaskKey
from schemas.path_patterns import filled_pattern
from schemas.study import Study

__all__ = ["Inventory", "PatientInventory", "image_inventory"]

Row = dict[str, Any]
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
        Threads; reading and hashing leave Python's lock.
    """

    def one(patient: CohortPatient) -> PatientInventory:
        reading = _PatientReading(study, folder, patient, known_scans, known_masks, tolerance)
        for name, phase in study.phases.items():
            reading.read_phase(name, phase)
        advance()
        return reading.found

    everything = Inventory()
    with ThreadPoolExecutor(workers) as pool:
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
    found: PatientInventory = field(default_factory=PatientInventory)

    def read_phase(self, name: str, phase: Phase) -> None:
        """Add a phase's rows and failures to what was found."""
        try:
            self._read_phase(name, phase)
        except Exception as error:
            key = MaskKey(self.patient.patient, self.study.cohort.exam, name, LESION, reader="", reading=0)
            self.found.failures.append(_failure(self.study.id, key, _words(error)))

    def _read_phase(self, name: str, phase: Phase) -> None:
        file = self._file(phase.image, name, Reading())
        image: sitk.Image | None = None
        scan: Row | None = None
        scan_fault = ""
        try:
            scan = self._known(self.known_scans.get(_source(file)), file)
            if scan is None:
                stat = source_stat(file)  # before it is read: what changes meanwhile is read again next time
                image = read_volume(file)
                scan = scan_row(image, source_path(file), stat or "")
        except Exception as error:
            # A library's own error on one file must not cost the other patients their rows.
            scan_fault = f"image {file.name}: {_words(error)}"
            if is_absent(file):
                self.found.missing_images.append(name)
        if scan is not None:
            # The modality is the study file's word, and may change where the file does not.
            declared = {"exam": self.study.cohort.exam, "phase": name, "modality": phase.modality}
            self.found.scans.append(scan | {"patient": self.patient.patient} | declared)
        if image is not None and is_unoriented(image):
            self.found.unoriented.append(file.name)
        for reading in self.patient.readings:
            self._read_mask(name, phase, reading, file, image, scan, scan_fault)

    def _read_mask(
        self,
        name: str,
        phase: Phase,
        reading: Reading,
        image_file: Path,
        image: sitk.Image | None,
        scan: Row | None,
        scan_fault: str,
    ) -> None:
        key = MaskKey(
            self.patient.patient, self.study.cohort.exam, name, LESION, reader=reading.reader, reading=reading.reading
        )
        file = self._file(phase.mask, name, reading)
        if is_absent(file):
            self.found.missing_masks.append(name)
        if scan is None:
            self.found.failures.append(_failure(self.study.id, key, scan_fault))
            return
        try:
            row = self._known(self.known_masks.get((_source(file), phase.label)), file)
            if row is None or row["image_sha256"] != scan["image_sha256"]:
                stat = source_stat(file)
                labels = read_volume(file)
                image = image if image is not None else read_volume(image_file)
                row = mask_row(image, labels, phase.label, self.tolerance)
                row |= {"image_sha256": scan["image_sha256"], "source": source_path(file), "source_stat": stat or ""}
        except Exception as error:
            if isinstance(error, LabelAbsentError):
                self.found.absent_labels.append((name, error.present))
            is_of_image = isinstance(error, ContractError) and error.where == str(image_file)
            named = f"image {image_file.name}" if is_of_image else f"mask {file.name}"
            self.found.failures.append(_failure(self.study.id, key, f"{named}: {_words(error)}"))
            return
        self.found.masks.append(row | key._asdict())
        is_primary = int(reading == self.patient.readings[0])
        self.found.study_masks.append({"study": self.study.id, **key._asdict(), "is_primary": is_primary})

    def _file(self, pattern: str, phase: str, reading: Reading) -> Path:
        return self.folder / filled_pattern(pattern, self.patient.pattern_values(phase, reading))

    @staticmethod
    def _known(row: Row | None, file: Path) -> Row | None:
        """Return a row of the store where its files are as they were."""
        return row if row is not None and row["source_stat"] == source_stat(file) else None


def _source(file: Path) -> str:
    try:
        return source_path(file)
    except (OSError, ValueError):
        return ""  # reading it says why


def _words(error: Exception) -> str:
    return (
        error.message
        if isinstance(error, ContractError)
        else f"reading it stopped: {type(error).__name__}: {without_addresses(str(error))}"
    )


def _failure(study: str, key: MaskKey, reason: str) -> Row:
    return {
        "stage": "ingest",
        "study": study,
        **key._asdict(),
        "feature_set": "",
        "feature": "",
        "reason": "".join(each if each.isprintable() else "?" for each in " ".join(reason.split())),
    }
