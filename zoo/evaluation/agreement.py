"""Agreement between readers, or between readings: intraclass correlation (ICC) and kappa."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from schemas.errors import ContractError
from zoo.evaluation.inputs import confidence_level

__all__ = ["IccEstimate", "cohen_kappa", "icc_agreement", "icc_consistency", "icc_one_way"]

Floats = NDArray[np.float64]


class IccEstimate(NamedTuple):
    """One ICC per feature with its confidence bounds, each of shape (n_features,); NaN where undefined."""

    value: Floats
    lower: Floats
    upper: Floats

    @property
    def defined(self) -> NDArray[np.bool_]:
        """True for the features that have an ICC; a comparison with a NaN is false, so others never pass."""
        return ~np.isnan(self.value)


class _MeanSquares(NamedTuple):
    """Two-way analysis of variance of every feature; the features' scale is divided out."""

    n: int
    k: int
    subjects: Floats
    raters: Floats
    error: Floats
    within: Floats
    usable: NDArray[np.bool_]


def icc_agreement(ratings: ArrayLike, level: float = 0.95) -> IccEstimate:
    r"""Return ICC(A,1) = ICC(2,1) of each feature: two-way random effects, absolute agreement, one rating.

    .. math:: \frac{MS_R - MS_E}{MS_R + (k-1) MS_E + \frac{k}{n} (MS_C - MS_E)}

    with the mean squares of n subjects (R), k raters (C) and error (E). A constant offset between readers
    counts against it, as it should where a model trained on one reader's masks meets another's.

    Parameters
    ----------
    ratings : array_like of shape (n_subjects, n_raters, n_features)
        At least two subjects and two raters. Where one reader read twice, the readings are the raters.
    level : float
        Confidence level of the bounds.

    Returns
    -------
    IccEstimate
        NaN for a feature with a missing rating and for one that does not vary at all: neither has an ICC.

    Raises
    ------
    ContractError
        If the array has another shape.

    Notes
    -----
    The bounds are McGraw and Wong's (their table 7), as R's psych prints. Their approximate degrees of
    freedom v lie between k - 1 and n (k - 1) unless the ICC is negative; v is kept from falling below k - 1
    there, because near v = 0 the upper bound would fall below the estimate.

    References
    ----------
    McGraw KO, Wong SP, Psychol Methods 1996;1:30, doi:10.1037/1082-989X.1.1.30.
    Shrout PE, Fleiss JL, Psychol Bull 1979;86:420, doi:10.1037/0033-2909.86.2.420.
    """
    ms = _mean_squares(ratings)
    n, k = ms.n, ms.k
    spread = k * ms.raters + (k * n - k - n) * ms.error
    value = _ratio(n * (ms.subjects - ms.error), spread + n * ms.subjects, ms.usable)

    # McGraw and Wong's a and b, both times n (1 - ICC): v does not change, and nothing is divided by zero
    # when readers agree perfectly.
    a = k * value
    b = n * (1 - value) + k * value * (n - 1)
    weighted_raters, weighted_error = a * ms.raters, b * ms.error
    v = _ratio(
        (weighted_raters + weighted_error) ** 2,
        weighted_raters**2 / (k - 1) + weighted_error**2 / ((n - 1) * (k - 1)),
        ms.usable,
    )
    v = np.fmax(v, k - 1)
    tail = (1 - confidence_level(level)) / 2
    f_lower = stats.f.isf(tail, n - 1, v)
    f_upper = stats.f.isf(tail, v, n - 1)
    defined = ~np.isnan(value)
    lower = _ratio(n * (ms.subjects - f_lower * ms.error), f_lower * spread + n * ms.subjects, defined)
    upper = _ratio(n * (f_upper * ms.subjects - ms.error), spread + n * f_upper * ms.subjects, defined)
    return IccEstimate(value, lower, upper)


def icc_one_way(ratings: ArrayLike) -> NDArray[np.float64]:
    r"""Return ICC(1,1) of each feature, one-way random effects: :math:`(MS_R - MS_W)/(MS_R + (k-1) MS_W)`.

    Parameters
    ----------
    ratings : array_like of shape (n_subjects, n_raters, n_features)
        As for :func:`icc_agreement`; raters need not be the same ones for all subjects.

    Returns
    -------
    ndarray of shape (n_features,)
        NaN for a feature with a missing rating or without variation.

    Raises
    ------
    ContractError
        If the array has another shape.
    """
    ms = _mean_squares(ratings)
    return _ratio(ms.subjects - ms.within, ms.subjects + (ms.k - 1) * ms.within, ms.usable)


