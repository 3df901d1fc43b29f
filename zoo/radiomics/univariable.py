"""Columns that differ between the two classes, each tested alone."""

from __future__ import annotations

from typing import Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import false_discovery_control, mannwhitneyu, shapiro, t
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import ClassifierTags, Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from schemas.study.models import Correction
from zoo.logistic.two_classes import two_classes

__all__ = ["UnivariableSelector"]

_NORMALITY_ALPHA = 0.05
# scipy's Shapiro-Wilk is an approximation made for 3 to 5000 values.
_SHAPIRO_SIZES = (3, 5000)


class UnivariableSelector(SelectorMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    """Keeps the columns whose two-group test has p < alpha.

    Parameters
    ----------
    alpha : float, default=0.05
        Columns with a smaller p are kept.
    test : {'auto', 't', 'mann-whitney'}, default='auto'
        't' is Welch's t test, which holds without equal variances. 'mann-whitney' is the rank-sum test with
        tie and continuity correction. 'auto' takes Welch's t test for a column where Shapiro-Wilk does not
        reject normality (p >= 0.05) in either class, the rank-sum test otherwise; a class with fewer than 3
        or more than 5000 patients, where Shapiro-Wilk is not defined, and a column that is constant in a
        class count as not normal.

    correction : {'none', 'benjamini-hochberg'}, default='none'
        'benjamini-hochberg' compares with alpha the p values adjusted for the number of columns [1]_, constant
        ones included: the smallest false discovery rate at which a column is kept,
        ``q_(i) = min_{j >= i} p_(j) m / j`` for the i-th smallest of m. 'none' leaves it to the LASSO that follows.

    Attributes
    ----------
    p_values_ : ndarray of shape (n_features,)
        As tested, 1 for a constant column.
    adjusted_p_values_ : ndarray of shape (n_features,)
        What was compared with alpha: ``p_values_`` themselves without a correction.
    test_ : ndarray of shape (n_features,)
        'welch-t', 'mann-whitney' or 'constant'.
    support_ : ndarray of bool of shape (n_features,)
        The columns kept.
    relaxed_ : bool
        True when no column passed and the one with the smallest p (the first of equals) is kept instead, so
        that a Pipeline in a cross-validation fold always has a column to go on with.

    See Also
    --------
    zoo.radiomics.lasso.LassoSelector : Considers the columns together; comes next in the pipeline.

    Notes
    -----
    The normal approximation is used for the rank-sum test at all sizes: scipy's choice between it and the
    exact distribution looks at ties in the whole table, which would let one column decide another's p.

    References
    ----------
    .. [1] Benjamini & Hochberg 1995, J R Stat Soc B 57:289, doi:10.1111/j.2517-6161.1995.tb02031.x
    """

    def __init__(
        self,
        alpha: float = 0.05,
        test: Literal["auto", "t", "mann-whitney"] = "auto",
        correction: Correction = "none",
    ) -> None:
        self.alpha = alpha
        self.test = test
        self.correction = correction

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.classifier_tags = ClassifierTags(multi_class=False)
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Return self, with one test done per column.

        Parameters
        ----------
        X : array-like of shape (n_patients, n_features)
            No missing values.
        y : array-like of shape (n_patients,)
            Two classes, of two patients or more each.

        Raises
        ------
        ValueError
            If X has missing values, y has not two classes of two, or a parameter has no meaning.
        """
        if not 0.0 < self.alpha <= 1.0:
            raise ValueError(f"alpha must lie in (0, 1], got {self.alpha!r}")
        if self.test not in ("auto", "t", "mann-whitney"):
            raise ValueError(f"test must be 'auto', 't' or 'mann-whitney', got {self.test!r}")
        if self.correction not in get_args(Correction):
            raise ValueError(f"correction must be 'none' or 'benjamini-hochberg', got {self.correction!r}")
        table, labels = validate_data(self, X, y, dtype=np.float64)
        _, target = two_classes(labels, wants="a two-group test needs both")
        first, second = table[target == 0], table[target == 1]
        if min(len(first), len(second)) < 2:
            raise ValueError("each class needs two samples or more, the smaller has 1 sample")

        varies = np.ptp(table, axis=0) > 0
        if self.test == "auto":
            by_t = np.zeros(table.shape[1], dtype=bool)
            by_t[varies] = _looks_normal(first[:, varies]) & _looks_normal(second[:, varies])
        else:
            by_t = varies & (self.test == "t")
        by_rank = varies & ~by_t
        self.p_values_ = np.ones(table.shape[1])
        self.p_values_[by_t] = _welch_p(first[:, by_t], second[:, by_t])
        if by_rank.any():
            ranked = mannwhitneyu(first[:, by_rank], second[:, by_rank], axis=0, method="asymptotic")
            self.p_values_[by_rank] = ranked.pvalue
        self.test_ = np.where(by_t, "welch-t", np.where(by_rank, "mann-whitney", "constant"))
        corrected = self.correction == "benjamini-hochberg"
        self.adjusted_p_values_ = false_discovery_control(self.p_values_) if corrected else self.p_values_
        self.support_ = self.adjusted_p_values_ < self.alpha
        self.relaxed_ = not self.support_.any()
        if self.relaxed_:
            self.support_[np.argmin(self.p_values_)] = True
        return self

    def unweighted(self) -> tuple[str]:
        """Return what it is: its tests count all patients alike.

        Where censoring depends on nothing, the values of a column that has nothing to do with the outcome are alike in
        both labels, whoever was lost: the test keeps its level without weights.
        """
        return ("the univariable tests of features",)

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self)
        support: NDArray[np.bool_] = self.support_
        return support


def _looks_normal(group: NDArray[np.float64]) -> NDArray[np.bool_]:
    normal = np.zeros(group.shape[1], dtype=bool)
    smallest, largest = _SHAPIRO_SIZES
    varies = np.ptp(group, axis=0) > 0
    if smallest <= len(group) <= largest and varies.any():
        normal[varies] = shapiro(group[:, varies], axis=0).pvalue >= _NORMALITY_ALPHA
    return normal


def _welch_p(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    # Not scipy's ttest_ind: it warns, a failure under strict warnings, where a group has nearly one value.
    shares = [group.var(axis=0, ddof=1) / len(group) for group in (first, second)]
    total = shares[0] + shares[1]
    difference = np.abs(first.mean(axis=0) - second.mean(axis=0))
    p = np.where(difference > 0, 0.0, 1.0)
    spread = total > 0
    freedom = total[spread] ** 2 / sum(
        share[spread] ** 2 / (len(group) - 1) for share, group in zip(shares, (first, second), strict=True)
    )
    p[spread] = 2.0 * t.sf(difference[spread] / np.sqrt(total[spread]), freedom)
    return p
