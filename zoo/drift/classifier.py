"""A classifier that is asked whether it can tell two groups of patients apart, by all features together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

__all__ = ["FOLDS", "classifier_aucs", "normal_scores"]

FOLDS = 5
_PENALTY = 0.1  # of the kernel's mean diagonal, which is 1
_TOGETHER = 2000  # labellings whose answers are held in memory at once
_Fit = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]
"""Who is held out, who is not, and what of the latter's labels makes the answers for the former."""


def normal_scores(values: ArrayLike) -> NDArray[np.float64]:
    r"""Return each column as :math:`\Phi^{-1}(r / (n + 1))` of its ranks r, of mean 0; equal values share their rank.

    A value that is missing ranks above all numbers. Groups are not looked at.

    Parameters
    ----------
    values : array_like of shape (n_patients, n_features)
        NaN where missing.
    """
    numbers = np.asarray(values, dtype=np.float64)
    ranks = stats.rankdata(np.where(np.isnan(numbers), np.inf, numbers), axis=0)
    scores = stats.norm.ppf(ranks / (len(numbers) + 1))
    return np.asarray(scores - scores.mean(axis=0), dtype=np.float64)


def classifier_aucs(values: ArrayLike, labellings: NDArray[np.bool_], seed: int) -> NDArray[np.float64]:
    r"""Return how well a classifier tells the groups of each labelling apart: the AUC of held-out patients.

    The classifier is ridge regression of the group on `normal_scores`, fitted on four fifths of the patients and
    asked about the fifth. With the kernel K of the features and the labels y less their mean it answers
    :math:`K_{ft} (K_{tt} + \lambda I)^{-1} y_t`, which is linear in y: a thousand labellings cost little more than
    one. The folds are drawn without a look at the groups, so that the AUC of the observed labelling, the first, is
    exchangeable with the others where nothing drifts.

    Parameters
    ----------
    values : array_like of shape (n_patients, n_features)
        One row a person; NaN where missing.
    labellings : ndarray of shape (n_labellings, n_patients)
        True for who is in the second group.
    seed : int
        Of the folds.

    Returns
    -------
    ndarray of shape (n_labellings,)
        .5 where the classifier knows nothing.

    References
    ----------
    Lopez-Paz D, Oquab M, ICLR 2017, arXiv:1610.06545 (the test; there by accuracy on one held-out half).
    Kim I, Ramdas A, Singh A, Wasserman L, Ann Stat 2021;49:411, doi:10.1214/20-AOS1962 (by relabelling).
    """
    features = normal_scores(values)
    patients = len(features)
    features = features[:, np.ptp(features, axis=0) > 0]
    kernel = features @ features.T / max(1, features.shape[1])
    kernel /= max(float(np.trace(kernel)) / patients, np.finfo(float).tiny)
    fold_of = np.random.default_rng(seed).permutation(np.arange(patients) % min(FOLDS, patients))
    fits: list[_Fit] = []
    for fold in np.unique(fold_of):
        held, own = np.flatnonzero(fold_of == fold), np.flatnonzero(fold_of != fold)
        weights = np.linalg.solve(kernel[np.ix_(own, own)] + _PENALTY * np.eye(len(own)), kernel[np.ix_(own, held)])
        fits.append((held, own, weights.T))
    starts = range(0, len(labellings), _TOGETHER)
    return np.concatenate([_aucs(fits, labellings[start : start + _TOGETHER]) for start in starts])


def _aucs(fits: Sequence[_Fit], labellings: NDArray[np.bool_]) -> NDArray[np.float64]:
    groups = labellings.T.astype(np.float64)
    answers = np.zeros_like(groups)
    for held, own, weights in fits:
        answers[held] = weights @ (groups[own] - groups[own].mean(axis=0))
    # What is rounded differently in equal answers is no order.
    ranks = stats.rankdata(np.round(answers, 12), axis=0)
    current = labellings.sum(axis=1)
    above = (ranks * groups).sum(axis=0) - current * (current + 1) / 2
    return np.asarray(above / (current * (len(groups) - current)), dtype=np.float64)
