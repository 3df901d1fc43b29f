"""The fast engine's filtered images: those of pyradiomics and ITK, to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
import pywt
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from flows.extract.fast.wavelets import wavelet_bands
from flows.extract.filters import filtered_images
from flows.extract.prepared import prepared_scan
from flows.extract.region import working_region
from schemas.errors import ContractError
from schemas.features.radiomics_settings import RadiomicsSettings


def image_of(array, spacing_mm):
    """Return an image of these voxels, spacing along z, y, x."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing_mm[::-1])
    return image


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_bands_of_every_wavelet_are_those_of_pywavelets(axis):
    """Same bits along each axis, of lines shorter than the filter, as long and longer, within a box and everywhere."""
    everywhere = (slice(None),) * 3
    random = np.random.default_rng(axis)
    for name in pywt.wavelist(kind="discrete"):
        taps = pywt.Wavelet(name).dec_len
        for length in {2, taps + taps % 2, taps + 14 + taps % 2}:
            shape = [3, 35, 4]
            shape[axis] = length
            image = random.normal(size=shape)
            (expected,) = pywt.swtn(image, name, level=1, axes=(axis,))
            found = wavelet_bands(image, name, (axis,), everywhere)
            within = wavelet_bands(image, name, (axis,), (slice(1, 3),) * 3)
            for letter, band in expected.items():
                np.testing.assert_array_equal(found[letter], band, err_msg=name)
                np.testing.assert_array_equal(within[letter], band[1:3, 1:3, 1:3], err_msg=name)


@pytest.mark.parametrize("dtype", [np.int16, np.float32, np.float64])
@pytest.mark.parametrize(
    "settings",
    [
        RadiomicsSettings(wavelet="coif1", log_sigma_mm=(1.0, 3.0, 40.0)),
        RadiomicsSettings(wavelet="haar", wavelet_levels=2, wavelet_start_level=1),
        RadiomicsSettings(wavelet="bior1.3", force_2d=True, force_2d_dimension=1, log_sigma_mm=(2.0,)),
    ],
)
def test_every_image_is_the_one_of_pyradiomics(settings, dtype):
    """Names, order and voxels are the same, of even and odd lengths; a filter too wide for the region gives none."""
    random = np.random.default_rng(7)
    array = (random.normal(size=(9, 12, 15)) * 300).astype(dtype)
    inside = np.zeros(array.shape, dtype=np.uint8)
    inside[2:7, 3:10, 4:9] = random.random((5, 7, 5)) < 0.7
    parameters = settings.pyradiomics_parameters()
    spacing_mm = (2.0, 0.9, 0.9)
    region = working_region(image_of(array, spacing_mm), image_of(inside, spacing_mm), parameters["setting"])
    expected, found = (list(filtered_images(region, parameters, engine)) for engine in ("pyradiomics", "fast"))
    assert [name for name, _ in found] == [name for name, _ in expected]
    assert len(found) > 5
    for (name, image), (_, of_reference) in zip(found, expected, strict=True):
        assert image.dtype == of_reference.dtype, name
        np.testing.assert_array_equal(image, of_reference, err_msg=name)


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int32, np.float32, np.uint8])
@pytest.mark.parametrize(("largest", "outliers"), [(200, None), (100, 1.5), (0, None), (2**31 - 1, None)])
def test_a_normalised_scan_is_the_one_of_pyradiomics(dtype, largest, outliers):
    """To the last bit: of integers, of fractions, of integers whose squares add up to too much, of a constant."""
    random = np.random.default_rng(5)
    top = min(largest, np.iinfo(dtype).max) if np.issubdtype(dtype, np.integer) else largest
    image = image_of((random.random((7, 30, 31)) * top + 3).clip(None, top).astype(dtype), (3.0, 1.0, 1.0))
    settings = RadiomicsSettings(normalize=True, normalize_scale=100.0, remove_outliers=outliers)
    expected, found = (prepared_scan(image, settings, engine=engine).image for engine in ("pyradiomics", "fast"))
    assert found.GetPixelID() == expected.GetPixelID()
    assert found.GetSpacing() == expected.GetSpacing()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(found), sitk.GetArrayFromImage(expected))


@given(inside=arrays(np.uint8, st.tuples(*[st.integers(1, 5)] * 3), elements=st.integers(0, 1)))
def test_masks_are_refused_in_the_words_of_pyradiomics(inside):
    """The box of a mask is its extent; a single voxel, or too few dimensions, is what pyradiomics says it is."""
    setting = RadiomicsSettings(minimum_roi_dimensions=2, minimum_roi_size=4).pyradiomics_parameters()["setting"]
    image = image_of(np.arange(inside.size, dtype=np.float64).reshape(inside.shape), (1.0, 1.0, 1.0))
    places = np.argwhere(inside)
    extent = np.ptp(places, axis=0) + 1 if len(places) else np.zeros(3)
    mask = image_of(inside, (1.0, 1.0, 1.0))
    if (extent > 1).sum() < 2 or len(places) <= 4:
        with pytest.raises(ContractError, match=r"not present|1 segmented voxel|few dimensions|too small"):
            working_region(image, mask, setting)
        return
    region = working_region(image, mask, setting)
    assert [(each.start, each.stop) for each in region.box] == [
        (low, high + 1) for low, high in zip(places.min(0), places.max(0), strict=True)
    ]
