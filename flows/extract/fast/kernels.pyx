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

ctypedef fused real_t:
    float
    double


cdef extern from "rows.h":
    const int TABLES
    const int FEW_CELLS
    const int STEP
    void count_pairs(int32_t *table, const uint16_t *first, const uint16_t *second, Py_ssize_t side, Py_ssize_t n) nogil
    void count_few_pairs(
        int32_t *table, const uint16_t *first, const uint16_t *second, Py_ssize_t side, Py_ssize_t n
    ) nogil
    void join_tables(int32_t *table, Py_ssize_t cells) nogil
    void place_in_runs(
        uint16_t *place, const uint16_t *before, const uint16_t *own, const uint16_t *other, Py_ssize_t n
    ) nogil
    void place_along_row(uint16_t *place, const uint16_t *own, Py_ssize_t n) nogil
    void mark_alike(uint16_t *alike, const uint16_t *own, const uint16_t *other, int bit, Py_ssize_t n) nogil
    void count_beside(
        uint16_t *count, uint16_t *dependent, const uint16_t *own, const uint16_t *other, uint16_t reach,
        uint16_t span, Py_ssize_t n,
    ) nogil
    int lowest_bit(unsigned int bits) nogil
    void add_small(uint16_t *total, const uint16_t *other, Py_ssize_t n) nogil


def uniform_bins(const real_t[::1] voxels, const double[::1] edges):
    """Return each voxel's bin, from 1, between edges that are equally far apart; None where one is in none of them.

    A quotient tells the bin but for its rounding: the edges beside it decide, which are looked at in any case.

    Parameters
    ----------
    voxels : array of float32 or float64 of shape (n_voxels,)
        Intensities.
    edges : array of float64 of shape (n_bins + 1,)
        Rising; a bin has its lower edge and not its upper one.

    Returns
    -------
    ndarray of int64 of shape (n_voxels,) or None
    """
    found = np.empty(voxels.shape[0], dtype=np.int64)
    cdef int64_t[::1] bins = found
    cdef double lowest = edges[0], width = edges[1] - edges[0], voxel, quotient
    cdef Py_ssize_t at, bin, last = edges.shape[0] - 2
    cdef bint is_sure = True
    with nogil:
        for at in range(voxels.shape[0]):
            voxel = voxels[at]
            quotient = (voxel - lowest) / width
            bin = 0 if not quotient > 0 else last if quotient > last else <Py_ssize_t>quotient
            if voxel >= edges[bin + 1] and bin < last:
                bin += 1
            elif voxel < edges[bin] and bin > 0:
                bin -= 1
            is_sure &= voxel >= edges[bin] and voxel < edges[bin + 1]
            bins[at] = bin + 1
    return found if is_sure else None


def spread(const int64_t[::1] values, const int64_t[::1] places, Py_ssize_t size):
    """Return an array of so many places that has each value at its place, and 0 elsewhere, as 16-bit integers.

    It has some more places at its end, for kernels that go through rows in steps.
    """
    found = np.zeros(size + STEP, dtype=np.uint16)
    cdef uint16_t[::1] spreads = found
    cdef Py_ssize_t at
    with nogil:
        for at in range(values.shape[0]):
            spreads[places[at]] = <uint16_t>values[at]
    return found


