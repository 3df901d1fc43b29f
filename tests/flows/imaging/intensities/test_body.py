"""The body in a scan: brighter than the lower of Otsu's two thresholds, its large parts, filled slice by slice."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from flows.imaging.intensities.body import body_image, body_mask, refuse_outside_body
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


def test_muscle_is_body_as_fat_is():
    """Of air, muscle and bright fat the muscle counts, also where no fat encloses it: one threshold would drop it."""
    shape = (6, 40, 50)
    _, y, _ = np.indices(shape)
    muscle, fat = y > 8, y > 32
    random = np.random.default_rng(2)
    array = 5 + 180 * muscle + 600 * fat + random.normal(0, 3, shape)
    image = sitk.GetImageFromArray(array.astype(np.float32))
    assert np.array_equal(body_mask(image), muscle)
    one = sitk.GetArrayFromImage(sitk.OtsuThreshold(image, 0, 1)) == 1
    assert np.array_equal(one, fat)


def test_a_lesion_outside_what_was_taken_for_the_body_is_refused():
    """An image without air is parted into tissues, of which the lesion's is the dark one."""
    x = np.arange(50)
    array = np.broadcast_to(200 + 500 * (x > 25) + 300 * (x > 40), (6, 40, 50))
    body = body_image(sitk.GetImageFromArray(array.astype(np.int16)))
    for columns, is_inside in ((slice(5, 20), False), (slice(30, 45), True)):
        lesion = np.zeros((6, 40, 50), np.uint8)
        lesion[2:4, 10:20, columns] = 1
        mask = sitk.GetImageFromArray(lesion)
        if is_inside:
            refuse_outside_body(mask, body)
        else:
            with pytest.raises(ContractError, match="0% of the mask lie in what was taken for the body"):
                refuse_outside_body(mask, body)


def test_lesions_of_real_scans_lie_in_the_body(shared_data):
    """Of eight T1-weighted MR of thighs (TCIA Soft-tissue-Sarcoma), cropped around the tumour, seven show some air.

    There the body holds 99 % of the tumour and more; in STS_008, which shows almost none, the tumour is refused.
    """
    folders = sorted((shared_data("sts_cohort") / "nifti").iterdir())
    assert len(folders) == 8
    for folder in folders:
        image, mask = (sitk.ReadImage(str(folder / f"MR_T1_{kind}.nii.gz")) for kind in ("image", "mask"))
        body = body_image(image)
        if folder.name == "STS_008":
            with pytest.raises(ContractError, match="too little air"):
                refuse_outside_body(sitk.Cast(mask, sitk.sitkUInt8), body)
        else:
            lesion = sitk.GetArrayFromImage(mask) > 0
            assert sitk.GetArrayFromImage(body)[lesion].mean() > 0.99
