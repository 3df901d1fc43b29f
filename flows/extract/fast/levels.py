"""The grey levels of a mask's voxels, laid out for the kernels, and the directions to their neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
from numpy.typing import NDArray

from schemas.features.radiomics_settings import RadiomicsSettings, WeightingNorm

__all__ = ["DegenerateMaskError", "MaskLevels"]

Floats = NDArray[np.float64]


class DegenerateMaskError(Exception):
    """A mask of which a family has no matrix, or no axes: what pyradiomics says of it is to be asked of pyradiomics."""


@dataclass(frozen=True)
class MaskLevels:
    """The grey levels of one mask.

    Attributes
    ----------
    matrix : ndarray of int of shape (z, y, x)
        The grey level of each voxel of the mask's bounding box, 0 outside the mask.
    present : ndarray of int
        The grey levels that occur, rising.
    spacing_mm : tuple of float
        Of the voxels, z, y, x.
    settings : RadiomicsSettings
        Which say where neighbours are looked for.
    """

    matrix: NDArray[np.int_]
    present: NDArray[np.int_]
    spacing_mm: tuple[float, float, float]
    settings: RadiomicsSettings

    @cached_property
    def margin(self) -> int:
        """Return how many voxels a neighbour may be away."""
        return max(self.settings.distances_voxels)

    @cached_property
    def levels(self) -> NDArray[np.int32]:
        """Return the padded array of grey levels, flat."""
        padded: NDArray[np.int32] = np.pad(self.matrix.astype(np.int32), self.margin).ravel()
        return padded

    @cached_property
    def ranks(self) -> NDArray[np.int32]:
        """Return the padded array of ranks, flat: from 1, and 0 outside the mask."""
        rank_of = np.zeros(int(self.present[-1]) + 1, np.int32)
        rank_of[self.present] = np.arange(1, len(self.present) + 1)
        ranks: NDArray[np.int32] = rank_of[self.levels]
        return ranks

    @cached_property
    def voxels(self) -> NDArray[np.int64]:
        """Return the places of the mask's voxels in the padded array."""
        return np.flatnonzero(self.levels).astype(np.int64)

    @property
    def width(self) -> int:
        """Return how many voxels a row of the box has."""
        return int(self.matrix.shape[2])

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Return where the rows of the box begin in the padded array."""
        depth, height, _ = self.matrix.shape
        z, y = np.ogrid[:depth, :height]
        starts = np.stack(np.broadcast_arrays(z, y), axis=-1) + self.margin
        rows: NDArray[np.int64] = (starts @ self._strides[:2] + self.margin * self._strides[2]).ravel()
        return rows

    @property
    def grey(self) -> Floats:
        """Return the grey levels that occur, as the formulas' i."""
        return self.present.astype(float)

    @property
    def highest(self) -> int:
        """Return the highest grey level, the formulas' Ng."""
        return int(self.present[-1])

    @cached_property
    def _strides(self) -> NDArray[np.int64]:
        _, height, width = (length + 2 * self.margin for length in self.matrix.shape)
        return np.array([height * width, width, 1], dtype=np.int64)

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
        reach = [min(longest, length - 1) for length in self.matrix.shape]
        if self.settings.force_2d:
            reach[self.settings.force_2d_dimension] = 0
        every = product(*(range(far, -far - 1, -1) for far in reach))
        found = [angle for angle in every if max(map(abs, angle)) in distances and (both_ways or angle > (0, 0, 0))]
        if not found:
            raise DegenerateMaskError
        return np.array(found, dtype=np.int64)

    def offsets(self, angles: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return directions as numbers of places in the padded array."""
        return angles @ self._strides

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