def icc_consistency(ratings: ArrayLike) -> NDArray[np.float64]:
    r"""Return ICC(C,1) = ICC(3,1) of each feature: two-way, consistency, one rating.

    :math:`(MS_R - MS_E)/(MS_R + (k-1) MS_E)`, blind to a constant offset between readers.

    Parameters
    ----------
    ratings : array_like of shape (n_subjects, n_raters, n_features)
        As for :func:`icc_agreement`.

    Returns
    -------
    ndarray of shape (n_features,)
        NaN for a feature with a missing rating, or in which neither subjects differ nor error remains.

    Raises
    ------
    ContractError
        If the array has another shape.
    """
    ms = _mean_squares(ratings)
    return _ratio(ms.subjects - ms.error, ms.subjects + (ms.k - 1) * ms.error, ms.usable)


def cohen_kappa(first: Sequence[Hashable], second: Sequence[Hashable]) -> float | None:
    r"""Return Cohen's kappa of two readers' categories, :math:`(p_o - p_e) / (1 - p_e)`, unweighted.

    Parameters
    ----------
    first, second : sequence of shape (n_subjects,)
        The category that each reader gave each subject, of any hashable kind.

    Returns
    -------
    float or None
        None where both readers gave everyone one and the same category: agreement by chance is then certain
        and kappa is not defined.

    Raises
    ------
    ContractError
        If the lengths differ, there are no subjects, or a category is missing.

    References
    ----------
    Cohen J, Educ Psychol Meas 1960;20:37, doi:10.1177/001316446002000104.
    """
    if len(first) != len(second):
        raise ContractError(
            f"both readers must rate the same subjects, got {len(first)} and {len(second)} ratings",
            where="second",
        )
    if len(first) == 0:
        raise ContractError("kappa needs at least one subject", where="first")
    for name, ratings in (("first", first), ("second", second)):
        for at, category in enumerate(ratings):
            if category is None or category != category:  # NaN is the one value unequal to itself
                raise ContractError("a category is missing", where=f"{name}[{at}]")
    codes = {category: code for code, category in enumerate(dict.fromkeys([*first, *second]))}
    table = np.zeros((len(codes), len(codes)), dtype=np.int64)
    np.add.at(table, ([codes[c] for c in first], [codes[c] for c in second]), 1)
    n = len(first)
    agreed = int(np.trace(table)) * n
    by_chance = int(table.sum(axis=0) @ table.sum(axis=1))
    return None if by_chance == n * n else (agreed - by_chance) / (n * n - by_chance)


def _mean_squares(ratings: ArrayLike) -> _MeanSquares:
    try:
        values = np.asarray(ratings, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ContractError(f"ratings must be numbers: {error}", where="ratings") from error
    if values.ndim != 3 or values.shape[0] < 2 or values.shape[1] < 2:
        raise ContractError(
            f"expected (subjects, raters, features) with two subjects and two raters or more, got shape {values.shape}",
            where="ratings",
            hint="for one feature add a last axis: ratings[:, :, None]",
        )
    n, k, _ = values.shape
    finite = np.isfinite(values).all(axis=(0, 1))
    values = np.where(finite, values, 0.0)
    usable = finite & (values != values[:1, :1]).any(axis=(0, 1))
    # An ICC has no unit; without this the squares of very large features would overflow.
    largest = np.abs(values).max(axis=(0, 1))
    values = values / np.where(largest > 0, largest, 1.0)

    values = values - values.mean(axis=(0, 1))
    by_subject = values.mean(axis=1)
    by_rater = values.mean(axis=0)
    residual = values - by_subject[:, None] - by_rater[None]
    between_subjects = k * (by_subject**2).sum(axis=0)
    between_raters = n * (by_rater**2).sum(axis=0)
    unexplained = (residual**2).sum(axis=(0, 1))
    return _MeanSquares(
        n=n,
        k=k,
        subjects=between_subjects / (n - 1),
        raters=between_raters / (k - 1),
        error=unexplained / ((n - 1) * (k - 1)),
        within=(between_raters + unexplained) / (n * (k - 1)),
        usable=usable,
    )


def _ratio(numerator: Floats, denominator: Floats, where: NDArray[np.bool_]) -> Floats:
    """Return the quotient, NaN where it has no value or ``where`` is False."""
    quotient = np.full(np.shape(numerator), np.nan)
    np.divide(numerator, denominator, out=quotient, where=where & (denominator != 0))
    return quotient
