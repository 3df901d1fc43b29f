"""Tests between two groups against named outside figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from schemas.errors import ContractError
from zoo.evaluation.group_tests import counts_test, values_test

# Student's sleep data: extra hours under two drugs, as R's datasets::sleep has them.
FIRST = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SECOND = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def test_fishers_tea_lady():
    """Fisher's tea tasting, 3 of 4 cups right: p = .4857 (R's fisher.test help page); the chi-square stands beside."""
    test = counts_test([[3, 1], [1, 3]])
    assert test is not None
    assert (test.test, test.other_test) == ("fisher", "chi-square-yates")
    assert test.p == pytest.approx(34 / 70, abs=1e-12)
    # (|3 - 2| - 1/2)^2 / 2 in each of four cells: chi-square 0.5 with one degree of freedom.
    assert test.other_p == pytest.approx(stats.chi2.sf(0.5, 1), abs=1e-12)


def test_a_printed_chi_square_with_yates():
    """AST over 40 U/L, 36 of 78 against 13 of 54: the study prints p = .016."""
    test = counts_test([[36, 13], [42, 41]])
    assert test is not None
    assert (test.test, test.other_test) == ("chi-square-yates", "fisher")
    assert round(test.p, 3) == 0.016


def test_a_category_of_three_levels_has_pearsons_test():
    """Agresti's party identification by gender (R's chisq.test help page): X-squared 30.070, df 2, p 2.954e-07."""
    test = counts_test(np.array([[762, 484], [327, 239], [468, 477]]))
    assert test is not None
    assert (test.test, test.other_test) == ("chi-square", "fisher")
    assert test.p == pytest.approx(2.954e-07, rel=1e-3)
    assert test.other_p <= 2e-4


def test_fishers_test_of_more_levels_is_near_the_exact_one_and_always_the_same():
    """Job satisfaction of few: drawn tables come near the p of all tables with these margins, counted here."""
    table = np.array([[2, 0], [3, 2], [0, 4]])
    rows, column = table.sum(axis=1), table[:, 0].sum()
    weights = {
        (a, b, column - a - b): math.prod(
            math.comb(int(n), int(x)) for n, x in zip(rows, (a, b, column - a - b), strict=True)
        )
        for a in range(rows[0] + 1)
        for b in range(rows[1] + 1)
        if 0 <= column - a - b <= rows[2]
    }
    seen = weights[tuple(int(each) for each in table[:, 0])]
    exact = sum(weight for weight in weights.values() if weight <= seen) / sum(weights.values())
    test = counts_test(table)
    assert test is not None
    assert test.test == "fisher"
    assert test.p == pytest.approx(exact, abs=0.015)
    assert counts_test(table) == test


def test_everyone_of_a_level_of_their_own_has_p_1():
    """Four patients, four levels: all tables with these margins are alike, so that none is extreme."""
    test = counts_test([[1, 0], [1, 0], [0, 1], [0, 1]])
    assert (test.test, test.p) == ("fisher", 1.0)


@pytest.mark.parametrize("table", [[[3, 4], [0, 0]], [[3, 0], [2, 0]], [[0, 0], [0, 0]], [[1, 2]]])
def test_without_two_groups_and_two_levels_there_is_no_test(table):
    """Everyone alike, or one group empty: None."""
    assert counts_test(table) is None


@pytest.mark.parametrize("table", [[[1, 2, 3]], [[1.5, 2], [1, 1]], [[-1, 2], [1, 1]], [1, 2]])
def test_what_is_no_table_of_counts_is_refused(table):
    """Another shape, a fraction and a negative count are errors."""
    with pytest.raises(ContractError, match="table: expected counts"):
        counts_test(table)


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), min_size=4, max_size=4))
def test_levels_and_groups_may_change_places(counts):
    """Turning the table's rows or columns changes nothing."""
    table = np.array(counts).reshape(2, 2)
    test = counts_test(table)
    for turned in (table[::-1], table[:, ::-1]):
        other = counts_test(turned)
        assert (other is None) == (test is None)
        if test is not None and other is not None:
            assert (other.test, other.other_test) == (test.test, test.other_test)
            assert (other.p, other.other_p) == pytest.approx((test.p, test.other_p), abs=1e-9)
            assert 0 <= test.p <= 1


def test_sleep_by_welch():
    """Student's sleep data look normal: Welch's p is .07939, as R's t.test prints; the rank sum stands beside."""
    test = values_test(FIRST, SECOND)
    assert test is not None
    assert (test.test, test.other_test) == ("welch-t", "mann-whitney")
    assert test.p == pytest.approx(0.07939, abs=5e-6)
    # R: wilcox.test(extra ~ group, exact = FALSE) prints p-value = 0.06933.
    assert test.other_p == pytest.approx(0.06933, abs=5e-6)


def test_skewed_values_are_compared_by_rank():
    """The exponentials of the same values are not normal: the rank-sum test, whose p is that of the values."""
    test = values_test(np.exp(FIRST), np.exp(SECOND))
    assert test is not None
    assert (test.test, test.other_test) == ("mann-whitney", "welch-t")
    assert test.p == pytest.approx(0.06933, abs=5e-6)


@pytest.mark.parametrize(("events", "others"), [([1.0], [1.0, 2.0]), ([], [1.0, 2.0]), ([2.0, 2.0], [2.0, 2.0])])
def test_too_few_or_equal_values_have_no_test(events, others):
    """A group of one, an empty group, and values that are all the same give None."""
    assert values_test(events, others) is None


def test_a_missing_value_is_refused():
    """NaN is no value: the caller counts it as missing."""
    with pytest.raises(ContractError, match=r"events\[1\]"):
        values_test([1.0, float("nan")], [1.0, 2.0])
