"""The area under the receiver operating characteristic (ROC) curve and its confidence intervals.

The direction is fixed: a higher score speaks for label 1. A model that ranks the wrong way round has an AUC
below one half; turning it over on the patients it is judged on would be fitting it to them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from schemas.errors import ContractError
from zoo.evaluation.inputs import confidence_level, labelled_scores
from zoo.evaluation.intervals import Interval, binomial_interval

__all__ = [
    "FEWEST_OF_A_CLASS",
    "AreaEstimate",
    "Placements",
    "auc",
    "auc_variance",
    "delong_bounds",
    "delong_interval",
    "logit_bounds",
    "logit_interval",
    "placements",
]


FEWEST_OF_A_CLASS = 2
"""Patients of each class that an interval and a test need."""


class AreaEstimate(NamedTuple):
    """An AUC with what its interval and its tests need."""

    area: float
    """The AUC."""
    variance: float | None
    """Of the AUC over draws of patients; None where a class has fewer patients than a variance needs."""
    pairs: int
    """The largest number of pairs, one patient of each class, that share no patient."""
    patients: int
    """How many patients are in a pair."""


class Placements(NamedTuple):
    """For each patient, how many of the other class are ranked on the right side; a tie counts one half.

    Counts are kept undivided: they are multiples of one half and therefore exact, so that a variance which is
    zero comes out as zero.
    """

    positive: NDArray[np.float64]
    """Of each patient labelled 1: patients labelled 0 below; shape (n_positive,)."""
    negative: NDArray[np.float64]
    """Of each patient labelled 0: patients labelled 1 above; shape (n_negative,)."""

    @property
    def area(self) -> float:
        """The AUC: the share of pairs that are ranked correctly."""
        return float(self.positive.sum()) / (len(self.positive) * len(self.negative))

    @property
    def pairs(self) -> int:
        """The largest number of pairs, one of each class, that share no patient."""
        return min(len(self.positive), len(self.negative))

    @property
    def has_variance(self) -> bool:
        """Whether each class has the two patients that a variance needs."""
        return self.pairs >= FEWEST_OF_A_CLASS

    @property
    def estimate(self) -> AreaEstimate:
        """The AUC with DeLong's variance."""
        variance = component_variance(*self) if self.has_variance else None
        return AreaEstimate(self.area, variance, self.pairs, len(self.positive) + len(self.negative))


def placements(
    labels: ArrayLike, scores: ArrayLike, *, labels_name: str = "labels", scores_name: str = "scores"
) -> Placements:
    """Return the placement counts of all patients, in O(n log n).

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1, both present.
    scores : array_like of shape (n_patients,)
        Finite; only their order matters.
    labels_name, scores_name : str
        What the caller calls them, for the error.

    Raises
    ------
    ContractError
        If labels or scores break their rule.

    References
    ----------
    Sun X, Xu W, IEEE Signal Process Lett 2014;21:1389, doi:10.1109/LSP.2014.2337313.
    """
    positive, values = labelled_scores(labels, scores, labels_name=labels_name, scores_name=scores_name)
    ones, zeros = values[positive], values[~positive]
    return Placements(_counts_below(ones, zeros), len(ones) - _counts_below(zeros, ones))


