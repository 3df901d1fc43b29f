"""Sums over the pairs of grey levels of a co-occurrence matrix that its features are made of.

Symbols as in `flows.extract.fast.glcm`. Where a feature is nothing but rounding, the order of the sums decides: it is
that of numpy over pyradiomics' array, whose first level moves fastest or slowest in memory
(`flows.extract.fast.glcm`). A symmetric matrix at several angles is summed by compiled loops in that order; one angle
alone numpy adds up by pairs, and an asymmetric matrix in an order that depends on the product.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from flows.extract.fast.pair_sums import add_joint_sums, marginal_sums

__all__ = ["PairSums", "pair_sums"]

Floats = NDArray[np.float64]

_TOGETHER = 2**14
"""Shares, whose products and logarithms stay in the processor's second memory."""


class PairSums(NamedTuple):
    """Each at each angle.

    Attributes
    ----------
    px, py : ndarray of shape (levels, angles)
        The marginals.
    ux, uy : ndarray of shape (angles,)
        Their means.
    p_sum, p_diff : ndarray of shape (2 Ng - 1, angles) and (Ng, angles)
        The shares by sum, from 2, and by difference, from 0.
    x_variance, y_variance, covariance : ndarray of shape (angles,)
        About these means.
    energy, product : ndarray of shape (angles,)
        The sums of P^2 and of i j P.
    HXY, HXY1, HXY2 : ndarray of shape (angles,)
        The joint entropy, and those of the product of the marginals, by P's shares and by its own.
    largest : ndarray of shape (angles,)
        The largest share.
    """

    px: Floats
    py: Floats
    ux: Floats
    uy: Floats
    p_sum: Floats
    p_diff: Floats
    x_variance: Floats
    y_variance: Floats
    covariance: Floats
    energy: Floats
    product: Floats
    HXY: Floats
    HXY1: Floats
    HXY2: Floats
    largest: Floats


def pair_sums(P: Floats, present: NDArray[np.int_], *, is_symmetric: bool) -> PairSums:
    """Return the sums.

    Parameters
    ----------
    P : ndarray of shape (levels, levels, angles)
        The matrix.
    present : ndarray of int of shape (levels,)
        The grey levels, rising.
    is_symmetric : bool
        Whether P(i, j) is P(j, i).
    """
    if not is_symmetric or P.shape[2] == 1:
        return _by_numpy(P, present)
    column_first = not P.flags.c_contiguous
    by_rows = P.transpose(1, 0, 2) if column_first else P
    if not by_rows.flags.c_contiguous:
        return _by_numpy(P, present)
    return _by_loops(by_rows, present, column_first)


def _by_loops(by_rows: Floats, present: NDArray[np.int_], column_first: bool) -> PairSums:
    px, row_mean, column_mean, p_sum, p_diff = marginal_sums(by_rows, present)
    n_levels, _, n_angles = by_rows.shape
    grey, eps = present.astype(float), np.spacing(1)
    totals = np.zeros((9, n_angles))
    step = max(1, _TOGETHER // (n_levels * n_angles))
    for begin in range(0, n_levels, step):
        rows = slice(begin, begin + step)
        products = px[rows, None] * px
        add_joint_sums(
            by_rows[rows],
            np.log2(by_rows[rows] + eps),
            products,
            np.log2(products + eps),
            grey[rows],
            grey,
            row_mean,
            column_mean,
            column_first,
            totals,
        )
    ux, uy = (column_mean, row_mean) if column_first else (row_mean, column_mean)
    totals[5:8] *= -1
    return PairSums(px, px, ux, uy, p_sum, p_diff, *totals)


def _by_numpy(P: Floats, present: NDArray[np.int_]) -> PairSums:
    i, n_grey, eps = present.astype(float), int(present[-1]), np.spacing(1)
    px, py = P.sum(1), P.sum(0)
    i_, j_ = i[:, None, None], i[None, :, None]
    ux, uy = np.sum(i_ * P, (0, 1)), np.sum(j_ * P, (0, 1))
    pxpy = px[:, None] * py
    log_pxpy = np.log2(pxpy + eps)
    # Most pairs of levels do not occur, and a product with 0 needs no logarithm.
    log_P = np.log2(P + eps, out=np.zeros_like(P), where=P > 0)
    return PairSums(
        px,
        py,
        ux,
        uy,
        _totals(P, np.add.outer(present, present) - 2, 2 * n_grey - 1),
        _totals(P, np.abs(np.subtract.outer(present, present)), n_grey),
        np.sum(P * (i_ - ux) ** 2, (0, 1)),
        np.sum(P * (j_ - uy) ** 2, (0, 1)),
        np.sum(P * (i_ - ux) * (j_ - uy), (0, 1)),
        np.sum(P**2, (0, 1)),
        np.sum(i[:, None] * np.sum(P * i[:, None], 1), 0),
        -np.sum(P * log_P, (0, 1)),
        -np.sum(P * log_pxpy, (0, 1)),
        -np.sum(pxpy * log_pxpy, (0, 1)),
        P.max((0, 1)),
    )


def _totals(P: Floats, bins: NDArray[np.int_], n_bins: int) -> Floats:
    """Return the sums of P over the pairs of levels in each bin, of shape (bins, angles)."""
    n_angles = P.shape[2]
    places = bins.ravel()[:, None] * n_angles + np.arange(n_angles)
    totals = np.bincount(places.ravel(), P.ravel(), n_bins * n_angles).astype(float)
    return totals.reshape(n_bins, n_angles)
