# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The counts that texture matrices are made of, over the voxels of one mask.

A volume is given as its padded array, flat, each voxel as the rank of its grey level among those of the mask, from 1,
and 0 outside. The padding is as wide as the longest offset, so that a neighbour of a voxel has a place in the array. An
offset is a number of places in that array.

The work goes row by row: ``rows`` says where each begins and ends. What is the same for all voxels of a row, a
comparison or a sum, is a loop of its own over the row, which a processor does for many voxels at once.
"""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint16_t

ctypedef fused total_t:
    uint16_t
    int32_t


def pair_counts(
    const uint16_t[::1] ranks, const int64_t[:, ::1] rows, const int64_t[::1] offsets, int n_levels, bint symmetric
):
    """Return how often grey level i has j at each offset, of shape (levels, levels, offsets).

    Where it shall be symmetric, each pair counts for j and i too.
    """
    counts = np.empty((n_levels, n_levels, offsets.shape[0]), dtype=np.float64)
    # A table for each offset, outside the mask too: the one that is filled stays in the processor's fastest memory, and
    # nothing is asked.
    pairs = np.zeros((offsets.shape[0], n_levels + 1, n_levels + 1), dtype=np.int32)
    cdef int32_t[:, :, ::1] tables = pairs
    cdef double[:, :, ::1] count = counts
    cdef int32_t *found
    cdef Py_ssize_t at, row, x, i, j, side = n_levels + 1
    cdef const uint16_t *own
    cdef const uint16_t *other
    with nogil:
        for at in range(offsets.shape[0]):
            found = &tables[at, 0, 0]
            for row in range(rows.shape[0]):
                own = &ranks[rows[row, 0]]
                other = own + offsets[at]
                for x in range(rows[row, 1] - rows[row, 0]):
                    found[own[x] * side + other[x]] += 1
        for i in range(n_levels):
            for j in range(n_levels):
                for at in range(offsets.shape[0]):
                    count[i, j, at] = tables[at, i + 1, j + 1]
                if symmetric:
                    for at in range(offsets.shape[0]):
                        count[i, j, at] += tables[at, j + 1, i + 1]
    return counts


def run_counts(
    const uint16_t[::1] ranks, const int64_t[:, ::1] rows, const int64_t[::1] offsets, int n_levels, int longest
):
    """Return how many runs of each length each grey level has, of shape (levels, longest, offsets).

    Each voxel is counted by its place in its run; a run of length j has one voxel at each place up to j, so that the
    runs of length j are the voxels at place j less those at place j + 1.
    """
    counts = np.empty((n_levels, longest, offsets.shape[0]), dtype=np.int32)
    by_place = np.empty((n_levels + 1, longest + 2), dtype=np.int32)
    place_in_run = np.zeros(ranks.shape[0], dtype=np.uint16)
    cdef int32_t[:, ::1] table = by_place
    cdef uint16_t[::1] all_places = place_in_run
    cdef int32_t *found = &table[0, 0]
    cdef uint16_t *place
    cdef const uint16_t *place_before
    cdef const uint16_t *own
    cdef const uint16_t *before
    cdef Py_ssize_t at, row, x, n, side = longest + 2
    for at in range(offsets.shape[0]):
        by_place[:] = 0
        with nogil:
            for row in range(rows.shape[0]):
                n = rows[row, 1] - rows[row, 0]
                own = &ranks[rows[row, 0]]
                before = own - offsets[at]
                place = &all_places[rows[row, 0]]
                place_before = place - offsets[at]
                for x in range(n):
                    place[x] = (place_before[x] * (own[x] == before[x]) + 1) * (own[x] != 0)
                for x in range(n):
                    found[own[x] * side + place[x]] += 1
        counts[:, :, at] = by_place[1:, 1:-1] - by_place[1:, 2:]
    return counts


cdef extern from *:
    """
    /* The place of the lowest bit that is set. */
    static inline int lowest_bit(unsigned bits)
    {
    #if defined(__GNUC__)
        return __builtin_ctz(bits);
    #else
        int at = 0;
        while (!(bits >> at & 1))
            at++;
        return at;
    #endif
    }
    """
    int lowest_bit(unsigned int bits) nogil


def zones(
    const uint16_t[::1] ranks,
    const int64_t[:, ::1] rows,
    const int64_t[::1] places,
    const int64_t[::1] offsets,
    const uint16_t[::1] touching,
):
    """Return the zones, voxels of one grey level that touch: the rank of each, and its number of voxels.

    Each voxel points to an earlier one of its zone, or to itself where it is the first (union-find).

    Parameters
    ----------
    places : array of int64
        Of all voxels, rising.
    offsets : array of int64
        Of all neighbours that come later, at most 16.
    touching : array of uint16
        For each offset the offsets at which a neighbour touches the one at this offset, a bit each, its own too: of one
        level, they are of one zone already.
    """
    pointers = np.empty(ranks.shape[0], dtype=np.int32)
    counts = np.zeros(ranks.shape[0], dtype=np.int32)
    alike_in_row = np.empty(np.max(np.subtract(rows[:, 1], rows[:, 0])), dtype=np.uint16)
    zone_ranks, zone_sizes = np.empty(places.shape[0], dtype=np.int64), np.empty(places.shape[0], dtype=np.int32)
    cdef int64_t[::1] rank = zone_ranks
    cdef int32_t[::1] found = zone_sizes
    cdef int32_t[::1] parent = pointers
    cdef int32_t[::1] size = counts
    cdef uint16_t[::1] buffer = alike_in_row
    cdef uint16_t *alike = &buffer[0]
    cdef const uint16_t *own
    cdef const uint16_t *before
    cdef Py_ssize_t row, x, n, at, v, n_zones = 0
    cdef int32_t place, first, other
    cdef uint16_t left
    with nogil:
        for row in range(rows.shape[0]):
            n = rows[row, 1] - rows[row, 0]
            own = &ranks[rows[row, 0]]
            for x in range(n):
                alike[x] = 0
            # Which earlier neighbours have the level of a voxel, a bit each.
            for at in range(offsets.shape[0]):
                before = own - offsets[at]
                for x in range(n):
                    alike[x] |= <uint16_t>((own[x] == before[x]) << at)
            for x in range(n):
                if not own[x]:
                    continue
                place = <int32_t>(rows[row, 0] + x)
                first = place
                parent[place] = place
                left = alike[x]
                while left:
                    at = lowest_bit(left)
                    other = _first_of_zone(parent, <int32_t>(place - offsets[at]))
                    if other < first:
                        parent[first] = other
                        first = other
                    else:
                        parent[other] = first
                    left &= <uint16_t>~touching[at]
        # Each pointer leads to an earlier voxel, whose own pointer leads to the first of its zone by then.
        for v in range(places.shape[0]):
            place = <int32_t>places[v]
            parent[place] = parent[parent[place]]
            size[parent[place]] += 1
        for v in range(places.shape[0]):
            if size[places[v]]:
                rank[n_zones] = ranks[places[v]]
                found[n_zones] = size[places[v]]
                n_zones += 1
    return zone_ranks[:n_zones].copy(), zone_sizes[:n_zones].copy()


cdef inline int32_t _first_of_zone(int32_t[::1] parent, int32_t place) noexcept nogil:
    while parent[place] != place:
        parent[place] = parent[parent[place]]
        place = parent[place]
    return place


def neighbourhoods(
    const uint16_t[::1] levels,
    const uint16_t[::1] ranks,
    const int64_t[:, ::1] rows,
    const int64_t[::1] offsets,
    int n_levels,
    int alpha,
):
    """Return what GLDM and NGTDM count in each voxel's neighbourhood.

    Parameters
    ----------
    levels : array of uint16
        The grey level of each place of the padded array, 0 outside the mask.
    ranks : array of uint16
        Its rank.
    rows : array of int64 of shape (rows, 2)
        Where each row begins and ends.
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
    width = np.max(np.subtract(rows[:, 1], rows[:, 0]))
    # Sums of 16 bits, where they cannot exceed them: twice as many at once.
    is_small = int(np.max(levels)) * offsets.shape[0] < 1 << 16
    totals = np.empty(width, dtype=np.uint16 if is_small else np.int32)
    numbers = np.empty((2, width), dtype=np.uint16)
    if is_small:
        _count_neighbourhoods[uint16_t](levels, ranks, rows, offsets, alpha, totals, numbers, dependents, differences)
    else:
        _count_neighbourhoods[int32_t](levels, ranks, rows, offsets, alpha, totals, numbers, dependents, differences)
    return dependents, differences


