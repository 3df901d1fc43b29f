"""Brier score, calibration in the large and calibration line."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from builders.published_model import published
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.special import expit, logit
from sklearn.metrics import brier_score_loss

from schemas.errors import ContractError
from zoo.evaluation.calibration import brier, calibration_in_the_large, calibration_line


@st.composite
def predicted_patients(draw):
    """Labels of both classes and probabilities from nearly 0 to nearly 1."""
    labels = draw(st.lists(st.integers(0, 1), min_size=6, max_size=40).filter(lambda y: 0 < sum(y) < len(y)))
    logits = st.lists(st.floats(-12, 12), min_size=len(labels), max_size=len(labels))
    return np.array(labels), expit(np.array(draw(logits)))


def test_a_model_is_calibrated_on_the_patients_it_was_fitted_to():
    """The study's coefficients, judged in training, give slope 1 and intercept 0: they are its fit."""
    labels, probabilities = published("training")
    line = calibration_line(labels, probabilities)
    assert line.reason is None
    assert line.slope == pytest.approx(1, abs=1e-5)
    assert line.intercept == pytest.approx(0, abs=1e-5)
    assert line.slope_interval.lower < 1 < line.slope_interval.upper
    assert calibration_in_the_large(labels, probabilities).intercept == pytest.approx(0, abs=1e-5)


def test_both_intercepts_are_those_of_a_binomial_regression():
    """In validation, estimates and bounds equal statsmodels' GLM, with the logit as offset or covariate."""
    labels, probabilities = published("validation")
    logits = logit(probabilities)
    ones = np.ones_like(logits)
    shift = sm.GLM(labels, ones, family=sm.families.Binomial(), offset=logits).fit(cov_type="HC0")
    large = calibration_in_the_large(labels, probabilities)
    assert large.intercept == pytest.approx(shift.params[0], abs=1e-8)
    assert large.interval == pytest.approx(tuple(shift.conf_int()[0]), abs=1e-6)
    fit = sm.GLM(labels, np.column_stack([ones, logits]), family=sm.families.Binomial()).fit()
    line = calibration_line(labels, probabilities)
    assert (line.intercept, line.slope) == pytest.approx(tuple(fit.params), abs=1e-6)
    assert line.intercept_interval == pytest.approx(tuple(fit.conf_int()[0]), abs=1e-5)
    assert line.slope_interval == pytest.approx(tuple(fit.conf_int()[1]), abs=1e-5)


@settings(deadline=None)
@given(predicted_patients())
def test_recalibrated_in_the_large_the_mean_prediction_is_the_observed_share(patients):
    """Shifting the logits by the intercept makes predictions and outcomes agree on average."""
    labels, probabilities = patients
    large = calibration_in_the_large(labels, probabilities)
    assert expit(logit(probabilities) + large.intercept).mean() == pytest.approx(labels.mean(), abs=1e-9)
    assert large.interval.lower < large.intercept < large.interval.upper


@settings(deadline=None)
@given(predicted_patients())
def test_the_line_solves_the_score_equations(patients):
    """Residuals sum to zero, alone and weighted by the logit; without a line there is a reason."""
    labels, probabilities = patients
    line = calibration_line(labels, probabilities)
    if line.slope is None:
        assert line.reason
        assert line.slope_interval is line.intercept is line.intercept_interval is None
        return
    logits = logit(probabilities)
    residuals = labels - expit(line.intercept + line.slope * logits)
    assert residuals.sum() == pytest.approx(0, abs=1e-4)
    assert (residuals * logits).sum() == pytest.approx(0, abs=1e-3)
    assert line.slope_interval.lower <= line.slope <= line.slope_interval.upper


@settings(deadline=None)
@given(st.integers(0, 10_000), st.floats(-1.5, 1.5), st.floats(0.4, 2.5))
def test_a_known_miscalibration_is_found(seed, shift, stretch):
    """Logits shifted by d move calibration in the large by -d; stretched by c they divide the slope by c."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=60)
    labels = (rng.random(60) < expit(logits)).astype(int)
    assume(0 < labels.sum() < 60)
    before = calibration_line(labels, expit(logits))
    assume(before.slope is not None)
    level = calibration_in_the_large(labels, expit(logits)).intercept
    assert calibration_in_the_large(labels, expit(logits + shift)).intercept == pytest.approx(level - shift, abs=1e-6)
    after = calibration_line(labels, expit(stretch * logits))
    assert after.slope == pytest.approx(before.slope / stretch, rel=1e-4, abs=1e-6)
    assert after.intercept == pytest.approx(before.intercept, abs=1e-4)


@pytest.mark.parametrize(
    ("labels", "probabilities", "reason"),
    [
        ([0, 0, 1, 1], [0.1, 0.2, 0.7, 0.8], "separate"),
        ([1, 1, 0, 0], [0.1, 0.2, 0.7, 0.8], "separate"),
        ([0, 0, 1, 1], [0.1, 0.5, 0.5, 0.8], "separate"),
        ([0, 1, 0, 1], [0.4, 0.4, 0.4, 0.4], "equal"),
        ([0, 1, 0, 1, 1], [0.579, 0.58, 0.581, 0.579, 0.581], "hardly differ"),
        ([0, 1, 0, 1], [0.0, 0.4, 0.6, 0.5], "1 of 4 probabilities are exactly 0 or 1"),
    ],
)
def test_without_a_finite_line_there_is_a_reason_instead_of_numbers(labels, probabilities, reason):
    """Separation (ties at the border included), equal, nearly equal and certain predictions give None and say why."""
    line = calibration_line(labels, probabilities)
    assert (line.slope, line.intercept, line.slope_interval, line.intercept_interval) == (None,) * 4
    assert reason in line.reason


def test_separated_classes_still_have_calibration_in_the_large():
    """With the slope fixed the intercept is finite however well the model ranks; a logit it needs."""
    assert calibration_in_the_large([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]).intercept == pytest.approx(0, abs=1e-9)
    certain = calibration_in_the_large([0, 1, 0, 1], [0.0, 0.4, 0.6, 0.5])
    assert (certain.intercept, certain.interval) == (None, None)
    assert "exactly 0 or 1" in certain.reason
    extreme = calibration_in_the_large([0] * 5 + [1] * 5, [1e-300] * 5 + [0.999] * 5)
    assert (extreme.intercept, extreme.interval) == (None, None)
    assert "too extreme" in extreme.reason


@settings(deadline=None)
@given(predicted_patients())
def test_brier_score_is_that_of_scikit_learn(patients):
    """The Brier score equals scikit-learn's."""
    assert brier(*patients) == pytest.approx(brier_score_loss(*patients), abs=1e-12)


def test_a_probability_outside_0_to_1_is_refused():
    """A raw score is no probability, and the error names the patient."""
    for statistic in (brier, calibration_in_the_large, calibration_line):
        with pytest.raises(ContractError, match=r"probabilities\[1\]: a probability lies between 0 and 1, got 1.2"):
            statistic([0, 1], [0.2, 1.2])
