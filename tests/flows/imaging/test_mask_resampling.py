"""A mask brought to its image's grid: by hand on small grids, as SimpleITK does it, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from flows.imaging.grids import Grid, grid_of
from flows.imaging.mask_resampling import resampled_labels
from flows.imaging.volumes import read_volume
from schemas.errors import ContractError

STRAIGHT = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
IMAGE = Grid((8, 6, 4), (1.0, 1.0, 2.0), (0.0, 0.0, 0.0), STRAIGHT)


def mask_of(array: np.ndarray, spacing=(1.0, 1.0, 2.0), origin=(0.0, 0.0, 0.0), direction=STRAIGHT) -> sitk.Image:
    """Return a label map somewhere."""
    mask = sitk.GetImageFromArray(array)
    mask.SetSpacing(spacing)
    mask.SetOrigin(origin)
    mask.SetDirection(direction)
    return mask


def box(shape, *parts: slice, label: int = 1, dtype=np.uint8) -> np.ndarray:
    """Return a label map's voxels with a box."""
    voxels = np.zeros(shape, dtype)
    voxels[parts] = label
    return voxels


def test_a_mask_of_the_lesions_box_is_put_where_it_lies() -> None:
    """A part of the image's grid, cut out: its voxels are the image's own from (i, j, k) = (2, 1, 1) on."""
    cut = mask_of(np.full((2, 3, 4), 5, np.uint8), origin=(2.0, 1.0, 2.0))
    found = resampled_labels(cut, IMAGE, 5)
    assert grid_of(found) == IMAGE
    expected = box((4, 6, 8), slice(1, 3), slice(1, 4), slice(2, 6), label=5)
    assert np.array_equal(sitk.GetArrayFromImage(found), expected)


def test_finer_voxels_are_taken_where_centres_meet() -> None:
    """A mask of half the spacing: each voxel of the image asks the one at its centre, by hand."""
    fine = box((8, 12, 16), slice(2, 6), slice(2, 8), slice(4, 12))
    mask = mask_of(fine, (0.5, 0.5, 1.0), (-0.25, -0.25, -0.5))
    found = sitk.GetArrayFromImage(resampled_labels(mask, IMAGE, 1))
    assert np.array_equal(found, box((4, 6, 8), slice(1, 3), slice(1, 4), slice(2, 6)))


def test_axes_that_run_the_other_way_are_put_right() -> None:
    """The same voxels, stored from the other end of each axis: the same mask."""
    straight = box((4, 6, 8), slice(1, 3), slice(0, 3), slice(3, 8))
    turned = mask_of(
        np.ascontiguousarray(straight[::-1, ::-1, ::-1]),
        origin=(7.0, 5.0, 6.0),
        direction=(-1, 0, 0, 0, -1, 0, 0, 0, -1),
    )
    assert np.array_equal(sitk.GetArrayFromImage(resampled_labels(turned, IMAGE, 1)), straight)


def test_a_mask_on_the_grid_stays_as_it_is() -> None:
    """Its other labels too: nothing is resampled that need not be."""
    labels = mask_of(box((4, 6, 8), slice(1, 3), slice(1, 3), slice(1, 3), label=9))
    assert resampled_labels(labels, IMAGE, 1) is labels


