"""Intensity scales: z-scores against numpy, landmarks against a worked example and two published implementations."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from flows.extract.normalisation import normalised_image
from flows.extract.scales import (
    LandmarkScale,
    image_percentiles,
    landmark_scale,
    measured_scan,
    rescaled_image,
    standard_values,
    z_score,
)
from flows.imaging.intensities.body import body_image, body_mask
from flows.refresh.landmarks import PERCENTILES
from schemas.errors import ContractError
from schemas.features.preparation import PhaseLandmarks
from schemas.features.radiomics_settings import RadiomicsSettings


def body_in_air(kind=np.int16, shape=(5, 30, 40)):
    """Return an image whose body, an ellipse, is half of it, and the body's place."""
    _, y, x = np.indices(shape)
    body = ((y - 15) / 12) ** 2 + ((x - 20) / 16) ** 2 < 1
    random = np.random.default_rng(3)
    array = np.where(body, random.normal(400, 30, shape), np.abs(random.normal(0, 4, shape)))
    image = sitk.GetImageFromArray(array.round(0 if np.issubdtype(kind, np.integer) else 3).astype(kind))
    image.SetSpacing((1.5, 1.5, 4.0))
    return image, body


@pytest.mark.parametrize("kind", [np.int16, np.float32])
@pytest.mark.parametrize("outliers", [None, 1.5])
def test_a_z_score_of_the_body_is_numpys(kind, outliers):
    """Mean and deviation (of n - 1) are those of the body's voxels; the air is scaled with them and does not count."""
    image, body = body_in_air(kind)
    settings = RadiomicsSettings(
        normalize=True, normalize_scale=100.0, normalize_region="body", remove_outliers=outliers
    )
    found = sitk.GetArrayFromImage(rescaled_image(image, z_score(image, settings, body_image(image))))
    array = sitk.GetArrayFromImage(image).astype(float)
    expected = (array - array[body].mean()) / array[body].std(ddof=1)
    if outliers is not None:
        expected = expected.clip(-outliers, outliers)
    np.testing.assert_allclose(found, 100 * expected, rtol=1e-12, atol=1e-9)
    if outliers is None:
        assert found[body].mean() == pytest.approx(0, abs=1e-9)
        assert found[body].std(ddof=1) == pytest.approx(100)


@pytest.mark.parametrize("kind", [np.int16, np.float32, np.float64])
def test_a_z_score_of_all_voxels_has_the_bits_of_the_whole_images(kind):
    """Measured by voxels or by ITK's own filter, the whole image's scale is one."""
    image, _ = body_in_air(kind)
    settings = RadiomicsSettings(normalize=True, normalize_scale=100.0, remove_outliers=2.0)
    found = rescaled_image(image, z_score(image, settings))
    expected = normalised_image(image, settings)
    assert np.array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(expected))


def test_a_region_of_one_intensity_cannot_be_normalised():
    """A deviation of 0 divides nothing."""
    image = sitk.GetImageFromArray(np.full((3, 4, 5), 9, np.int16))
    with pytest.raises(ContractError, match="one intensity, 9"):
        z_score(image, RadiomicsSettings(normalize=True))


def test_landmarks_of_a_worked_example():
    """Two images with percentiles 0, 10, 40 and 0, 60, 80: in the middle the mean of 25 and 75, which is 50.

    A third image's 5, 20, 25 come to lie at 0, 50, 100: the straight lines are 10/3 and 10 steep, and go on.
    """
    values = standard_values(np.array([[0.0, 10.0, 40.0], [0.0, 60.0, 80.0]]))
    assert values.tolist() == [0.0, 50.0, 100.0]
    scale = LandmarkScale(np.array([5.0, 20.0, 25.0]), values)
    found = scale(np.array([[5, 20, 25], [11, 23, 0], [30, 20, 2]]))
    np.testing.assert_allclose(found, [[0, 50, 100], [20, 80, -50 / 3], [150, 50, -10]], rtol=1e-14)


def written_out(k, power):
    """Return an image that needs no generator of random numbers."""
    i = np.arange(1, 344)
    return ((((i * i * 37 + 11 * k * i) % 1009 + 1).astype(float)) ** power).reshape(7, 7, 7)


