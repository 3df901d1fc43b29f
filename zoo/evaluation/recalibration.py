"""The recalibration curve: how often the outcome came true, as a smooth function of what was predicted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from zoo.evaluation.calibration import calibration_line
from zoo.evaluation.inputs import confidence_level, labelled_probabilities

__all__ = ["RecalibrationCurve", "recalibration_curve"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RecalibrationCurve:
    """Observed against predicted probability, with a pointwise band; each of shape (points,)."""

    predicted: Floats
    """From the lowest to the highest prediction: the curve says nothing beyond them."""
    observed: Floats
    lower: Floats
    upper: Floats


def recalibration_curve(
    labels: ArrayLike, probabilities: ArrayLike, *, points: int = 61, level: float = 0.95
) -> RecalibrationCurve | None:
    r"""Return the logistic recalibration curve, None where the calibration line has no finite estimate.

    The curve is :math:`\operatorname{expit}(a + b \operatorname{logit} p)` with the maximum likelihood
    a and b of :func:`~zoo.evaluation.calibration.calibration_line`, which also names the reason where there
    is none. Two parameters are what a few dozen patients can bear; a local smoother would follow single
    patients. The band is Wald's on the log-odds scale,
    :math:`a + bx \pm z \sqrt{(1, x) V (1, x)^\top}` with V the inverse of Fisher's information.

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1, both present.
    probabilities : array_like of shape (n_patients,)
        Predicted probability of label 1.
    points : int
        At how many equally spaced predictions the curve is given.
    level : float
        Confidence level of the band, at each point for itself.

    Raises
    ------
    ContractError
        If labels or probabilities break their rule.

    References
    ----------
    Cox DR, Biometrika 1958;45:562, doi:10.1093/biomet/45.3-4.562.
    Van Calster B et al., J Clin Epidemiol 2016;74:167, doi:10.1016/j.jclinepi.2015.12.005.
    """
    _, values = labelled_probabilities(labels, probabilities)
    line = calibration_line(labels, probabilities, level)
    if line.slope is None or line.intercept is None:
        return None
    design = np.column_stack([np.ones_like(values), special.logit(values)])
    fitted = special.expit(design @ [line.intercept, line.slope])
    covariance = np.linalg.inv(design.T @ (design * (fitted * (1 - fitted))[:, None]))
    predicted = np.linspace(values.min(), values.max(), points)
    at = np.column_stack([np.ones(points), special.logit(predicted)])
    centre = at @ [line.intercept, line.slope]
    half = stats.norm.isf((1 - confidence_level(level)) / 2) * np.sqrt(((at @ covariance) * at).sum(axis=1))
    return RecalibrationCurve(
        predicted, special.expit(centre), special.expit(centre - half), special.expit(centre + half)
    )