def pair_counts(
    const uint16_t[::1] ranks, const int64_t[:, ::1] rows, const int64_t[::1] offsets, int n_levels, bint symmetric
):
    """Return how often grey level i has j at each offset, of shape (levels, levels, offsets).

    Where it shall be symmetric, each pair counts for j and i too.
    """
    counts = np.empty((n_levels, n_levels, offsets.shape[0]), dtype=np.float64)
    cdef Py_ssize_t at, row, i, j, n, side = n_levels + 1
    cdef bint are_few = side * side <= FEW_CELLS
    # A table for each offset, outside the mask too: the one that is filled stays in the processor's fastest memory, and
    # nothing is asked.
    pairs = np.zeros((offsets.shape[0], side * side * (TABLES if are_few else 1)), dtype=np.int32)
    cdef int32_t[:, ::1] tables = pairs
    cdef double[:, :, ::1] count = counts
    cdef const uint16_t *own
    with nogil:
        for at in range(offsets.shape[0]):
            for row in range(rows.shape[0]):
                own = &ranks[rows[row, 0]]
                n = rows[row, 1] - rows[row, 0]
                if are_few:
                    count_few_pairs(&tables[at, 0], own, own + offsets[at], side, n)
                else:
                    count_pairs(&tables[at, 0], own, own + offsets[at], side, n)
            if are_few:
                join_tables(&tables[at, 0], side * side)
        for i in range(n_levels):
            for j in range(n_levels):
                for at in range(offsets.shape[0]):
                    count[i, j, at] = tables[at, (i + 1) * side + j + 1]
                if symmetric:
                    for at in range(offsets.shape[0]):
                        count[i, j, at] += tables[at, (j + 1) * side + i + 1]
    return counts


def run_counts(
    const uint16_t[::1] ranks, const int64_t[:, ::1] rows, const int64_t[::1] offsets, int n_levels, int longest
):
    """Return how many runs of each length each grey level has, of shape (levels, longest, offsets).

    Each voxel is counted by its place in its run; a run of length j has one voxel at each place up to j, so that the
    runs of length j are the voxels at place j less those at place j + 1.
    """
    counts = np.empty((n_levels, longest, offsets.shape[0]), dtype=np.int32)
    cdef Py_ssize_t at, row, n, side = longest + 2, cells = (n_levels + 1) * side
    cdef bint are_few = cells <= FEW_CELLS
    by_place = np.empty(cells * (TABLES if are_few else 1), dtype=np.int32)
    of_levels = by_place[:cells].reshape(n_levels + 1, side)
    place_in_run = np.zeros(ranks.shape[0], dtype=np.uint16)
    cdef int32_t[::1] table = by_place
    cdef uint16_t[::1] all_places = place_in_run
    cdef uint16_t *place
    cdef const uint16_t *own
    for at in range(offsets.shape[0]):
        by_place[:] = 0
        with nogil:
            for row in range(rows.shape[0]):
                n = rows[row, 1] - rows[row, 0]
                own = &ranks[rows[row, 0]]
                place = &all_places[rows[row, 0]]
                if offsets[at] == 1:
                    place_along_row(place, own, n)
                else:
                    place_in_runs(place, place - offsets[at], own, own - offsets[at], n)
                if are_few:
                    count_few_pairs(&table[0], own, place, side, n)
                else:
                    count_pairs(&table[0], own, place, side, n)
            if are_few:
                join_tables(&table[0], cells)
        counts[:, :, at] = of_levels[1:, 1:-1] - of_levels[1:, 2:]
    return counts


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
    alike_in_row = np.empty(np.max(np.subtract(rows[:, 1], rows[:, 0])) + STEP, dtype=np.uint16)
    zone_ranks, zone_sizes = np.empty(places.shape[0], dtype=np.int64), np.empty(places.shape[0], dtype=np.int32)
    cdef int64_t[::1] rank = zone_ranks
    cdef int32_t[::1] found = zone_sizes
    cdef int32_t[::1] parent = pointers
    cdef int32_t[::1] size = counts
    cdef uint16_t[::1] buffer = alike_in_row
    cdef uint16_t *alike = &buffer[0]
    cdef const uint16_t *own
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
                mark_alike(alike, own, own - offsets[at], <int>at, n)
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
    width = np.max(np.subtract(rows[:, 1], rows[:, 0])) + STEP
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
                count_beside(count, dependent, own, other, reach, span, n)
                if total_t is uint16_t:
                    add_small(total, other, n)
                else:
                    for x in range(n):
                        total[x] += other[x]
            for x in range(n):
                rank = ranks[rows[row, 0] + x]
                if rank:
                    dependents[rank - 1, dependent[x]] += 1
                    if count[x]:
                        differences[rank - 1] += abs(<double>own[x] - <double>total[x] / <double>count[x])