def test_landmarks_are_those_of_published_implementations():
    """Learnt from three images, applied to a fourth: intensity-normalization 3.0.1 and torchio 1.2.1 gave these.

    Its class NyulNormalizer with an output of 0 to 100, and HistogramStandardization, whose landmarks at the quartiles
    are not used in applying them; the two agree in all digits but those that torchio's single precision loses.
    """
    teachers = [written_out(1, 1.0), written_out(2, 1.3), written_out(3, 0.8)]
    measured = [image_percentiles(sitk.GetImageFromArray(each), PERCENTILES) for each in teachers]
    values = standard_values(np.array(measured))
    published = [
        *(0.0, 6.872342206, 17.374721024, 28.447650282, 38.539933206, 48.856413622),
        *(59.054843019, 68.993741899, 79.668647695, 89.973404634, 100.0),
    ]
    np.testing.assert_allclose(values, published, atol=1e-9)
    new = sitk.GetImageFromArray(written_out(4, 1.6))
    scale = LandmarkScale(image_percentiles(new, PERCENTILES), values)
    found = sitk.GetArrayFromImage(rescaled_image(new, scale))
    places = {(0, 0, 0): 4.206137078, (0, 0, 1): 21.564425794, (3, 3, 3): 34.260538901, (6, 6, 6): 10.735955007}
    beyond = {(2, 4, 4): -0.553090433, (4, 4, 4): 101.020097038}
    for place, value in (places | beyond).items():
        assert found[place] == pytest.approx(value, abs=1e-9)


@given(slope=st.floats(0.05, 40), shift=st.floats(-300, 3000), seed=st.integers(0, 50))
def test_a_scanners_gain_and_offset_go(slope, shift, seed):
    """An image and the same image times a factor plus a constant come to lie on each other: what the method is for."""
    random = np.random.default_rng(seed)
    array = random.gamma(2.0, 40.0, (4, 5, 6))
    values = np.array([0.0, 20.0, 55.0, 100.0])
    percentiles = (1.0, 30.0, 70.0, 99.0)
    one, other = (
        LandmarkScale(image_percentiles(sitk.GetImageFromArray(each), percentiles), values)(each)
        for each in (array, slope * array + shift)
    )
    np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)
    assert np.array_equal(np.argsort(one, axis=None), np.argsort(array, axis=None))


def test_the_bodys_percentiles_are_numpys():
    """With region body the air counts no more than in the z-score."""
    image, body = body_in_air()
    assert np.array_equal(body_mask(image), body)
    landmarks = PhaseLandmarks(
        phase="AP",
        percentiles=(1, 50, 99),
        values=(0, 50, 100),
        study="s",
        split="fixed",
        split_sha256="0" * 64,
        patients=1,
        prepared_sha256="0" * 64,
    )
    scale = landmark_scale(image, landmarks, body_image(image))
    np.testing.assert_allclose(scale.found, np.percentile(sitk.GetArrayFromImage(image)[body], (1, 50, 99)))


def test_an_image_of_mostly_one_intensity_has_no_standard_scale():
    """Between two percentiles of one intensity no line can be drawn: the image fails, with what to do."""
    array = np.zeros((4, 10, 10), np.int16)
    array[:, :3] = np.arange(30).reshape(3, 10) + 1
    with pytest.raises(ContractError, match=r'percentiles 1 and 10 of the image are one intensity, 0: .*"body"'):
        image_percentiles(sitk.GetImageFromArray(array), PERCENTILES)


def test_the_scan_that_is_resampled_first_is_simpleitks():
    """The whole scan on the asked-for spacing, corner on corner with the scan, by the asked-for interpolator."""
    image, _ = body_in_air()
    image.SetOrigin((-20.0, 7.0, 3.0))
    settings = RadiomicsSettings(
        normalize=True, resampled_spacing_mm=(1.0, 2.0, 0.0), interpolator="linear", resample_first=True
    )
    found = measured_scan(image, settings)
    assert found.GetSpacing() == (1.0, 2.0, 4.0)
    # 60 mm in 40 voxels along x, 45 mm in 30 along y: a 23rd voxel of 2 mm has its centre on the scan's edge.
    assert found.GetSize() == (60, 23, 5)
    assert found.TransformContinuousIndexToPhysicalPoint((-0.5, -0.5, -0.5)) == pytest.approx(
        image.TransformContinuousIndexToPhysicalPoint((-0.5, -0.5, -0.5))
    )
    expected = sitk.Resample(sitk.Cast(image, sitk.sitkFloat64), found, sitk.Transform(), sitk.sitkLinear)
    assert np.array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(expected))
    assert measured_scan(image, settings.model_copy(update={"resample_first": False})) is image


def test_a_whole_scan_on_too_fine_a_grid_is_refused(monkeypatch):
    """Before there is one, as a crop is."""
    image, _ = body_in_air()
    monkeypatch.setenv("RADZOO_IMAGE_BYTES", "100000")
    settings = RadiomicsSettings(normalize=True, resampled_spacing_mm=(0.1, 0.1, 0.1), resample_first=True)
    with pytest.raises(ContractError, match="the whole scan, by which resample_first measures its scale, needs 600 x"):
        measured_scan(image, settings)
