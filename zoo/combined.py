"""The combined model (RCR): selected radiomics features and clinical factors, in one classifier."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.utils.validation import check_is_fitted, validate_data

from schemas.errors import ContractError
from schemas.feature_names import PHASE_SEPARATOR
from zoo.clinical import ClinicalLogisticRegression

__all__ = ["BestClassifier", "CombinedFeatures"]


class CombinedFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    """Selected radiomics features beside the factors of the clinical model.

    Radiomics columns are those whose name has a phase (``PVP__...``); all others are clinical factors. Both
    selections are fitted here, so inside the training fold. Factors are centred and scaled, as the features
    are after ``selection``, so that one penalty treats them alike.

    Parameters
    ----------
    selection : transformer
        Imputes, scales and selects the radiomics columns.

    Attributes
    ----------
    selection_ : transformer
        Fitted.
    factors_ : list of str
        The clinical model's factors.
    factor_mean_, factor_scale_ : ndarray of shape (n_factors,)
        Means and standard deviations in the training fold.
    """

    def __init__(self, selection: BaseEstimator) -> None:
        self.selection = selection

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Return self, with both selections fitted.

        Raises
        ------
        ContractError
            When the table lacks one of the two kinds of columns.
        """
        table = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan")
        radiomics = self._is_radiomics()
        if radiomics.all() or not radiomics.any():
            raise ContractError("the combined model needs radiomics columns (PHASE__feature) and clinical factors")
        names = self.feature_names_in_
        self.selection_ = clone(self.selection).fit(_named(table[:, radiomics], names[radiomics]), y)
        clinical = ClinicalLogisticRegression().fit(_named(table[:, ~radiomics], names[~radiomics]), y)
        self.factors_ = list(clinical.factors_)
        factors = self._factors(table)
        self.factor_mean_, self.factor_scale_ = factors.mean(axis=0), factors.std(axis=0)
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the selected features and then the factors, of shape (n_patients, n_selected)."""
        check_is_fitted(self)
        table = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        radiomics = self._is_radiomics()
        features = self.selection_.transform(_named(table[:, radiomics], self.feature_names_in_[radiomics]))
        factors = (self._factors(table) - self.factor_mean_) / self.factor_scale_
        return np.column_stack([features, factors])

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """Return the names of the selected features and factors."""
        check_is_fitted(self)
        return np.array([*self.selection_.get_feature_names_out(), *self.factors_], dtype=object)

    def _is_radiomics(self) -> NDArray[np.bool_]:
        return np.array([PHASE_SEPARATOR in str(name) for name in self.feature_names_in_])

    def _factors(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        names = [str(name) for name in self.feature_names_in_]
        return table[:, [names.index(factor) for factor in self.factors_]]


class BestClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    """The one of several classifiers that predicts best on folds it was not fitted on.

    Parameters
    ----------
    candidates : sequence of (str, classifier)
        Names and unfitted classifiers; the first of equally good ones is taken.
    n_splits : int, default=5
        Folds, stratified and shuffled.
    random_state : int, default=0
        Draws the folds.

    Attributes
    ----------
    best_name_ : str
        The chosen one.
    scores_ : dict of str to float
        Mean negative Brier score of each candidate.
    best_estimator_ : classifier
        Fitted to all of the training fold.
    classes_ : ndarray of shape (2,)
        The labels.
    """

    def __init__(
        self, candidates: Sequence[tuple[str, BaseEstimator]], n_splits: int = 5, random_state: int = 0
    ) -> None:
        self.candidates = candidates
        self.n_splits = n_splits
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Return self, with the best candidate fitted."""
        folds = StratifiedKFold(self.n_splits, shuffle=True, random_state=self.random_state)
        self.scores_ = {
            name: float(cross_val_score(clone(each), X, y, cv=folds, scoring="neg_brier_score").mean())
            for name, each in self.candidates
        }
        self.best_name_ = max(self.scores_, key=lambda name: self.scores_[name])
        self.best_estimator_ = clone(dict(self.candidates)[self.best_name_]).fit(X, y)
        self.classes_ = np.asarray(self.best_estimator_.classes_)
        return self

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the probabilities of both classes, of shape (n_patients, 2)."""
        check_is_fitted(self)
        probabilities: NDArray[np.float64] = np.asarray(self.best_estimator_.predict_proba(X), dtype=np.float64)
        return probabilities

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return each patient's more probable class."""
        labels: NDArray[Any] = self.classes_[(self.predict_proba(X)[:, 1] > 0.5).astype(int)]
        return labels


def _named(values: NDArray[np.float64], names: NDArray[Any]) -> Any:
    """Return columns with their names, in the form that scikit-learn's estimators take them from."""
    import polars as pl

    return pl.DataFrame(values, schema=[str(name) for name in names], orient="row")
