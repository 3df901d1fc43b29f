"""Transforms of training regions: one for all phases and slices, decided by seed, epoch and patient alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from monai.transforms.spatial.array import Affine

from schemas.study.networks import AugmentationSettings
from zoo.networks.augmentation import Augmentation

OFF = {"rotation_degrees": 0.0, "scaling": 0.0, "shift": 0.0, "flip": False}


def blobs(n: int, size: int = 32) -> torch.Tensor:
    """Return smooth regions of n patients, two phases and three slices, all different."""
    rows, columns = torch.meshgrid(torch.arange(size) / size, torch.arange(size) / size, indexing="ij")
    shifts = torch.rand(n, 2, 3, 2, generator=torch.Generator().manual_seed(0))
    waves = torch.sin(6 * (rows + shifts[..., 0, None, None])) + torch.cos(
        9 * (columns * rows + shifts[..., 1, None, None])
    )
    return waves.float()


def test_one_transform_for_phases_and_slices() -> None:
    """Where all phases and slices of a patient are alike, they are alike afterwards, and changed."""
    one = blobs(4)[:, :1, :1].repeat(1, 2, 3, 1, 1)
    moved = Augmentation(AugmentationSettings(), 32, seed=3)(one, 1, range(4))
    assert (moved == moved[:, :1, :1]).all()
    assert all((moved[patient] - one[patient]).abs().max() > 0.1 for patient in range(4))


def test_draws_do_not_depend_on_batches() -> None:
    """A patient's transform is the same alone, in another order and in another batch; another in the next epoch."""
    augmentation, images = Augmentation(AugmentationSettings(), 32, seed=3), blobs(5)
    together = augmentation(images, 7, range(5))
    order = [3, 0, 4]
    assert torch.equal(augmentation(images[order], 7, order), together[order])
    assert torch.equal(augmentation(images[2:3], 7, [2])[0], together[2])
    assert torch.equal(Augmentation(AugmentationSettings(), 32, seed=3)(images, 7, range(5)), together)
    assert not torch.allclose(augmentation(images, 8, range(5)), together)
    assert not torch.allclose(Augmentation(AugmentationSettings(), 32, seed=4)(images, 7, range(5)), together)


@pytest.mark.parametrize("size", [31, 32])
def test_mirroring_alone_mirrors(size: int) -> None:
    """With nothing but mirroring every result is one of the four mirror images, and all four occur."""
    augmentation, images = Augmentation(AugmentationSettings(**OFF | {"flip": True}), size, 0), blobs(1, size)
    mirrors = [images, images.flip(-1), images.flip(-2), images.flip(-1, -2)]
    seen = set()
    for epoch in range(30):
        moved = augmentation(images, epoch, [0])
        distances = [float((moved - mirror).abs().max()) for mirror in mirrors]
        assert min(distances) < 1e-5
        seen.add(int(np.argmin(distances)))
    assert seen == {0, 1, 2, 3}


@settings(max_examples=25, deadline=None)
@given(
    rotation=st.floats(0, 90),
    scaling=st.floats(0, 0.5),
    shift=st.floats(0, 0.3),
    flip=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_matrices_stay_in_their_ranges(rotation: float, scaling: float, shift: float, flip: bool, seed: int) -> None:
    """A drawn matrix is a rotation, a scaling and a shift no larger than asked for, mirrored only where asked for."""
    drawn = Augmentation(
        AugmentationSettings(rotation_degrees=rotation, scaling=scaling, shift=shift, flip=flip), 40, seed
    )
    matrix = drawn.matrix(epoch=2, patient=5).numpy()
    linear = matrix[:2, :2]
    # MONAI draws in double precision but turns angles into matrices in single.
    factor = np.sqrt(abs(np.linalg.det(linear)))
    np.testing.assert_allclose(linear.T @ linear, factor**2 * np.eye(2), atol=1e-6)
    assert 1 - scaling - 1e-6 <= factor <= 1 + scaling + 1e-6
    # Mirroring changes signs of whole columns: the rotation is the first column's angle up to half turns.
    angle = np.degrees(np.arctan(linear[1, 0] / linear[0, 0]))
    assert abs(angle) <= rotation + 1e-4
    assert flip or (np.linalg.det(linear) > 0 and linear[0, 0] > 0)
    assert np.abs(matrix[:2, 2]).max() <= np.hypot(1, 1) * shift * 40 + 1e-4


def test_resampling_is_that_of_monai() -> None:
    """All patients at once are moved as MONAI's transform moves one by the same matrix."""
    augmentation, images = Augmentation(AugmentationSettings(), 32, seed=1), blobs(3)
    moved = augmentation(images, 4, range(3))
    for patient in range(3):
        one = Affine(affine=augmentation.matrix(4, patient), padding_mode="border", align_corners=True, image_only=True)
        theirs = torch.as_tensor(np.asarray(one(images[patient].flatten(0, 1)))).reshape(2, 3, 32, 32)
        torch.testing.assert_close(moved[patient], theirs, rtol=0, atol=2e-5)


def test_nothing_is_drawn_where_all_is_off() -> None:
    """With every range at zero the regions are given back as they are."""
    images = blobs(2)
    assert Augmentation(AugmentationSettings(**OFF), 32, 0)(images, 1, range(2)) is images
