"""The body in a scan: brighter than Otsu's threshold, its large parts, filled slice by slice."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from flows.imaging.intensities.body import body_mask
from schemas.errors import ContractError


def scan(body, *, seed=0, dtype=np.float32):
    """Return an image of a body of about 200 in air of about 5."""
    random = np.random.default_rng(seed)
    array = np.where(body, 200 + 10 * random.normal(size=body.shape), np.abs(5 * random.normal(size=body.shape)))
    return sitk.GetImageFromArray(array.round().astype(dtype))


def ellipse(shape=(6, 40, 50)):
    """Return an ellipse on every slice."""
    _, y, x = np.indices(shape)
    return ((y - 20) / 15) ** 2 + ((x - 25) / 20) ** 2 < 1


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float32, np.float64])
def test_the_body_is_what_is_brighter_than_air(dtype):
    """A body in air is found voxel by voxel, whatever the voxels' type."""
    body = ellipse()
    assert np.array_equal(body_mask(scan(body, dtype=dtype)), body)


def test_holes_are_filled_within_slices():
    """Air inside the body counts, where a slice encloses it; a mouth that opens on every slice does not."""
    body = ellipse()
    hollow = body.copy()
    hollow[:, 18:23, 20:30] = False  # a tube through all slices: a hole of each slice, none of the volume
    open_to_air = body.copy()
    open_to_air[:, :20, 24:27] = False
    assert np.array_equal(body_mask(scan(hollow)), body)
    assert np.array_equal(body_mask(scan(open_to_air)), open_to_air)


def test_two_legs_are_body_and_a_cable_is_not():
    """Parts of a tenth of the largest one count, smaller ones do not."""
    y, x = np.indices((40, 50))
    left, right = ((y - 20) ** 2 + (x - at) ** 2 < radius**2 for at, radius in ((14, 9), (36, 6)))
    cable = np.zeros_like(left)
    cable[2, 10:18] = True
    legs = np.broadcast_to(left | right, (6, 40, 50))
    assert np.array_equal(body_mask(scan(np.broadcast_to(left | right | cable, (6, 40, 50)))), legs)


def test_an_image_of_one_intensity_has_no_body():
    """Where there is no threshold, nothing is guessed."""
    with pytest.raises(ContractError, match="no body is found: the image has one intensity"):
        body_mask(sitk.GetImageFromArray(np.full((4, 5, 6), 7, np.int16)))
