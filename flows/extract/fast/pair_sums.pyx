# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Sums over the pairs of levels of a co-occurrence matrix, at all angles, in one pass each.

numpy makes an array of each product and reads it again. The order of the sums is numpy's: row after row, the angles
beside each other, each with a total of its own.
"""

import numpy as np

from libc.stdint cimport int64_t

cdef extern from *:
    """
    #include "flows/imaging/intensities/clones.h"

    /* Whether a pair of levels occurs at none of the angles: most pairs of many levels. What it would add is 0. */
    static inline int is_absent(const double *p, int n)
    {
        uint64_t any = 0, bits;
        for (int at = 0; at < n; at++) {
            memcpy(&bits, p + at, sizeof bits);
            any |= bits;
        }
        return !any;
    }

    /* Of nine totals the one that absent pairs have a part in. */
    IN_CLONES static void add_products(
        const double *restrict q, const double *restrict log_q, double *restrict totals, int n)
    {
        for (int at = 0; at < n; at++)
            totals[7 * n + at] += q[at] * log_q[at];
    }

    /* Whether the angles of one pair of levels fit a register several times is the compiler's business. */
    IN_CLONES static void first_sums(
        const double *restrict p, double i, double j, double *restrict of_row, double *restrict rows,
        double *restrict columns, double *restrict by_sum, double *restrict by_difference, int n)
    {
        for (int at = 0; at < n; at++) {
            of_row[at] += p[at];
            rows[at] += i * p[at];
            columns[at] += j * p[at];
            by_sum[at] += p[at];
            by_difference[at] += p[at];
        }
    }

    /* Nine totals of n angles each, as PairSums names them. */
    IN_CLONES static void second_sums(
        const double *restrict p, const double *restrict log_p, const double *restrict q, const double *restrict log_q,
        double i, double j, const double *restrict i_mean, const double *restrict j_mean, double *restrict totals,
        int n)
    {
        for (int at = 0; at < n; at++) {
            const double of_i = i - i_mean[at], of_j = j - j_mean[at], share = p[at];
            totals[at] += share * (of_i * of_i);
            totals[n + at] += share * (of_j * of_j);
            totals[2 * n + at] += share * of_i * of_j;
            totals[3 * n + at] += share * share;
            totals[4 * n + at] += share * (i * j);
            totals[5 * n + at] += share * log_p[at];
            totals[6 * n + at] += share * log_q[at];
            totals[7 * n + at] += q[at] * log_q[at];
            totals[8 * n + at] = share > totals[8 * n + at] ? share : totals[8 * n + at];
        }
    }
    """
    bint is_absent(const double *p, int n) nogil
    void add_products(const double *q, const double *log_q, double *totals, int n) nogil
    void first_sums(
        const double *p, double i, double j, double *of_row, double *rows, double *columns, double *by_sum,
        double *by_difference, int n,
    ) nogil
    void second_sums(
        const double *p, const double *log_p, const double *q, const double *log_q, double i, double j,
        const double *i_mean, const double *j_mean, double *totals, int n,
    ) nogil


def marginal_sums(const double[:, :, ::1] shares, const int64_t[::1] levels):
    """Return the marginal of the rows, both means, and the shares by sum and by difference of levels.

    Parameters
    ----------
    shares : array of float64 of shape (levels, levels, angles)
        Of the pairs.
    levels : array of int64 of shape (levels,)
        The grey levels, rising.

    Returns
    -------
    tuple of ndarray of float64
        Of shape (levels, angles); (angles,), the mean of the first level; (angles,), that of the second;
        (2 highest - 1, angles), from the sum 2; (highest, angles), from the difference 0.
    """
    cdef Py_ssize_t n_levels = shares.shape[0], i, j, apart
    cdef int n_angles = <int>shares.shape[2]
    cdef int64_t highest = levels[n_levels - 1]
    marginal, means = np.zeros((n_levels, n_angles)), np.zeros((2, n_angles))
    by_sum, by_difference = np.zeros((2 * highest - 1, n_angles)), np.zeros((highest, n_angles))
    cdef double[:, ::1] of_row = marginal
    cdef double[:, ::1] mean = means
    cdef double[:, ::1] of_sum = by_sum
    cdef double[:, ::1] of_difference = by_difference
    with nogil:
        for i in range(n_levels):
            for j in range(n_levels):
                if is_absent(&shares[i, j, 0], n_angles):
                    continue
                apart = levels[i] - levels[j] if i > j else levels[j] - levels[i]
                first_sums(
                    &shares[i, j, 0], levels[i], levels[j], &of_row[i, 0], &mean[0, 0], &mean[1, 0],
                    &of_sum[levels[i] + levels[j] - 2, 0], &of_difference[apart, 0], n_angles,
                )
    return marginal, means[0], means[1], by_sum, by_difference


def add_joint_sums(
    const double[:, :, ::1] shares,
    const double[:, :, ::1] logarithms,
    const double[:, :, ::1] products,
    const double[:, :, ::1] of_products,
    const double[::1] row_levels,
    const double[::1] column_levels,
    const double[::1] row_mean,
    const double[::1] column_mean,
    bint column_first,
    double[:, ::1] totals,
):
    """Add to the totals what some rows have: squares of both deviations, their product, and so on (`PairSums`).

    Parameters
    ----------
    shares, logarithms, products, of_products : array of float64 of shape (rows, levels, angles)
        Of the pairs, their logarithms; the products of the marginals, and the logarithms of those.
    row_levels, column_levels : array of float64
        The grey levels.
    row_mean, column_mean : array of float64 of shape (angles,)
        Their means.
    column_first : bool
        Whether the first level of a pair stands in the columns: products are rounded in the order of the levels.
    totals : array of float64 of shape (9, angles)
        To which is added.
    """
    cdef Py_ssize_t row, column
    cdef int n = <int>shares.shape[2]
    with nogil:
        for row in range(shares.shape[0]):
            for column in range(shares.shape[1]):
                if is_absent(&shares[row, column, 0], n):
                    add_products(&products[row, column, 0], &of_products[row, column, 0], &totals[0, 0], n)
                elif column_first:
                    second_sums(
                        &shares[row, column, 0], &logarithms[row, column, 0], &products[row, column, 0],
                        &of_products[row, column, 0], column_levels[column], row_levels[row], &column_mean[0],
                        &row_mean[0], &totals[0, 0], n,
                    )
                else:
                    second_sums(
                        &shares[row, column, 0], &logarithms[row, column, 0], &products[row, column, 0],
                        &of_products[row, column, 0], row_levels[row], column_levels[column], &row_mean[0],
                        &column_mean[0], &totals[0, 0], n,
                    )
