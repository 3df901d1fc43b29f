"""The recalibration curve against statsmodels' fit of the same spline, and its band against what it promises."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from builders.published_model import published
from hypothesis import given, settings
from hypothesis import strategies as st
from patsy import dmatrix
from scipy.special import expit, logit

from zoo.evaluation.recalibration import recalibration_curve


def _drawn(seed: int, n: int = 60, *, slope: float = 0.6, bend: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    probabilities = random.uniform(0.05, 0.95, n)
    logits = logit(probabilities)
    return random.binomial(1, expit(0.3 + slope * logits + bend * logits**2)), probabilities


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_curve_is_a_binomial_regression_on_a_natural_spline(seed):
    """The curve equals statsmodels' GLM on patsy's natural cubic spline with the same three knots."""
    labels, probabilities = _drawn(seed)
    curve = recalibration_curve(labels, probabilities, points=15, resamples=2)
    assert curve is not None
    low, middle, high = np.quantile(logit(probabilities), [0.1, 0.5, 0.9])
    formula = "cr(x, knots=[middle], lower_bound=low, upper_bound=high) - 1"
    # patsy's ends where the spline turns straight; here the straight parts are added by its slopes there.
    x, at = logit(probabilities), logit(curve.predicted)
    asked = (at >= low) & (at <= high)
    names = {"low": low, "middle": middle, "high": high}
    basis = np.asarray(dmatrix(formula, {"x": np.clip(x, low, high)} | names))
    ends = np.asarray(dmatrix(formula, {"x": np.array([low, low + 1e-6, high - 1e-6, high])} | names))
    slopes = (ends[1] - ends[0]) / 1e-6, (ends[3] - ends[2]) / 1e-6
    basis = basis + np.outer(np.minimum(0, x - low), slopes[0]) + np.outer(np.maximum(0, x - high), slopes[1])
    fit = sm.GLM(labels, basis, family=sm.families.Binomial()).fit(tol=1e-12)
    expected = fit.predict(np.asarray(dmatrix(formula, {"x": at[asked]} | names)))
    np.testing.assert_allclose(curve.observed[asked], expected, rtol=1e-4)


def test_predictions_of_few_values_get_the_line():
    """The study's clinical model has four predictions: the curve is statsmodels' GLM on the log odds."""
    labels, probabilities = published("training")
    curve = recalibration_curve(labels, probabilities, points=9, resamples=2)
    assert curve is not None
    fit = sm.GLM(labels, sm.add_constant(logit(probabilities)), family=sm.families.Binomial()).fit(tol=1e-12)
    expected = fit.predict(sm.add_constant(logit(curve.predicted)))
    np.testing.assert_allclose(curve.observed, expected, rtol=1e-6)


def test_the_bootstrap_band_of_a_line_is_near_walds():
    """With 132 patients and two parameters the bounds are within .035 of those of statsmodels' Wald band."""
    labels, probabilities = published("training")
    curve = recalibration_curve(labels, probabilities, points=9)
    assert curve is not None
    fit = sm.GLM(labels, sm.add_constant(logit(probabilities)), family=sm.families.Binomial()).fit()
    wald = fit.get_prediction(sm.add_constant(logit(curve.predicted))).summary_frame(alpha=0.05)
    np.testing.assert_allclose(curve.lower, wald["mean_ci_lower"], atol=0.035)
    np.testing.assert_allclose(curve.upper, wald["mean_ci_upper"], atol=0.035)


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000))
def test_the_curve_spans_the_predictions(seed):
    """The curve runs from the lowest to the highest prediction; curve and band lie in 0 to 1, the band in order."""
    labels, probabilities = _drawn(seed, 33)
    curve = recalibration_curve(labels, probabilities, resamples=100)
    if curve is None:
        return
    assert (curve.predicted[0], curve.predicted[-1]) == (probabilities.min(), probabilities.max())
    assert np.all((curve.lower >= 0) & (curve.lower <= curve.upper) & (curve.upper <= 1))
    assert np.all((curve.observed >= 0) & (curve.observed <= 1))
    assert np.isfinite(np.concatenate([curve.observed, curve.lower, curve.upper])).all()


def test_a_bend_is_followed():
    """Where the truth bends, the curve does: nearer to it than the calibration line is, over 2000 patients."""
    labels, probabilities = _drawn(4, 2000, bend=0.5)
    curve = recalibration_curve(labels, probabilities, resamples=2)
    assert curve is not None
    logits = logit(curve.predicted)
    truth = expit(0.3 + 0.6 * logits + 0.5 * logits**2)
    line = sm.GLM(labels, sm.add_constant(logit(probabilities)), family=sm.families.Binomial()).fit()
    straight = line.predict(sm.add_constant(logits))
    assert np.abs(curve.observed - truth).max() < 0.5 * np.abs(straight - truth).max()


