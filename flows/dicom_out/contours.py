"""The outline of a mask on a slice as closed polygons along the edges of its voxels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["is_hole", "outlines"]

Corner = tuple[int, int]

# Of a voxel of which the neighbour in a direction is outside: the edge between them, from corner to corner, so that
# the voxel lies on its right hand where j runs downwards.
_SIDES: tuple[tuple[Corner, Corner, Corner], ...] = (
    ((0, -1), (0, 0), (1, 0)),
    ((1, 0), (1, 0), (1, 1)),
    ((0, 1), (1, 1), (0, 1)),
    ((-1, 0), (0, 1), (0, 0)),
)


def outlines(mask: NDArray[np.bool_]) -> list[NDArray[np.float64]]:
    """Return the polygons that enclose just the voxels of a mask, by the even-odd rule.

    Voxels that touch at a corner alone are enclosed apart; a hole has a polygon of its own.

    Parameters
    ----------
    mask : ndarray of shape (rows, columns)
        True inside.

    Returns
    -------
    list of ndarray of shape (n, 2)
        Vertices (i, j) along columns and rows, in voxels from the centre of the first: halves. No three in a row lie on
        one line; the last joins the first.
    """
    following = _edges(mask)
    found = []
    while following:
        start = min(following)
        corner, step = start, (0, 0)
        polygon: list[Corner] = []
        while True:
            nexts = following[corner]
            # Where two voxels touch at the corner, the path turns right: it stays with its own.
            right = (corner[0] - step[1], corner[1] + step[0])
            chosen = right if len(nexts) > 1 and right in nexts else nexts[0]
            nexts.remove(chosen)
            if not nexts:
                del following[corner]
            turned = (chosen[0] - corner[0], chosen[1] - corner[1])
            if turned != step:
                polygon.append(corner)
            corner, step = chosen, turned
            if corner == start:
                break
        found.append(np.array(polygon, dtype=np.float64) - 0.5)
    return found


def is_hole(polygon: NDArray[np.float64]) -> bool:
    """Return whether a polygon of `outlines` runs around a hole: counter-clockwise where j runs downwards."""
    i, j = polygon.T
    return bool(np.sum(i * np.roll(j, -1) - np.roll(i, -1) * j) < 0)


def _edges(mask: NDArray[np.bool_]) -> dict[Corner, list[Corner]]:
    """Return where the edges go that begin at each corner of voxels."""
    padded = np.pad(mask, 1)
    following: dict[Corner, list[Corner]] = {}
    for (di, dj), (from_i, from_j), (to_i, to_j) in _SIDES:
        beyond = padded[1 + dj : padded.shape[0] - 1 + dj, 1 + di : padded.shape[1] - 1 + di]
        for j, i in np.argwhere(mask & ~beyond):
            following.setdefault((int(i) + from_i, int(j) + from_j), []).append((int(i) + to_i, int(j) + to_j))
    return following
