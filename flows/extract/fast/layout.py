"""Where a mask's voxels lie, as the kernels ask for it: made once for all images of a scan."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["MaskLayout"]


@dataclass(frozen=True)
class MaskLayout:
    """A mask within a padded array, which lies flat in memory: a neighbour is a fixed number of places away.

    Attributes
    ----------
    inside : ndarray of bool of shape (z, y, x)
        The mask in its bounding box.
    margin : int
        By how many voxels the box is padded on each side: the farthest neighbour has a place then.
    """

    inside: NDArray[np.bool_]
    margin: int

    @cached_property
    def voxels(self) -> NDArray[np.int64]:
        """Return the places of the mask's voxels in the flat box, rising."""
        return np.flatnonzero(self.inside).astype(np.int64)

    @cached_property
    def places(self) -> NDArray[np.int64]:
        """Return their places in the flat padded array, rising."""
        padded = np.zeros(self.padded_shape, dtype=bool)
        padded[tuple(slice(self.margin, self.margin + length) for length in self.inside.shape)] = self.inside
        return np.flatnonzero(padded).astype(np.int64, copy=False)

    @cached_property
    def padded_shape(self) -> tuple[int, int, int]:
        """Return the shape of the padded array."""
        depth, height, width = (length + 2 * self.margin for length in self.inside.shape)
        return depth, height, width

    @cached_property
    def strides(self) -> NDArray[np.int64]:
        """Return how many places a step along z, y and x is."""
        _, height, width = self.padded_shape
        return np.array([height * width, width, 1], dtype=np.int64)

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Return where each row of voxels begins in the padded array, and where it ends, of shape (rows, 2).

        From the first voxel of the mask in it to behind the last one; rows without any are left out.
        """
        last = np.flatnonzero(np.diff(self.voxels // self.inside.shape[2]))
        begins = self.places[np.concatenate([[0], last + 1])]
        ends = self.places[np.concatenate([last, [len(self.places) - 1]])] + 1
        return np.stack([begins, ends], axis=1)
