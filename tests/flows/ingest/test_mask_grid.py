"""``mask_grid``: masks of another grid are refused, or resampled where the study says so, alike at every reading."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from builders.study import SmallStudy

from flows.look.run import look

AP_MASK = 'mask = "masks/{patient}_AP.nii.gz"\n'


def cut_out(study: SmallStudy, patient: str) -> None:
    """Store the mask for the lesion's box alone."""
    study.write_mask(patient, mask=study.mask(patient)[2:10, 2:9, 1:7])


@pytest.fixture
def cut_study(small_study):
    """Return a study of two patients, one with a mask of another grid, which may be resampled."""
    small_study.keep("P1", "P2")
    cut_out(small_study, "P2")
    small_study.edit(AP_MASK, f'{AP_MASK}mask_grid = "resample"\n')
    return small_study


def test_without_the_key_the_mask_is_refused_with_what_differs(small_study):
    """The reason names the sizes and the key; the other masks are ingested."""
    cut_out(small_study, "P2")
    report = small_study.ingest()
    (failure,) = report.failures
    assert "size (8, 7, 6) against the image's (12, 10, 8)" in failure["reason"]
    assert 'mask_grid = "resample" under [phases.NAME]' in failure["reason"]
    assert report.masks == 7


def test_a_resampled_mask_is_the_mask_on_the_images_grid(cut_study, tmp_path):
    """Hash, volume and measures are those of the same lesion drawn on the image's grid, in another store."""
    assert not cut_study.ingest().failures
    twin = SmallStudy.below(tmp_path / "twin")
    twin.keep("P1", "P2")
    twin.ingest()
    question = "select patient, phase, mask_sha256, lesion_voxels, volume_mm3 from masks order by all"
    assert cut_study.sql(question) == twin.sql(question)
    assert cut_study.sql("from quality order by all") == twin.sql("from quality order by all")
    (row,) = cut_study.sql("select source from masks where patient = 'P2' and phase = 'AP'")
    assert row["source"] == f"resampled:{cut_study.mask_file('P2')}"


def test_every_reading_resamples_alike(cut_study):
    """A second ingest changes nothing, a refresh finds the mask it was told of, and look shows it."""
    cut_study.ingest()
    assert cut_study.ingest(read_again=True).commit_id is None
    assert [each.failure for each in cut_study.stage_every_set()] == [None] * 4
    assert not look(cut_study.store, "small").failures


def test_the_key_is_part_of_what_is_read(cut_study):
    """Taken back, the mask is refused again though its file is as it was; given again, it is back."""
    cut_study.ingest()
    cut_study.edit('mask_grid = "resample"\n', "")
    assert [row["patient"] for row in cut_study.ingest(allow_removals=True).failures] == ["P2"]
    cut_study.edit(AP_MASK, f'{AP_MASK}mask_grid = "resample"\n')
    assert not cut_study.ingest().failures


def test_several_lesions_of_a_mask_are_resampled_together(cut_study, tmp_path):
    """Each label is the lesion that it is on the image's grid, with its own measures, and is found again."""
    lesions = '[lesions]\neach = "label"\nuse = "largest"\n\n[cohort]'
    twin = SmallStudy.below(tmp_path / "twin")
    twin.keep("P1", "P2")
    for study, cut in ((cut_study, True), (twin, False)):
        study.edit("[cohort]", lesions)
        for phase in study.phases:
            mask = study.mask("P2", phase)
            mask[6:9, 3:8, 2:6] = 2
            study.write_mask("P2", phase, mask=mask[2:10, 2:9, 1:7] if cut and phase == "AP" else mask)
        assert not study.ingest().failures
    question = "select patient, phase, lesion, mask_sha256 from masks order by all"
    assert cut_study.sql(question) == twin.sql(question)
    assert cut_study.sql("from quality order by all") == twin.sql("from quality order by all")
    of_two = cut_study.sql("select lesion_voxels, slices from quality where lesion = '2'")
    assert of_two == [{"lesion_voxels": 60, "slices": 4}] * 2
    assert cut_study.ingest(read_again=True).commit_id is None
    assert {each.failure for each in cut_study.stage_every_set()} <= {None}


def test_a_lesion_that_is_lost_is_a_failure(cut_study):
    """What lies outside of the image, or changes its volume, costs its row with the numbers."""
    far = sitk.Image(cut_study.mask("P1"))
    far.SetOrigin((0.0, 4.0, 10.0))
    cut_study.write_mask("P1", mask=far)
    coarse = sitk.GetImageFromArray(np.ones((1, 1, 1), np.uint8))
    coarse.SetSpacing((5.0, 5.0, 5.0))
    coarse.SetOrigin((0.0, 8.0, 14.0))
    cut_study.write_mask("P2", mask=coarse)
    reasons = {row["patient"]: row["reason"] for row in cut_study.ingest().failures}
    assert "60 of the lesion's 120 voxels lie outside of the image" in reasons["P1"]
    assert "its volume is 150 mm3 and was 125" in reasons["P2"]
