"""Phantoms as DICOM: the same voxels and masks as their NIfTI files, and so the same features."""

import numpy as np
import pytest
import SimpleITK as sitk
from builders.study import SmallStudy
from pydicom import dcmread

from flows.demo.cohort import published_cohort
from flows.demo.dicom_files import write_dicom_patient
from flows.demo.files import study_text
from flows.demo.lesions import lesion_traits, patient_seed
from flows.demo.phantom.liver import PHASES, lesion_mask, phantom_phases
from flows.imaging.dicom.masks import read_dicom_mask
from flows.imaging.dicom.volumes import read_series
from flows.imaging.grids import grid_of
from flows.imaging.patient_axes import frame_of_reference
from schemas.study.dicom_parts import SeriesRule
from schemas.study.text import parsed_study
from store.rows.reader import feature_table

SCALE = 0.3
READINGS = (("1", 1), ("2", 1))

STUDY = """feature_sets = ["textures"]

[study]
id = "phantoms"
title = "Phantoms"

[cohort]
table = "patients.csv"

{phases}
[define.textures.radiomics]
bin_width = 5
normalize = true
normalize_scale = 100
resampled_spacing_mm = [1.0, 1.0, 1.0]
interpolator = "linear"
log_sigma_mm = [3.0]
"""

PHASE = """[phases.{phase}]
image = "{image}"
{series}mask = "{mask}"
modality = "MR"

"""


@pytest.fixture(scope="module")
def cohort():
    """Give the rows of two patients."""
    rows = published_cohort().to_dicts()
    return [rows[0], rows[90]]


@pytest.fixture(scope="module")
def dicom(cohort, tmp_path_factory):
    """Give a folder with the patients as DICOM."""
    folder = tmp_path_factory.mktemp("dicom")
    for row in cohort:
        write_dicom_patient(folder, SCALE, row, READINGS)
    return folder


def drawn(row, phase, reader):
    """Return a patient's image and mask as the phantom draws them."""
    traits, seed = lesion_traits(row), patient_seed(row["patient"])
    image = phantom_phases(traits, row["field_strength_t"], seed, SCALE)[phase]
    return image, lesion_mask(traits, seed, phase, int(reader), 1, SCALE)


def test_series_segmentation_and_structure_set_have_the_phantoms_voxels(cohort, dicom):
    """Of each phase and reader, on one frame of reference."""
    for row in cohort:
        references = set()
        for phase, (reader, _) in zip(PHASES, (*READINGS, READINGS[0]), strict=True):
            image, mask = drawn(row, phase, reader)
            read = read_series(dicom / "images" / row["patient"], SeriesRule(description=phase))
            assert read.GetPixelID() == image.GetPixelID() == sitk.sitkInt16
            assert np.array_equal(sitk.GetArrayViewFromImage(read), sitk.GetArrayViewFromImage(image))
            assert np.allclose(read.GetOrigin(), image.GetOrigin(), rtol=0, atol=1e-5)
            references.add(frame_of_reference(read))
            for kind in ("masks", "structures"):
                found = read_dicom_mask(
                    dicom / kind / row["patient"] / f"{phase}_{reader}_1.dcm", grid_of(read), 1, "Lesion 1",
                    frame_of_reference=frame_of_reference(read),
                )  # fmt: skip
                assert np.array_equal(sitk.GetArrayViewFromImage(found), sitk.GetArrayViewFromImage(mask)), kind
        assert len(references) == 1


def test_a_phantom_has_the_same_uids_each_time(cohort, dicom, tmp_path):
    """Written again, every file is the same, byte by byte."""
    write_dicom_patient(tmp_path, SCALE, cohort[0], READINGS[:1])
    files = list(tmp_path.rglob("*.dcm"))
    assert len(files) > 20
    assert all(file.read_bytes() == (dicom / file.relative_to(tmp_path)).read_bytes() for file in files)
    assert len({dcmread(file, stop_before_pixels=True).SOPInstanceUID for file in files}) == len(files)


def write_study(folder, cohort, **places):
    """Write a study of the patients, given the places of images and masks."""
    phases = "".join(
        PHASE.format(phase=phase, **{k: v.replace("PHASE", phase) for k, v in places.items()}) for phase in PHASES
    )
    (folder / "study.toml").write_text(STUDY.format(phases=phases))
    (folder / "patients.csv").write_text("patient\n" + "".join(f"{row['patient']}\n" for row in cohort))


def features_of(folder, root):
    """Ingest and extract a study, and return its features by patient and phase."""
    study = SmallStudy(folder, root / "store", "phantoms")
    report = study.ingest()
    assert not report.failures
    study.stage_every_set()
    study.refresh()
    table = feature_table(study.snapshot, "textures@1", study="phantoms").to_pylist()
    return {(row["patient"], row["phase"]): list(row.values())[7:] for row in table}


def test_features_through_dicom_are_those_through_nifti(cohort, dicom, tmp_path):
    """By a series rule and a segmentation, against the NIfTI files of the same phantoms."""
    nifti = tmp_path / "nifti"
    nifti.mkdir()
    for row in cohort:
        for phase in PHASES:
            for name, volume in zip(("image", "mask"), drawn(row, phase, "1"), strict=True):
                sitk.WriteImage(volume, str(nifti / f"{row['patient']}_{phase}_{name}.nii.gz"))
    write_study(nifti, cohort, image="{patient}_PHASE_image.nii.gz", mask="{patient}_PHASE_mask.nii.gz", series="")
    expected = features_of(nifti, nifti)
    assert len(expected) == 6
    own = tmp_path / "own"
    own.mkdir()
    for part in ("images", "masks"):
        (own / part).symlink_to(dicom / part)
    write_study(
        own, cohort, image="images/{patient}", mask="masks/{patient}/PHASE_1_1.dcm",
        series='series = { description = "PHASE" }\n',
    )  # fmt: skip
    found = features_of(own, own)
    assert found.keys() == expected.keys()
    for key, values in expected.items():
        assert len(values) == 107 + 93
        assert np.allclose(found[key], values, rtol=1e-6, atol=0), key


def test_the_demonstration_in_dicom_names_files_that_are_there(cohort, dicom):
    """Each pattern of its study file leads to the series and to the mask of its phase."""
    study = parsed_study(study_text(format="dicom"), "study.toml")
    for row in cohort:
        for name, phase in study.phases.items():
            keys = {"patient": row["patient"], "phase": name}
            image = read_series(dicom / phase.image.format(**keys), SeriesRule())
            mask = read_dicom_mask(dicom / phase.mask.format(**keys, reader="2", reading=1), grid_of(image), 1, None)
            assert np.array_equal(
                sitk.GetArrayViewFromImage(mask), sitk.GetArrayViewFromImage(drawn(row, name, "2")[1])
            )
