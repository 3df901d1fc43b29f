# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Filters along the lines of a volume, of many lines at a time.

Each sum has the order of the library whose bits it has; a processor makes those of several lines at once.
"""

import numpy as np

from libc.stdint cimport int64_t

ctypedef fused real_t:
    float
    double


cdef extern from *:
    """
    #include "flows/imaging/intensities/clones.h"

    enum { LINES = 32 };

    /* One step of a recursion over four values, of as many lines as fit a register several times. */
    IN_CLONES static void recursion_step(
        double *restrict y, const double *restrict x0, const double *restrict x1, const double *restrict x2,
        const double *restrict x3, const double *n, const double *restrict y1, const double *restrict y2,
        const double *restrict y3, const double *restrict y4, const double *d)
    {
        const double n0 = n[0], n1 = n[1], n2 = n[2], n3 = n[3], d1 = d[0], d2 = d[1], d3 = d[2], d4 = d[3];
        for (int line = 0; line < LINES; line++)
            y[line] = (x0[line] * n0 + x1[line] * n1 + x2[line] * n2 + x3[line] * n3)
                - (y1[line] * d1 + y2[line] * d2 + y3[line] * d3 + y4[line] * d4);
    }

    /* Two numbers that a processor of the family has instructions for. A loop over a few numbers the compiler makes
       three times as slow. */
    #if defined(__GNUC__)
    typedef double lanes __attribute__((vector_size(16), aligned(8), may_alias));
    #else
    typedef double lanes;
    #endif
    enum { WIDTH = sizeof(lanes) / sizeof(double), GROUPS = 8 / WIDTH };

    /* Two sums of n terms, of as many lines: of eight at a time, whose sums stay in registers. */
    static inline void sum_terms(
        double *restrict low, double *restrict high, const double *restrict x, const int64_t *places,
        const double *of_low, const double *of_high, Py_ssize_t n)
    {
        for (int first = 0; first < LINES; first += GROUPS * WIDTH) {
            lanes sums_low[GROUPS] = {0}, sums_high[GROUPS] = {0};
            for (Py_ssize_t term = 0; term < n; term++) {
                const lanes *there = (const lanes *)(x + places[term] * LINES + first);
                const double by_low = of_low[term], by_high = of_high[term];
                for (int group = 0; group < GROUPS; group++) {
                    sums_low[group] += by_low * there[group];
                    sums_high[group] += by_high * there[group];
                }
            }
            for (int group = 0; group < GROUPS; group++) {
                ((lanes *)(low + first))[group] = sums_low[group];
                ((lanes *)(high + first))[group] = sums_high[group];
            }
        }
    }
    """
    const int LINES
    void recursion_step(
        double *y, const double *x0, const double *x1, const double *x2, const double *x3, const double *n,
        const double *y1, const double *y2, const double *y3, const double *y4, const double *d,
    ) nogil
    void sum_terms(
        double *low, double *high, const double *x, const int64_t *places, const double *of_low, const double *of_high,
        Py_ssize_t n,
    ) nogil


def filter_recursively(
    const real_t[:, :, ::1] volume,
    float[:, :, ::1] filtered,
    int axis,
    Py_ssize_t start,
    const double[::1] n,
    const double[::1] m,
    const double[::1] d,
    const double[::1] d_before,
    const double[::1] d_behind,
):
    """Filter the lines of a volume along an axis, forwards and backwards.

    Parameters
    ----------
    volume : array of float32 or float64 of shape (z, y, x)
        At least four places along the axis.
    filtered : array of float32 of shape (z, y, x)
        Where the results go; along the axis so many as are asked for.
    axis : int
        0, 1 or 2.
    start : int
        The first place along the axis that is asked for.
    n, m : array of float64 of shape (4,)
        Of the input, forwards from the place itself, backwards from the next one.
    d : array of float64 of shape (4,)
        Of the four results before.
    d_before, d_behind : array of float64 of shape (4,)
        Of the first and of the last value of a line, in place of results beyond its ends.
    """
    cdef Py_ssize_t length = volume.shape[axis]
    # Lines lie beside each other along x; those along x itself, along y.
    cdef int beside_axis = 2 if axis != 2 else 1
    cdef int apart_axis = 1 if axis == 0 else 0
    cdef Py_ssize_t step = volume.strides[axis] // sizeof(real_t), target_step = filtered.strides[axis] // sizeof(float)
    cdef Py_ssize_t beside = volume.strides[beside_axis] // sizeof(real_t)
    cdef Py_ssize_t target_beside = filtered.strides[beside_axis] // sizeof(float)
    cdef Py_ssize_t apart = volume.strides[apart_axis] // sizeof(real_t)
    cdef Py_ssize_t target_apart = filtered.strides[apart_axis] // sizeof(float)
    cdef Py_ssize_t n_beside = volume.shape[beside_axis], n_apart = volume.shape[apart_axis]
    cdef Py_ssize_t n_asked = filtered.shape[axis]
    rooms = np.zeros((3, length, LINES))
    cdef double[:, :, ::1] room = rooms
    cdef double *x = &room[0, 0, 0]
    cdef double *forwards = &room[1, 0, 0]
    cdef double *backwards = &room[2, 0, 0]
    cdef Py_ssize_t group, first, lines, i
    cdef const real_t *source
    cdef float *target
    with nogil:
        for group in range(n_apart):
            first = 0
            while first < n_beside:
                lines = min(<Py_ssize_t>LINES, n_beside - first)
                source = &volume[0, 0, 0] + group * apart + first * beside
                target = &filtered[0, 0, 0] + group * target_apart + first * target_beside
                for i in range(length):
                    _take(x + i * LINES, source + i * step, lines, beside)
                for i in range(length):
                    _step(forwards, x, i, 0, -1, &n[0], 0, length, &d[0], &d_before[0])
                for i in range(length - 1, -1, -1):
                    _step(backwards, x, i, 1, 1, &m[0], length - 1, length, &d[0], &d_behind[0])
                for i in range(start * LINES, (start + n_asked) * LINES):
                    forwards[i] += backwards[i]
                for i in range(n_asked):
                    _give(forwards + (start + i) * LINES, target + i * target_step, lines, target_beside)
                first += LINES


cdef inline void _step(
    double *y,
    const double *x,
    Py_ssize_t i,
    int lag,
    int direction,
    const double *n,
    Py_ssize_t end,
    Py_ssize_t length,
    const double *d,
    const double *d_beyond,
) noexcept nogil:
    """Make the result at place i from the values and the results on one side of it.

    ``direction`` is where they lie, ``lag`` how far the first value, and ``end`` the place of the value that goes on
    for ever on that side.
    """
    cdef const double *values[4]
    cdef const double *results[4]
    cdef double of_results[4]
    cdef Py_ssize_t k, at
    for k in range(4):
        at = i + direction * (lag + k)
        values[k] = x + (at if 0 <= at < length else end) * LINES
        at = i + direction * (k + 1)
        if 0 <= at < length:
            results[k] = y + at * LINES
            of_results[k] = d[k]
        else:
            results[k] = x + end * LINES
            of_results[k] = d_beyond[k]
    recursion_step(
        y + i * LINES, values[0], values[1], values[2], values[3], n,
        results[0], results[1], results[2], results[3], of_results,
    )


cdef inline void _take(double *room, const real_t *source, Py_ssize_t lines, Py_ssize_t beside) noexcept nogil:
    """Take one value of each line, which lie so far apart; beside each other, many at once."""
    cdef Py_ssize_t line
    if beside == 1:
        for line in range(lines):
            room[line] = source[line]
    else:
        for line in range(lines):
            room[line] = source[line * beside]


cdef inline void _give(const double *room, real_t *target, Py_ssize_t lines, Py_ssize_t beside) noexcept nogil:
    cdef Py_ssize_t line
    if beside == 1:
        for line in range(lines):
            target[line] = <real_t>room[line]
    else:
        for line in range(lines):
            target[line * beside] = <real_t>room[line]


def filter_by_two(
    const double[:, :, ::1] volume,
    double[:, :, ::1] low,
    double[:, :, ::1] high,
    int axis,
    const double[:, ::1] of_low,
    const double[:, ::1] of_high,
    const int64_t[:, ::1] places,
):
    """Filter the lines of a volume along an axis by two filters of one length.

    Parameters
    ----------
    volume : array of float64 of shape (z, y, x)
        What is filtered.
    low, high : array of float64 of shape (z, y, x)
        Where the results go; along the axis as long as ``places``.
    axis : int
        0, 1 or 2.
    of_low, of_high : array of float64 of shape (results, terms)
        What each term of a result is multiplied by, in the order of the sum.
    places : array of int64 of shape (results, terms)
        Where along the line it lies.
    """
    cdef Py_ssize_t length = volume.shape[axis], n_results = places.shape[0], n_terms = places.shape[1]
    cdef Py_ssize_t step = volume.strides[axis] // sizeof(double)
    cdef Py_ssize_t target_step = low.strides[axis] // sizeof(double)
    # Lines lie beside each other along x; those along x itself, along y.
    cdef int beside_axis = 2 if axis != 2 else 1
    cdef int apart_axis = 1 if axis == 0 else 0
    cdef Py_ssize_t beside = volume.strides[beside_axis] // sizeof(double)
    cdef Py_ssize_t target_beside = low.strides[beside_axis] // sizeof(double)
    cdef Py_ssize_t apart = volume.strides[apart_axis] // sizeof(double)
    cdef Py_ssize_t target_apart = low.strides[apart_axis] // sizeof(double)
    cdef Py_ssize_t n_beside = volume.shape[beside_axis]
    rooms = np.zeros((length + 2, LINES))
    cdef double[:, ::1] room = rooms
    cdef double *x = &room[0, 0]
    cdef double *sum_low = &room[length, 0]
    cdef double *sum_high = &room[length + 1, 0]
    cdef Py_ssize_t group, first, lines, i, target
    cdef const double *source
    with nogil:
        for group in range(volume.shape[apart_axis]):
            first = 0
            while first < n_beside:
                lines = min(<Py_ssize_t>LINES, n_beside - first)
                source = &volume[0, 0, 0] + group * apart + first * beside
                for i in range(length):
                    _take(x + i * LINES, source + i * step, lines, beside)
                for i in range(n_results):
                    sum_terms(sum_low, sum_high, x, &places[i, 0], &of_low[i, 0], &of_high[i, 0], n_terms)
                    target = group * target_apart + first * target_beside + i * target_step
                    _give(sum_low, &low[0, 0, 0] + target, lines, target_beside)
                    _give(sum_high, &high[0, 0, 0] + target, lines, target_beside)
                first += LINES
