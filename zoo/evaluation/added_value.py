"""What a second model adds to a first one, on patients that neither was fitted to."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from schemas.errors import ContractError
from zoo.evaluation.inputs import confidence_level, labelled_probabilities
from zoo.evaluation.intervals import Interval
from zoo.logistic.resampled import logistic_fit
from zoo.logistic.separation import separating_direction

__all__ = ["LikelihoodRatio", "Reclassified", "added_likelihood", "reclassified"]


_SAME = 1e-5  # of the larger singular value: what two models tell apart from each other is rounding


@dataclass(frozen=True)
class LikelihoodRatio:
    """A likelihood-ratio test, or the reason why there is none."""

    statistic: float | None
    """Chi-square with one degree of freedom."""
    p: float | None
    reason: str | None = None


@dataclass(frozen=True)
class Reclassified:
    """Patients of one label whom the second model calls otherwise than the first."""

    patients: int
    up: int
    """Called positive by the second model only."""
    down: int
    """Called positive by the first model only."""
    net: float
    """Share of the patients whose call the second model sets right, less those whose it spoils."""
    interval: Interval


def added_likelihood(labels: ArrayLike, first: ArrayLike, second: ArrayLike) -> LikelihoodRatio:
    r"""Test whether a second model tells of the label what a first one does not.

    Two logistic lines of the label are compared: on the first model's log odds alone, and on both models'. Twice the
    difference of their log likelihoods is chi-square with one degree of freedom where the second adds nothing.

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1, both present.
    first, second : array_like of shape (n_patients,)
        Probabilities of label 1 by models that were fitted to other patients: on their own the second wins always.

    Returns
    -------
    LikelihoodRatio
        Without numbers, and with the reason, where a probability is 0 or 1, a model says the same of everyone, both
        say the same, or together they separate the labels.

    Raises
    ------
    ContractError
        If labels or probabilities break their rule.

    References
    ----------
    Harrell FE, Regression Modeling Strategies, Springer 2015, section 9.8, doi:10.1007/978-3-319-19425-7.
    """
    positive, of_first = labelled_probabilities(labels, first)
    _, of_second = labelled_probabilities(labels, second)
    if any(((each <= 0) | (each >= 1)).any() for each in (of_first, of_second)):
        return LikelihoodRatio(None, None, "a probability is exactly 0 or 1")
    log_odds = special.logit(np.column_stack([of_first, of_second]))
    if not np.ptp(log_odds, axis=0).all():
        return LikelihoodRatio(None, None, "a model gives everyone the same probability")
    # In standard deviations: Newton's steps do not depend on the unit, what they are solved with does.
    columns = (log_odds - log_odds.mean(axis=0)) / log_odds.std(axis=0)
    least, most = np.sort(np.linalg.svd(columns, compute_uv=False))
    if least < _SAME * most:
        return LikelihoodRatio(None, None, "both models say the same")
    if separating_direction(columns, positive.astype(np.intp)) is not None:
        return LikelihoodRatio(None, None, "together the probabilities separate the labels")
    design = np.column_stack([np.ones(len(columns)), columns])
    fits = [logistic_fit(part, positive) for part in (design[:, :2], design)]
    likelihoods = [
        None if fit is None else _log_likelihood(part @ fit, positive)
        for part, fit in zip((design[:, :2], design), fits, strict=True)
    ]
    if likelihoods[0] is None or likelihoods[1] is None:
        return LikelihoodRatio(None, None, "the lines could not be fitted")
    statistic = max(0.0, 2 * (likelihoods[1] - likelihoods[0]))
    return LikelihoodRatio(statistic, float(stats.chi2.sf(statistic, 1)))


def reclassified(
    labels: ArrayLike, first: ArrayLike, second: ArrayLike, label: int, level: float = 0.95
) -> Reclassified:
    r"""Return how a second model calls the patients of one label otherwise than a first.

    The net reclassification of label 1 is (up - down) / n, that of label 0 (down - up) / n: the difference of the two
    models' sensitivities, or specificities, at their thresholds. They are not added up: the sum weighs both labels
    alike, whatever a wrong call of each costs, and has been taken for a share of patients, which it is not.

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1.
    first, second : array_like of shape (n_patients,)
        Whether each model calls a patient positive.
    label : {0, 1}
        Whose calls are counted.
    level : float
        Confidence level of the Wald interval for paired shares.

    Raises
    ------
    ContractError
        If no patient has this label.

    References
    ----------
    Pencina MJ et al., Stat Med 2008;27:157, doi:10.1002/sim.2929.
    Kerr KF et al., Epidemiology 2014;25:114, doi:10.1097/EDE.0000000000000018 (what it does not tell).
    """
    own = np.asarray(labels) == label
    n = int(own.sum())
    if not n:
        raise ContractError(f"no patient has label {label}", where="labels")
    calls: list[NDArray[np.bool_]] = [np.asarray(each, dtype=np.bool_)[own] for each in (first, second)]
    up, down = int((calls[1] & ~calls[0]).sum()), int((calls[0] & ~calls[1]).sum())
    net = (up - down if label else down - up) / n
    deviate = float(stats.norm.isf((1 - confidence_level(level)) / 2))
    half = deviate * math.sqrt(max(0.0, (up + down) / n - net**2) / n)
    return Reclassified(n, up, down, net, Interval(max(-1.0, net - half), min(1.0, net + half)))


def _log_likelihood(log_odds: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    signed = np.where(positive, log_odds, -log_odds)
    return float(-np.logaddexp(0, -signed).sum())
