"""Drift of outcomes and of calibration."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy.special import expit, logit

from schemas.errors import ContractError
from zoo.drift.labels import calibration_drift, outcome_drift, too_few_for_calibration


def test_outcomes_by_fishers_tea():
    """Three of four against one of four: p .4857, as R's fisher.test(matrix(c(3, 1, 1, 3), 2)) gives."""
    found = outcome_drift([1, 1, 1, 0], [1, 0, 0, 0])
    assert found.p == pytest.approx(0.4857, abs=1e-4)
    assert (found.reference_events, found.current_events) == (3, 1)
    assert (found.reference_rate.value, found.current_rate.value) == (0.75, 0.25)
    assert outcome_drift([1, 1, 1, 0], [1, 0, 0, 0], tests=2).p == pytest.approx(0.9714, abs=1e-4)
    assert outcome_drift([1, 1, 1, 0], [1, 0, 0, 0], tests=9).p == 1


def test_one_label_alone_is_a_rate():
    """Where everybody has label 0 both rates are 0, with an interval."""
    found = outcome_drift([0] * 12, [0] * 20)
    assert found.p == 1
    assert found.current_rate.value == found.current_rate.lower == 0 < found.current_rate.upper


def test_nobody_has_no_rate():
    """An empty group is an error."""
    with pytest.raises(ContractError):
        outcome_drift([], [1, 0])


@pytest.fixture(scope="module")
def judged():
    """Return labels, probabilities and group of 400 patients; the second half's log odds are shifted and shrunken."""
    random = np.random.default_rng(9)
    log_odds, group = random.normal(0, 1.2, 400), np.repeat([0, 1], 200)
    truth = np.where(group == 1, 0.4 * log_odds + 0.8, log_odds)
    return (random.random(400) < expit(truth)).astype(int), expit(log_odds), group


def test_calibration_is_compared_as_one_regression_would(judged):
    """statsmodels: a binomial GLM with the log odds as offset, robust errors, and a logit with an interaction."""
    labels, probabilities, group = judged
    found = calibration_drift(labels[:200], probabilities[:200], labels[200:], probabilities[200:], tests=1)
    ones, z = np.ones(400), logit(probabilities)
    large = sm.GLM(labels, np.column_stack([ones, group]), offset=z, family=sm.families.Binomial()).fit(cov_type="HC0")
    line = sm.Logit(labels, np.column_stack([ones, z, group, group * z])).fit(disp=False)
    assert found.intercept_p == pytest.approx(large.pvalues[1], rel=1e-3)
    assert found.slope_p == pytest.approx(line.pvalues[3], rel=1e-3)
    assert found.current_intercept.value - found.reference_intercept.value == pytest.approx(large.params[1], abs=1e-5)
    assert found.reason is None
    assert max(found.intercept_p, found.slope_p) < 0.02


def test_a_model_that_was_never_calibrated_does_not_drift(judged):
    """The same patients in both groups, their probabilities far too high: the intercept is off, its drift is not."""
    labels, probabilities, _ = judged
    high = expit(logit(probabilities) + 2)
    found = calibration_drift(labels, high, labels, high, tests=4)
    assert found.current_intercept.upper < -1
    assert found.intercept_p == found.slope_p == 1


def test_ten_of_each_label_are_needed():
    """Both groups have ten of both, or calibration is not compared and says so."""
    assert too_few_for_calibration([0] * 10 + [1] * 10, [1] * 10 + [0] * 30) is None
    assert "fewer than 10" in too_few_for_calibration([0] * 10 + [1] * 10, [1] * 9 + [0] * 30)


def test_probabilities_that_are_all_equal_have_no_slope():
    """The intercept is compared, the slope has its reason."""
    labels = [0] * 15 + [1] * 15
    found = calibration_drift(labels, [0.5] * 30, labels, [0.5] * 30)
    assert found.slope_p is None
    assert found.intercept_p == 1
    assert "equal" in found.reason
