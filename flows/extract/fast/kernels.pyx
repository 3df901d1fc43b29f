# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The counts that texture matrices are made of, over the voxels of one mask.

A volume is given as its padded array, flat, each voxel as the rank of its grey level among those of the mask, from 1,
and 0 outside. The padding is as wide as the longest offset, so that a neighbour of a voxel has a place in the array. An
offset is a number of places in that array.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t


def pair_counts(const int32_t[::1] ranks, const int64_t[::1] voxels, const int64_t[::1] offsets, int n_levels):
    """Return how often grey level i has j at each offset, of shape (levels, levels, offsets)."""
    counts = np.zeros((n_levels, n_levels, offsets.shape[0]), dtype=np.int32)
    cdef int32_t[:, :, ::1] found = counts
    cdef Py_ssize_t at, v
    cdef int64_t offset
    cdef int32_t neighbour
    with nogil:
        for at in range(offsets.shape[0]):
            offset = offsets[at]
            for v in range(voxels.shape[0]):
                neighbour = ranks[voxels[v] + offset]
                if neighbour:
                    found[ranks[voxels[v]] - 1, neighbour - 1, at] += 1
    return counts


def run_counts(
    const int32_t[::1] ranks, const int64_t[::1] voxels, const int64_t[::1] offsets, int n_levels, int longest
):
    """Return how many runs of each length each grey level has, of shape (levels, longest, offsets).

    A run begins at a voxel whose neighbour behind it has another grey level, and ends where the level changes.
    """
    counts = np.zeros((n_levels, longest, offsets.shape[0]), dtype=np.int32)
    cdef int32_t[:, :, ::1] found = counts
    cdef Py_ssize_t at, v
    cdef int64_t offset, place
    cdef int32_t level
    cdef int length
    with nogil:
        for at in range(offsets.shape[0]):
            offset = offsets[at]
            for v in range(voxels.shape[0]):
                place = voxels[v]
                level = ranks[place]
                if ranks[place - offset] == level:
                    continue
                length = 1
                place += offset
                while ranks[place] == level:
                    length += 1
                    place += offset
                found[level - 1, length - 1, at] += 1
    return counts


def zones(const int32_t[::1] ranks, const int64_t[::1] voxels, const int64_t[::1] offsets):
    """Return the zones, voxels of one grey level that touch: the rank of each, and its number of voxels.

    Each voxel points to an earlier one of its zone, or to itself where it is the first (union-find).

    Parameters
    ----------
    voxels : array of int64
        Rising.
    offsets : array of int64
        Of all neighbours that come later.
    """
    pointers = np.empty(ranks.shape[0], dtype=np.int64)
    counts = np.zeros(ranks.shape[0], dtype=np.int32)
    cdef int64_t[::1] parent = pointers
    cdef int32_t[::1] size = counts
    cdef Py_ssize_t v, at
    cdef int64_t place, neighbour, own, other
    cdef int32_t level
    with nogil:
        for v in range(voxels.shape[0]):
            place = voxels[v]
            level = ranks[place]
            own = place
            parent[place] = place
            for at in range(offsets.shape[0]):
                neighbour = place - offsets[at]
                if ranks[neighbour] == level:
                    other = _first_of_zone(parent, neighbour)
                    if other < own:
                        parent[own] = other
                        own = other
                    else:
                        parent[other] = own
        for v in range(voxels.shape[0]):
            size[_first_of_zone(parent, voxels[v])] += 1
    first = np.flatnonzero(counts)
    return np.asarray(ranks)[first], counts[first]


cdef inline int64_t _first_of_zone(int64_t[::1] parent, int64_t place) noexcept nogil:
    while parent[place] != place:
        parent[place] = parent[parent[place]]
        place = parent[place]
    return place


