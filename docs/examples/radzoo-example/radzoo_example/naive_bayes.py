"""Naive Bayes on ranks: a classifier of scikit-learn with a transformer of our own."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.impute import SimpleImputer
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted, validate_data

from schemas.study.models import ModelSettings

__all__ = ["Ranks", "naive_bayes"]


class Ranks(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Each value as the part of the training patients whose value is lower.

    Attributes
    ----------
    sorted_ : ndarray of shape (n_patients, n_features)
        The training patients' values, each column in order.
    """

    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Return self, with the training patients' values in order."""
        self.sorted_ = np.sort(validate_data(self, X, dtype=np.float64), axis=0)
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return ranks between 0 and 1, of shape (n_patients, n_features)."""
        check_is_fitted(self)
        table = validate_data(self, X, dtype=np.float64, reset=False)
        ranks = [np.searchsorted(known, values) for known, values in zip(self.sorted_.T, table.T, strict=True)]
        return np.column_stack(ranks) / len(self.sorted_)


def naive_bayes(settings: ModelSettings, random_state: int = 0) -> Pipeline:
    """Return the unfitted classifier; a feature that could not be computed is the training patients' median.

    Parameters
    ----------
    settings : ModelSettings
        What the study says of the model; nothing of it concerns this one.
    random_state : int
        The seed of what is drawn; nothing is.
    """
    steps: list[tuple[str, Any]] = [
        ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
        ("rank", Ranks()),
        ("classifier", GaussianNB()),
    ]
    return Pipeline(steps)