@pytest.mark.parametrize("seed", range(4))
def test_an_oblique_mask_is_what_simpleitk_makes_of_it(seed: int) -> None:
    """A ball on a turned grid of other voxels, against SimpleITK's own call and against nearest centres."""
    random = np.random.default_rng(seed)
    turn = sitk.Euler3DTransform((20.0, 20.0, 20.0), *random.uniform(-0.5, 0.5, 3))
    direction = tuple(turn.GetMatrix())
    spacing = tuple(float(each) for each in random.uniform(0.6, 1.1, 3))
    size = np.ceil(60 / np.array(spacing)).astype(int)
    middle = np.reshape(direction, (3, 3)) @ ((size - 1) / 2 * spacing)
    places = np.stack(np.meshgrid(*(np.arange(each) for each in size[::-1]), indexing="ij"), -1)[..., ::-1]
    ball = np.linalg.norm((places - (size - 1) / 2) * spacing, axis=-1) < 9
    mask = mask_of(np.where(ball, 300, 0).astype(np.int16), spacing, tuple(20.0 - middle), direction)
    image = Grid((40, 40, 20), (1.0, 1.0, 2.0), (0.0, 0.0, 1.0), STRAIGHT)
    found = resampled_labels(mask, image, 300)
    reference = sitk.Image(image.size, sitk.sitkUInt8)
    reference.SetSpacing(image.spacing)
    reference.SetOrigin(image.origin)
    expected = sitk.GetArrayFromImage(sitk.Resample(mask, reference, sitk.Transform(), sitk.sitkNearestNeighbor))
    assert found.GetPixelID() == sitk.sitkUInt32
    assert np.array_equal(sitk.GetArrayFromImage(found), expected)
    assert (expected == 300).sum() * 2.0 == pytest.approx(4 / 3 * np.pi * 9**3, rel=0.05)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (mask_of(np.ones((2, 3, 4), np.uint8), origin=(6.0, 1.0, 2.0)), "12 of the lesion's 24 voxels lie outside"),
        (mask_of(np.ones((2, 3, 4), np.uint8), origin=(60.0, 1.0, 2.0)), "24 of the lesion's 24 voxels lie outside"),
        (mask_of(box((8, 8, 8), 3, 3, 3), (0.2, 0.2, 0.2), (0.9, 0.9, 0.9)), "nothing of the lesion is left"),
        (
            mask_of(box((8, 12, 16), slice(2, 6), slice(2, 8), slice(4, 11)), (0.5, 0.5, 1.0), (-0.25, -0.25, -0.5)),
            "its volume is 36 mm3 and was 42; at most 10%",
        ),
        (mask_of(np.zeros((2, 3, 4), np.uint8)), "mask is empty"),
        (mask_of(np.full((2, 3, 4), 2, np.uint8)), "label 1 is absent from the mask; it has 2"),
        (mask_of(np.full((2, 3, 4), 0.5, np.float32)), "a probability map"),
    ],
)
def test_what_loses_some_of_the_lesion_is_refused(mask: sitk.Image, words: str) -> None:
    """Outside of the image, between its voxels, of another volume there, or nothing to begin with."""
    with pytest.raises(ContractError) as error:
        resampled_labels(mask, IMAGE, 1)
    assert words in error.value.message


def test_every_label_of_a_map_comes_along_where_each_is_a_lesion() -> None:
    """None is lost on the way: one that lies outside, or between the image's voxels, is refused as one alone is."""
    two = np.zeros((8, 12, 16), np.int16)
    two[2:6, 2:8, 4:8], two[2:6, 2:8, 10:12] = 3, 700
    spacing, origin = (0.5, 0.5, 1.0), (-0.25, -0.25, -0.5)
    found = sitk.GetArrayFromImage(resampled_labels(mask_of(two, spacing, origin), IMAGE, None))
    expected = np.zeros((4, 6, 8), np.int16)
    expected[1:3, 1:4, 2:4], expected[1:3, 1:4, 5:6] = 3, 700
    assert np.array_equal(found, expected)
    two[1, 1, 13] = 5
    with pytest.raises(ContractError, match=r"its volume is|nothing of the lesion is left"):
        resampled_labels(mask_of(two, spacing, origin), IMAGE, None)


def test_a_mask_that_does_not_say_where_it_lies_is_refused(tmp_path) -> None:
    """Without an orientation there is no place to bring it from."""
    sitk.WriteImage(mask_of(np.ones((2, 3, 4), np.uint8)), str(tmp_path / "mask.nii"))
    content = bytearray((tmp_path / "mask.nii").read_bytes())
    content[252:256] = bytes(4)
    (tmp_path / "mask.nii").write_bytes(content)
    with pytest.raises(ContractError, match="does not say where it lies"):
        resampled_labels(read_volume(tmp_path / "mask.nii"), IMAGE, 1)
