"""The scans and masks of a study's patients: found, read, checked and hashed.

A mask that is missing, empty, of another geometry or without its label becomes a failure with its
reason; the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from flows.imaging.volumes import geometry_difference, image_sha256, lesion_mask, mask_sha256, read_volume
from flows.study_tables import CohortPatient
from schemas.cohort import Reading
from schemas.errors import ContractError
from schemas.keys import MaskKey
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


def image_inventory(
    study: Study,
    folder: Path,
    patients: Iterable[CohortPatient],
    *,
    known_scans: Mapping[str, Row],
    known_masks: Mapping[tuple[str, int], Row],
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
    advance : callable
        Called once a patient.
    workers : int
        Threads; reading and hashing leave Python's lock.
    """

    def one(patient: CohortPatient) -> PatientInventory:
        found = _patient_inventory(study, folder, patient, known_scans, known_masks)
        advance()
        return found

    everything = Inventory()
    with ThreadPoolExecutor(workers) as pool:
        for found in pool.map(one, patients):
            everything.add(found)
    return everything


def _patient_inventory(
    study: Study,
    folder: Path,
    patient: CohortPatient,
    known_scans: Mapping[str, Row],
    known_masks: Mapping[tuple[str, int], Row],
) -> PatientInventory:
    found = PatientInventory()
    for name, phase in study.phases.items():
        image_file = _path(folder, phase.image, patient, name, Reading())
        scan = known_scans.get(str(image_file))
        image: sitk.Image | None = None
        scan_fault: str | None = None
        if scan is None or scan["source_stat"] != _stat(image_file):
            try:
                image = read_volume(image_file)
                scan = _scan_row(image, image_file)
            except ContractError as error:
                scan, scan_fault = None, f"image {image_file.name}: {error.message}"
                if not image_file.exists():
                    found.missing_images.append(name)
        if scan is not None:
            # The modality is the study file's word, and may change where the file does not.
            declared = {"exam": study.cohort.exam, "phase": name, "modality": phase.modality}
            found.scans.append(scan | {"patient": patient.patient} | declared)
        for reading in patient.readings:
            key = MaskKey(
                patient.patient,
                study.cohort.exam,
                name,
                LESION,
                reader=reading.reader,
                reading=reading.reading,
            )
            mask_file = _path(folder, phase.mask, patient, name, reading)
            if not mask_file.exists():
                found.missing_masks.append(name)
            try:
                if scan is None:
                    raise ContractError(scan_fault or "image cannot be read")
                row = known_masks.get((str(mask_file), phase.label))
                is_known = row is not None and row["source_stat"] == _stat(mask_file)
                if row is None or not is_known or row["image_sha256"] != scan["image_sha256"]:
                    image = image if image is not None else read_volume(image_file)
                    row = _mask_row(image, scan["image_sha256"], mask_file, phase.label)
            except ContractError as error:
                reason = f"mask {mask_file.name}: {error.message}" if error.where == str(mask_file) else error.message
                found.failures.append(_failure(study.id, key, reason))
                continue
            found.masks.append(row | key._asdict())
            is_primary = int(reading == patient.readings[0])
            found.study_masks.append({"study": study.id, **key._asdict(), "is_primary": is_primary})
    return found


def _scan_row(image: sitk.Image, file: Path) -> Row:
    return {
        "image_sha256": image_sha256(image),
        "voxels": image.GetNumberOfPixels(),
        "spacing_mm": " x ".join(f"{value:.4g}" for value in image.GetSpacing()),
        "source": str(file),
        "source_stat": _stat(file),
    }


def _mask_row(image: sitk.Image, image_hash: str, file: Path, label: int) -> Row:
    labels = read_volume(file)
    if difference := geometry_difference(image, labels):
        raise ContractError(f"other geometry: {difference}", where=str(file))
    try:
        mask = lesion_mask(labels, label)
    except ContractError as error:
        raise ContractError(error.message, where=str(file)) from error
    voxels = int(sitk.GetArrayViewFromImage(mask).sum())
    return {
        "mask_label": label,
        "image_sha256": image_hash,
        "mask_sha256": mask_sha256(mask),
        "lesion_voxels": voxels,
        "volume_mm3": voxels * float(np.prod(mask.GetSpacing())),
        "source": str(file),
        "source_stat": _stat(file),
    }


def _failure(study: str, key: MaskKey, reason: str) -> Row:
    return {
        "stage": "ingest",
        "study": study,
        **key._asdict(),
        "feature_set": "",
        "feature": "",
        "reason": reason,
    }


def _path(folder: Path, pattern: str, patient: CohortPatient, phase: str, reading: Reading) -> Path:
    filled = pattern.format(patient=patient.written, phase=phase, reader=reading.reader, reading=reading.reading)
    return (folder / filled).resolve()


def _stat(file: Path) -> str:
    try:
        stat = file.stat()
    except FileNotFoundError:
        return "missing"
    return f"{stat.st_size}:{stat.st_mtime_ns}"
