"""Maximal correlation coefficient (MCC) of a co-occurrence matrix, from its second largest eigenvalue.

``Q(i, j) = sum_k P(i, k) P(j, k) / (px(i) py(k) + eps)``, and MCC is the root of Q's second largest eigenvalue. For a
symmetric P, and but for eps, Q is similar to the square of ``S(i, j) = P(i, j) / sqrt(px(i) px(j))``, of which the one
eigenvalue that is asked for is found alone (`eigenvalues.pyx`). What eps moves it by is added to first order, by the
eigenvectors on both sides. Where that is not sure, all eigenvalues are looked at.

References
----------
Haralick et al. 1973, doi:10.1109/TSMC.1973.4309314, feature 14.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from flows.extract.fast.eigenvalues import second_eigenvalues

__all__ = ["maximal_correlation"]

Floats = NDArray[np.float64]

# An eigenvalue under this is too near its own rounding error, about 1e-16, for its root to keep nine digits.
_SMALLEST_SURE_EIGENVALUE = 1e-6
# Eigenvalues nearer than this are turned into each other by eps: to first order is not enough.
_SMALLEST_GAP = 1e-6
# What is beyond first order, as a part of the eigenvalue.
_LARGEST_REST = 1e-11


def maximal_correlation(P: Floats, px: Floats, py: Floats, *, is_symmetric: bool) -> Floats:
    """Return MCC at each angle; 1 where there is one grey level, NaN where rounding leaves no root.

    Parameters
    ----------
    P : ndarray of shape (levels, levels, angles)
        The matrix.
    px, py : ndarray of shape (levels, angles)
        Its marginals.
    is_symmetric : bool
        Whether P(i, j) is P(j, i).
    """
    n_levels, _, n_angles = P.shape
    if n_levels < 2:
        return np.ones(n_angles)
    second = np.full(n_angles, np.nan)
    if is_symmetric:
        second = second_eigenvalues(P, np.spacing(1), _SMALLEST_SURE_EIGENVALUE, _SMALLEST_GAP, _LARGEST_REST)
        for angle in np.flatnonzero(np.isnan(second)):
            second[angle] = _among_equals(P[:, :, angle], px[:, angle])
    unsure = np.isnan(second)
    if unsure.any():
        of_angle, rows, columns = np.ascontiguousarray(P.transpose(2, 0, 1)), px.T, py.T
        second = second.astype(complex)
        second[unsure] = _second_largest(of_angle[unsure], rows[unsure], columns[unsure])
        if not np.all(second.real > _SMALLEST_SURE_EIGENVALUE):
            # Rounding decides whether the root exists: for all angles, pyradiomics' own sums.
            second = _of_summed(P, px, py)
    return np.real(np.sqrt(second)) if np.iscomplexobj(second) else np.sqrt(second)


def _among_equals(P: Floats, px: Floats) -> float:
    """Return the second largest eigenvalue of Q at one angle where several are as large, NaN where it is too small.

    What eps moves them by is an eigenvalue of Q within their space.
    """
    _, inverse = _roots(px)
    eigenvalues, vectors = np.linalg.eigh(P * inverse[:, None] * inverse)
    falling = np.argsort(eigenvalues**2)[::-1]
    squares = eigenvalues[falling] ** 2
    gaps = -np.diff(squares)
    ends = np.flatnonzero(gaps > _SMALLEST_GAP)
    ends = ends[ends > 0]
    if not len(ends) or squares[1] <= _SMALLEST_SURE_EIGENVALUE:
        return float("nan")
    v = vectors[:, falling[: ends[0] + 1]]
    moved, rest = _moved_by_eps(P[None], px[None], v[None], gaps[ends[:1]])
    within = np.linalg.eigvals(moved[0])
    if np.iscomplexobj(within) or rest[0] >= _LARGEST_REST * squares[1]:
        return float("nan")
    second = float(np.sort(within)[-2])
    # Levels whose pairs weigh less than eps: what they make an eigenvalue of falls behind the next one.
    return second if second > squares[ends[0] + 1] else float("nan")


def _moved_by_eps(P: Floats, px: Floats, v: Floats, gap: Floats) -> tuple[Floats, Floats]:
    """Return Q within the space of some eigenvectors of S, and the most that their eigenvalues miss beyond it.

    Q leads out of the space by what eps does to it, and back by as little: over the gap to the other eigenvalues, the
    product is the second order of what it moves.

    Parameters
    ----------
    P : ndarray of shape (angles, levels, levels)
        Symmetric.
    px : ndarray of shape (angles, levels)
        Its marginals.
    v : ndarray of shape (angles, levels, vectors)
        Of unit length, at right angles.
    gap : ndarray of shape (angles,)
        From the squares of these eigenvalues to those of the others.
    """
    roots, inverse = (each[:, :, None] for each in _roots(px))
    quotient = P / (px[:, :, None] * px[:, None, :] + np.spacing(1))
    to_right = roots * (quotient @ (P @ (v * inverse)))
    to_left = inverse * (P @ (quotient.swapaxes(1, 2) @ (v * roots)))
    within = v.swapaxes(1, 2) @ to_right
    out = np.linalg.norm(to_right - v @ within, axis=(1, 2))
    back = np.linalg.norm(to_left - v @ within.swapaxes(1, 2), axis=(1, 2))
    return within, out * back / gap


def _roots(px: Floats) -> tuple[Floats, Floats]:
    """Return the roots of the marginals, and one over them, 0 for a level without pairs."""
    roots = np.sqrt(px)
    return roots, np.divide(1.0, roots, out=np.zeros_like(roots), where=roots > 0)


def _second_largest(P: Floats, px: Floats, py: Floats) -> NDArray[np.complex128]:
    Q = P / (px[:, :, None] * py[:, None, :] + np.spacing(1)) @ P.swapaxes(1, 2)
    eigenvalues = np.linalg.eigvals(Q).astype(complex)
    eigenvalues.sort()
    return eigenvalues[:, -2]


def _of_summed(P: Floats, px: Floats, py: Floats) -> NDArray[np.complex128]:
    """Return the second largest eigenvalue of Q as pyradiomics adds it up, level by level."""
    eps = np.spacing(1)
    Q = np.zeros(P.shape)
    for k in range(P.shape[0]):
        term = P[:, None, k] * P[None, :, k] / (px[:, None] * py[None, k] + eps)
        Q = term if k == 0 else Q + term
    eigenvalues = np.linalg.eigvals(Q.transpose(2, 0, 1))
    eigenvalues.sort()
    return np.asarray(eigenvalues[:, -2], dtype=complex if np.iscomplexobj(eigenvalues) else float)
