"""The parts of sigmoids that keep the order of what they turn into probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit

__all__ = ["LEAST_SLOPE", "calibrated_intercept"]

LEAST_SLOPE = 1e-3
"""Log odds per training standard deviation: no probability moves by more than 0.0003 per deviation, yet the order
of the patients is kept."""


def calibrated_intercept(log_odds: NDArray[np.float64], prevalence: float) -> float:
    """Return what must be added to the log odds for their mean probability to be the prevalence.

    Parameters
    ----------
    log_odds : ndarray of shape (n_patients,)
        Finite.
    prevalence : float
        Above 0 and below 1.
    """
    centre = float(logit(prevalence))
    low, high = centre - float(log_odds.max()), centre - float(log_odds.min())
    if low == high:
        return low

    def excess(intercept: float) -> float:
        return float(expit(intercept + log_odds).mean()) - prevalence

    # The ends are the answers if everyone had the largest or the smallest value, widened for rounding.
    return float(brentq(excess, low - 1.0, high + 1.0, xtol=1e-12))