def _counts_below(values: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each value how many others lie below it, an equal one counted one half."""
    ordered = np.sort(others)
    below, upto = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    return np.asarray(0.5 * (below + upto), dtype=np.float64)


def component_variance(positive: NDArray[np.float64], negative: NDArray[np.float64], where: str = "labels") -> float:
    """Return DeLong's variance from the placement counts of both classes, or from differences of such.

    Raises
    ------
    ContractError
        If a class has one patient only: between patients there is then nothing to measure.
    """
    m, n = len(positive), len(negative)
    if min(m, n) < FEWEST_OF_A_CLASS:
        raise ContractError(
            f"the variance of an AUC needs two patients of each class, got {m} labelled 1 and {n} labelled 0",
            where=where,
            hint="judge the model on a larger cohort, or report the AUC without an interval",
        )
    # Counts run to the size of the other class; the square of that size makes shares of them.
    return float(positive.var(ddof=1)) / (n * n * m) + float(negative.var(ddof=1)) / (m * m * n)


def auc(labels: ArrayLike, scores: ArrayLike) -> float:
    r"""Return the area under the ROC curve.

    The probability that a patient labelled 1 scores above a patient labelled 0, ties counted one half:
    :math:`U / mn` with the Mann-Whitney U.

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1, both present.
    scores : array_like of shape (n_patients,)
        Finite; higher speaks for label 1.

    Raises
    ------
    ContractError
        If labels or scores break their rule.
    """
    return placements(labels, scores).area


def auc_variance(labels: ArrayLike, scores: ArrayLike) -> float:
    r"""Return DeLong's variance of the AUC.

    With :math:`V_{10}` the share of negatives below each of m positives and :math:`V_{01}` the share of
    positives above each of n negatives, :math:`s^2(V_{10})/m + s^2(V_{01})/n`.

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1, at least two of each.
    scores : array_like of shape (n_patients,)
        Finite; higher speaks for label 1.

    Raises
    ------
    ContractError
        If labels or scores break their rule, or a class has one patient only.

    Notes
    -----
    It is exactly zero when the classes are perfectly separated, and when all scores are equal.

    References
    ----------
    DeLong ER, DeLong DM, Clarke-Pearson DL, Biometrics 1988;44:837, doi:10.2307/2531595.
    """
    return component_variance(*placements(labels, scores))


def delong_interval(labels: ArrayLike, scores: ArrayLike, level: float = 0.95) -> Interval:
    """Return the plain DeLong interval, AUC ± z standard errors, cut off at 0 and 1.

    It is what most papers and R's pROC print, and stands beside :func:`logit_interval` for comparison with
    them. With some thirty patients and an AUC of .8 to .9 it covers less than it promises, and where the
    variance is zero (perfect separation) both bounds fall on the AUC itself.

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1, at least two of each.
    scores : array_like of shape (n_patients,)
        Finite; higher speaks for label 1.
    level : float
        Confidence level.

    Raises
    ------
    ContractError
        If labels or scores break their rule, or a class has one patient only.

    References
    ----------
    Robin X et al., BMC Bioinformatics 2011;12:77, doi:10.1186/1471-2105-12-77.
    """
    return delong_bounds(_with_variance(placements(labels, scores)), level)


def delong_bounds(estimate: AreaEstimate, level: float = 0.95) -> Interval:
    """Return :func:`delong_interval` of an AUC whose variance is known, of one set of scores or of several."""
    half = _deviate(level) * _variance(estimate) ** 0.5
    return Interval(max(0.0, estimate.area - half), min(1.0, estimate.area + half))


def logit_interval(labels: ArrayLike, scores: ArrayLike, level: float = 0.95) -> Interval:
    r"""Return the DeLong interval computed on the logit scale, the main interval for small cohorts.

    .. math:: \operatorname{expit}\left(\operatorname{logit} A \pm \frac{z \sqrt{V}}{A (1 - A)}\right)

    Where the variance V is zero (AUC of exactly 0 or 1, or all scores equal) there is no logit interval. The
    bounds are then Clopper and Pearson's for A k successes among k = min(m, n) trials: that many pairs of one
    positive and one negative share no patient, so they are independent trials that succeed with probability
    AUC, and all of them succeeded. This errs on the wide side; for 18 against 15 patients ranked without
    fault it gives .782 to 1.

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1, at least two of each.
    scores : array_like of shape (n_patients,)
        Finite; higher speaks for label 1.
    level : float
        Confidence level.

    Raises
    ------
    ContractError
        If labels or scores break their rule, or a class has one patient only.

    References
    ----------
    Kottas M, Kuss O, Zapf A, BMC Med Res Methodol 2014;14:26, doi:10.1186/1471-2288-14-26, compare the
    interval with others. Clopper CJ, Pearson ES, Biometrika 1934;26:404, doi:10.1093/biomet/26.4.404.
    """
    return logit_bounds(_with_variance(placements(labels, scores)), level)


def logit_bounds(estimate: AreaEstimate, level: float = 0.95) -> Interval:
    """Return :func:`logit_interval` of an AUC whose variance is known, of one set of scores or of several."""
    area, variance = estimate.area, _variance(estimate)
    if variance == 0:
        return binomial_interval(area * estimate.pairs, estimate.pairs, level)
    half = _deviate(level) * variance**0.5 / (area * (1 - area))
    centre = special.logit(area)
    return Interval(float(special.expit(centre - half)), float(special.expit(centre + half)))


def _with_variance(counts: Placements) -> AreaEstimate:
    # Of a class of one patient this raises, and says what to do.
    return counts.estimate._replace(variance=component_variance(*counts))


def _variance(estimate: AreaEstimate) -> float:
    if estimate.variance is None:
        raise ValueError("an AUC without a variance has no interval")
    return estimate.variance


def _deviate(level: float) -> float:
    return float(stats.norm.isf((1 - confidence_level(level)) / 2))
