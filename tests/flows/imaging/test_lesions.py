"""Lesions of one mask told apart, compared with ITK's own connected components."""

from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk

from flows.imaging.lesions import lesion_labels, lesion_map
from schemas.cases.lesions import LesionPart
from schemas.errors import ContractError


def volume(voxels, spacing=(1.0, 1.0, 1.0)):
    """Return voxels as an image."""
    image = sitk.GetImageFromArray(np.asarray(voxels))
    image.SetSpacing(spacing)
    return image


@pytest.mark.parametrize("seed", range(8))
def test_parts_are_those_of_itk_and_numbered_by_size(seed):
    """SimpleITK's fully connected components are the same sets of voxels; ours are numbered from the largest on."""
    mask = (np.random.default_rng(seed).random((9, 11, 13)) < 0.08).astype(np.uint8)
    ours = sitk.GetArrayFromImage(lesion_map([volume(mask)], LesionPart(each="component")))
    theirs = sitk.GetArrayFromImage(sitk.ConnectedComponent(volume(mask), True))
    pairs = set(zip(ours.ravel().tolist(), theirs.ravel().tolist(), strict=True))
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) == theirs.max() + 1
    sizes = np.bincount(ours.ravel())[1:]
    assert list(sizes) == sorted(sizes, reverse=True)


def test_smaller_parts_than_asked_for_are_no_lesions():
    """The smallest volume is in mm³, of the voxels' own size; the limit belongs to it."""
    mask = np.zeros((4, 6, 12), np.uint8)
    mask[0, 0, :3], mask[2, 2, :5], mask[3, 5, 10:] = 1, 1, 1
    part = LesionPart(each="component", minimum_mm3=1.5)
    found = sitk.GetArrayFromImage(lesion_map([volume(mask, (0.5, 1.0, 1.0))], part))
    assert np.bincount(found.ravel())[1:].tolist() == [5, 3]
    with pytest.raises(ContractError, match="the largest of 3 has 5 voxels, of 20"):
        lesion_map([volume(mask)], part.model_copy(update={"minimum_mm3": 20.0}))


def test_noise_is_refused():
    """More parts than a liver has lesions are no lesions."""
    mask = np.zeros((3, 41, 41), np.uint8)
    mask[1, ::2, ::2] = 1
    with pytest.raises(ContractError, match="has 441 connected parts, more than 200: noise"):
        lesion_map([volume(mask)], LesionPart(each="component"))


def test_labels_of_a_map_that_is_none():
    """Fractions and a map without lesion have no labels of lesions."""
    part = LesionPart(each="label")
    with pytest.raises(ContractError, match="its values are no labels of lesions"):
        lesion_labels(lesion_map([volume(np.full((2, 3, 4), 0.5, np.float32))], part))
    with pytest.raises(ContractError, match="mask is empty"):
        lesion_labels(lesion_map([volume(np.zeros((2, 3, 4), np.uint8))], part))
    assert lesion_labels(volume(np.array([[[0, 7, 7.0002, 3]]], np.float32))) == (3, 7)


def test_a_common_mask_needs_one_grid():
    """Masks of lesions that lie elsewhere are no common mask."""
    first, second = volume(np.ones((3, 3, 3), np.uint8)), volume(np.ones((3, 3, 3), np.uint8), (2.0, 1.0, 1.0))
    with pytest.raises(ContractError, match="lie on different grids"):
        lesion_map([first, second], LesionPart(each="mask", union=True))
