"""What the named deviations claim, measured on pyradiomics 3.0.1 itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
import radiomics
import SimpleITK
from radiomics.featureextractor import getFeatureClasses
from radiomics.imageoperations import (
    getBinEdges,
    getLoGImage,
    getWaveletImage,
    normalizeImage,
    resampleImage,
)

from schemas.features.ibsi import FEATURES
from schemas.features.ibsi_deviations import (
    DEVIATIONS,
    DISCRETISATION_DEVIATIONS,
    FEATURE_DEVIATIONS,
    IMAGE_TYPE_DEVIATIONS,
    PREPROCESSING_DEVIATIONS,
    SETTING_DEVIATIONS,
)

radiomics.setVerbosity(60)  # its log would flood the report; what matters here is returned or raised


def wavelet_images(array):
    """Return pyradiomics' wavelet sub-bands of an array, with name and settings."""
    return getWaveletImage(SimpleITK.GetImageFromArray(array), None)


def test_every_deviation_is_described_once_and_every_named_one_exists():
    """Entries name only deviations of the table, and no identifier stands in two groups."""
    groups = [
        FEATURE_DEVIATIONS,
        DISCRETISATION_DEVIATIONS,
        PREPROCESSING_DEVIATIONS,
        IMAGE_TYPE_DEVIATIONS,
        SETTING_DEVIATIONS,
    ]
    entries = [entry for family in FEATURES.values() for entry in family]

    assert {entry.deviation for entry in entries} - {None} == set(FEATURE_DEVIATIONS)
    assert sum(map(len, groups)) == len(DEVIATIONS)
    assert all(entry.ibsi_compliant == (entry.deviation is None) for entry in entries)
    assert all(text.endswith(".") for text in DEVIATIONS.values())


def test_bins_start_at_a_multiple_of_the_width():
    """bin-edges-from-zero: intensities 54 to 166 at width 25 are cut from 50, where IBSI cuts from 54."""
    assert getBinEdges([54, 100, 166], binWidth=25)[0] == 50


@pytest.mark.parametrize("spacing", [1.0, 2.0])
@pytest.mark.parametrize(("sigma", "width"), [(3.0, 6.0), (5.0, 4.0)])
def test_log_response_is_ibsis_times_sigma_over_spacing_squared(spacing, sigma, width):
    """log-scale-normalised: on a Gaussian blob the factor is (sigma / spacing) squared, same sign, within 1.1 %."""
    half = math.ceil(6 * max(sigma, width) / spacing)
    at = spacing * np.arange(-half, half + 1)
    squares = at[:, None, None] ** 2 + at[:, None] ** 2 + at**2
    image = SimpleITK.GetImageFromArray(100 * np.exp(-squares / (2 * width**2)))
    image.SetSpacing([spacing] * 3)
    response, _, _ = next(getLoGImage(image, None, sigma=[sigma]))

    # IBSI-2's kernel, in voxels, cut off at 4 sigma; its response at the blob's centre.
    of_voxels = sigma / spacing
    reach = round(4 * of_voxels)
    near = np.arange(-reach, reach + 1)
    distances = near[:, None, None] ** 2 + near[:, None] ** 2 + near**2
    kernel = -(3 - distances / of_voxels**2) * np.exp(-distances / (2 * of_voxels**2))
    kernel /= of_voxels**2 * (of_voxels * math.sqrt(2 * math.pi)) ** 3
    ibsi = float(np.sum(kernel * 100 * np.exp(-distances * spacing**2 / (2 * width**2))))
    # Analytically: the Laplacian of the blob smoothed once more.
    total = sigma**2 + width**2
    assert ibsi == pytest.approx(100 * (width**2 / total) ** 1.5 * (-3 / total) * spacing**2, rel=1e-3)
    value = response[half, half, half]
    assert value < 0
    assert value == pytest.approx(ibsi * (sigma / spacing) ** 2, rel=0.011)


