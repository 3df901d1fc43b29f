"""Tests of one characteristic between two groups of patients, as a paper's first table prints them."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from schemas.errors import ContractError
from zoo.evaluation.inputs import finite_values
from zoo.radiomics.univariable import UnivariableSelector

__all__ = ["GroupTest", "counts_test", "values_test"]

LEAST_EXPECTED = 5.0
"""Below this expected count in any cell the chi-square distribution is a poor approximation."""

_TABLES = 9999
_SEED = 20220101


class GroupTest(NamedTuple):
    """The test that fits the data, and beside it the one that it was chosen over."""

    test: str
    """fisher, chi-square-yates, chi-square, welch-t or mann-whitney."""
    p: float
    """Two-sided."""
    other_test: str
    other_p: float


def counts_test(table: ArrayLike) -> GroupTest | None:
    r"""Return the test that a category is spread alike over two groups.

    Two levels: the chi-square test with Yates' correction,
    :math:`\sum (\max(0, |O - E| - \frac12))^2 / E`, or Fisher's exact test where an expected count is below 5.
    More levels: Pearson's chi-square test without correction, or Fisher's in Freeman and Halton's form, whose p
    is then that of 9,999 tables drawn with fixed margins from a fixed seed. Both p values are given each time,
    since papers differ in where they draw the line.

    Parameters
    ----------
    table : array_like of shape (n_levels, 2)
        Patients by level and group.

    Returns
    -------
    GroupTest or None
        None where a group is empty, or everyone has the same level: there is nothing to compare.

    Raises
    ------
    ContractError
        If the table has another shape or a count is no count.

    References
    ----------
    Yates F, Suppl J R Stat Soc 1934;1:217, doi:10.2307/2983604.
    Freeman GH, Halton JH, Biometrika 1951;38:141, doi:10.1093/biomet/38.1-2.141.
    """
    counts = np.asarray(table)
    if counts.ndim != 2 or counts.shape[1] != 2 or counts.dtype.kind not in "iu" or (counts < 0).any():
        raise ContractError(f"expected counts of levels by two groups, got {counts.tolist()}", where="table")
    counts = counts[counts.sum(axis=1) > 0]
    if len(counts) < 2 or (counts.sum(axis=0) == 0).any():
        return None
    is_two_by_two = len(counts) == 2
    approximate = stats.chi2_contingency(counts, correction=is_two_by_two)
    draws = None if is_two_by_two else stats.MonteCarloMethod(n_resamples=_TABLES, rng=np.random.default_rng(_SEED))
    chi_square = ("chi-square-yates" if is_two_by_two else "chi-square", float(approximate.pvalue))
    # A sum of probabilities may pass 1 by rounding. Where all tables are alike, scipy gives an array of one p.
    exact = ("fisher", min(1.0, float(np.asarray(stats.fisher_exact(counts, method=draws).pvalue).item())))
    has_few = float(approximate.expected_freq.min()) < LEAST_EXPECTED
    return GroupTest(*exact, *chi_square) if has_few else GroupTest(*chi_square, *exact)


def values_test(events: ArrayLike, others: ArrayLike) -> GroupTest | None:
    """Return the test that a measured value is distributed alike in two groups.

    Welch's t test where Shapiro-Wilk rejects normality (p < .05) in neither group, else the rank-sum test of
    Mann, Whitney and Wilcoxon with tie and continuity correction: the rule by which features are screened.

    Parameters
    ----------
    events, others : array_like of shape (n_patients_of_the_group,)
        Finite values.

    Returns
    -------
    GroupTest or None
        None where a group has fewer than two values, or all values are equal.

    Raises
    ------
    ContractError
        If a value is missing or infinite.

    See Also
    --------
    zoo.radiomics.univariable.UnivariableSelector : The same choice between the same tests.
    """
    first, second = finite_values(events, "events"), finite_values(others, "others")
    values = np.concatenate([first, second])
    if min(len(first), len(second)) < 2 or np.ptp(values) == 0:
        return None
    labels = np.repeat([1, 0], [len(first), len(second)])
    chosen = _p_of(values, labels, "auto")
    other = "mann-whitney" if chosen[0] == "welch-t" else "welch-t"
    return GroupTest(*chosen, other, _p_of(values, labels, "t" if other == "welch-t" else other)[1])


def _p_of(values: NDArray[np.float64], labels: NDArray[np.int64], test: str) -> tuple[str, float]:
    with warnings.catch_warnings():
        # Shapiro-Wilk of values with a tiny range: whatever it says, the rank-sum test holds.
        warnings.simplefilter("ignore", UserWarning)
        fitted = UnivariableSelector(test=test).fit(values[:, None], labels)  # type: ignore[arg-type]
    return str(fitted.test_[0]), float(fitted.p_values_[0])
