"""The inputs of the combined model (RCR): selected radiomics features and clinical factors, side by side."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted, validate_data

from schemas.errors import ContractError
from schemas.features.names import PHASE_SEPARATOR
from zoo.logistic.clinical import ClinicalLogisticRegression
from zoo.logistic.imputation import filled
from zoo.radiomics.combat import BATCH_PREFIX
from zoo.weighting.steps import fit_options
from zoo.weighting.sums import means, patient_weights, spreads

__all__ = ["CombinedFeatures"]


class CombinedFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    """Selected radiomics features beside the factors of the clinical model.

    Radiomics columns are those whose name has a phase (``PVP__...``); a batch column (``batch=...``), which
    harmonisation reads, goes to the selection with them; all others are clinical factors. Both
    selections are fitted here, so inside the training fold. Factors are centred and scaled, as the features
    are after ``selection``, so that one penalty treats them alike.

    Parameters
    ----------
    selection : transformer
        Imputes, scales and selects the radiomics columns.
    impute : bool, default=False
        Whether the clinical model imputes factors that a patient lacks.

    Attributes
    ----------
    selection_ : transformer
        Fitted.
    factors_ : list of str
        The clinical model's factors.
    notes_ : list of str
        The clinical model's notes.
    fill_ : ndarray of shape (n_factors,)
        What stands in for a missing factor, present with ``impute``.
    factor_mean_, factor_scale_ : ndarray of shape (n_factors,)
        Means and standard deviations in the training fold.
    """

    def __init__(self, selection: BaseEstimator, impute: bool = False) -> None:
        self.selection = selection
        self.impute = impute

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Self:
        """Return self, with both selections fitted.

        Parameters
        ----------
        X : frame of shape (n_patients, n_columns)
            Radiomics columns and clinical factors, told by their names.
        y : array-like of shape (n_patients,)
            Two classes.
        sample_weight : array-like of shape (n_patients,), optional
            How much each patient counts in the steps that take weights.
        groups : array-like of shape (n_patients,), optional
            Who a row is of: rows of one person are held out together.

        Raises
        ------
        ContractError
            When the table lacks one of the two kinds of columns.
        """
        table = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan")
        if not hasattr(self, "feature_names_in_"):
            raise ContractError("the combined model tells radiomics columns and factors by their names: give a frame")
        radiomics, batch = self._is_radiomics(), self._is_batch()
        clinical_columns = ~(radiomics | batch)
        if not clinical_columns.any() or not radiomics.any():
            raise ContractError("the combined model needs radiomics columns (PHASE__feature) and clinical factors")
        names = self.feature_names_in_
        selected_from = radiomics | batch
        weights = patient_weights(sample_weight, len(table))
        people = None if groups is None else [str(each) for each in np.asarray(groups)]
        selection = clone(self.selection)
        selected = _named(table[:, selected_from], names[selected_from])
        self.selection_ = selection.fit(selected, y, **fit_options(selection, weights, people))
        clinical = ClinicalLogisticRegression(impute=self.impute)
        clinical.fit(_named(table[:, clinical_columns], names[clinical_columns]), y, weights)
        self.factors_ = list(clinical.factors_)
        if self.impute:
            self.fill_ = clinical.fill_[[list(names[clinical_columns]).index(name) for name in self.factors_]]
        self.notes_ = list(clinical.notes_)
        factors = self._factors(table)
        self.factor_mean_, self.factor_scale_ = means(factors, weights), spreads(factors, weights)
        return self

    def transform(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the selected features and then the factors, of shape (n_patients, n_selected)."""
        check_is_fitted(self)
        table = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        selected_from = self._is_radiomics() | self._is_batch()
        features = self.selection_.transform(_named(table[:, selected_from], self.feature_names_in_[selected_from]))
        factors = (self._factors(table) - self.factor_mean_) / self.factor_scale_
        return np.column_stack([features, factors])

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> NDArray[Any]:
        """Return the names of the selected features and factors."""
        check_is_fitted(self)
        return np.array([*self.selection_.get_feature_names_out(), *self.factors_], dtype=object)

    def unweighted(self) -> tuple[BaseEstimator, BaseEstimator]:
        """Return both selections."""
        return self.selection, ClinicalLogisticRegression(impute=self.impute)

    def fitted_parts(self) -> tuple[BaseEstimator]:
        """Return the selection among the radiomics columns."""
        return (self.selection_,)

    def column_counts(self) -> dict[str, int]:
        """Return how many radiomics columns each step of the selection leaves, and all of them with the factors."""
        inner = self.selection_
        counts = {
            name: len(inner[: position + 1].get_feature_names_out()) for position, (name, _) in enumerate(inner.steps)
        }
        return {**counts, "with_factors": len(inner.get_feature_names_out()) + len(self.factors_)}

    def _is_radiomics(self) -> NDArray[np.bool_]:
        return np.array([PHASE_SEPARATOR in str(name) for name in self.feature_names_in_])

    def _is_batch(self) -> NDArray[np.bool_]:
        return np.array([str(name).startswith(BATCH_PREFIX) for name in self.feature_names_in_])

    def _factors(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        names = [str(name) for name in self.feature_names_in_]
        factors = table[:, [names.index(factor) for factor in self.factors_]]
        return filled(factors, self.fill_) if self.impute else factors


def _named(values: NDArray[np.float64], names: NDArray[Any]) -> pl.DataFrame:
    """Return columns with their names, in the form that scikit-learn's estimators take them from."""
    return pl.DataFrame(values, schema=[str(name) for name in names], orient="row")
