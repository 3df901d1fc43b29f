"""Counts, rates and Wilson intervals."""

from __future__ import annotations

import math

import pytest
from builders.published_model import published
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from schemas.errors import ContractError
from zoo.evaluation.classification import Classification, classification
from zoo.evaluation.intervals import binomial_interval, wilson_interval

TRIALS = st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
LEVELS = st.sampled_from([0.5, 0.9, 0.95, 0.99])


def test_counts_of_the_published_training_cohort():
    """Any risk factor calls a patient positive: 51 of 78 with and 19 of 54 without recurrence."""
    labels, probabilities = published("training")
    at = classification(labels, probabilities, 0.5)
    assert at == Classification(tp=51, fp=19, tn=35, fn=27)
    assert (at.n, at.accuracy, at.ppv, at.npv) == (132, 86 / 132, 51 / 70, 35 / 62)


def test_a_score_on_the_threshold_is_positive():
    """The cut is applied as score >= threshold."""
    assert classification([1, 0], [2.0, 1.0], 2.0) == Classification(tp=1, fp=0, tn=1, fn=0)


def test_a_rate_without_patients_is_none():
    """No one called positive leaves the positive predictive value, and its interval, without a value."""
    at = classification([1, 0], [0.1, 0.2], math.inf)
    assert (at.ppv, at.interval("ppv")) == (None, None)
    assert (at.npv, at.sensitivity, at.specificity) == (0.5, 0.0, 1.0)
    nobody = Classification(tp=0, fp=0, tn=0, fn=0)
    assert (nobody.accuracy, nobody.sensitivity, nobody.specificity, nobody.npv) == (None,) * 4


def test_intervals_belong_to_their_rates():
    """Each rate's interval is Wilson's of its own numerator and denominator."""
    at = Classification(tp=12, fp=3, tn=12, fn=6)
    assert at.interval("accuracy") == wilson_interval(24, 33)
    assert at.interval("sensitivity") == wilson_interval(12, 18)
    assert at.interval("specificity") == wilson_interval(12, 15)
    assert at.interval("ppv") == wilson_interval(12, 15)
    assert at.interval("npv", level=0.9) == wilson_interval(12, 18, level=0.9)


def test_a_threshold_that_is_no_number_is_refused():
    """NaN as a cut would call everyone negative; it is an error instead."""
    with pytest.raises(ContractError, match="threshold"):
        classification([1, 0], [1, 2], math.nan)


def test_wilson_interval_in_print():
    """Newcombe (Stat Med 1998;17:857, table I, method 3): 81/263, 15/148, 0/20 and 1/29."""
    printed = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (successes, n), bounds in printed.items():
        assert tuple(round(bound, 4) for bound in wilson_interval(successes, n)) == bounds


@settings(deadline=None)
@given(TRIALS, LEVELS)
def test_wilson_interval_is_that_of_statsmodels(trials, level):
    """The bounds equal statsmodels' proportion_confint, lie in 0 to 1 and hold the estimate."""
    successes, n = trials
    lower, upper = wilson_interval(successes, n, level)
    expected = proportion_confint(successes, n, alpha=1 - level, method="wilson")
    assert (lower, upper) == pytest.approx(expected, abs=1e-12)
    assert 0 <= lower <= successes / n <= upper <= 1


@settings(deadline=None)
@given(TRIALS, LEVELS)
def test_binomial_interval_is_that_of_scipy(trials, level):
    """For whole counts the bounds equal scipy's exact interval."""
    successes, n = trials
    expected = stats.binomtest(successes, n).proportion_ci(level, method="exact")
    assert binomial_interval(successes, n, level) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize("interval", [wilson_interval, binomial_interval])
@pytest.mark.parametrize(("successes", "n", "level"), [(0, 0, 0.95), (3, 2, 0.95), (-1, 2, 0.95), (1, 2, 95)])
def test_impossible_counts_and_levels_are_refused(interval, successes, n, level):
    """No trial, more successes than trials, or a level in per cent is an error."""
    with pytest.raises(ContractError):
        interval(successes, n, level)
