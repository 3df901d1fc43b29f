"""What comes before the engines: both read one image, each option has the values of its steps carried out by hand."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from flows.extract.prepared import prepared_scan
from flows.extract.radiomics import extract
from flows.imaging.intensities.bias_field import corrected_image
from flows.imaging.intensities.body import body_mask
from schemas.errors import ContractError
from schemas.features.preparation import BiasFieldSettings
from schemas.features.radiomics_settings import RadiomicsSettings

WRITTEN = {
    "phase": "AP",
    "percentiles": (1, 25, 50, 75, 99),
    "values": (0, 30, 48, 61, 100),
    "study": "teachers",
    "split": "fixed",
    "split_sha256": "0" * 64,
    "patients": 9,
}
BIAS = {"shrink_factor": 2, "iterations": (10,)}
GRID = {"resampled_spacing_mm": (1.0, 1.0, 1.0), "interpolator": "linear"}
SCORED = {"normalize": True, "normalize_scale": 100.0, "bin_width": 10.0}
OPTIONS = {
    "bias field": {"bias_field": BIAS, "bin_count": 16},
    "bias field, whole image": SCORED | GRID | {"bias_field": BIAS},
    "body": SCORED | {"normalize_region": "body", "remove_outliers": 2.0},
    "body, resampled first": SCORED | GRID | {"normalize_region": "body", "resample_first": True},
    "landmarks": GRID | {"standardize": True, "bin_width": 4.0},
    "landmarks, all of it": GRID
    | {"standardize": True, "bin_width": 4.0, "normalize_region": "body", "bias_field": BIAS, "resample_first": True},
}


def settings_of(**written):
    """Return settings, with landmarks that fit where they standardize."""
    written = {"families": ("shape", "firstorder", "glcm"), "log_sigma_mm": (2.0,), "pad_distance_voxels": 8} | written
    plain = RadiomicsSettings.model_validate(written)
    if not plain.standardize:
        return plain
    landmarks = (WRITTEN | {"prepared_sha256": plain.prepared_sha256},)
    return RadiomicsSettings.model_validate(plain.model_dump() | {"landmarks": landmarks})


@pytest.fixture(scope="module", params=[np.int16, np.float32])
def scan(request):
    """Return a body with a lesion, under a slow change of brightness, in air; and the lesion's mask."""
    shape = (12, 30, 36)
    z, y, x = np.indices(shape)
    body = ((y - 15) / 12) ** 2 + ((x - 18) / 15) ** 2 < 1
    lesion = ((z - 6) / 3) ** 2 + ((y - 14) / 5) ** 2 + ((x - 20) / 5) ** 2 < 1
    random = np.random.default_rng(8)
    bright = (300 + 120 * lesion + random.normal(0, 25, shape)) * np.exp(0.02 * (x - 18))
    array = np.where(body, bright, np.abs(random.normal(0, 6, shape))).round(0 if request.param is np.int16 else 2)
    image = sitk.GetImageFromArray(array.astype(request.param))
    mask = sitk.GetImageFromArray(lesion.astype(np.uint8))
    for each in (image, mask):
        each.SetSpacing((1.2, 1.2, 2.4))  # no new centre half-way between two old ones
        each.SetOrigin((-11.0, 30.0, 5.0))
    return image, mask


@pytest.mark.parametrize("written", OPTIONS.values(), ids=OPTIONS)
def test_both_engines_give_the_same_values(scan, written):
    """Whatever comes before, they read the same bits, and each value agrees to nine digits."""
    settings = settings_of(**written)
    fast, reference = (prepared_scan(scan[0], settings, "AP", engine) for engine in ("fast", "pyradiomics"))
    assert np.array_equal(sitk.GetArrayFromImage(fast.image), sitk.GetArrayFromImage(reference.image))
    found, expected = (extract(*scan, settings, phase="AP", engine=each) for each in ("fast", "pyradiomics"))
    assert not found.unavailable
    assert list(found.values) == list(expected.values)
    np.testing.assert_allclose([*found.values.values()], [*expected.values.values()], rtol=1e-9, atol=1e-12)
    assert found.grey_levels == expected.grey_levels


