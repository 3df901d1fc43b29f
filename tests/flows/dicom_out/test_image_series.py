"""A volume that was no DICOM as a series: the same voxels at the same places, or a refusal."""

import numpy as np
import pytest
import SimpleITK as sitk
from builders.dicom.written import TURNED

from flows.dicom_out.identity import Owner, uid_of
from flows.dicom_out.image_series import series_of
from flows.imaging.dicom.volumes import read_series
from schemas.errors import ContractError
from schemas.study.dicom_parts import SeriesRule

OWNER = Owner.at("P1", uid_of("study"), uid_of("axes"), "2026-01-02T03:04:05+00:00")


def volume(direction=TURNED, kind=np.int16, highest=1000):
    """Return a volume of whole numbers up to a highest one."""
    voxels = np.random.default_rng(3).integers(0, highest, (4, 5, 6)).astype(kind)
    voxels[0, 0, 0] = highest
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing((0.7, 1.2, 2.5))
    image.SetOrigin((-10.123456789, 20.5, 31.25))
    image.SetDirection(tuple(np.ravel(direction)))
    return image


@pytest.mark.parametrize("modality", ["MR", "CT"])
@pytest.mark.parametrize("direction", [np.eye(3), TURNED, np.diag([1.0, 1.0, -1.0])])
@pytest.mark.parametrize(("kind", "highest"), [(np.int16, 32767), (np.uint16, 65535), (np.float64, 1000)])
def test_a_written_series_is_the_volume(tmp_path, modality, direction, kind, highest):
    """Each voxel lies where it lay; of a left-handed grid the slices are read in the other order."""
    image = volume(direction, kind, highest)
    for k, each in enumerate(series_of(image, modality, OWNER, "AP")):
        each.save_as(tmp_path / f"{k}.dcm", enforce_file_format=True)
    read = read_series(tmp_path, SeriesRule(description="AP", modality=modality))
    assert read.GetSize() == image.GetSize()
    for index in np.ndindex(*image.GetSize()):
        at = read.TransformPhysicalPointToIndex(image.TransformIndexToPhysicalPoint(index))
        assert read.GetPixel(at) == image.GetPixel(index)
    assert np.allclose(sorted(read.GetSpacing()), sorted(image.GetSpacing()), rtol=1e-12)


@pytest.mark.parametrize(
    ("image", "modality", "words"),
    [
        (volume(), "PT", "an image of modality PT cannot be written as DICOM without its scanner's header"),
        (volume(), "", "an image of modality unknown cannot be written"),
        (volume(highest=65536, kind=np.int32), "MR", "no whole numbers of 16 bits"),
        (volume(kind=np.float32) + 0.5, "MR", "no whole numbers of 16 bits"),
        (volume(np.array([[1, 0, 0], [0, 1, 0.1], [0, 0, 1]])), "MR", "its axes are not at right angles"),
    ],
    ids=["PET", "unknown", "too large", "fractions", "leaning"],
)
def test_what_dicom_cannot_hold_is_refused(image, modality, words):
    """Nothing is rounded, resampled or made up."""
    with pytest.raises(ContractError, match=words):
        series_of(image, modality, OWNER, "AP")
