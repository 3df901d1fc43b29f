"""The families of features of one mask on one image, by the fast engine; what several families need is made once."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from flows.extract.fast.firstorder import firstorder_features
from flows.extract.fast.glcm import glcm_features
from flows.extract.fast.glrlm import glrlm_features
from flows.extract.fast.glszm import glszm_features
from flows.extract.fast.levels import MaskLevels
from flows.extract.fast.neighbourhoods import Neighbourhoods, gldm_features, neighbourhoods, ngtdm_features

__all__ = ["MaskFamilies"]


class MaskFamilies:
    """One mask on one image.

    Parameters
    ----------
    mask : MaskLevels
        The grey levels.
    intensities : ndarray of float of shape (n_voxels,)
        Of the mask's voxels.
    """

    def __init__(self, mask: MaskLevels, intensities: NDArray[np.float64]) -> None:
        self._mask = mask
        self._intensities = intensities

    def features(self, family: str) -> dict[str, float]:
        """Return the features of a family but shape; one that is not finite has no value.

        Raises
        ------
        DegenerateMaskError
            When the family's matrix has no entry.
        """
        by_family: dict[str, Callable[[], dict[str, float]]] = {
            "firstorder": self._firstorder,
            "glcm": lambda: glcm_features(self._mask),
            "gldm": lambda: gldm_features(self._neighbourhoods),
            "glrlm": lambda: glrlm_features(self._mask),
            "glszm": lambda: glszm_features(self._mask),
            "ngtdm": lambda: ngtdm_features(self._neighbourhoods),
        }
        return by_family[family]()

    def _firstorder(self) -> dict[str, float]:
        counts = self._mask.counts[self._mask.present]
        shift = self._mask.settings.voxel_array_shift
        return firstorder_features(self._intensities, counts, voxel_mm3=math.prod(self._mask.spacing_mm), shift=shift)

    @cached_property
    def _neighbourhoods(self) -> Neighbourhoods:
        return neighbourhoods(self._mask)
