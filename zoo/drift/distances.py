"""How far two samples of one measurement lie apart: population stability index, Wasserstein distance."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from schemas.errors import ContractError

__all__ = ["MOST_BINS", "chance_psi", "psi", "psi_bins", "psi_of_shares", "standardised_wasserstein"]

MOST_BINS = 10
_EACH_BIN = 5  # of the smaller sample, at the least, on average
_PRIOR = 0.5  # patients added to each bin


def psi_bins(reference: int, current: int) -> int:
    """Return how many bins two samples allow: ten, or fewer where one has fewer than five patients a bin; two at least.

    Parameters
    ----------
    reference, current : int
        Patients of each sample.
    """
    return int(np.clip(min(reference, current) // _EACH_BIN, 2, MOST_BINS))


def psi(reference: ArrayLike, current: ArrayLike, bins: int = MOST_BINS) -> float:
    r"""Return the population stability index :math:`\sum_i (q_i - p_i) \ln (q_i / p_i)`.

    p and q are the shares of the reference and of the current sample in bins that end at quantiles of the reference;
    bins whose ends are equal are one, and a value that several of the reference share has a bin of its own where a
    quantile falls on it: what lies below it is not taken for it. NaN, a value that is missing, has a bin of its own
    where a sample has it. Each count has half a patient added, so that an empty bin has a logarithm.

    Parameters
    ----------
    reference, current : array_like of shape (n_patients,)
        Values; NaN where missing.
    bins : int
        How many bins of the reference, at most.

    Raises
    ------
    ContractError
        When a sample is empty.

    References
    ----------
    Siddiqi N, Credit Risk Scorecards, Wiley 2006, chapter 9.
    Yurdakul B, Naranjo J, J Risk Model Validation 2020;14(4), doi:10.21314/JRMV.2020.227.
    """
    old, new = (np.asarray(each, dtype=np.float64) for each in (reference, current))
    if not (len(old) and len(new)):
        raise ContractError("a sample has no patient", where="current" if len(old) else "reference")
    known = old[~np.isnan(old)]
    inner = _ends(known, bins)
    p, q = (_counts(each, inner) for each in (old, new))
    there = (p + q) > 0
    p, q = p[there] + _PRIOR, q[there] + _PRIOR
    return psi_of_shares(p / p.sum(), q / q.sum())


def psi_of_shares(reference: ArrayLike, current: ArrayLike) -> float:
    r"""Return :math:`\sum_i (q_i - p_i) \ln (q_i / p_i)` of shares that are above 0.

    Parameters
    ----------
    reference, current : array_like of shape (n_bins,)
        Shares p and q.
    """
    p, q = (np.asarray(each, dtype=np.float64) for each in (reference, current))
    return float(((q - p) * np.log(q / p)).sum())


def chance_psi(reference: int, current: int, bins: int) -> float:
    """Return the index's mean where nothing drifts, (bins - 1) (1 / n + 1 / m): small samples have it far from 0.

    Parameters
    ----------
    reference, current : int
        Patients of each sample.
    bins : int
        As many as `psi` was given.

    References
    ----------
    Yurdakul B, Naranjo J, J Risk Model Validation 2020;14(4), doi:10.21314/JRMV.2020.227: n m / (n + m) PSI is
    chi-square with bins - 1 degrees of freedom in large samples.
    """
    return (bins - 1) * (1 / reference + 1 / current)


def standardised_wasserstein(reference: ArrayLike, current: ArrayLike) -> float | None:
    r"""Return Wasserstein's distance :math:`\int |F - G|` in standard deviations of the reference.

    A shift by one standard deviation is 1.

    Parameters
    ----------
    reference, current : array_like of shape (n_patients,)
        Values; NaN, which is left out, where missing.

    Returns
    -------
    float or None
        None where a sample has no value, or the reference no spread.
    """
    old, new = (_known(each) for each in (reference, current))
    if len(old) < 2 or not len(new):
        return None
    with np.errstate(over="ignore", invalid="ignore"):
        spread = float(old.std(ddof=1))
        # Of equal values a sum is rounded: their deviation is of the size of its error, and not 0.
        if np.ptp(old) == 0 or not np.isfinite(spread) or spread == 0:
            return None
        return float(stats.wasserstein_distance(old, new)) / spread


def _known(values: ArrayLike) -> NDArray[np.float64]:
    numbers = np.asarray(values, dtype=np.float64)
    return numbers[~np.isnan(numbers)]


def _ends(known: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """Return the inner ends of bins of the reference; a bin has its end, and not its beginning."""
    if not len(known):
        return np.empty(0)
    quantiles = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1)[1:-1]))
    values, times = np.unique(known, return_counts=True)
    tied = quantiles[np.isin(quantiles, values[times > 1])]
    return np.union1d(quantiles, np.nextafter(tied, -np.inf))


def _counts(values: NDArray[np.float64], inner: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how many values lie in each bin, up to and with its end, and how many are missing."""
    missing = np.isnan(values)
    binned = np.bincount(np.searchsorted(inner, values[~missing], side="left"), minlength=len(inner) + 1)
    return np.append(binned, missing.sum()).astype(np.float64)