def test_the_same_seed_gives_the_same_band():
    """Two calls agree bit for bit; another seed moves the band and not the curve."""
    patients = _drawn(5)
    first, second, other = (recalibration_curve(*patients, resamples=50, seed=seed) for seed in (1, 1, 2))
    assert first is not None
    assert second is not None
    assert other is not None
    assert np.array_equal(first.lower, second.lower)
    assert np.array_equal(first.observed, other.observed)
    assert not np.array_equal(first.lower, other.lower)


@pytest.mark.parametrize(
    ("labels", "probabilities"),
    [([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]), ([0, 1, 0, 1], [0.4] * 4), ([0, 1, 0, 1], [0.0, 0.4, 0.6, 0.5])],
)
def test_there_is_no_curve_without_a_finite_fit(labels, probabilities):
    """Separated classes, equal predictions and a certain prediction have no curve."""
    assert recalibration_curve(labels, probabilities) is None


@pytest.mark.parametrize("spread", [6.0, 12.0, 40.0])
def test_extreme_predictions_that_overlap_have_a_curve(spread):
    """Calibrated predictions with log odds of spread 6 to 40 get statsmodels' line wherever they do not separate."""
    for seed in range(20):
        random = np.random.default_rng(seed)
        # A model of nine scores: below ten different predictions the curve is the line, which statsmodels fits too.
        logits = random.choice(np.linspace(-spread, spread, 9), 132)
        labels = random.binomial(1, expit(logits))
        curve = recalibration_curve(labels, expit(logits), points=9, resamples=20)
        if logits[labels == 1].min() >= logits[labels == 0].max():
            assert curve is None
            continue
        assert curve is not None
        fit = sm.GLM(labels, sm.add_constant(logits), family=sm.families.Binomial()).fit(tol=1e-12, maxiter=500)
        expected = fit.predict(sm.add_constant(logit(curve.predicted)))
        np.testing.assert_allclose(curve.observed, expected, atol=1e-6)


def test_extreme_predictions_are_bent_where_the_spline_overlaps():
    """Log odds drawn from N(0, 6), n = 132, outcomes as predicted: nearly all data sets have a curve, near the truth.

    The largest fitted log odds pass 18 in half of them, as do the true ones.
    """
    errors = []
    for seed in range(30):
        random = np.random.default_rng(seed)
        logits = random.normal(0, 6, 132)
        curve = recalibration_curve(random.binomial(1, expit(logits)), expit(logits), points=21, resamples=100)
        assert curve is not None, seed
        middle = (curve.predicted > 0.2) & (curve.predicted < 0.8)
        errors.append(np.abs(curve.observed - curve.predicted)[middle].mean())
        assert np.mean((curve.lower <= curve.observed) & (curve.observed <= curve.upper)) > 0.9
    assert np.median(errors) < 0.15


def test_a_spline_that_separates_gives_way_to_the_line():
    """Where events lie between non-events the bend separates the classes and the line does not: the line is drawn."""
    logits = np.linspace(-3, 3, 31)
    labels = (np.abs(logits - 0.5) < 1.5).astype(int)
    curve = recalibration_curve(labels, expit(logits), points=9, resamples=50)
    assert curve is not None
    fit = sm.GLM(labels, sm.add_constant(logits), family=sm.families.Binomial()).fit(tol=1e-12)
    np.testing.assert_allclose(curve.observed, fit.predict(sm.add_constant(logit(curve.predicted))), rtol=1e-6)


def test_predictions_of_one_patient_are_resampled_together():
    """Every patient given twice changes neither curve nor band, where the patients are named; else it is too narrow."""
    labels, probabilities = _drawn(6)
    once = recalibration_curve(labels, probabilities, resamples=200, patients=range(60))
    twice, two = (np.repeat(labels, 2), np.repeat(probabilities, 2)), np.repeat(range(60), 2)
    named = recalibration_curve(*twice, resamples=200, patients=two)
    unnamed = recalibration_curve(*twice, resamples=200)
    assert once is not None
    assert named is not None
    assert unnamed is not None
    # The knots are quantiles, which lie a little elsewhere among twice as many values.
    np.testing.assert_allclose(named.observed, once.observed, atol=0.005)
    np.testing.assert_allclose(named.upper - named.lower, once.upper - once.lower, atol=0.03)
    assert np.mean(unnamed.upper - unnamed.lower) < 0.85 * np.mean(once.upper - once.lower)
