"""The operating point of a model: a cut on its score, chosen on training patients and then frozen."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from schemas.study.thresholds import CostThreshold, SensitivityThreshold, Threshold
from zoo.evaluation.inputs import labelled_scores
from zoo.evaluation.intervals import Interval

__all__ = ["chosen_threshold", "cuts_between", "sensitivity_threshold", "threshold_spread", "youden_threshold"]

_DRAWS = 500
_SEED = 20260101


def cuts_between(scores: ArrayLike) -> NDArray[np.float64]:
    """Return the cuts that can tell scores apart: the lowest one, and the midpoints between neighbouring distinct ones.

    As in R's pROC. At the lowest score everyone is called positive.
    """
    distinct = np.unique(np.asarray(scores, dtype=np.float64))
    below, above = distinct[:-1], distinct[1:]
    # Halved before the sum against overflow. Between neighbouring floats no midpoint exists.
    midpoints = below / 2 + above / 2
    return np.concatenate([distinct[:1], np.where(midpoints > below, midpoints, above)])


def youden_threshold(
    labels: ArrayLike, scores: ArrayLike, cuts: ArrayLike | None = None, weights: ArrayLike | None = None
) -> float:
    """Return the cut ``c`` that, applied as ``score >= c``, has the largest Youden index on these patients.

    The index is sensitivity + specificity - 1. Of several cuts with the same index the lowest is taken: the more
    sensitive one. The cut is always finite, so it can be stored with the model.

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1, both present. Training patients only, better with their out-of-fold scores.
    scores : array_like of shape (n_patients,)
        Finite; higher speaks for label 1.
    cuts : array_like of shape (n_cuts,), optional
        The cuts to choose from, rising; `cuts_between` the scores where absent. Out-of-fold scores are those of other
        fits: a cut between two of them may lie beside all scores that the model itself can give.
    weights : array_like of shape (n_patients,), optional
        How much each patient counts in both shares; alike where absent.

    Raises
    ------
    ContractError
        If labels or scores break their rule.

    References
    ----------
    Youden WJ, Cancer 1950;3:32, doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3.
    """
    positive, values = labelled_scores(labels, scores)
    tried = cuts_between(values) if cuts is None else np.asarray(cuts, dtype=np.float64)
    if weights is not None:
        counts = np.asarray(weights, dtype=np.float64)
        shares = [_called_share(values[of], counts[of], tried) for of in (positive, ~positive)]
        # Sums of weights in another order differ by their rounding, which decides no tie.
        return float(tried[int(np.round(shares[0] - shares[1], 12).argmax())])
    found, alarms = _called(values[positive], tried), _called(values[~positive], tried)
    # The index times m n, in whole numbers, so that ties are ties.
    index = found * int((~positive).sum()) - alarms * int(positive.sum())
    return float(tried[int(index.argmax())])


def _called(scores: NDArray[np.float64], cuts: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return how many scores lie at or above each cut."""
    return len(scores) - np.searchsorted(np.sort(scores), cuts, side="left")


def _called_share(
    scores: NDArray[np.float64], weights: NDArray[np.float64], cuts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return which share of the weights the scores at or above each cut have."""
    order = np.argsort(scores)
    below = np.concatenate([[0.0], np.cumsum(weights[order])])
    found: NDArray[np.float64] = 1.0 - below[np.searchsorted(scores[order], cuts, side="left")] / below[-1]
    return found


def sensitivity_threshold(
    labels: ArrayLike,
    scores: ArrayLike,
    sensitivity: float,
    cuts: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> float:
    """Return the highest cut ``c`` that, applied as ``score >= c``, finds at least this share of patients of label 1.

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1, both present.
    scores : array_like of shape (n_patients,)
        Finite; higher speaks for label 1.
    sensitivity : float
        Above 0, at most 1.
    cuts : array_like of shape (n_cuts,), optional
        The cuts to choose from, rising; the lowest one where none finds so many. The scores themselves where absent.
    weights : array_like of shape (n_patients,), optional
        How much each patient counts in the share; alike where absent.

    Raises
    ------
    ContractError
        If labels or scores break their rule.
    """
    positive, values = labelled_scores(labels, scores)
    tried = np.unique(values[positive]) if cuts is None else np.asarray(cuts, dtype=np.float64)
    # A share that is a rounding short of it is enough.
    if weights is not None:
        counts = np.asarray(weights, dtype=np.float64)
        enough = _called_share(values[positive], counts[positive], tried) >= sensitivity - 1e-9
        return float(tried[np.flatnonzero(enough)[-1]] if enough.any() else tried[0])
    reached = _called(values[positive], tried) >= sensitivity * int(positive.sum()) - 1e-9
    return float(tried[np.flatnonzero(reached)[-1]] if reached.any() else tried[0])


def chosen_threshold(
    rule: Threshold,
    labels: ArrayLike,
    probabilities: ArrayLike,
    cuts: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> float:
    """Return the cut that a rule gives on patients whom the model had not seen.

    Parameters
    ----------
    rule : Threshold
        As the study file says it. ``youden`` and ``youden-training`` differ in the patients alone.
    labels : array_like of shape (n_patients,)
        0 or 1, both present.
    probabilities : array_like of shape (n_patients,)
        Of label 1.
    cuts : array_like of shape (n_cuts,), optional
        Those that tell the model's own probabilities apart, where these are of other fits.
    weights : array_like of shape (n_patients,), optional
        How much each patient counts; alike where absent.

    Notes
    -----
    A cost rule takes the probability at its word: where a missed patient costs c times a false alarm, expected costs
    are equal at 1 / (1 + c) (Pauker & Kassirer 1975, doi:10.1056/NEJM197507312930502).
    """
    if isinstance(rule, float):
        return rule
    if isinstance(rule, CostThreshold):
        return 1 / (1 + rule.missed_cost)
    if isinstance(rule, SensitivityThreshold):
        return sensitivity_threshold(labels, probabilities, rule.sensitivity, cuts, weights)
    return youden_threshold(labels, probabilities, cuts, weights)


def threshold_spread(
    rule: Threshold,
    labels: ArrayLike,
    probabilities: ArrayLike,
    cuts: ArrayLike | None = None,
    weights: ArrayLike | None = None,
) -> Interval | None:
    """Return the 2.5th and 97.5th percentile of a rule's cut over bootstrap draws of the patients, within labels.

    Parameters
    ----------
    rule, labels, probabilities, cuts, weights
        As `chosen_threshold` takes them.

    Returns
    -------
    Interval or None
        None of a cut that does not depend on the patients.
    """
    if isinstance(rule, float | CostThreshold):
        return None
    target, values = np.asarray(labels), np.asarray(probabilities, dtype=np.float64)
    random = np.random.default_rng(_SEED)
    of = [np.flatnonzero(target == label) for label in (0, 1)]
    found = []
    for _ in range(_DRAWS):
        drawn = np.concatenate([random.choice(rows, len(rows)) for rows in of])
        counts = None if weights is None else np.asarray(weights, dtype=np.float64)[drawn]
        found.append(chosen_threshold(rule, target[drawn], values[drawn], cuts, counts))
    low, high = np.percentile(found, [2.5, 97.5])
    return Interval(float(low), float(high))
