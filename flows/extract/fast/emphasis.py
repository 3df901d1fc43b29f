"""Sums over a matrix of grey level and size that run-length, zone and dependence matrices have in common.

Symbols: ``P(i, j)`` counts what has grey level i and size j (a run's length, a zone's voxels, a voxel's dependents);
``pg(i)`` and ``pj(j)`` are its marginals and ``N`` its total. All arrays may have a last axis of angles.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["SizeMatrix"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SizeMatrix:
    """Counts by grey level and size.

    Attributes
    ----------
    P : ndarray of shape (levels, sizes, angles)
        The counts.
    i : ndarray of shape (levels,)
        The grey levels.
    j : ndarray of shape (sizes,)
        The sizes.
    """

    P: Floats
    i: Floats
    j: Floats

    @cached_property
    def pg(self) -> Floats:
        """Return how many have each grey level, of shape (levels, angles)."""
        of_levels: Floats = self.P.sum(1)
        return of_levels

    @cached_property
    def pj(self) -> Floats:
        """Return how many have each size, of shape (sizes, angles)."""
        of_sizes: Floats = self.P.sum(0)
        return of_sizes

    @cached_property
    def N(self) -> Floats:  # noqa: N802  (the formulas' symbol)
        """Return how many there are, of shape (angles,)."""
        total: Floats = self.pg.sum(0)
        return total

    @cached_property
    def _of_levels(self) -> dict[int, Floats]:
        """Return room for the sums of j to a power over each level: two features have the same."""
        return {}

    def size_emphasis(self, power: int) -> Floats:
        """Return the mean of j to a power."""
        return _moment(self.j, power, self.pj) / self.N

    def level_emphasis(self, power: int) -> Floats:
        """Return the mean of i to a power."""
        return _moment(self.i, power, self.pg) / self.N

    def joint_emphasis(self, of_level: int, of_size: int) -> Floats:
        """Return the mean of i to a power times j to a power."""
        if of_size not in self._of_levels:
            self._of_levels[of_size] = np.sum(self.P * (self.j**of_size)[:, None], 1)
        return _moment(self.i, of_level, self._of_levels[of_size]) / self.N

    def level_non_uniformity(self) -> Floats:
        """Return the sum of squares of pg, over N."""
        return _sum(self.pg**2, 0) / self.N

    def size_non_uniformity(self) -> Floats:
        """Return the sum of squares of pj, over N."""
        return _sum(self.pj**2, 0) / self.N

    def level_variance(self) -> Floats:
        """Return the variance of i."""
        return _variance(self.i, self.pg / self.N)

    def size_variance(self) -> Floats:
        """Return the variance of j."""
        return _variance(self.j, self.pj / self.N)

    def members(self) -> Floats:
        """Return the sum of all sizes: the voxels, where a size is a number of voxels."""
        return _moment(self.j, 1, self.pj)

    def entropy(self) -> Floats:
        """Return the entropy of P / N in bits."""
        p = self.P / self.N
        return -_sum(p * np.log2(p + np.spacing(1)), (0, 1))


def _moment(values: Floats, power: int, counts: Floats) -> Floats:
    # No matrix product: its order of summation is the library's, and may be another on another machine.
    return _sum((values**power)[:, None] * counts, 0)


def _variance(values: Floats, shares: Floats) -> Floats:
    deviations = values[:, None] - _moment(values, 1, shares)
    return _sum(deviations**2 * shares, 0)


def _sum(terms: Floats, axis: int | tuple[int, int]) -> Floats:
    total: Floats = np.sum(terms, axis)
    return total
