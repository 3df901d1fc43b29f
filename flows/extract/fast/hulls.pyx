# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Corners of convex hulls, and the largest distance between places: what the diameters of a mask are made of."""

import numpy as np

from libc.stdint cimport int32_t, int64_t


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


def largest_square(const double[:, ::1] places):
    """Return the largest square of a distance between two of some places, of shape (n_places, 3)."""
    cdef Py_ssize_t at, other
    cdef double z, y, x, square, largest = 0
    with nogil:
        for at in range(places.shape[0]):
            for other in range(at):
                z = places[at, 0] - places[other, 0]
                y = places[at, 1] - places[other, 1]
                x = places[at, 2] - places[other, 2]
                square = z * z + y * y + x * x
                if square > largest:
                    largest = square
    return largest
