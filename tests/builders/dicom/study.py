"""A small study whose images are DICOM: a folder a patient with a series a phase, masks as NIfTI on their grids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from builders.dicom.written import TURNED, Place, write_series
from builders.study import SmallStudy
from flows.imaging.dicom.volumes import read_series
from schemas.study.dicom_parts import SeriesRule

PLACE = Place(spacing=(1.0, 1.0, 2.0), direction=TURNED)


class DicomStudy(SmallStudy):
    """The small study with an oblique MR series for each image."""

    def write(self) -> DicomStudy:
        """Write the study, and name DICOM in its file."""
        super().write()
        text = self.file.read_text()
        for phase in self.phases:
            text = text.replace(
                f'image = "images/{{patient}}_{phase}.nii.gz"',
                f'image = "dicom/{{patient}}"\nseries = {{ description = "{phase}" }}',
            )
        self.file.write_text(text)
        return self

    def series_folder(self, patient: str, phase: str) -> Path:
        """Return where a series lies."""
        return self.folder / "dicom" / patient / phase

    def write_image(self, patient: str, phase: str = "AP", **_: Any) -> None:
        """Write a series of whole numbers, of the patient's own noise."""
        voxels = np.rint(sitk.GetArrayFromImage(self.image(patient, phase))).astype(np.int16)
        # All in one examination a patient.
        number = list(self.phases).index(phase) + 1
        study = f"1.2.3.{self.patients.index(patient) + 1}"
        write_series(
            self.series_folder(patient, phase), voxels, PLACE, number=number, StudyInstanceUID=study,
            SeriesDescription=phase, AcquisitionDate="20200102", InstitutionName="SECRET hospital",
        )  # fmt: skip

    def write_mask(self, patient: str, phase: str = "AP", *, mask: sitk.Image | None = None) -> None:
        """Write a patient's mask on the grid of the series."""
        image = read_series(self.series_folder(patient, phase), SeriesRule())
        drawn = sitk.GetImageFromArray(sitk.GetArrayFromImage(mask or self.mask(patient, phase)))
        drawn.CopyInformation(image)
        sitk.WriteImage(drawn, str(self.mask_file(patient, phase)))
