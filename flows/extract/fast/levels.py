"""The grey levels of a mask's voxels, and the directions to their neighbours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flows.extract.fast import kernels
from flows.extract.fast.layout import MaskLayout
from schemas.features.radiomics_settings import RadiomicsSettings, WeightingNorm

__all__ = ["LARGEST_COUNT", "DegenerateMaskError", "MaskLevels"]

LARGEST_COUNT = 2**16 - 1
"""Of neighbours, and of voxels in a line: the kernels count in 16 bits."""

Floats = NDArray[np.float64]


class DegenerateMaskError(Exception):
    """A mask of which a family has no matrix or no axes, or too large ones: pyradiomics is asked what it says of it."""


@dataclass(frozen=True)
class MaskLevels:
    """The grey levels of one mask.

    Attributes
    ----------
    values : ndarray of int of shape (n_voxels,)
        The grey level of each voxel, from 1, in the order of `MaskLayout.voxels`.
    layout : MaskLayout
        Where the voxels lie.
    spacing_mm : tuple of float
        Of the voxels, z, y, x.
    settings : RadiomicsSettings
        Which say where neighbours are looked for.
    """

    values: NDArray[np.int_]
    layout: MaskLayout
    spacing_mm: tuple[float, float, float]
    settings: RadiomicsSettings

    @classmethod
    def of_matrix(
        cls, matrix: NDArray[np.int_], spacing_mm: tuple[float, float, float], settings: RadiomicsSettings
    ) -> MaskLevels:
        """Return the levels of a mask's bounding box, 0 outside the mask."""
        layout = MaskLayout(matrix > 0, max(settings.distances_voxels))
        return cls(matrix[layout.inside], layout, spacing_mm, settings)

    @cached_property
    def counts(self) -> NDArray[np.int_]:
        """Return how many voxels each grey level has, from 0."""
        counts: NDArray[np.int_] = np.bincount(self.values)
        return counts

    @cached_property
    def present(self) -> NDArray[np.int_]:
        """Return the grey levels that occur, rising."""
        return np.flatnonzero(self.counts)

    @cached_property
    def levels(self) -> NDArray[np.uint16]:
        """Return the padded array of grey levels, flat, 0 outside the mask and in some places behind its end."""
        return self._padded(self.values)

    @cached_property
    def ranks(self) -> NDArray[np.uint16]:
        """Return the padded array of ranks among the levels that occur, flat: from 1, and 0 outside the mask."""
        if len(self.present) == self.highest:
            return self.levels
        rank_of = np.zeros(self.highest + 1, np.uint16)
        rank_of[self.present] = np.arange(1, len(self.present) + 1)
        return self._padded(rank_of[self.values])

    def _padded(self, values: NDArray[Any]) -> NDArray[np.uint16]:
        size = math.prod(self.layout.padded_shape)
        return kernels.spread(values.astype(np.int64, copy=False), self.layout.places, size)

    @property
    def grey(self) -> Floats:
        """Return the grey levels that occur, as the formulas' i."""
        return self.present.astype(float)

    @property
    def highest(self) -> int:
        """Return the highest grey level, the formulas' Ng."""
        return int(self.present[-1])

    def angles(self, distances: tuple[int, ...] = (1,), *, both_ways: bool = False) -> NDArray[np.int64]:
        """Return the directions to neighbours at some distances (infinity norm), z, y, x, in pyradiomics' order.

        Parameters
        ----------
        distances : tuple of int
            In voxels.
        both_ways : bool
            Each direction and its opposite; else one of both.

        Raises
        ------
        DegenerateMaskError
            When the box is too small for any.
        """
        longest = max(distances)
        reach = [min(longest, length - 1) for length in self.layout.inside.shape]
        if self.settings.force_2d:
            reach[self.settings.force_2d_dimension] = 0
        found = _directions(tuple(reach), distances, both_ways)
        if not len(found):
            raise DegenerateMaskError
        return found

    def offsets(self, angles: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return directions as numbers of places in the padded array."""
        return angles @ self.layout.strides

    def lengths_mm(self, angles: NDArray[np.int64], norm: WeightingNorm) -> Floats:
        """Return how far directions lead, by the norm of the weighting."""
        lengths: Floats = np.sqrt(self.squares_mm2(angles, norm)) if norm == "euclidean" else self._steps(angles, norm)
        return lengths

    def squares_mm2(self, angles: NDArray[np.int64], norm: WeightingNorm) -> Floats:
        """Return the squares of these lengths; Euclid's without a root in between, whose rounding would show."""
        if norm == "euclidean":
            squares: Floats = np.sum((np.abs(angles) * np.array(self.spacing_mm)) ** 2, axis=1)
        else:
            squares = self._steps(angles, norm) ** 2
        return squares

    def _steps(self, angles: NDArray[np.int64], norm: WeightingNorm) -> Floats:
        steps: Floats = np.abs(angles) * np.array(self.spacing_mm)
        longest: Floats = steps.max(axis=1) if norm == "infinity" else steps.sum(axis=1)
        return longest


@lru_cache(maxsize=64)
def _directions(reach: tuple[int, ...], distances: tuple[int, ...], both_ways: bool) -> NDArray[np.int64]:
    """Return the directions of `MaskLevels.angles`, so far along each axis: of all images of a mask the same."""
    every = product(*(range(far, -far - 1, -1) for far in reach))
    found = [angle for angle in every if max(map(abs, angle)) in distances and (both_ways or angle > (0, 0, 0))]
    directions = np.array(found, dtype=np.int64).reshape(-1, 3)
    directions.setflags(write=False)
    return directions
