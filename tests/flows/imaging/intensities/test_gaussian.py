"""Gaussian filters: those of ITK, to the last bit."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from flows.imaging.intensities.gaussian import laplacian_of_gaussian, smoothed

lengths = st.integers(4, 9) | st.sampled_from([31, 32, 33, 65])


def image_of(array, spacing_mm):
    """Return an image of these voxels, spacing along z, y, x."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing_mm[::-1])
    return image


@given(
    shape=st.tuples(lengths, lengths, lengths),
    spacing_mm=st.tuples(*[st.sampled_from([0.7, 1.0, 1.2, 3.0])] * 3),
    sigma_mm=st.sampled_from([0.5, 1.0, 3.0, 5.0]),
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 99),
)
def test_the_laplacian_of_a_gaussian_is_that_of_itk(shape, spacing_mm, sigma_mm, dtype, seed):
    """Every voxel has the same bits, at the ends of lines too, whatever the sizes, spacings and widths."""
    array = (np.random.default_rng(seed).normal(size=shape) * 100).astype(dtype)
    reference = sitk.LaplacianRecursiveGaussianImageFilter()
    reference.SetNormalizeAcrossScale(True)
    reference.SetSigma(sigma_mm)
    expected = sitk.GetArrayFromImage(reference.Execute(image_of(array, spacing_mm)))
    found = laplacian_of_gaussian(array, spacing_mm, sigma_mm)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)


@given(
    shape=st.tuples(lengths, lengths, lengths),
    spacing_mm=st.tuples(*[st.sampled_from([0.7, 1.0, 1.2, 3.0])] * 3),
    sigma_mm=st.tuples(*[st.sampled_from([0.3, 1.0, 3.0])] * 3),
    seed=st.integers(0, 99),
)
def test_a_smoothed_image_is_that_of_itk(shape, spacing_mm, sigma_mm, seed):
    """Every voxel has the same bits, whatever the widths along x, y and z; it lies where the image lay."""
    image = image_of((np.random.default_rng(seed).normal(size=shape) * 100).astype(np.float32), spacing_mm)
    image.SetOrigin((3.0, -7.0, 11.0))
    image.SetDirection((0.0, 1.0, 0.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0))
    expected, found = sitk.SmoothingRecursiveGaussian(image, sigma_mm), smoothed(image, sigma_mm)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(expected))
    assert found.GetPixelID() == expected.GetPixelID()
    for place in ("GetOrigin", "GetSpacing", "GetDirection"):
        assert getattr(found, place)() == getattr(expected, place)()