def test_wavelets_continue_the_image_periodically():
    """wavelet-periodic-boundary: rolling the image around its faces rolls every sub-band with it."""
    array = np.random.default_rng(2).normal(size=(8, 8, 8))
    bands, rolled = (
        [SimpleITK.GetArrayFromImage(band) for band, _, _ in wavelet_images(each)]
        for each in (array, np.roll(array, 3, axis=(0, 1, 2)))
    )

    for band, other in zip(bands, rolled, strict=True):
        np.testing.assert_allclose(np.roll(band, 3, axis=(0, 1, 2)), other, atol=1e-12)


def test_resampled_grid_keeps_the_corner():
    """grid-aligned-at-corner: 31 mm in 16 voxels of 2 mm start at the same corner, half a mm off centre."""
    image = SimpleITK.Image([10, 10, 10], SimpleITK.sitkFloat64)
    mask = SimpleITK.Image([10, 10, 10], SimpleITK.sitkUInt8) + 1
    for each in (image, mask):
        each.SetSpacing([3, 3, 3.1])
    resampled, _ = resampleImage(image, mask, resampledPixelSpacing=[2, 2, 2], interpolator=SimpleITK.sitkLinear)

    def corner_and_centre(grid):
        size = grid.GetSize()
        return (
            np.array(grid.TransformContinuousIndexToPhysicalPoint([-0.5] * 3)),
            np.array(grid.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in size])),
        )

    (corner, centre), (new_corner, new_centre) = corner_and_centre(image), corner_and_centre(resampled)
    np.testing.assert_allclose(new_corner, corner)
    assert abs(new_centre[2] - centre[2]) == pytest.approx(0.5)


def test_voxel_array_shift_enters_the_energy():
    """voxel-array-shift: the constant is added to each intensity before squaring, and to nothing else."""
    image = SimpleITK.GetImageFromArray(np.arange(27.0).reshape(3, 3, 3))
    mask = SimpleITK.Image([3, 3, 3], SimpleITK.sitkUInt8) + 1
    values = getFeatureClasses()["firstorder"](image, mask, binWidth=1, voxelArrayShift=10).execute()

    energy = sum((intensity + 10) ** 2 for intensity in range(27))
    assert float(values["Energy"]) == energy
    assert float(values["TotalEnergy"]) == energy
    assert float(values["RootMeanSquared"]) == pytest.approx(math.sqrt(energy / 27))
    assert float(values["Mean"]) == 13


def test_odd_axes_are_wrapped_by_one_voxel():
    """wavelet-periodic-boundary: an odd image is decomposed as if its first face followed its last."""
    array = np.random.default_rng(4).normal(size=(7, 7, 7))
    wrapped = np.pad(array, (0, 1), mode="wrap")
    bands, longer = (
        [SimpleITK.GetArrayFromImage(band) for band, _, _ in wavelet_images(each)] for each in (array, wrapped)
    )

    for band, other in zip(bands, longer, strict=True):
        np.testing.assert_allclose(band, other[:7, :7, :7], atol=1e-12)


def test_normalisation_uses_the_whole_image():
    """whole-image-normalisation: mean 0 and deviation of the scale hold over all voxels, no mask enters."""
    image = SimpleITK.GetImageFromArray(np.random.default_rng(5).normal(50, 7, (9, 9, 9)))
    array = SimpleITK.GetArrayFromImage(normalizeImage(image, normalizeScale=100))

    assert array.mean() == pytest.approx(0, abs=1e-9)
    assert array.std(ddof=1) == pytest.approx(100)


def test_kurtosis_of_one_intensity_is_zero():
    """kurtosis-not-excess: a flat region is the exception, its kurtosis is 0 here as in IBSI."""
    flat = SimpleITK.Image([4, 4, 4], SimpleITK.sitkFloat64) + 7
    firstorder = getFeatureClasses()["firstorder"](
        flat, SimpleITK.Image([4, 4, 4], SimpleITK.sitkUInt8) + 1, binWidth=1
    )

    assert float(firstorder.execute()["Kurtosis"]) == 0
