"""Predicted probabilities as log odds, the scale on which calibration is judged."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from zoo.evaluation.inputs import labelled_probabilities

__all__ = ["PredictedLogOdds", "predicted_log_odds"]


class PredictedLogOdds(NamedTuple):
    """Labels and log odds of the patients of a cohort; each array of shape (n_patients,)."""

    positive: NDArray[np.bool_]
    probabilities: NDArray[np.float64]
    logits: NDArray[np.float64]
    """Infinite where a probability is exactly 0 or 1."""
    reason: str | None
    """Why nothing can be fitted to the log odds; None where it can."""


def predicted_log_odds(labels: ArrayLike, probabilities: ArrayLike) -> PredictedLogOdds:
    """Return the checked labels and the log odds of the predictions.

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1; of one class alone there is a reason and nothing to fit.
    probabilities : array_like of shape (n_patients,)
        Predicted probability of label 1.

    Raises
    ------
    ContractError
        If labels or probabilities break their rule.
    """
    positive, values = labelled_probabilities(labels, probabilities, of_both=False)
    certain = int(((values <= 0) | (values >= 1)).sum())
    reason = f"{certain} of {len(values)} probabilities are exactly 0 or 1 and have no logit" if certain else None
    if positive.all() or not positive.any():
        reason = f"every patient has label {int(positive[0])}"
    return PredictedLogOdds(positive, values, np.asarray(special.logit(values), dtype=np.float64), reason)
