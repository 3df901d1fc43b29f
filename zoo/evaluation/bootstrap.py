"""The bootstrap: patients drawn with replacement, from a fixed seed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from schemas.errors import ContractError
from zoo.evaluation.inputs import confidence_level, labelled_scores
from zoo.evaluation.intervals import Interval

__all__ = [
    "RESAMPLES",
    "SEED",
    "Band",
    "bootstrap_auc_interval",
    "percentile_band",
    "resampled_counts",
    "resampled_weights",
]

RESAMPLES = 1000
SEED = 20260101

Floats = NDArray[np.float64]


class Band(NamedTuple):
    """Pointwise bounds of a curve, each of shape (points,)."""

    lower: Floats
    upper: Floats


def resampled_counts(n_patients: int, resamples: int = RESAMPLES, seed: int = SEED) -> Floats:
    """Return how often each patient was drawn in each resample of as many patients.

    Counts instead of patients: whatever a resample needs is then a weighted sum over the cohort.

    Parameters
    ----------
    n_patients : int
        Size of the cohort and of every resample.
    resamples : int
        How many resamples.
    seed : int
        The same seed gives the same resamples.

    Returns
    -------
    ndarray of shape (resamples, n_patients)
        Whole numbers, each row with the sum ``n_patients``.

    Raises
    ------
    ContractError
        If there is no patient or no resample.

    References
    ----------
    Efron B, Ann Stat 1979;7:1, doi:10.1214/aos/1176344552.
    """
    if n_patients < 1 or resamples < 1:
        raise ContractError(f"expected patients and resamples, got {n_patients} and {resamples}", where="resamples")
    shares = np.full(n_patients, 1 / n_patients)
    return np.random.default_rng(seed).multinomial(n_patients, shares, size=resamples).astype(np.float64)


def resampled_weights(
    n_predictions: int, patients: ArrayLike | None = None, resamples: int = RESAMPLES, seed: int = SEED
) -> Floats:
    """Return how often each prediction counts in each resample: as often as its patient was drawn.

    Parameters
    ----------
    n_predictions : int
        How many predictions there are.
    patients : array_like of shape (n_predictions,), optional
        Whose prediction each is, where patients have several; each is of another patient where absent.
    resamples, seed : int
        As for `resampled_counts`.

    Returns
    -------
    ndarray of shape (resamples, n_predictions)
        Whole numbers.

    Raises
    ------
    ContractError
        If there is no prediction or no resample, or patients are not named for each prediction.
    """
    if patients is None:
        return resampled_counts(n_predictions, resamples, seed)
    names, position = np.unique(np.asarray(patients), return_inverse=True)
    if position.shape != (n_predictions,):
        raise ContractError(f"expected {n_predictions} patients, got {position.size}", where="patients")
    return resampled_counts(len(names), resamples, seed)[:, position]


def percentile_band(curves: Floats, level: float = 0.95) -> Band:
    """Return the pointwise percentile band of resampled curves.

    Parameters
    ----------
    curves : ndarray of shape (resamples, points)
        One curve a resample.
    level : float
        Confidence level, at each point for itself.
    """
    tail = (1 - confidence_level(level)) / 2
    lower, upper = np.quantile(curves, (tail, 1 - tail), axis=0)
    return Band(lower, upper)


def bootstrap_auc_interval(
    labels: ArrayLike, scores: ArrayLike, level: float = 0.95, *, resamples: int = 2 * RESAMPLES, seed: int = SEED
) -> Interval:
    """Return the percentile bootstrap interval of the AUC, patients resampled within each class.

    It stands on no formula for the variance and so checks the two DeLong intervals. Where the classes are
    perfectly separated every resample is too, and both bounds are the AUC itself.

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1, both present.
    scores : array_like of shape (n_patients,)
        Finite; higher speaks for label 1.
    level : float
        Confidence level.
    resamples, seed : int
        How many resamples, and where their draws begin.

    Raises
    ------
    ContractError
        If labels or scores break their rule.

    References
    ----------
    Robin X et al., BMC Bioinformatics 2011;12:77, doi:10.1186/1471-2105-12-77 (stratified, as here).
    """
    positive, values = labelled_scores(labels, scores)
    above, below = values[positive][:, None], values[~positive][None, :]
    ranked_rightly = (above > below) + 0.5 * (above == below)
    of_positives = resampled_counts(len(above), resamples, seed)
    of_negatives = resampled_counts(below.shape[1], resamples, seed + 1)
    areas = ((of_positives @ ranked_rightly) * of_negatives).sum(axis=1) / ranked_rightly.size
    lower, upper = percentile_band(areas[:, None], level)
    return Interval(float(lower[0]), float(upper[0]))
