"""ComBat: features of several scanners or sites brought to one scale, fitted on training patients only."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from schemas.errors import ContractError
from schemas.features.names import is_phase_indicator
from zoo.logistic.recalibrated import FEWEST_OF_A_BATCH

__all__ = ["BATCH_PREFIX", "FEWEST_PATIENTS", "ComBatHarmoniser", "batch_column"]

Floats = NDArray[np.float64]

BATCH_PREFIX = "batch="
"""Begins the name of the one column of a model's table that says which batch a patient is of."""

FEWEST_PATIENTS = FEWEST_OF_A_BATCH
"""In a batch: with fewer there is no variance worth the name."""

_TOLERANCE = 1e-10
_MAX_ITERATIONS = 10_000


def batch_column(variable: str) -> str:
    """Return the name of the column that holds the batch variable's values."""
    return f"{BATCH_PREFIX}{variable}"


class ComBatHarmoniser(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    """Removes each batch's shift and scale from every feature, and the batch column itself.

    The model of feature j of patient i in batch b is ``x_ij = a_j + s_j (g_bj + d_bj e_ij)``; what is returned
    is ``a_j + s_j e_ij``, with g_bj and d_bj^2 the posterior estimates under a normal and an inverse gamma
    prior that all features of a batch share (parametric empirical Bayes) [1]_, [2]_. No covariates are kept:
    a difference between batches that is biology goes too, so batches must not differ much in prevalence.

    Parameters
    ----------
    batch : str or None, default=None
        The batch column, by name: a number or code per patient. None leaves the table as it is.

    Attributes
    ----------
    batches_ : ndarray of shape (n_batches,)
        The batches' codes, sorted.
    mean_, scale_ : ndarray of shape (n_features,)
        a and s: the mean over the training patients, the pooled standard deviation within batches.
    shift_, spread_ : ndarray of shape (n_batches, n_features)
        g and d^2. A column that is constant within every batch has shift 0 and spread 1: it stays as it is.

    See Also
    --------
    sklearn.preprocessing.StandardScaler : One scale for all patients; comes after this one in the pipeline.

    References
    ----------
    .. [1] Johnson, Li & Rabinovic 2007, Biostatistics 8:118, doi:10.1093/biostatistics/kxj037
    .. [2] Fortin et al. 2017, NeuroImage 161:149, doi:10.1016/j.neuroimage.2017.08.047
    """

    def __init__(self, batch: str | None = None) -> None:
        self.batch = batch

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Return self, fitted to the training patients; labels are not looked at.

        Parameters
        ----------
        X : array-like of shape (n_patients, n_features + 1)
            No missing values. With column names, one of them ``batch``.
        y : ignored

        Raises
        ------
        ContractError
            When the batch column is not there, there is one batch only, or one has fewer than 3 patients.
        """
        table = validate_data(self, X, dtype=np.float64)
        if self.batch is None:
            return self
        values, codes = self._parts(table)
        self.batches_, members, counts = np.unique(codes, return_inverse=True, return_counts=True)
        _refuse_small(self.batch, self.batches_, counts)
        means = np.array([values[members == batch].mean(axis=0) for batch in range(len(counts))])
        self.mean_ = counts @ means / len(values)
        pooled = np.sqrt(((values - means[members]) ** 2).mean(axis=0))
        # Rounding makes a constant column's spread a tiny number, which must not be divided by.
        varies = pooled > 1e-12 * np.maximum(np.abs(values).max(axis=0), np.finfo(float).tiny)
        # Who lacks a phase is no measurement that a scanner shifts.
        varies &= ~np.array([is_phase_indicator(str(name)) for name in self.get_feature_names_out()])
        self.scale_ = np.where(varies, pooled, 1.0)
        standard = (values - self.mean_) / self.scale_
        self.shift_, self.spread_ = np.zeros_like(means), np.ones_like(means)
        for batch in range(len(counts)):
            found = _posterior(standard[members == batch][:, varies])
            self.shift_[batch, varies], self.spread_[batch, varies] = found
        return self

    def unweighted(self) -> tuple[str]:
        """Return what it is: labels, and who lost theirs, are not looked at."""
        return ("harmonisation by ComBat",)

    def transform(self, X: ArrayLike) -> Floats:
        """Return the features without their batch's shift and scale, of shape (n_patients, n_features).

        Raises
        ------
        ContractError
            When a patient is of a batch that training did not have.
        """
        check_is_fitted(self, "n_features_in_")
        table: Floats = validate_data(self, X, dtype=np.float64, reset=False)
        if self.batch is None:
            return table
        values, codes = self._parts(table)
        unseen = np.setdiff1d(codes, self.batches_)
        if len(unseen):
            raise ContractError(
                f"no training patient has {self.batch.removeprefix(BATCH_PREFIX)} = {_listed(unseen)}: "
                f"training had {_listed(self.batches_)}",
                hint="leave 'harmonise' out of the model, or those patients out of the cohort",
            )
        of = np.searchsorted(self.batches_, codes)
        error = ((values - self.mean_) / self.scale_ - self.shift_[of]) / np.sqrt(self.spread_[of])
        harmonised: Floats = error * self.scale_ + self.mean_
        return harmonised

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """Return the columns' names without the batch column's."""
        check_is_fitted(self, "n_features_in_")
        names = getattr(self, "feature_names_in_", None)
        if names is None:
            given = (
                [f"x{column}" for column in range(self.n_features_in_)] if input_features is None else input_features
            )
            names = np.asarray(given, dtype=object)
            if len(names) != self.n_features_in_:
                raise ValueError(f"input_features should have length equal to {self.n_features_in_}")
        elif input_features is not None and not np.array_equal(names, np.asarray(input_features, dtype=object)):
            raise ValueError("input_features is not equal to feature_names_in_")
        kept: NDArray[Any] = np.asarray(names, dtype=object)
        return kept if self.batch is None else kept[kept != self.batch]

    def _parts(self, table: Floats) -> tuple[Floats, Floats]:
        names = [str(name) for name in getattr(self, "feature_names_in_", ())]
        if str(self.batch) not in names:
            raise ContractError(f"the table to harmonise has no column '{self.batch}'")
        column = names.index(str(self.batch))
        return np.delete(table, column, axis=1), table[:, column]


def _refuse_small(batch: str, batches: Floats, counts: NDArray[np.intp]) -> None:
    variable = batch.removeprefix(BATCH_PREFIX)
    if len(batches) < 2:
        raise ContractError(
            f"all training patients have {variable} = {_listed(batches)}: there is nothing to harmonise",
            hint="leave 'harmonise' out of the model",
        )
    small = counts < FEWEST_PATIENTS
    if small.any():
        raise ContractError(
            f"fewer than {FEWEST_PATIENTS} training patients have {variable} = {_listed(batches[small])}",
            hint="leave 'harmonise' out of the model, or those patients out of the cohort",
        )


def _posterior(standard: Floats) -> tuple[Floats, Floats]:
    """Return a batch's shifts and squared scales, shrunk towards those of its other features."""
    n, n_features = standard.shape
    shift, spread = standard.mean(axis=0), standard.var(axis=0, ddof=1)
    spread[spread == 0] = 1.0
    if n_features < 2:
        return shift, spread
    prior_mean, prior_variance = shift.mean(), shift.var(ddof=1)
    centre, scatter = spread.mean(), spread.var(ddof=1)
    if prior_variance == 0 or scatter == 0:
        return shift, spread
    shape, rate = (2 * scatter + centre**2) / scatter, (centre * scatter + centre**3) / scatter
    g, d = shift, spread
    for _ in range(_MAX_ITERATIONS):
        new_g = (prior_variance * n * shift + d * prior_mean) / (prior_variance * n + d)
        new_d = (0.5 * ((standard - new_g) ** 2).sum(axis=0) + rate) / (n / 2 + shape - 1)
        change = max(np.abs(new_g - g).max(), np.abs(new_d - d).max())
        g, d = new_g, new_d
        if change < _TOLERANCE:
            break
    return g, d


def _listed(codes: Floats) -> str:
    return ", ".join(f"{code:g}" for code in codes)
