"""Sigmoids that turn scores into probabilities and keep their order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.special import expit, logit

from zoo.logistic.separation import is_constant
from zoo.weighting.sums import class_sizes, means, spreads

__all__ = ["LEAST_SLOPE", "RisingSigmoid", "calibrated_intercept", "rising_sigmoid"]

Floats = NDArray[np.float64]

LEAST_SLOPE = 1e-3
"""Log odds per training standard deviation: no probability moves by more than 0.0003 per deviation, yet the order
of the patients is kept."""


@dataclass(frozen=True)
class RisingSigmoid:
    """Probabilities of a score f: expit(intercept + slope f), slope > 0."""

    slope: float
    """Log odds per unit of the score."""
    intercept: float
    unconstrained_slope: float
    """That of the maximum likelihood, 0 for scores that are all equal."""

    def log_odds(self, scores: Floats) -> Floats:
        """Return the log odds of label 1."""
        return np.asarray(self.intercept + self.slope * scores, dtype=np.float64)


def rising_sigmoid(
    held_out: Floats,
    own: Floats,
    target: NDArray[np.intp],
    weights: Floats | None = None,
    own_weights: Floats | None = None,
) -> RisingSigmoid:
    """Return the sigmoid that is likeliest for scores of patients whom a model had not seen, if it rises.

    It is fitted to Platt's targets, (n1 + 1) / (n1 + 2) for a patient of label 1 and 1 / (n0 + 2) for another, by which
    it is finite where the scores separate the labels. A slope below 0.001 per standard deviation of the scores is
    raised to that, and the intercept gives the training prevalence: to three decimals everyone gets it, in the scores'
    order.

    Parameters
    ----------
    held_out : ndarray of shape (n_patients,)
        The scores that it is fitted to, finite.
    own : ndarray of shape (n_patients,)
        Scores that the model of all patients gives them.
    target : ndarray of shape (n_patients,)
        0 or 1, both present.
    weights : ndarray of shape (n_patients,), optional
        How much each of ``held_out`` counts: one of weight 2 as two alike, in the targets too.
    own_weights : ndarray of shape (n_patients,), optional
        The same of ``own``.

    References
    ----------
    Platt 1999, Probabilistic outputs for support vector machines, in: Advances in Large Margin Classifiers, MIT Press,
    p. 61. Lin, Lin & Weng 2007, Mach Learn 68:267, doi:10.1007/s10994-007-5018-6.
    """
    unconstrained, intercept = _maximum_likelihood(held_out, target, weights)
    # The wider of both: the model of all patients may spread more than those of the folds did.
    # Equal numbers have a deviation of their rounding, which is no unit.
    both = ((held_out, weights), (own, own_weights))
    spread = max((float(spreads(each, counts)) for each, counts in both if not is_constant(each)), default=1.0)
    least = LEAST_SLOPE / spread
    if unconstrained >= least:
        return RisingSigmoid(unconstrained, intercept, unconstrained)
    share = float(means(target, weights))
    return RisingSigmoid(least, calibrated_intercept(least * own, share, own_weights), unconstrained)


def _maximum_likelihood(values: Floats, target: NDArray[np.intp], weights: Floats | None) -> tuple[float, float]:
    """Return slope and intercept of the sigmoid that is likeliest for Platt's targets."""
    n0, n1 = class_sizes(target, weights)
    wanted = np.where(target == 1, (n1 + 1) / (n1 + 2), 1 / (n0 + 2))
    prior = float(np.log((n1 + 1) / (n0 + 1)))
    centre, deviation = float(means(values, weights)), float(spreads(values, weights))
    if is_constant(values):
        return 0.0, prior
    # The maximum does not depend on units, but when the optimiser stops does.
    standard = (values - centre) / deviation

    def loss(parameters: Floats) -> tuple[float, Floats]:
        log_odds = parameters[0] * standard + parameters[1]
        error = expit(log_odds) - wanted
        losses = np.logaddexp(0.0, log_odds) - wanted * log_odds
        if weights is not None:
            error, losses = weights * error, weights * losses
        value = float(losses.sum())
        return value, np.array([error @ standard, error.sum()])

    found = minimize(loss, np.array([0.0, prior]), jac=True, method="L-BFGS-B", options={"gtol": 1e-9, "ftol": 1e-15})
    slope = float(found.x[0]) / deviation
    return slope, float(found.x[1]) - slope * centre


def calibrated_intercept(log_odds: NDArray[np.float64], prevalence: float, weights: Floats | None = None) -> float:
    """Return what must be added to the log odds for their mean probability to be the prevalence.

    Parameters
    ----------
    log_odds : ndarray of shape (n_patients,)
        Finite.
    prevalence : float
        Above 0 and below 1.
    weights : ndarray of shape (n_patients,), optional
        How much each counts in the mean.
    """
    centre = float(logit(prevalence))
    low, high = centre - float(log_odds.max()), centre - float(log_odds.min())
    if low == high:
        return low

    def excess(intercept: float) -> float:
        return float(means(expit(intercept + log_odds), weights)) - prevalence

    # The ends are the answers if everyone had the largest or the smallest value, widened for rounding.
    return float(brentq(excess, low - 1.0, high + 1.0, xtol=1e-12))
