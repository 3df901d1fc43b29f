"""Values on both sides of a cut point: skewed, correlated, and with an exact number above it.

Drawing a value at random for each patient of a group would miss the published number above the cut point.
Here a value has one smooth distribution in the whole cohort, and within a group the part of it above the cut
is divided into as many strata as patients belong there, the part below into as many as remain; each patient
draws inside their own stratum. So the count is right by construction, and the raw value tells no more about a
patient's group than the published count does. Who gets which stratum follows a latent score, which is how two
laboratory values come to be correlated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri

__all__ = ["GradedCurve", "mixed_latent", "most_extreme", "normal_scores"]

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def mixed_latent(rng: np.random.Generator, weighted: list[tuple[float, Floats]]) -> Floats:
    """Return a latent score of unit variance with the given correlations to standard normal scores.

    ``latent = sum(w_i * score_i) + sqrt(1 - sum(w_i ** 2)) * noise``; the w_i are the correlations where the
    scores are uncorrelated.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the noise.
    weighted : list of (float, ndarray of shape (n_patients,))
        Weights and the scores that they belong to.
    """
    explained = sum(weight**2 for weight, _ in weighted)
    latent = np.sqrt(1.0 - explained) * rng.standard_normal(len(weighted[0][1]))
    for weight, score in weighted:
        latent = latent + weight * score
    return np.asarray(latent, dtype=np.float64)


def most_extreme(latent: Floats, count: int) -> Mask:
    """Return the mask of the `count` patients with the highest latent scores."""
    mask = np.zeros(len(latent), dtype=np.bool_)
    mask[np.argsort(-latent, kind="stable")[:count]] = True
    return mask


def normal_scores(rng: np.random.Generator, latent: Floats, positive: Mask, share: float) -> Floats:
    """Return standard normal scores that are above one threshold for exactly the positive patients.

    The threshold is the normal quantile with `share` of the distribution above it. The scores are a
    stratified sample, one stratum a patient: within the positive patients, and within the others, they follow
    the order of the latent scores.

    Parameters
    ----------
    rng : numpy.random.Generator
        Places each score inside its stratum.
    latent : ndarray of shape (n_patients,)
        Orders the patients.
    positive : ndarray of bool, shape (n_patients,)
        The patients above the threshold.
    share : float
        Share of the whole cohort that is above the threshold, in (0, 1).
    """
    below = 1.0 - share
    quantiles = np.empty(len(latent))
    for mask, low, high in ((~positive, 0.0, below), (positive, below, 1.0)):
        size = int(mask.sum())
        rank = np.argsort(np.argsort(latent[mask], kind="stable"), kind="stable")
        # A tenth on either side of a stratum stays empty, or the first and last patient could be outliers.
        quantiles[mask] = low + (high - low) * (rank + rng.uniform(0.1, 0.9, size)) / max(size, 1)
    return np.asarray(ndtri(quantiles), dtype=np.float64)


@dataclass(frozen=True)
class GradedCurve:
    """The distribution of one measured value, tied to its cut point.

    ``link(value) = link(cut) + spread * (score - threshold)``, so a value lies above the cut exactly where
    the score lies above the threshold of `normal_scores`.

    Parameters
    ----------
    cut : float
        Cut point, in the unit of the value.
    spread : float
        Standard deviation on the scale of the link.
    decimals : int
        Decimals that a laboratory would report; values above the cut are rounded up and the others down, so
        that rounding never moves a patient across.
    low : float, optional
        Lower bound of the value: a log link (right skewed). Without it the value is normal.
    high : float, optional
        Upper bound of the value: with `low`, a logit link.
    """

    cut: float
    spread: float
    decimals: int
    low: float | None = None
    high: float | None = None

    def _link(self) -> tuple[Callable[[Floats], Floats], Callable[[Floats], Floats]]:
        low, high = self.low, self.high
        if low is None:
            return (lambda value: value), (lambda linked: linked)
        if high is None:
            return (lambda value: np.log(value - low)), (lambda linked: low + np.exp(linked))
        width = high - low
        return (lambda value: logit((value - low) / width)), (lambda linked: low + width * expit(linked))

    def values(self, scores: Floats, share: float) -> Floats:
        """Return the values of normal scores; those of scores above the threshold lie above the cut.

        Parameters
        ----------
        scores : ndarray of shape (n_patients,)
            Result of `normal_scores`.
        share : float
            The share given to `normal_scores`.
        """
        forward, backward = self._link()
        above = scores - float(ndtri(1.0 - share))
        steps = backward(forward(np.asarray(self.cut, dtype=np.float64)) + self.spread * above) * 10.0**self.decimals
        return np.asarray(np.where(above > 0.0, np.ceil(steps), np.floor(steps)) / 10.0**self.decimals)
