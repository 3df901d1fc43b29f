"""N4: a planted bias field goes, and the result is that of SimpleITK called by hand."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from flows.imaging.intensities.bias_field import corrected_image
from flows.imaging.intensities.body import body_mask
from schemas.errors import ContractError
from schemas.features.preparation import BiasFieldSettings

QUICK = BiasFieldSettings(iterations=(30, 20))


@pytest.fixture(scope="module")
def phantom():
    """Return a body of two tissues under a smooth field from 0.5 to 1.8, and the brighter tissue's place."""
    shape = (16, 48, 48)
    z, y, x = np.meshgrid(*(np.linspace(-1, 1, length) for length in shape), indexing="ij")
    body, tissue = (x / 0.85) ** 2 + (y / 0.7) ** 2 < 1, (x - 0.2) ** 2 + (y + 0.1) ** 2 < 0.15
    field = np.exp(0.35 * x + 0.25 * y - 0.2 * z * x)
    random = np.random.default_rng(0)
    array = np.where(tissue, 300, np.where(body, 200, 3)) * field + np.abs(random.normal(0, 3, shape))
    image = sitk.GetImageFromArray(array.round().astype(np.int16))
    image.SetSpacing((4.0, 4.0, 8.0))
    image.SetOrigin((-90.0, -80.0, 12.0))
    return image, tissue


def variation(array, inside):
    """Return the coefficient of variation."""
    return array[inside].std() / array[inside].mean()


def test_a_planted_field_goes(phantom):
    """A tissue of one intensity varied by 9 % under the field, and varies by under 2 % without it."""
    image, tissue = phantom
    before = variation(sitk.GetArrayFromImage(image), tissue)
    corrected = corrected_image(image, BiasFieldSettings())
    assert before > 0.08
    assert variation(sitk.GetArrayFromImage(corrected), tissue) < 0.02
    assert corrected.GetSpacing() == image.GetSpacing()
    assert corrected.GetOrigin() == image.GetOrigin()


def by_hand(image, inside, factors, iterations, threshold):
    """Return what SimpleITK gives: shrink, estimate, evaluate the logarithm on all voxels, divide."""
    mask = sitk.GetImageFromArray(inside.astype(np.uint8))
    mask.CopyInformation(image)
    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        n4 = sitk.N4BiasFieldCorrectionImageFilter()
        n4.SetMaximumNumberOfIterations(iterations)
        n4.SetConvergenceThreshold(threshold)
        single = sitk.Cast(image, sitk.sitkFloat32)
        n4.Execute(sitk.Shrink(single, factors), sitk.Shrink(mask, factors))
        field = sitk.GetArrayFromImage(n4.GetLogBiasFieldAsImage(single)).astype(float)
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    return sitk.GetArrayFromImage(image) / np.exp(field)


@pytest.mark.parametrize("mask", ["body", "image"])
def test_the_result_is_that_of_simpleitk_by_hand(phantom, mask):
    """The steps are those of SimpleITK's own example of N4, on one thread."""
    image, _ = phantom
    settings = BiasFieldSettings(shrink_factor=2, iterations=(30, 20), convergence_threshold=1e-4, mask=mask)
    inside = body_mask(image) if mask == "body" else np.ones((16, 48, 48), bool)
    # A logarithm is of what is above 0.
    inside &= sitk.GetArrayFromImage(image) > 0
    expected = by_hand(image, inside, [2, 2, 2], [30, 20], 1e-4)
    np.testing.assert_allclose(sitk.GetArrayFromImage(corrected_image(image, settings)), expected, rtol=1e-14)


def test_a_short_axis_is_shrunk_less(phantom):
    """An axis of five voxels is not shrunk, one of eight by 2: a spline needs four."""
    image, _ = phantom
    for slices, factor in ((5, 1), (8, 2), (16, 4)):
        thin = image[:, :, :slices]
        found = sitk.GetArrayFromImage(corrected_image(thin, QUICK))
        inside = body_mask(thin) & (sitk.GetArrayFromImage(thin) > 0)
        expected = by_hand(thin, inside, [4, 4, factor], [30, 20], 0.001)
        np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_the_bits_are_the_same_on_one_thread_and_on_two(phantom):
    """ITK by itself gives another field on two threads: it is held to one, and set back."""
    image, _ = phantom
    former = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    found = []
    try:
        for threads in (1, 2):
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
            found.append(sitk.GetArrayFromImage(corrected_image(image, QUICK)))
            assert sitk.ProcessObject.GetGlobalDefaultNumberOfThreads() == threads
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(former)
    assert np.array_equal(*found)


def test_without_settings_the_scan_is_itself(phantom):
    """Nothing is copied or cast where nothing is corrected."""
    assert corrected_image(phantom[0], None) is phantom[0]


def test_intensities_below_zero_are_refused():
    """Hounsfield units, and scans that were normalised before, have no logarithm."""
    image = sitk.GetImageFromArray(np.linspace(-1024, 900, 8 * 9 * 10).reshape(8, 9, 10).astype(np.int16))
    with pytest.raises(ContractError, match=r"too many intensities are below 0 \(the lowest is -1024\)"):
        corrected_image(image, QUICK)


def test_a_few_intensities_below_zero_do_not_count(phantom):
    """What a resampling leaves beside an edge is no part of the estimate, and is divided like all else."""
    image, _ = phantom
    array = sitk.GetArrayFromImage(image)
    array[:, 20, 20] = -5
    ringing = sitk.GetImageFromArray(array)
    ringing.CopyInformation(image)
    inside = body_mask(ringing) & (array > 0)
    expected = by_hand(ringing, inside, [4, 4, 4], [30, 20], 0.001)
    np.testing.assert_allclose(sitk.GetArrayFromImage(corrected_image(ringing, QUICK)), expected, rtol=1e-14)
