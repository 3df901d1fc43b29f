"""Whether predicted probabilities come true: Brier score, calibration in the large, calibration line.

No Hosmer-Lemeshow test and no deciles: with a few dozen patients neither says anything.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import optimize, special, stats

from zoo.evaluation.inputs import confidence_level, labelled_probabilities
from zoo.evaluation.intervals import Interval
from zoo.evaluation.log_odds import predicted_log_odds

__all__ = [
    "CalibrationInTheLarge",
    "CalibrationLine",
    "brier",
    "calibration_in_the_large",
    "calibration_line",
]

# Fisher's information of the shift; its square root is one over the standard error.
LEAST_INFORMATION = 1e-6
LARGEST_ERROR = 5.0
"""Standard error of a slope, above which its interval of plus or minus ten says nothing."""


@dataclass(frozen=True)
class CalibrationInTheLarge:
    """The calibration intercept with the slope fixed at 1, or the reason why there is none."""

    intercept: float | None
    """Ideal 0; above 0 the model predicts too low on the whole, below 0 too high."""
    interval: Interval | None
    reason: str | None = None


@dataclass(frozen=True)
class CalibrationLine:
    """Slope and intercept of the logistic recalibration, fitted together, or the reason for having none."""

    slope: float | None
    """Ideal 1; below 1 the predictions are too extreme (overfitting), above 1 too timid."""
    slope_interval: Interval | None
    intercept: float | None
    """Ideal 0. Not calibration in the large: it is the recalibrated logit where the model says .5."""
    intercept_interval: Interval | None
    reason: str | None = None


def brier(labels: ArrayLike, probabilities: ArrayLike) -> float:
    r"""Return the Brier score :math:`\frac{1}{n} \sum (p_i - y_i)^2`; 0 is perfect.

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1; one class is enough.
    probabilities : array_like of shape (n_patients,)
        Predicted probability of label 1.

    Raises
    ------
    ContractError
        If labels or probabilities break their rule.

    References
    ----------
    Brier GW, Mon Weather Rev 1950;78:1, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
    """
    positive, values = labelled_probabilities(labels, probabilities, of_both=False)
    return float(((values - positive) ** 2).mean())


def calibration_in_the_large(labels: ArrayLike, probabilities: ArrayLike, level: float = 0.95) -> CalibrationInTheLarge:
    r"""Return the intercept a of :math:`\operatorname{logit} P(y=1) = a + \operatorname{logit} p`.

    The slope is fixed at 1, so a is the shift, in log odds, that makes the mean prediction equal the observed
    share of label 1. The interval is Wald's with the robust (sandwich) variance: where the slope is not 1, that of the
    model which holds it at 1 is too small.

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1, both present.
    probabilities : array_like of shape (n_patients,)
        Predicted probability of label 1.
    level : float
        Confidence level.

    Returns
    -------
    CalibrationInTheLarge
        Without numbers, and with the reason, where a probability is exactly 0 or 1 and so has no logit, or
        where all are so near to it, and right, that the standard error of the shift exceeds 1000.

    Raises
    ------
    ContractError
        If labels or probabilities break their rule.

    References
    ----------
    Cox DR, Biometrika 1958;45:562, doi:10.1093/biomet/45.3-4.562.
    Van Calster B et al., BMC Med 2019;17:230, doi:10.1186/s12916-019-1466-7.
    White H, Econometrica 1982;50:1, doi:10.2307/1912526 (the robust variance).
    """
    positive, _, logits, reason = predicted_log_odds(labels, probabilities)
    deviate = float(stats.norm.isf((1 - confidence_level(level)) / 2))
    if reason:
        return CalibrationInTheLarge(None, None, reason)
    observed = float(positive.mean())

    def excess(shift: float) -> float:
        return float(special.expit(logits + shift).mean()) - observed

    # If every logit were the highest (or lowest) one, this shift would match the share exactly, so the root
    # lies between the two.
    centre = float(special.logit(observed))
    intercept = float(optimize.brentq(excess, centre - logits.max() - 1e-6, centre - logits.min() + 1e-6, xtol=1e-12))
    fitted = special.expit(logits + intercept)
    information = float((fitted * (1 - fitted)).sum())
    if information < LEAST_INFORMATION:
        return CalibrationInTheLarge(None, None, "the probabilities are too extreme to tell one shift from another")
    half = deviate * math.sqrt(float(((positive - fitted) ** 2).sum())) / information
    return CalibrationInTheLarge(intercept, Interval(intercept - half, intercept + half))


def calibration_line(
    labels: ArrayLike, probabilities: ArrayLike, level: float = 0.95, *, largest_error: float = LARGEST_ERROR
) -> CalibrationLine:
    r"""Return slope b and intercept a of :math:`\operatorname{logit} P(y=1) = a + b \operatorname{logit} p`.

    Both are fitted together by maximum likelihood; the intervals are Wald's.

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1, both present.
    probabilities : array_like of shape (n_patients,)
        Predicted probability of label 1.
    level : float
        Confidence level.
    largest_error : float
        Standard error of the slope, above which none is given.

    Returns
    -------
    CalibrationLine
        Without numbers, and with the reason, where no finite line exists: a probability is exactly 0 or 1;
        all are equal; or they separate the classes, ties at the border included, so that the likelihood grows
        for ever with the slope (Albert and Anderson 1984). Nor with a standard error above ``largest_error``: of
        probabilities between .579 and .581 the slope may be 362, plus or minus as much.

    Raises
    ------
    ContractError
        If labels or probabilities break their rule.

    References
    ----------
    Cox DR, Biometrika 1958;45:562, doi:10.1093/biomet/45.3-4.562.
    Albert A, Anderson JA, Biometrika 1984;71:1, doi:10.1093/biomet/71.1.1.
    """
    positive, values, logits, reason = predicted_log_odds(labels, probabilities)
    confidence_level(level)
    reason = reason or _without_line(positive, values)
    if reason:
        return CalibrationLine(None, None, None, None, reason)

    # statsmodels takes a second to import, which a command that only asks for help need not wait for.
    from statsmodels.discrete.discrete_model import Logit
    from statsmodels.tools.sm_exceptions import PerfectSeparationError

    design = np.column_stack([np.ones_like(logits), logits])
    try:
        model = Logit(positive.astype(np.float64), design)
        model.raise_on_perfect_prediction = True
        # An overflow of exp here means a fitted probability of 0, which is what follows from it.
        with np.errstate(over="ignore", divide="raise", invalid="raise"):
            fit = model.fit(method="newton", maxiter=100, disp=False, warn_convergence=False)
            (intercept, slope), bounds, errors = fit.params, fit.conf_int(alpha=1 - level), fit.bse
    except (PerfectSeparationError, np.linalg.LinAlgError, ArithmeticError) as error:
        return CalibrationLine(None, None, None, None, f"the line could not be fitted ({type(error).__name__})")
    if not fit.mle_retvals["converged"]:
        return CalibrationLine(None, None, None, None, "the line could not be fitted: no convergence")
    if not (np.isfinite(bounds).all() and math.isfinite(slope) and math.isfinite(intercept)):
        return CalibrationLine(None, None, None, None, "the line could not be fitted: infinite bounds")
    if errors[1] > largest_error:
        return CalibrationLine(None, None, None, None, "the probabilities hardly differ between patients")
    return CalibrationLine(
        slope=float(slope),
        slope_interval=Interval(float(bounds[1][0]), float(bounds[1][1])),
        intercept=float(intercept),
        intercept_interval=Interval(float(bounds[0][0]), float(bounds[0][1])),
    )


def _without_line(positive: NDArray[np.bool_], values: NDArray[np.float64]) -> str | None:
    of_positives, of_negatives = values[positive], values[~positive]
    if values.min() == values.max():
        return "all probabilities are equal"
    if of_positives.min() >= of_negatives.max() or of_negatives.min() >= of_positives.max():
        return "the probabilities separate the two classes, so the slope has no finite estimate"
    return None
