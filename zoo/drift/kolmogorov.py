"""Kolmogorov and Smirnov's distance of two groups, for many features and many relabellings at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["KolmogorovDistances", "kolmogorov_distances"]


class KolmogorovDistances:
    r"""The distance :math:`\sup_x |F(x) - G(x)|` of the groups that a labelling makes, for each feature.

    Values are sorted once. A value that is missing counts as larger than every number: a feature that fails more often
    in one group is as far apart as one whose largest values are there.

    Parameters
    ----------
    values : array_like of shape (n_patients, n_features)
        NaN where missing.
    """

    def __init__(self, values: ArrayLike) -> None:
        columns = np.asarray(values, dtype=np.float64).T
        columns = np.where(np.isnan(columns), np.inf, columns)
        self._order = np.argsort(columns, axis=1, kind="stable")
        ordered = np.take_along_axis(columns, self._order, axis=1)
        # Within equal values the two functions have not made their step yet; behind the last both are 1.
        self._is_inside = np.ones(columns.shape, dtype=bool)
        self._is_inside[:, :-1] = ordered[:, 1:] == ordered[:, :-1]

    def of(self, is_current: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the distances for one labelling, of shape (n_features,)."""
        patients, current = len(is_current), int(is_current.sum())
        steps = np.where(is_current, 1 / current, -1 / (patients - current))
        difference = np.cumsum(steps[self._order], axis=1)
        np.abs(difference, out=difference)
        difference[self._is_inside] = 0.0
        return np.asarray(difference.max(axis=1), dtype=np.float64)

    def largest(self, labellings: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Return the largest distance of any feature for each labelling, of shape (n_labellings,)."""
        return np.array([self.of(each).max() for each in labellings])


def kolmogorov_distances(values: ArrayLike, is_current: ArrayLike) -> NDArray[np.float64]:
    """Return the distance of two groups for each feature, of shape (n_features,).

    Parameters
    ----------
    values : array_like of shape (n_patients, n_features)
        NaN where missing, which counts as larger than every number.
    is_current : array_like of shape (n_patients,)
        True for who is in the second group.

    References
    ----------
    Smirnov NV, Ann Math Stat 1948;19:279, doi:10.1214/aoms/1177730256.
    """
    return np.round(KolmogorovDistances(values).of(np.asarray(is_current, dtype=bool)), 12)
