"""Random transforms of training regions: one a patient and epoch, the same for all its phases and slices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from monai.networks.layers.spatial_transforms import AffineTransform
from monai.transforms.spatial.array import RandAffineGrid
from torch import Tensor

from schemas.study.networks import AugmentationSettings

__all__ = ["Augmentation"]


class Augmentation:
    """Rotation, scaling, mirroring and shifting of regions, in one resampling.

    MONAI's ``RandAffineGrid`` draws each patient's matrix, and its ``AffineTransform`` layer resamples all patients
    of a batch at once, on the device where they are: ``RandAffine``, which does the same for one patient after
    another, takes 1.2 to 1.8 times as long (docs/benchmarks.md). Outside the region its border is repeated.

    A draw is decided by the seed, the epoch and the patient's number alone, whatever the order and size of batches.

    Parameters
    ----------
    settings : AugmentationSettings
        The ranges.
    size : int
        The region's side in pixels.
    seed : int
        Of all draws.
    """

    def __init__(self, settings: AugmentationSettings, size: int, seed: int) -> None:
        self._settings = settings
        self._seed = seed
        self._grid = RandAffineGrid(
            rotate_range=float(np.deg2rad(settings.rotation_degrees)),
            scale_range=None,
            translate_range=(settings.shift * size, settings.shift * size),
            lazy=True,
        )
        self._size = (size, size)
        self._resample = AffineTransform(padding_mode="border", align_corners=True, zero_centered=True)

    def matrix(self, epoch: int, patient: int) -> Tensor:
        """Return a patient's transform: from pixels of the result to those of the region, about its centre.

        Returns
        -------
        Tensor of shape (3, 3)
            Homogeneous, in 64-bit floats: axes are rows, then columns.
        """
        state = np.random.RandomState(np.random.SeedSequence((self._seed, epoch, patient)).generate_state(4))
        self._grid.set_random_state(state=state)
        self._grid(self._size)
        drawn: Tensor = torch.as_tensor(self._grid.get_transformation_matrix()).to(torch.float64)
        factor = 1 + state.uniform(-self._settings.scaling, self._settings.scaling)
        signs = state.choice((-1.0, 1.0), size=2) if self._settings.flip else np.ones(2)
        return drawn @ torch.diag(torch.tensor([factor * signs[0], factor * signs[1], 1.0], dtype=torch.float64))

    def __call__(self, images: Tensor, epoch: int, patients: Sequence[int]) -> Tensor:
        """Return the transformed regions of some patients.

        Parameters
        ----------
        images : Tensor of shape (n_patients, n_phases, n_slices, size, size)
            The regions.
        epoch : int
            Every epoch draws again.
        patients : sequence of int
            The patients' numbers among those who train.
        """
        if self._settings.is_off:
            return images
        matrices = torch.stack([self.matrix(epoch, int(patient)) for patient in patients])
        moved: Tensor = self._resample(images.flatten(1, 2), matrices.to(images))
        return moved.reshape(images.shape)
