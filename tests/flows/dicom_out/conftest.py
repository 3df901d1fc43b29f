"""A study of DICOM images that is ready, and what it is as DICOM."""

import pytest
from builders.dicom.study import DicomStudy

from flows.dicom_out.run import write_dicom


@pytest.fixture(scope="session")
def dicom_study(tmp_path_factory):
    """Give a study of two patients with DICOM images, ingested and refreshed; tests only read it."""
    study = DicomStudy.below(tmp_path_factory.mktemp("dicom"), patients=("P1", "P2"))
    study.keep("P1", "P2")
    study.edit('families = ["shape", "firstorder"]', 'families = ["shape", "firstorder", "glcm"]\nlog_sigma_mm = [3.0]')
    study.ingest()
    study.refresh_without_prefect()
    return study


@pytest.fixture(scope="session")
def written(dicom_study, tmp_path_factory):
    """Give the folder with the study's results as DICOM."""
    folder = tmp_path_factory.mktemp("written") / "results"
    write_dicom(dicom_study.store, folder, None, workers=1)
    return folder
