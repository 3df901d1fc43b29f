"""Whether outcomes come as often in a second group, and whether probabilities come true there as in the first."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from zoo.evaluation.calibration import calibration_in_the_large, calibration_line
from zoo.evaluation.inputs import binary_labels
from zoo.evaluation.intervals import Interval, wilson_interval

__all__ = [
    "FEWEST_OF_A_LABEL",
    "CalibrationDrift",
    "Estimate",
    "OutcomeDrift",
    "calibration_drift",
    "outcome_drift",
    "too_few_for_calibration",
]

FEWEST_OF_A_LABEL = 10
"""Patients of each label and group below which calibration is not compared: its normal approximation fails."""

_LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True)
class OutcomeDrift:
    """How often label 1 comes in two groups."""

    reference_events: int
    reference_labelled: int
    current_events: int
    current_labelled: int
    reference_rate: Estimate
    current_rate: Estimate
    p: float
    """Fisher's exact, two-sided, adjusted for all tests of the question."""


@dataclass(frozen=True)
class CalibrationDrift:
    """Calibration of one model in two groups, or the reason why it is not compared."""

    reference_intercept: Estimate | None = None
    """In the large: the shift in log odds that makes the mean prediction the observed share."""
    current_intercept: Estimate | None = None
    intercept_p: float | None = None
    """That both are equal, adjusted for all tests of the question."""
    reference_slope: Estimate | None = None
    current_slope: Estimate | None = None
    slope_p: float | None = None
    reason: str | None = None


def outcome_drift(reference: ArrayLike, current: ArrayLike, *, tests: int = 1) -> OutcomeDrift:
    """Return how often label 1 comes in two groups, and Fisher's exact test that it comes equally often.

    Parameters
    ----------
    reference, current : array_like of shape (n_patients,)
        Labels, 0 or 1; one label is enough.
    tests : int
        How many tests the whole question has.

    Raises
    ------
    ContractError
        When a group is empty or a label is another.

    References
    ----------
    Fisher RA, J R Stat Soc 1922;85:87, doi:10.2307/2340521.
    """
    old, new = (
        binary_labels(each, name, of_both=False) for each, name in ((reference, "reference"), (current, "current"))
    )
    events = (int(old.sum()), int(new.sum()))
    table = np.array([[events[0], len(old) - events[0]], [events[1], len(new) - events[1]]])
    old_rate, new_rate = (_rate(hits, len(each)) for hits, each in zip(events, (old, new), strict=True))
    p = min(1.0, tests * float(stats.fisher_exact(table).pvalue))
    return OutcomeDrift(events[0], len(old), events[1], len(new), old_rate, new_rate, p)


def too_few_for_calibration(reference_labels: ArrayLike, current_labels: ArrayLike) -> str | None:
    """Return why the calibration of two groups is not compared, None where both have enough of each label.

    Parameters
    ----------
    reference_labels, current_labels : array_like of shape (n_patients,)
        0 or 1.
    """
    groups = [np.asarray(each) for each in (reference_labels, current_labels)]
    fewest = min(int((labels == label).sum()) for labels in groups for label in (0, 1))
    if fewest >= FEWEST_OF_A_LABEL:
        return None
    return f"fewer than {FEWEST_OF_A_LABEL} patients of a label in a group"


def calibration_drift(
    reference_labels: ArrayLike,
    reference_probabilities: ArrayLike,
    current_labels: ArrayLike,
    current_probabilities: ArrayLike,
    *,
    tests: int = 1,
) -> CalibrationDrift:
    r"""Return a model's calibration in two groups and the tests that it is the same in both.

    A model that was never calibrated does not drift: what is tested is the difference of the intercepts in the
    large, and that of the slopes, each divided by :math:`\sqrt{s_1^2 + s_2^2}` of their standard errors (Wald).

    Parameters
    ----------
    reference_labels, current_labels : array_like of shape (n_patients,)
        0 or 1; patients of the model's training are in neither group.
    reference_probabilities, current_probabilities : array_like of shape (n_patients,)
        Predicted probability of label 1.
    tests : int
        How many tests the whole question has; two of them are made here.

    See Also
    --------
    zoo.evaluation.calibration : The estimates, and their sources.
    """
    old_large = calibration_in_the_large(reference_labels, reference_probabilities, _LEVEL)
    new_large = calibration_in_the_large(current_labels, current_probabilities, _LEVEL)
    old_line = calibration_line(reference_labels, reference_probabilities, _LEVEL)
    new_line = calibration_line(current_labels, current_probabilities, _LEVEL)
    intercepts = [_estimate(each.intercept, each.interval) for each in (old_large, new_large)]
    slopes = [_estimate(each.slope, each.slope_interval) for each in (old_line, new_line)]
    reasons = (each.reason for each in (old_large, new_large, old_line, new_line))
    return CalibrationDrift(
        reference_intercept=intercepts[0],
        current_intercept=intercepts[1],
        intercept_p=_difference_p(*intercepts, tests=tests),
        reference_slope=slopes[0],
        current_slope=slopes[1],
        slope_p=_difference_p(*slopes, tests=tests),
        reason=next((each for each in reasons if each), None),
    )


def _rate(hits: int, patients: int) -> Estimate:
    interval = wilson_interval(hits, patients, _LEVEL)
    return Estimate(hits / patients, interval.lower, interval.upper)


def _estimate(value: float | None, interval: Interval | None) -> Estimate | None:
    return None if value is None or interval is None else Estimate(value, interval.lower, interval.upper)


def _difference_p(first: Estimate | None, second: Estimate | None, *, tests: int) -> float | None:
    if first is None or second is None:
        return None
    deviate = 2 * float(stats.norm.isf((1 - _LEVEL) / 2))
    error = math.hypot(*((each.upper - each.lower) / deviate for each in (first, second)))
    if error == 0:
        return None
    return min(1.0, tests * 2 * float(stats.norm.sf(abs(first.value - second.value) / error)))
