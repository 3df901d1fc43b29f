"""What the fast engine leaves out of a scan is read by nobody: the working grid has the bits of the whole scan's."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.extract.nearby import extents, nearby, shortened
from flows.extract.normalisation import exact_z_score, normalised_image
from flows.extract.region import working_region
from schemas.errors import ContractError
from schemas.features.radiomics_settings import RadiomicsSettings

TURNED = (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, -1.0)
spacings = st.tuples(*[st.sampled_from([0.3, 0.75, 1.0, 1.2, 3.0, 5.0])] * 3)


def settings_of(interpolator, resampled_spacing_mm, pad):
    """Return settings that normalise and resample."""
    return RadiomicsSettings(
        normalize=True,
        remove_outliers=2.0,
        resampled_spacing_mm=resampled_spacing_mm,
        interpolator=interpolator,
        pad_distance_voxels=pad,
        minimum_roi_dimensions=1,
    )


def on_grid(array, spacing_mm, direction):
    """Return an image of these voxels, away from the origin."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing_mm)
    image.SetOrigin((-113.7, 41.3, 907.1))
    image.SetDirection(direction)
    return image


def region_or_refusal(*arguments, **options):
    """Return the working region, or why there is none."""
    try:
        return working_region(*arguments, **options)
    except ContractError as error:
        return error.message


@settings(deadline=None)
@given(
    shape=st.tuples(*[st.integers(2, 40)] * 3),
    corners=st.tuples(*[st.tuples(st.floats(0, 1), st.floats(0, 1))] * 3),
    spacing_mm=spacings,
    asked_mm=st.tuples(*[st.sampled_from([0.0, 0.7, 1.0, 2.0])] * 3),
    interpolator=st.sampled_from(["linear", "nearest", "bspline"]),
    pad=st.sampled_from([0, 1, 5]),
    direction=st.sampled_from([(1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0), TURNED]),
    dtype=st.sampled_from([np.int16, np.float32]),
)
def test_the_working_grid_has_the_bits_of_the_whole_scan(
    shape, corners, spacing_mm, asked_mm, interpolator, pad, direction, dtype
):
    """Wherever the mask lies, flat or not, to finer or coarser, on any grid: voxels, mask and place are the same."""
    array = (np.random.default_rng(3).normal(size=shape) * 200).astype(dtype)
    inside = np.zeros(shape, dtype=np.uint8)
    ends = [sorted(int(share * (size - 1)) for share in pair) for pair, size in zip(corners, shape, strict=True)]
    inside[tuple(slice(low, high + 1) for low, high in ends)] = 1
    image, mask = (on_grid(each, spacing_mm, direction) for each in (array, inside))
    options = settings_of(interpolator, asked_mm, pad)
    setting = options.pyradiomics_parameters()["setting"]
    normalised = normalised_image(image, options)
    scale = exact_z_score(image, options)
    assert (scale is None) == (dtype is np.float32)
    source = normalised if scale is None else image
    expected = region_or_refusal(normalised, mask, setting, engine="pyradiomics")
    found = region_or_refusal(source, mask, setting, scale=scale)
    if isinstance(expected, str):
        assert found == expected
        return
    assert found.box == expected.box
    for ours, theirs in ((found.image, expected.image), (found.mask, expected.mask)):
        assert ours.GetSize() == theirs.GetSize()
        assert ours.GetOrigin() == theirs.GetOrigin()
        assert ours.GetSpacing() == theirs.GetSpacing()
        assert ours.GetDirection() == theirs.GetDirection()
        np.testing.assert_array_equal(sitk.GetArrayFromImage(ours), sitk.GetArrayFromImage(theirs))


def test_of_a_large_scan_a_corner_is_read():
    """A lesion of 5 voxels, resampled to a third: its neighbours, and nothing behind them."""
    inside = np.zeros((60, 200, 200), dtype=np.uint8)
    inside[10:15, 50:55, 100:105] = 1
    mask = on_grid(inside, (1.0, 1.0, 1.0), TURNED)
    setting = settings_of("linear", (3.0, 3.0, 3.0), 5).pyradiomics_parameters()["setting"]
    box = nearby(mask, *extents(inside == 1), setting)
    assert [(each.start, each.stop) for each in box] == [(0, 42), (23, 82), (73, 132)]
    short = shortened(mask, box)
    assert short.GetSize() == (132, 82, 42)
    assert short.GetOrigin() == mask.GetOrigin()
    np.testing.assert_array_equal(sitk.GetArrayFromImage(short), inside[:42, :82, :132])


@pytest.mark.parametrize("interpolator", ["bspline", "hamming_sinc"])
def test_what_reads_farther_gets_the_whole_scan(interpolator):
    """A spline's coefficients depend on the whole line."""
    inside = np.zeros((9, 50, 50), dtype=np.uint8)
    inside[4, 5:8, 5:8] = 1
    setting = settings_of(interpolator, (2.0, 2.0, 2.0), 1).pyradiomics_parameters()["setting"]
    mask = on_grid(inside, (1.0, 1.0, 1.0), TURNED)
    assert shortened(mask, nearby(mask, *extents(inside == 1), setting)) is mask