@pytest.mark.parametrize("written", OPTIONS.values(), ids=OPTIONS)
def test_shared_work_and_threads_change_no_bit(scan, written):
    """Several masks share one prepared scan; one thread or two, the values are the same bits."""
    settings = settings_of(**written)
    former = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    try:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(2)
        shared = extract(*scan, settings, prepared=prepared_scan(scan[0], settings, "AP"))
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
        assert extract(*scan, settings, phase="AP") == shared
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(former)


def test_the_body_is_normalised_after_its_bias_field_is_gone(scan):
    """The order is bias field, then scale, and the body is that of the corrected image."""
    image, _ = scan
    settings = settings_of(**SCORED, normalize_region="body", bias_field=BIAS)
    found = sitk.GetArrayFromImage(prepared_scan(image, settings).image)
    corrected = corrected_image(image, BiasFieldSettings.model_validate(BIAS))
    array, body = sitk.GetArrayFromImage(corrected), body_mask(corrected)
    np.testing.assert_allclose(
        found, 100 * (array - array[body].mean()) / array[body].std(ddof=1), rtol=1e-12, atol=1e-9
    )


def test_resampling_first_is_resampling_and_normalising_by_hand(scan):
    """SimpleITK resamples all of the scan, numpy normalises it, and the features of that need neither again.

    pyradiomics has the other order alone. Its grid is the same, so that the lesion's voxels are; a linear
    interpolation goes along with any factor and constant, so that only these two differ between the orders.
    """
    image, mask = scan
    settings = settings_of(**SCORED, **GRID, resample_first=True, log_sigma_mm=())
    grid = sitk.Image(43, 36, 29, sitk.sitkUInt8)
    grid.SetSpacing((1.0, 1.0, 1.0))
    corner = image.TransformContinuousIndexToPhysicalPoint((-0.5, -0.5, -0.5))
    grid.SetOrigin([each + 0.5 for each in corner])
    whole = sitk.Resample(sitk.Cast(image, sitk.sitkFloat64), grid, sitk.Transform(), sitk.sitkLinear)
    array = sitk.GetArrayFromImage(whole)
    by_hand = sitk.GetImageFromArray(100 * (array - array.mean()) / array.std(ddof=1))
    by_hand.CopyInformation(whole)
    lesion = sitk.Resample(mask, grid, sitk.Transform(), sitk.sitkNearestNeighbor)
    plain = settings_of(bin_width=10.0, log_sigma_mm=())
    expected = extract(by_hand, lesion, plain).values
    found = extract(image, mask, settings).values
    assert found == pytest.approx(expected, rel=1e-6)
    native = extract(image, mask, settings.model_copy(update={"resample_first": False})).values
    mean = "original_firstorder_Mean"
    assert abs(native[mean] - found[mean]) > 0.01 * abs(found[mean])


def test_a_phase_without_landmarks_is_refused(scan):
    """No other phase's scale is taken for it."""
    with pytest.raises(ContractError, match="no landmarks of phase 'DP'"):
        prepared_scan(scan[0], settings_of(**OPTIONS["landmarks"]), "DP")


def test_shuffled_voxels_come_after_what_is_learnt_of_the_scan(scan):
    """A control's scale is that of the scan as it is: first-order values stay, in every order."""
    settings = settings_of(**SCORED, normalize_region="body", bias_field=BIAS, log_sigma_mm=())
    shuffled = settings.model_copy(update={"shuffled_voxels": True})
    plain, control = (extract(*scan, each).values for each in (settings, shuffled))
    assert control["original_firstorder_Mean"] == pytest.approx(plain["original_firstorder_Mean"])
    assert control["original_glcm_Correlation"] != pytest.approx(plain["original_glcm_Correlation"], abs=1e-3)
