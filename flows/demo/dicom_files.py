"""The demonstration's patients as DICOM: a series a phase, and of each reading a segmentation and a structure set."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from flows.demo.lesions import lesion_traits, patient_seed
from flows.demo.phantom.liver import lesion_mask, phantom_phases
from flows.dicom_out.identity import Owner, uid_of
from flows.dicom_out.image_series import references_to, series_of
from flows.dicom_out.segmentation import segmentation_of
from flows.dicom_out.structure_set import structure_set_of
from flows.imaging.grids import grid_of
from schemas.plain_keys import MaskKey

__all__ = ["round_geometry", "write_dicom_patient"]


def write_dicom_patient(
    folder: Path, scale: float, row: Mapping[str, Any], readings: tuple[tuple[str, int], ...]
) -> None:
    """Write a patient's three phases and the masks of some readings.

    Files go to ``images/PATIENT/PHASE``, ``masks/PATIENT/PHASE_READER_READING.dcm`` (segmentations) and
    ``structures/PATIENT/PHASE_READER_READING.dcm`` (structure sets). The same patient has the same UIDs each time.

    Parameters
    ----------
    folder : Path
        The study's.
    scale : float
        As `phantom_phases` takes it.
    row : mapping of str to value
        The patient's row of the cohort.
    readings : tuple of (str, int)
        Reader and reading of each mask.
    """
    patient, traits, seed = row["patient"], lesion_traits(row), patient_seed(row["patient"])
    # One examination in which the patient lay on the same table: one study, one frame of reference.
    study, axes = (uid_of(f"phantom {what}", patient, str(scale)) for what in ("study", "axes"))
    owner = Owner.at(patient, study, axes, f"{row['mri_date']}T00:00:00+00:00")
    for number, (phase, image) in enumerate(
        phantom_phases(traits, row["field_strength_t"], seed, scale).items(), start=1
    ):
        round_geometry(image)
        slices = series_of(image, "MR", owner, phase, number=number)
        _refill(folder / "images" / patient / phase)
        for k, each in enumerate(slices, start=1):
            each.save_as(folder / "images" / patient / phase / f"{k:03}.dcm", enforce_file_format=True)
        references = references_to(slices, owner)
        for reader, reading in readings:
            mask = lesion_mask(traits, seed, phase, int(reader), reading, scale)
            lesion = sitk.GetArrayViewFromImage(mask) > 0
            key = MaskKey(patient, "baseline", phase, "1", reader, reading)
            name = f"{phase}_{reader}_{reading}.dcm"
            for kind, found in (
                ("masks", segmentation_of(lesion, references, key)),
                ("structures", structure_set_of(lesion, grid_of(image), references, key)),
            ):
                (folder / kind / patient).mkdir(parents=True, exist_ok=True)
                found.save_as(folder / kind / patient / name, enforce_file_format=True)


def round_geometry(image: sitk.Image) -> None:
    """Let an image lie where its NIfTI file does, which holds spacing and origin in single precision.

    A voxel of 1.2 mm is 1.2000000477 mm there. The difference moves features of resampled images by some millionths.
    """
    image.SetSpacing([float(np.float32(each)) for each in image.GetSpacing()])
    image.SetOrigin([float(np.float32(each)) for each in image.GetOrigin()])


def _refill(folder: Path) -> None:
    """Make a folder that holds no slice of a larger phantom."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in folder.glob("*.dcm"):
        file.unlink()
