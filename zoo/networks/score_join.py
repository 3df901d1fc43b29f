"""Out-of-fold scores of members joined into one: on one scale, with equal weights, none against its own direction."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression

from zoo.evaluation.repeated import averaged_placements
from zoo.weighting.sums import means

__all__ = ["ScoreJoin", "within_parts"]

Floats = NDArray[np.float64]

_CHANCE = 0.5


class ScoreJoin(BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    """The mean of the members' scores, each on a scale of its own in each part, made a probability by one regression.

    A network that is trained on other patients gives log odds of another spread. So each part's scores are taken in
    standard deviations from that part's mean. A member whose AUC within the parts is one half or less has no weight;
    all others have the same: weights that are estimated from a hundred patients predict worse than equal ones. A
    logistic regression (ridge, C = 1) of the label on the mean says what a standard deviation is worth. Where no member
    is better than chance, or their mean is not, everyone gets the share of label 1.

    A new patient's scores come from members trained on all patients: they are taken from the mean of the parts' means,
    in the mean of their standard deviations.

    Attributes
    ----------
    means_, scales_ : ndarray of shape (n_members,)
        Of a new patient's scores.
    weights_ : ndarray of shape (n_members,)
        Log odds of label 1 per standard deviation.
    intercept_ : float
        Log odds where all scores lie at their means.
    aucs_ : ndarray of shape (n_members,)
        Of each member within the parts.

    References
    ----------
    Dawes RM, The robust beauty of improper linear models in decision making, Am Psychol 1979;34:571,
    doi:10.1037/0003-066X.34.7.571.
    """

    def fit(self, scores: Floats, labels: ArrayLike, parts: NDArray[np.int64], weights: Floats | None = None) -> Self:
        """Return self, fitted.

        Parameters
        ----------
        scores : ndarray of shape (n_patients, n_members)
            Of members that had not seen the patient.
        labels : array-like of shape (n_patients,)
            0 or 1, both present in each part.
        parts : ndarray of shape (n_patients,)
            The number of each patient's part.
        weights : ndarray of shape (n_patients,), optional
            How much each patient counts, in the AUCs and in the regression; the spread of scores knows no weights.
        """
        y = np.asarray(labels)
        of_parts = [scores[parts == number] for number in np.unique(parts)]
        self.means_ = np.mean([each.mean(axis=0) for each in of_parts], axis=0)
        scales = np.mean([each.std(axis=0) for each in of_parts], axis=0)
        self.scales_ = np.where(scales > 0, scales, 1.0)
        self.aucs_ = np.array([_area(y, of_member, parts, weights) for of_member in scores.T])
        is_better = self.aucs_ > _CHANCE
        slope, share = 0.0, float(means(y, weights))
        self.intercept_ = float(np.log(share / (1.0 - share)))
        if is_better.any():
            mean = within_parts(scores, parts)[:, is_better].mean(axis=1)
            fitted = LogisticRegression().fit(mean[:, None], y, weights)
            if fitted.coef_[0, 0] > 0:
                slope, self.intercept_ = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
        self.weights_ = slope * is_better / max(1, int(is_better.sum()))
        return self

    def decision_function(self, scores: Floats) -> Floats:
        """Return the log odds of label 1 of new patients, of shape (n_patients,)."""
        return self.log_odds((scores - self.means_) / self.scales_)

    def log_odds(self, z: Floats) -> Floats:
        """Return the log odds of label 1, given scores in standard deviations from their means."""
        found: Floats = z @ self.weights_ + self.intercept_
        return found

    def predict_proba(self, scores: Floats) -> Floats:
        """Return the probabilities of both labels of new patients, of shape (n_patients, 2)."""
        positive = expit(self.decision_function(scores))
        return np.column_stack([1.0 - positive, positive])


def _area(y: NDArray[np.int64], scores: Floats, parts: NDArray[np.int64], weights: Floats | None) -> float:
    """Return the AUC of scores over the pairs within the parts; a pair counts by the product of its weights."""
    if weights is None:
        return averaged_placements(y, [scores], parts[None]).area
    ones, zeros = np.flatnonzero(y == 1), np.flatnonzero(y == 0)
    pairs = np.outer(weights[ones], weights[zeros]) * (parts[ones, None] == parts[zeros])
    wins = np.sign(scores[ones, None] - scores[zeros]) / 2 + 0.5
    return float((pairs * wins).sum() / pairs.sum())


def within_parts(scores: Floats, parts: NDArray[np.int64]) -> Floats:
    """Return scores in standard deviations from the mean of their part; 0 where a part's are all alike."""
    z = np.zeros(scores.shape)
    for number in np.unique(parts):
        own = scores[parts == number]
        spread = own.std(axis=0)
        z[parts == number] = np.divide(own - own.mean(axis=0), spread, out=np.zeros(own.shape), where=spread > 0)
    return z
