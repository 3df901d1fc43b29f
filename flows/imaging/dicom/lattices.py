"""Points in mm as places on an image's grid, and planes that lie on its slices or do not."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from flows.imaging.grids import Grid
from schemas.errors import ContractError

__all__ = ["PLACING", "Placement", "index_of", "placement_of"]

PLACING = 0.05
"""Voxels that the corners of a mask's frame may lie off the image's; its voxels are then taken for the image's own.

Headers round to some six digits, and a writer may lay its frames on a regular grid of its own: direction cosines that
differ by 1e-4, as those of one grid may (`flows.imaging.grids.DIRECTION_ROUNDING`), move the far corner of 512 voxels
by as much.
"""


class Placement(NamedTuple):
    """Where a frame lies on an image's grid."""

    slice: int
    """From 0."""
    flips_rows: bool
    """Its first row is the image's last."""
    flips_columns: bool


def index_of(points: NDArray[np.float64], grid: Grid) -> NDArray[np.float64]:
    """Return where points lie on a grid, in voxels from the centre of the first one.

    Parameters
    ----------
    points : ndarray of shape (n, 3)
        In mm, in the patient's axes.
    grid : Grid
        Of three dimensions.

    Returns
    -------
    ndarray of shape (n, 3)
        Along columns, rows and slices (i, j, k); whole numbers at the centres of voxels.
    """
    steps = np.reshape(grid.direction, (3, 3)) * np.array(grid.spacing)
    return np.asarray(np.linalg.solve(steps, (points - np.array(grid.origin)).T).T)


def placement_of(
    position: tuple[float, ...],
    orientation: tuple[float, ...],
    spacing: tuple[float, ...],
    shape: tuple[int, int],
    grid: Grid,
) -> Placement:
    """Return where a frame of a mask lies on an image's grid.

    Parameters
    ----------
    position, orientation, spacing : tuples of 3, 6 and 2 floats
        As a header has them: mm, direction cosines of a row and a column, mm between rows and between columns.
    shape : tuple of 2 ints
        Rows and columns.
    grid : Grid
        The image's.

    Raises
    ------
    ContractError
        When the frame's size, pixel spacing or orientation is not that of the image's slices, or it lies between them,
        beside them or outside.
    """
    rows, columns = shape
    if (columns, rows) != tuple(grid.size[:2]):
        raise ContractError(
            f"its frames have {rows} rows and {columns} columns, and the image's slices {grid.size[1]} and "
            f"{grid.size[0]}"
        )
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    first = np.array(position)
    along_row, along_column = row * spacing[1] * (columns - 1), column * spacing[0] * (rows - 1)
    corners = index_of(np.stack([first, first + along_row, first + along_column]), grid)
    across, down = corners[1] - corners[0], corners[2] - corners[0]
    flips_columns, flips_rows = bool(across[0] < 0), bool(down[1] < 0)
    _refuse_other_plane(across, down, (columns - 1, rows - 1), spacing, orientation, grid)
    expected = np.array([(columns - 1) * flips_columns, (rows - 1) * flips_rows])
    off = float(np.abs(corners[0][:2] - expected).max())
    if off > PLACING:
        raise ContractError(
            f"its frames lie {off:.3g} voxels beside the image's slices, and at most {PLACING} is accepted"
        )
    place = round(float(corners[0][2]))
    if abs(corners[0][2] - place) > PLACING:
        raise ContractError(
            f"a frame lies between the image's slices, {abs(corners[0][2] - place):.3g} of their distance off the "
            f"nearest, and at most {PLACING} is accepted"
        )
    if not 0 <= place < grid.size[2]:
        raise ContractError(f"a frame lies outside of the image: at slice {place + 1} of {grid.size[2]}")
    return Placement(place, flips_rows, flips_columns)


def _refuse_other_plane(
    across: NDArray[Any],
    down: NDArray[Any],
    counts: tuple[int, int],
    spacing: tuple[float, ...],
    orientation: tuple[float, ...],
    grid: Grid,
) -> None:
    """Refuse a frame whose far corners are not at those of the image's slices."""
    axes = np.reshape(grid.direction, (3, 3))
    cosines = (abs(float(axes[:, 0] @ orientation[:3])), abs(float(axes[:, 1] @ orientation[3:])))
    wanted = np.array([[counts[0], 0.0, 0.0], [0.0, counts[1], 0.0]])
    found = np.abs(np.stack([across, down]))
    if np.abs(found - wanted).max() <= PLACING:
        return
    if min(cosines) < 1 - 1e-6 or np.delete(found[0], 0).max() > PLACING or np.delete(found[1], 1).max() > PLACING:
        raise ContractError(
            "its frames are oriented otherwise than the image's slices: the cosines between their axes are "
            f"{cosines[0]:.6f} and {cosines[1]:.6f}"
        )
    raise ContractError(
        f"its pixel spacing in mm ({spacing[0]:.6g}, {spacing[1]:.6g}) is not the image's ({grid.spacing[1]:.6g}, "
        f"{grid.spacing[0]:.6g})"
    )