def neighbourhoods(
    const int32_t[::1] levels,
    const int32_t[::1] ranks,
    const int64_t[::1] rows,
    int width,
    const int64_t[::1] offsets,
    int n_levels,
    int32_t alpha,
):
    """Return what GLDM and NGTDM count in each voxel's neighbourhood.

    The work goes row by row of the volume: sums over whole rows are what a processor is fastest at.

    Parameters
    ----------
    levels : array of int32
        The grey level of each place of the padded array, 0 outside the mask.
    ranks : array of int32
        Its rank.
    rows : array of int64
        Where each row of the mask's box begins.
    width : int
        Of the box.
    offsets : array of int64
        Of all neighbours, both directions.
    n_levels : int
        How many grey levels there are.
    alpha : int
        Largest difference of dependent grey levels.

    Returns
    -------
    (ndarray of int32 of shape (levels, offsets + 1), ndarray of float64 of shape (levels,))
        How many voxels of a level have so many dependent neighbours; the sum over a level's voxels of the absolute
        difference from the mean of their neighbours.
    """
    dependents = np.zeros((n_levels, offsets.shape[0] + 1), dtype=np.int32)
    differences = np.zeros(n_levels, dtype=np.float64)
    of_row = np.empty((3, width), dtype=np.int32)
    cdef int32_t[:, ::1] found = dependents
    cdef double[::1] summed = differences
    cdef int32_t[:, ::1] buffers = of_row
    cdef int32_t *total = &buffers[0, 0]
    cdef int32_t *count = &buffers[1, 0]
    cdef int32_t *dependent = &buffers[2, 0]
    cdef const int32_t *own
    cdef const int32_t *other
    cdef Py_ssize_t row, at, x
    cdef int32_t difference, rank
    with nogil:
        for row in range(rows.shape[0]):
            own = &levels[rows[row]]
            for x in range(width):
                total[x] = 0
                count[x] = 0
                dependent[x] = 0
            for at in range(offsets.shape[0]):
                other = own + offsets[at]
                for x in range(width):
                    difference = own[x] - other[x]
                    total[x] += other[x]
                    count[x] += other[x] != 0
                    dependent[x] += (other[x] != 0) & (difference <= alpha) & (difference >= -alpha)
            for x in range(width):
                rank = ranks[rows[row] + x]
                if rank:
                    found[rank - 1, dependent[x]] += 1
                    if count[x]:
                        summed[rank - 1] += abs(<double>own[x] - <double>total[x] / <double>count[x])
    return dependents, differences


def planar_hulls(const int32_t[:, ::1] points, int axis, const int64_t[::1] sizes, const double[::1] steps):
    """Return the corners of the convex hull that the points of each plane across an axis have.

    Parameters
    ----------
    points : array of int32 of shape (n_points, 3)
        Places on a grid.
    axis : int
        Across the planes: 0, 1 or 2.
    sizes : array of int64 of shape (3,)
        How many places each axis has.
    steps : array of float64 of shape (3,)
        How far the places of each axis are apart.

    Returns
    -------
    (float, ndarray of int32 of shape (n_corners, 3))
        The largest square of a distance within one plane, and the corners.
    """
    cdef int u_axis = 1 if axis == 0 else 0
    cdef int v_axis = 1 if axis == 2 else 2
    cdef Py_ssize_t n_planes = sizes[axis], n_u = sizes[u_axis]
    lowest = np.full((n_planes, n_u), sizes[v_axis], dtype=np.int32)
    highest = np.full((n_planes, n_u), -1, dtype=np.int32)
    corner_places = np.empty((2 * n_planes * n_u, 3), dtype=np.int32)
    stack_places = np.empty((2, 2 * n_u), dtype=np.int32)
    cdef int32_t[:, ::1] low = lowest
    cdef int32_t[:, ::1] high = highest
    cdef int32_t[:, ::1] corners = corner_places
    cdef int32_t[:, ::1] stack = stack_places
    cdef Py_ssize_t at, other, plane, n_corners = 0, first
    cdef int32_t u, v
    cdef int side, top
    cdef double along, across, square, largest = 0
    with nogil:
        for at in range(points.shape[0]):
            plane = points[at, axis]
            u = points[at, u_axis]
            v = points[at, v_axis]
            if v < low[plane, u]:
                low[plane, u] = v
            if v > high[plane, u]:
                high[plane, u] = v
        for plane in range(n_planes):
            first = n_corners
            for side in range(2):
                top = 0
                for u in range(<int32_t>n_u):
                    if high[plane, u] < 0:
                        continue
                    v = high[plane, u] if side else low[plane, u]
                    while top > 1 and _turns(stack, top, u, v, side):
                        top -= 1
                    stack[0, top] = u
                    stack[1, top] = v
                    top += 1
                for at in range(top):
                    corners[n_corners, axis] = <int32_t>plane
                    corners[n_corners, u_axis] = stack[0, at]
                    corners[n_corners, v_axis] = stack[1, at]
                    n_corners += 1
            for at in range(first, n_corners):
                for other in range(first, at):
                    along = steps[u_axis] * (corners[at, u_axis] - corners[other, u_axis])
                    across = steps[v_axis] * (corners[at, v_axis] - corners[other, v_axis])
                    square = along * along + across * across
                    if square > largest:
                        largest = square
    return largest, corner_places[:n_corners]


cdef inline bint _turns(int32_t[:, ::1] stack, int top, int32_t u, int32_t v, int side) noexcept nogil:
    """Return whether the last place of a chain lies within the hull, given the next place."""
    cdef int64_t du = stack[0, top - 1] - stack[0, top - 2]
    cdef int64_t dv = stack[1, top - 1] - stack[1, top - 2]
    cdef int64_t turn = du * (v - stack[1, top - 2]) - dv * (u - stack[0, top - 2])
    return turn >= 0 if side else turn <= 0
