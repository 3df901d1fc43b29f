"""The recalibration curve against statsmodels' prediction of the same logistic model."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from zoo.evaluation.recalibration import recalibration_curve


def _drawn(seed: int, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    probabilities = random.uniform(0.05, 0.95, n)
    return random.binomial(1, expit(0.3 + 0.6 * logit(probabilities))), probabilities


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_curve_and_band_are_those_of_a_binomial_regression_on_the_logit(seed):
    """Curve and pointwise 95 % band equal statsmodels' GLM fitted by iteratively reweighted least squares."""
    labels, probabilities = _drawn(seed)
    curve = recalibration_curve(labels, probabilities, points=15)
    assert curve is not None
    fit = sm.GLM(labels, sm.add_constant(logit(probabilities)), family=sm.families.Binomial()).fit(tol=1e-12)
    expected = fit.get_prediction(sm.add_constant(logit(curve.predicted))).summary_frame(alpha=0.05)
    np.testing.assert_allclose(curve.observed, expected["mean"], rtol=1e-6)
    np.testing.assert_allclose(curve.lower, expected["mean_ci_lower"], rtol=1e-6)
    np.testing.assert_allclose(curve.upper, expected["mean_ci_upper"], rtol=1e-6)


@given(st.integers(0, 10_000))
def test_the_curve_spans_the_predictions_inside_its_band(seed):
    """The curve runs from the lowest to the highest prediction and stays within its band and within 0 to 1."""
    labels, probabilities = _drawn(seed)
    curve = recalibration_curve(labels, probabilities)
    if curve is None:
        return
    assert (curve.predicted[0], curve.predicted[-1]) == (probabilities.min(), probabilities.max())
    assert np.all((curve.lower <= curve.observed) & (curve.observed <= curve.upper))
    assert np.all((curve.lower >= 0) & (curve.upper <= 1))


def test_there_is_no_curve_where_the_classes_are_separated():
    """Predictions that separate the classes have no finite calibration line and so no curve."""
    assert recalibration_curve([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]) is None
