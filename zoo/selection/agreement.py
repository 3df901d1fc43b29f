"""Columns whose repeated readings agree: a mask by intraclass correlation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from schemas.errors import ContractError

__all__ = ["IccBound", "IccSelector"]

IccBound = Literal["estimate", "lower"]


class IccSelector(SelectorMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    """Keeps the columns whose intraclass correlation coefficient (ICC) is at least ``minimum``.

    The ICC is given, not computed: it needs repeated readings, which a table of one row per patient lacks.
    Nothing of the table's values or labels is looked at.

    Parameters
    ----------
    icc : mapping of str to (float, float), or None
        Estimate and lower 95 % bound by column name; NaN where there is none. A column that is not named is
        not kept: its agreement is not known. None keeps every column.
    minimum : float, default=0.9
        Columns at or above it are kept [1]_.
    bound : {'estimate', 'lower'}, default='estimate'
        What is compared: 'lower' asks that even the interval's lower end is high enough.

    Attributes
    ----------
    support_ : ndarray of bool of shape (n_features,)
        The columns kept.

    See Also
    --------
    zoo.evaluation.agreement.icc_agreement : Gives the ICC and its interval from readings.

    References
    ----------
    .. [1] Koo & Li 2016, J Chiropr Med 15:155, doi:10.1016/j.jcm.2016.02.012
    """

    def __init__(
        self,
        icc: Mapping[str, tuple[float, float]] | None = None,
        minimum: float = 0.9,
        bound: IccBound = "estimate",
    ) -> None:
        self.icc = icc
        self.minimum = minimum
        self.bound = bound

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Return self, with the columns marked.

        Parameters
        ----------
        X : array-like of shape (n_patients, n_features)
            Missing values are let through; columns without names are called x0, x1, ...
        y : ignored

        Raises
        ------
        ContractError
            When no column agrees well enough.
        ValueError
            If a parameter has no meaning.
        """
        if not 0.0 <= self.minimum <= 1.0:
            raise ValueError(f"minimum must lie in [0, 1], got {self.minimum!r}")
        if self.bound not in get_args(IccBound):
            raise ValueError(f"bound must be 'estimate' or 'lower', got {self.bound!r}")
        validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan")
        given: Any = getattr(self, "feature_names_in_", [f"x{column}" for column in range(self.n_features_in_)])
        if self.icc is None:
            self.support_ = np.ones(self.n_features_in_, dtype=bool)
            return self
        position = get_args(IccBound).index(self.bound)
        values = np.array([self.icc.get(str(name), (np.nan, np.nan))[position] for name in given])
        self.support_ = values >= self.minimum  # NaN is not
        if not self.support_.any():
            raise ContractError(
                f"no feature's readings agree with an ICC of {self.minimum:g} or more",
                hint="lower minimum_icc, or look at the readings: radzoo sql 'from stability'",
            )
        return self

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self)
        support: NDArray[np.bool_] = self.support_
        return support
