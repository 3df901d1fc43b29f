"""Net benefit: what acting on a model is worth at each threshold probability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from schemas.errors import ContractError
from zoo.evaluation.bootstrap import RESAMPLES, SEED, percentile_band, resampled_weights
from zoo.evaluation.inputs import binary_labels, finite_values, labelled_probabilities

__all__ = ["DecisionCurve", "decision_curve", "net_benefit", "net_benefit_treat_all", "net_benefit_treat_none"]


Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit over a range of threshold probabilities; each of shape (n_thresholds,)."""

    thresholds: Floats
    net_benefit: Floats
    """Of treating those whom the model puts at or above the threshold."""
    lower: Floats
    upper: Floats
    treat_all: Floats


def net_benefit(labels: ArrayLike, probabilities: ArrayLike, thresholds: ArrayLike) -> NDArray[np.float64]:
    r"""Return the net benefit of treating patients whose probability reaches each threshold.

    .. math:: \frac{TP}{n} - \frac{FP}{n} \cdot \frac{t}{1 - t}

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1; one class is enough.
    probabilities : array_like of shape (n_patients,)
        Predicted probability of label 1; a staging must first be turned into one on training patients.
    thresholds : array_like of shape (n_thresholds,)
        At least 0 and below 1; a patient is treated when ``probability >= threshold``.

    Returns
    -------
    ndarray of shape (n_thresholds,)
        In true positives per patient.

    Raises
    ------
    ContractError
        If labels, probabilities or thresholds break their rule.

    References
    ----------
    Vickers AJ, Elkin EB, Med Decis Making 2006;26:565, doi:10.1177/0272989X06295361.
    """
    positive, values = labelled_probabilities(labels, probabilities, of_both=False)
    cuts = _threshold_probabilities(thresholds)
    n = len(values)
    # Those at or above a cut, counted from the sorted probabilities of each class.
    true_positives = positive.sum() - np.searchsorted(np.sort(values[positive]), cuts, side="left")
    false_positives = (~positive).sum() - np.searchsorted(np.sort(values[~positive]), cuts, side="left")
    return np.asarray(true_positives / n - false_positives / n * cuts / (1 - cuts), dtype=np.float64)


def net_benefit_treat_all(labels: ArrayLike, thresholds: ArrayLike) -> NDArray[np.float64]:
    """Return the net benefit of treating everyone, the first of the two curves that a model must beat.

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1; one class is enough.
    thresholds : array_like of shape (n_thresholds,)
        At least 0 and below 1.

    Raises
    ------
    ContractError
        If labels or thresholds break their rule.
    """
    prevalence = float(binary_labels(labels, of_both=False).mean())
    cuts = _threshold_probabilities(thresholds)
    return np.asarray(prevalence - (1 - prevalence) * cuts / (1 - cuts), dtype=np.float64)


def net_benefit_treat_none(thresholds: ArrayLike) -> NDArray[np.float64]:
    """Return the net benefit of treating no one, zero at every threshold.

    Parameters
    ----------
    thresholds : array_like of shape (n_thresholds,)
        At least 0 and below 1.

    Raises
    ------
    ContractError
        If a threshold lies outside.
    """
    return np.zeros_like(_threshold_probabilities(thresholds))


def decision_curve(
    labels: ArrayLike,
    probabilities: ArrayLike,
    thresholds: ArrayLike,
    *,
    patients: ArrayLike | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> DecisionCurve:
    """Return the net benefit at each threshold with its pointwise bootstrap band, and that of treating everyone.

    The band holds the percentiles over resampled patients, whose share of label 1 varies as it would in other
    cohorts of this size.

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1; one class is enough.
    probabilities : array_like of shape (n_patients,)
        Predicted probability of label 1; a staging must first be turned into one on training patients.
    thresholds : array_like of shape (n_thresholds,)
        At least 0 and below 1.
    patients : array_like of shape (n_patients,), optional
        Whose prediction each is, where patients were predicted several times, as in repeated cross-validation: all
        predictions count, and a resample draws a patient with all of theirs.
    level : float
        Confidence level of the band, at each threshold for itself.
    resamples, seed : int
        How many resamples, and where their draws begin.

    Raises
    ------
    ContractError
        If labels, probabilities or thresholds break their rule.

    References
    ----------
    Vickers AJ, Cronin AM, Elkin EB, Gonen M, BMC Med Inform Decis Mak 2008;8:53, doi:10.1186/1472-6947-8-53.
    """
    positive, values = labelled_probabilities(labels, probabilities, of_both=False)
    cuts = _threshold_probabilities(thresholds)
    # What each patient adds at each threshold: 1 for a true positive, minus the odds for a false one.
    worth = (values[:, None] >= cuts) * np.where(positive[:, None], 1.0, -cuts / (1 - cuts))
    weights = resampled_weights(len(values), patients, resamples, seed)
    band = percentile_band(weights @ worth / weights.sum(axis=1, keepdims=True), level)
    return DecisionCurve(
        cuts, net_benefit(positive, values, cuts), band.lower, band.upper, net_benefit_treat_all(positive, cuts)
    )


def _threshold_probabilities(thresholds: ArrayLike) -> NDArray[np.float64]:
    cuts = finite_values(thresholds, "thresholds")
    outside = (cuts < 0) | (cuts >= 1)
    if outside.any():
        at = int(np.flatnonzero(outside)[0])
        raise ContractError(
            f"a threshold probability is at least 0 and below 1, got {cuts[at]:g}",
            where=f"thresholds[{at}]",
            hint="at 1 a false positive would weigh infinitely; end the range before it",
        )
    return cuts