cdef void _count_neighbourhoods(
    const uint16_t[::1] levels,
    const uint16_t[::1] ranks,
    const int64_t[:, ::1] rows,
    const int64_t[::1] offsets,
    int alpha,
    total_t[::1] totals,
    uint16_t[:, ::1] numbers,
    int32_t[:, ::1] dependents,
    double[::1] differences,
):
    cdef total_t *total = &totals[0]
    cdef uint16_t *count = &numbers[0, 0]
    cdef uint16_t *dependent = &numbers[1, 0]
    cdef const uint16_t *own
    cdef const uint16_t *other
    cdef Py_ssize_t row, at, x, n
    cdef int rank
    cdef uint16_t reach = <uint16_t>alpha, span = <uint16_t>(2 * alpha)
    with nogil:
        for row in range(rows.shape[0]):
            n = rows[row, 1] - rows[row, 0]
            own = &levels[rows[row, 0]]
            for x in range(n):
                total[x] = 0
                count[x] = 0
                dependent[x] = 0
            for at in range(offsets.shape[0]):
                other = own + offsets[at]
                for x in range(n):
                    total[x] += other[x]
                    count[x] += other[x] != 0
                    # From -alpha to alpha, in one comparison: below 0 is far above.
                    dependent[x] += (other[x] != 0) & (<uint16_t>(own[x] - other[x] + reach) <= span)
            for x in range(n):
                rank = ranks[rows[row, 0] + x]
                if rank:
                    dependents[rank - 1, dependent[x]] += 1
                    if count[x]:
                        differences[rank - 1] += abs(<double>own[x] - <double>total[x] / <double>count[x])


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
