"""The recalibration curve: how often the outcome came true, as a smooth function of what was predicted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from zoo.evaluation.bootstrap import RESAMPLES, SEED, percentile_band, resampled_weights
from zoo.evaluation.log_odds import predicted_log_odds
from zoo.logistic.resampled import logistic_fit, weighted_logistic_fits
from zoo.logistic.separation import separates, separating_direction

__all__ = ["RecalibrationCurve", "recalibration_curve"]

Floats = NDArray[np.float64]

KNOTS = (0.1, 0.5, 0.9)
"""Quantiles of the predicted log odds, Harrell's choice for three knots."""

FEWEST_TO_BEND = 10
"""Different predictions that a spline needs: with fewer it would run through their few proportions."""


@dataclass(frozen=True)
class RecalibrationCurve:
    """Observed against predicted probability, with a pointwise band; each of shape (points,)."""

    predicted: Floats
    """From the lowest to the highest prediction: the curve says nothing beyond them."""
    observed: Floats
    lower: Floats
    upper: Floats


def recalibration_curve(
    labels: ArrayLike,
    probabilities: ArrayLike,
    *,
    patients: ArrayLike | None = None,
    points: int = 61,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> RecalibrationCurve | None:
    r"""Return the smooth recalibration curve with its bootstrap band, None where there is none.

    The curve is :math:`\operatorname{expit} f(\operatorname{logit} p)` by maximum likelihood, f a restricted cubic
    spline with knots at the 10th, 50th and 90th percentile of the log odds: one parameter more than the calibration
    line, which lets the curve bend once and keeps it straight beyond the outer knots. Where there are fewer than
    ten different predictions, as of a model of a few yes/no factors, so many equal ones that two knots fall
    together, or classes that the spline separates and the line does not, f is the line. The band holds the
    percentiles of the curves of resampled patients, knots as they are; a resample in which the classes are
    separated adds the step that its likelihood grows towards, and one without both classes adds nothing.

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1, both present.
    probabilities : array_like of shape (n_patients,)
        Predicted probability of label 1.
    points : int
        At how many equally spaced predictions the curve is given.
    patients : array_like of shape (n_patients,), optional
        Whose prediction each is, where patients were predicted several times, as in repeated cross-validation: all
        predictions count, and a resample draws a patient with all of theirs.
    level : float
        Confidence level of the band, at each point for itself.
    resamples, seed : int
        How many resamples, and where their draws begin.

    Returns
    -------
    RecalibrationCurve or None
        None where a probability is exactly 0 or 1, all are equal, or the predictions separate the classes.

    Raises
    ------
    ContractError
        If labels or probabilities break their rule.

    References
    ----------
    Van Calster B et al., J Clin Epidemiol 2016;74:167, doi:10.1016/j.jclinepi.2015.12.005 (flexible curves).
    Harrell FE, Regression Modeling Strategies, Springer 2015, section 2.4.5, doi:10.1007/978-3-319-19425-7.
    """
    given = predicted_log_odds(labels, probabilities)
    if given.reason or np.ptp(given.logits) == 0:
        return None
    is_bent = len(np.unique(given.logits)) >= FEWEST_TO_BEND
    knots = np.quantile(given.logits, KNOTS) if is_bent else np.zeros(len(KNOTS))
    design, classes = _design(given.logits, knots), given.positive.astype(np.intp)
    if separates(given.logits, classes):
        return None
    if design.shape[1] > 2 and separating_direction(design[:, 1:], classes) is not None:
        knots = np.zeros(len(KNOTS))
        design = _design(given.logits, knots)
    whole = logistic_fit(design, given.positive)
    if whole is None:
        return None
    counts = resampled_weights(len(design), patients, resamples, seed)
    events = counts @ given.positive
    counts = counts[(events > 0) & (events < counts.sum(axis=1))]
    predicted = np.linspace(given.probabilities.min(), given.probabilities.max(), points)
    at = _design(special.logit(predicted), knots)
    curves = special.expit(weighted_logistic_fits(design, given.positive, counts, whole).coefficients @ at.T)
    band = percentile_band(curves, level)
    return RecalibrationCurve(predicted, special.expit(at @ whole), band.lower, band.upper)


def _design(logits: Floats, knots: Floats) -> Floats:
    """Return an intercept, the log odds and, where the knots differ, the spline's cubic column."""
    columns = [np.ones_like(logits), logits]
    first, middle, last = knots
    if first < middle < last:
        cubic = [np.maximum(0, logits - knot) ** 3 for knot in knots]
        bent = cubic[0] - (cubic[1] * (last - first) - cubic[2] * (middle - first)) / (last - middle)
        columns.append(bent / (last - first) ** 2)
    return np.column_stack(columns)
