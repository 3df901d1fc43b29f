"""The voxels whose centres closed contours enclose, exactly.

A centre is inside where a ray from it along its row crosses an odd number of edges of all contours: holes are
contours inside of others, or are joined to them by a channel that runs there and back. Of a shared edge one side has
the centres that lie on it: an edge belongs to what follows it along its row (larger i) and down the columns (larger
j), so that contours that share an edge share no voxel, and leave none out.

Vertices are rounded to `UNIT` of a voxel, and everything after that is whole numbers: what is computed does not
depend on the direction of a contour, on where it begins, or on rounding.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from schemas.errors import ContractError

__all__ = ["UNIT", "is_enclosing", "raster"]

UNIT = 1 << 14
"""Parts of a voxel that vertices are rounded to: a few hundred thousandths of a millimetre."""

_FURTHEST = 1 << 15

Integers = NDArray[np.int64]


def raster(contours: Sequence[NDArray[np.float64]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return where the centres of voxels lie inside the contours of one slice, by the even-odd rule.

    Parameters
    ----------
    contours : sequence of ndarray of shape (n, 2)
        Vertices (i, j) along columns and rows, in voxels from the centre of the first; the last joins the first.
    shape : tuple of 2 ints
        Rows and columns.

    Returns
    -------
    ndarray of shape (rows, columns)

    Raises
    ------
    ContractError
        When a vertex is further away than whole numbers of 64 bits can tell.
    """
    rows, columns = shape
    # A crossing switches all voxels of its row from the first on that is not left of it.
    switches = np.zeros((rows, columns + 1), dtype=np.int64)
    for contour in contours:
        _add_switches(_vertices(contour), switches)
    return np.asarray(np.cumsum(switches[:, :columns], axis=1) % 2 == 1)


def is_enclosing(contour: NDArray[np.float64]) -> bool:
    """Return whether a contour encloses anything: it has three different vertices that are not on one line."""
    vertices = np.unique(_vertices(contour), axis=0)
    if len(vertices) < 3:
        return False
    steps = vertices[1:] - vertices[0]
    return bool((steps[:, 0] * steps[-1, 1] != steps[:, 1] * steps[-1, 0]).any())


def _vertices(contour: NDArray[np.float64]) -> Integers:
    if len(contour) and np.abs(contour).max() > _FURTHEST:
        raise ContractError(f"a contour has a point more than {_FURTHEST} voxels away from the image")
    return np.rint(contour * UNIT).astype(np.int64)


def _add_switches(vertices: Integers, switches: Integers) -> None:
    rows, columns = switches.shape[0], switches.shape[1] - 1
    ends = np.roll(vertices, -1, axis=0)
    goes_down = vertices[:, 1] <= ends[:, 1]
    upper = np.where(goes_down[:, None], vertices, ends)
    lower = np.where(goes_down[:, None], ends, vertices)
    # Rows from the upper end on, without the lower one: a vertex on a row is counted once.
    first = np.clip(_ceiling(upper[:, 1], UNIT), 0, rows)
    counts = np.clip(_ceiling(lower[:, 1], UNIT), 0, rows) - first
    edges = np.repeat(np.arange(len(vertices)), counts)
    row = first[edges] + np.arange(len(edges)) - np.repeat(np.cumsum(counts) - counts, counts)
    x, y = upper[edges].T
    width, height = (lower[edges] - upper[edges]).T
    # x + (row - y) * width / height, as a fraction: 60 bits at the most.
    crossing = _ceiling(x * height + (row * UNIT - y) * width, height * UNIT)
    np.add.at(switches, (row, np.clip(crossing, 0, columns)), 1)


def _ceiling(numerator: Integers, denominator: Integers | int) -> Integers:
    return -(-numerator // denominator)
