"""DeLong's tests of two AUCs: on the same patients (paired) or on different ones (unpaired)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from numpy.typing import ArrayLike
from scipy import stats

from zoo.evaluation.auc import AreaEstimate, component_variance, placements

__all__ = ["DeLongTest", "paired_delong", "paired_test", "unpaired_delong", "unpaired_test"]


@dataclass(frozen=True)
class DeLongTest:
    """The outcome of a two-sided test that two AUCs are equal."""

    kind: Literal["paired", "unpaired"]
    statistic: float
    """Z (paired) or Welch's D (unpaired); positive where model a has the larger AUC."""
    df: float | None
    """Degrees of freedom of D; None where the statistic is normal."""
    p: float
    auc_a: float
    auc_b: float


def paired_delong(labels: ArrayLike, scores_a: ArrayLike, scores_b: ArrayLike) -> DeLongTest:
    r"""Return the test of two models judged on the same patients.

    :math:`Z = (A_a - A_b) / \sqrt{V_a + V_b - 2 C_{ab}}`, compared with the normal distribution.

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1, at least two of each.
    scores_a, scores_b : array_like of shape (n_patients,)
        Finite scores of the two models, patients in the order of ``labels``; higher speaks for label 1.

    Raises
    ------
    ContractError
        If labels or scores break their rule, or a class has one patient only.

    Notes
    -----
    Scores that rank all pairs alike give Z = 0 and p = 1.

    If the AUCs differ though the variance of their difference is zero, Z would be infinite and p zero at any
    sample size. The covariance is then left out. If that does not help, each model either separates the
    classes perfectly, or the wrong way round, or gives everyone the same score. With k = min(m, n) pairs that
    share no patient, a model of AUC A ranks all of them rightly with probability :math:`A^k` at most, ties
    them all with :math:`(2 - 2A)^k` at most. Were the AUCs equal, the smaller of the two would be at most
    :math:`(2/3)^k`, and for a perfect and a reversed model :math:`(1/2)^k`; both are
    :math:`(1 + |A_a - A_b|)^{-k}`. Twice that, at most 1, is the p given, and Z is the normal deviate of it.

    References
    ----------
    DeLong ER, DeLong DM, Clarke-Pearson DL, Biometrics 1988;44:837, doi:10.2307/2531595.
    """
    a = placements(labels, scores_a, scores_name="scores_a")
    b = placements(labels, scores_b, scores_name="scores_b")
    # The variance of the differences, not a sum of variances and covariance: nothing to cancel, so like
    # rankings give exactly zero.
    between = component_variance(a.positive - b.positive, a.negative - b.negative)
    return paired_test(a.estimate, b.estimate, between)


def paired_test(a: AreaEstimate, b: AreaEstimate, variance: float) -> DeLongTest:
    """Return :func:`paired_delong` of two AUCs on the same patients, given the variance of their difference."""
    difference = a.area - b.area
    if variance == 0 and difference != 0:
        variance = _variances(a, b)
    if variance == 0:
        z, p = _without_variance(difference, a.pairs)
        return DeLongTest("paired", z, None, p, a.area, b.area)
    z = difference / math.sqrt(variance)
    return DeLongTest("paired", z, None, float(2 * stats.norm.sf(abs(z))), a.area, b.area)


def unpaired_delong(labels_a: ArrayLike, scores_a: ArrayLike, labels_b: ArrayLike, scores_b: ArrayLike) -> DeLongTest:
    r"""Return the test of two AUCs that come from different patients.

    :math:`D = (A_a - A_b) / \sqrt{V_a + V_b}`, compared with Student's t distribution with
    :math:`(V_a + V_b)^2 / (V_a^2 / (N_a - 1) + V_b^2 / (N_b - 1))` degrees of freedom (Welch and
    Satterthwaite, N patients in each cohort), as R's pROC does.

    Parameters
    ----------
    labels_a, scores_a : array_like of shape (n_patients_a,)
        The first cohort, such as training; labels 0 or 1 with at least two of each, finite scores.
    labels_b, scores_b : array_like of shape (n_patients_b,)
        The second cohort, such as validation.

    Raises
    ------
    ContractError
        If labels or scores break their rule, or a class has one patient only.

    Notes
    -----
    Where both variances are zero, equal AUCs give D = 0 and p = 1. For unequal ones the bound described at
    :func:`paired_delong` is given, with the smaller k of the two cohorts, its normal deviate as D, and no df.

    References
    ----------
    Robin X et al., BMC Bioinformatics 2011;12:77, doi:10.1186/1471-2105-12-77.
    """
    a = placements(labels_a, scores_a, labels_name="labels_a", scores_name="scores_a")
    b = placements(labels_b, scores_b, labels_name="labels_b", scores_name="scores_b")
    # Of a class of one patient this raises, and says which cohort's.
    variance_a, variance_b = component_variance(*a, where="labels_a"), component_variance(*b, where="labels_b")
    return unpaired_test(a.estimate._replace(variance=variance_a), b.estimate._replace(variance=variance_b))


def unpaired_test(a: AreaEstimate, b: AreaEstimate) -> DeLongTest:
    """Return :func:`unpaired_delong` of the AUCs of two cohorts whose variances are known."""
    difference, total = a.area - b.area, _variances(a, b)
    if total == 0:
        d, p = _without_variance(difference, min(a.pairs, b.pairs))
        return DeLongTest("unpaired", d, None, p, a.area, b.area)
    # Shares of the total, because squares of very small variances would vanish.
    share_a, share_b = ((each.variance or 0.0) / total for each in (a, b))
    df = 1 / (share_a**2 / (a.patients - 1) + share_b**2 / (b.patients - 1))
    d = difference / math.sqrt(total)
    return DeLongTest("unpaired", d, df, float(2 * stats.t.sf(abs(d), df)), a.area, b.area)


def _variances(a: AreaEstimate, b: AreaEstimate) -> float:
    if a.variance is None or b.variance is None:
        raise ValueError("an AUC without a variance cannot be tested")
    return a.variance + b.variance


def _without_variance(difference: float, pairs: int) -> tuple[float, float]:
    """Return the deviate and the bound of p for two models that are each perfect, reversed or constant."""
    p = min(1.0, 2 * (1 + abs(difference)) ** -pairs)
    return (math.copysign(float(stats.norm.isf(p / 2)), difference) if p < 1 else 0.0), p
