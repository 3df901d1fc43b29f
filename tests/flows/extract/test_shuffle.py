"""Shuffled voxels: the histogram inside the mask stays, every pattern goes, and the same scan gives the same order."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from flows.extract.prepared import prepared_scan
from flows.extract.radiomics import extract
from flows.extract.shuffle import shuffled_inside
from schemas.features.radiomics_settings import RadiomicsSettings

PLAIN = RadiomicsSettings(families=("shape", "firstorder", "glcm"), normalize=True, normalize_scale=100.0, bin_width=10)
SHUFFLED = RadiomicsSettings.model_validate(PLAIN.model_dump() | {"shuffled_voxels": True})


@pytest.fixture(scope="module")
def scan() -> tuple[sitk.Image, sitk.Image]:
    """Return a smooth scan and a mask of a ball inside it."""
    z, y, x = np.mgrid[-10:11, -12:13, -12:13].astype(float)
    image = sitk.GetImageFromArray((300 + 40 * np.sin(x / 3) * np.cos(y / 4) + 5 * z).astype(np.float32))
    mask = sitk.GetImageFromArray((x**2 + y**2 + z**2 < 64).astype(np.uint8))
    for each in (image, mask):
        each.SetSpacing((1.0, 1.0, 2.0))
    return image, mask


def test_only_voxels_inside_change_places(scan):
    """Inside the mask the same intensities stand elsewhere; outside nothing changes; the geometry stays."""
    image, mask = scan
    shuffled = shuffled_inside(image, mask, image)
    before, after = sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(shuffled)
    inside = sitk.GetArrayFromImage(mask) == 1
    assert np.array_equal(np.sort(before[inside]), np.sort(after[inside]))
    assert (before[inside] != after[inside]).mean() > 0.9
    assert np.array_equal(before[~inside], after[~inside])
    assert shuffled.GetSpacing() == image.GetSpacing()


def test_the_order_follows_from_the_scan(scan):
    """The same scan and mask give the same image; another intensity anywhere in the mask gives another order."""
    image, mask = scan
    first, second = (sitk.GetArrayFromImage(shuffled_inside(image, mask, image)) for _ in range(2))
    assert np.array_equal(first, second)
    other = sitk.Image(image)
    other[12, 12, 10] = 999.0
    assert not np.array_equal(first, sitk.GetArrayFromImage(shuffled_inside(image, mask, other)))


def test_features_of_histogram_and_shape_stay_and_texture_goes(scan):
    """Shape and first-order values are those of the scan; the smooth scan's correlation of neighbours vanishes."""
    plain, shuffled = extract(*scan, PLAIN).values, extract(*scan, SHUFFLED).values
    for name, value in plain.items():
        if "_shape_" in name or "_firstorder_" in name:
            assert shuffled[name] == pytest.approx(value, rel=1e-6), name
    assert plain["original_glcm_Correlation"] > 0.8
    assert abs(shuffled["original_glcm_Correlation"]) < 0.1


def test_a_shared_normalised_image_is_left_as_it_is(scan):
    """Several masks of a scan share its normalised image: a mask's shuffling is its own, with the same features."""
    image, mask = scan
    prepared = prepared_scan(image, SHUFFLED)
    before = sitk.GetArrayFromImage(prepared.image)
    shared = extract(image, mask, SHUFFLED, prepared=prepared).values
    assert np.array_equal(sitk.GetArrayFromImage(prepared.image), before)
    assert shared == extract(image, mask, SHUFFLED).values
