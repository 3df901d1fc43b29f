"""A volume's slices as a reader expects them: which axis they are cut along, and which way is up."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flows.imaging.grids import Grid

__all__ = ["SlicePlane", "slice_plane"]

# Of each plane the patient's axes that run to the right and down, in DICOM's directions (left, posterior, superior):
# axial and coronal slices are seen from the feet and from the front, sagittal ones from the left.
_SHOWN = {"axial": ((0, 1), (1, 1)), "coronal": ((0, 1), (2, -1)), "sagittal": ((1, 1), (2, -1))}
_PLANES = ("sagittal", "coronal", "axial")


class SlicePlane(NamedTuple):
    """How a volume's slices are shown."""

    name: str
    """The plane that they are nearest to: axial, coronal or sagittal."""
    right_mm: float
    """Millimetres from a pixel to the next one to the right."""
    down_mm: float
    transposed: bool
    right_flipped: bool
    down_flipped: bool
    slices_flipped: bool

    def shown(self, voxels: NDArray[Any]) -> NDArray[Any]:
        """Return an array of shape (slices, rows, columns) in the order of the plane, the first slice lowest."""
        turned = voxels.transpose(0, 2, 1) if self.transposed else voxels
        steps = (slice(None, None, -1) if flipped else slice(None) for flipped in self._flips)
        return turned[tuple(steps)]

    @property
    def _flips(self) -> tuple[bool, bool, bool]:
        return self.slices_flipped, self.down_flipped, self.right_flipped


def slice_plane(grid: Grid) -> SlicePlane:
    """Return how the slices of a grid are shown, as they were acquired: none is resampled.

    Parameters
    ----------
    grid : Grid
        Three axes, of which the last one runs from slice to slice.
    """
    direction = np.reshape(grid.direction, (3, 3))
    # Which of the patient's axes each of the grid's is nearest to, no two to the same one.
    left = [0, 1, 2]
    nearest = [0, 0, 0]
    for axis in sorted(range(3), key=lambda each: -np.abs(direction[:, each]).max()):
        nearest[axis] = max(left, key=np.abs(direction[:, axis]).__getitem__)
        left.remove(nearest[axis])
    along = [1 if direction[nearest[axis], axis] >= 0 else -1 for axis in range(3)]
    name = _PLANES[nearest[2]]
    (right, right_sign), (down, down_sign) = _SHOWN[name]
    columns, rows = nearest.index(right), nearest.index(down)
    return SlicePlane(
        name,
        grid.spacing[columns],
        grid.spacing[rows],
        transposed=columns == 1,
        right_flipped=along[columns] != right_sign,
        down_flipped=along[rows] != down_sign,
        slices_flipped=along[2] < 0,
    )
