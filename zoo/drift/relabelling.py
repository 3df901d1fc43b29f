"""Who of two groups of patients is in which, as it is and as chance could have it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from schemas.errors import ContractError

__all__ = ["FEWEST_DRAWS", "TOLERANCE", "chance_p", "draws_for", "relabelled"]

FEWEST_DRAWS = 999
TOLERANCE = 1e-9
"""Statistics that differ by less are equal: they are sums of the same fractions in another order."""

_LEAST_P = 0.25  # of the level that a single test has: the least p value that the draws can give


def draws_for(level: float, tests: int) -> int:
    """Return how many draws a test needs that is judged at a share of a level.

    The least p value of B draws is 1 / (B + 1); it is to lie well below the level of one test, or nothing could be
    found.

    Parameters
    ----------
    level : float
        What all tests share.
    tests : int
        How many they are.
    """
    return max(FEWEST_DRAWS, round(tests / (level * _LEAST_P)) - 1)


def relabelled(is_current: ArrayLike, draws: int, seed: int) -> NDArray[np.bool_]:
    """Return the two groups as they are, and as random exchanges of their members have them.

    Parameters
    ----------
    is_current : array_like of shape (n_patients,)
        True for who is in the second group; both have somebody.
    draws : int
        How many exchanges.
    seed : int
        Of the random numbers.

    Returns
    -------
    ndarray of shape (1 + draws, n_patients)
        The first row is ``is_current``; every row has as many True.

    Raises
    ------
    ContractError
        When one of the groups is empty.
    """
    own = np.asarray(is_current, dtype=bool)
    if own.ndim != 1 or own.all() or not own.any():
        raise ContractError("two groups are compared, and both have somebody", where="is_current")
    random = np.random.default_rng(seed)
    return np.vstack([own, random.permuted(np.broadcast_to(own, (draws, len(own))), axis=1)])


def chance_p(observed: ArrayLike, by_chance: ArrayLike) -> NDArray[np.float64]:
    r"""Return for each observed statistic :math:`(1 + \#\{b : T_b \ge T\}) / (B + 1)`.

    Under exchangeability it is at most alpha with a probability of at most alpha, whatever B is. Where each
    :math:`T_b` is the largest of a family, it is the p value adjusted for the family.

    Parameters
    ----------
    observed : array_like of shape (n_statistics,)
        Of the groups as they are.
    by_chance : array_like of shape (n_draws,)
        Of the exchanges.

    References
    ----------
    Phipson B, Smyth GK, Stat Appl Genet Mol Biol 2010;9:39, doi:10.2202/1544-6115.1585.
    """
    drawn = np.sort(np.asarray(by_chance, dtype=np.float64))
    below = np.searchsorted(drawn, np.asarray(observed, dtype=np.float64) - TOLERANCE, side="left")
    return np.asarray((1 + len(drawn) - below) / (1 + len(drawn)), dtype=np.float64)
