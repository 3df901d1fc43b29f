"""The clinical model (CR): univariable screening, a multivariable model, backward elimination."""

from __future__ import annotations

from typing import Any, Self, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from schemas.documents.model_summary import ExcludedFactorRecord, FactorEffectRecord, ModelSummary, RemovedFactor
from zoo.logistic.elimination import BackwardElimination, EliminationStep, ExcludedFactor
from zoo.logistic.imputation import fill_values, filled
from zoo.logistic.missing_values import MissingValuesError, refuse_missing
from zoo.logistic.two_classes import two_classes
from zoo.logistic.wald import FactorEffect
from zoo.self_description import LinearView
from zoo.weighting.sums import patient_weights

__all__ = [
    "ClinicalLogisticRegression",
    "EliminationStep",
    "ExcludedFactor",
    "FactorEffect",
    "MissingValuesError",
]


class ClinicalLogisticRegression(BackwardElimination, ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    """A logistic regression on the clinical factors that pass two rounds of tests.

    Each factor gets a univariable logistic regression; those with p < ``alpha_univariable`` enter one
    multivariable model, from which the factor with the largest p leaves, one at a time, until every p <
    ``alpha_multivariable``. With no factor left the model is its intercept, the training prevalence, and
    ``intercept_only_`` says so.

    Effects are maximum-likelihood estimates with Wald intervals and tests. Factors that separate the classes
    (perfectly, or but for ties at one value), alone or together, have no finite such estimate: the Wald
    statistic of whatever number the optimiser stops at is meaningless, and a truly strong factor would look
    weak. There the model is Firth's penalised regression with profile intervals and penalised likelihood-ratio
    tests [3]_; each effect says by ``method`` which it is, and ``notes_`` names what separates, since such a
    factor may be the best one or a leak and needs a look by a person.

    Parameters
    ----------
    alpha_univariable : float, default=0.05
        A factor enters the multivariable model below this univariable p.
    alpha_multivariable : float, default=0.05
        A factor stays in the multivariable model below this p.
    impute : bool, default=False
        Put the training patients' median, in a factor of zeros and ones their more frequent value, in the place
        of a missing one; else a missing value is refused.

    Attributes
    ----------
    fill_ : ndarray of shape (n_features,)
        What stands in for a missing value, present with ``impute``.
    classes_ : ndarray of shape (2,)
        The labels, sorted; effects are those on the odds of the second.
    univariable_ : list of FactorEffect
        Every factor that can be estimated alone, in column order.
    multivariable_ : list of FactorEffect
        The factors of the final model, in column order, adjusted for each other.
    steps_ : list of EliminationStep
        What backward elimination removed, in order, with the p it was removed for.
    excluded_ : list of ExcludedFactor
        Factors without a unique estimate, with the reason.
    notes_ : list of str
        What a reader must know: factors that separate the classes, and fewer than 10 patients of the smaller
        class for each factor that entered the multivariable model [4]_.
    factors_ : list of str
        Names of the final model's factors.
    intercept_only_ : bool
        True when no factor is left.
    coef_ : ndarray of shape (1, n_features)
        Log odds ratios, 0 for columns outside the final model.
    intercept_ : ndarray of shape (1,)
        The final model's intercept.
    feature_names_in_ : ndarray of shape (n_features,)
        Column names, present when X has string column names; the factors of an array are called x0, x1, ...

    See Also
    --------
    zoo.radiomics.pipelines.radiomics_lr : For thousands of columns, where stepwise Wald tests do not hold.

    Notes
    -----
    Where fewer than 10 events come to a variable, backward elimination finds factors that a second cohort does
    not have, and their effects are too large; it is noted, not refused: what the model is worth is for
    patients outside training to tell.

    A single imputed value understates the uncertainty of coefficients: their p values and intervals are those of
    complete data. Separation is found by linear programming: it holds when some
    b != 0 has s_i x_i'b >= 0 for all i and > 0 for one, s_i = +-1 the class of row i [1]_, [2]_.

    References
    ----------
    .. [1] Albert & Anderson 1984, Biometrika 71:1, doi:10.1093/biomet/71.1.1
    .. [2] Konis 2007, Linear programming algorithms for detecting separated data in binary logistic
       regression models (thesis, University of Oxford)
    .. [3] Heinze & Schemper 2002, Stat Med 21:2409, doi:10.1002/sim.1047
    .. [4] Peduzzi et al. 1996, J Clin Epidemiol 49:1373, doi:10.1016/S0895-4356(96)00236-3
    """

    # A model that the first release saved has no such attribute of its own: it imputed nothing.
    impute: bool = False

    def __init__(
        self, alpha_univariable: float = 0.05, alpha_multivariable: float = 0.05, impute: bool = False
    ) -> None:
        self.alpha_univariable = alpha_univariable
        self.alpha_multivariable = alpha_multivariable
        self.impute = impute

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        # On separable or unrelated data the answer is the intercept, by design.
        tags.classifier_tags.poor_score = True
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Return self, fitted to complete data, or with ``impute`` to data it completes.

        Parameters
        ----------
        X : array-like of shape (n_patients, n_features)
            Array, pandas or polars frame; one factor per column.
        y : array-like of shape (n_patients,)
            Two classes.
        sample_weight : array-like of shape (n_patients,), optional
            How much each patient counts. Wald's tests and intervals then have robust errors; Firth's are those of as
            many patients as the weights add up to; values put in for missing ones know no weights.

        Raises
        ------
        MissingValuesError
            If X has missing values and ``impute`` is false.
        ValueError
            If y has not two classes, or an alpha lies outside (0, 1].
        """
        for name in ("alpha_univariable", "alpha_multivariable"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise ValueError(f"{name} must lie in (0, 1], got {getattr(self, name)!r}")
        table, labels = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        names = self._names()
        if self.impute:
            self.fill_ = fill_values(table)
        table = self.completed(table)
        self.classes_, target = two_classes(labels)
        weights = patient_weights(sample_weight, len(target))

        self.univariable_: list[FactorEffect] = []
        self.excluded_: list[ExcludedFactor] = []
        self.notes_: list[str] = []
        screened: dict[int, float] = {}
        for column, name in enumerate(names):
            effect = self._univariable_effect(table[:, column], target, name, weights)
            if effect is not None:
                self.univariable_.append(effect)
                if effect.p < self.alpha_univariable:
                    screened[column] = effect.p
        self._eliminate(table, target, names, screened, weights)
        return self

    def completed(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return a table of the columns that this was fitted to, missing values replaced where it imputes.

        Raises
        ------
        MissingValuesError
            If values are missing and ``impute`` is false.
        """
        if self.impute:
            return filled(table, self.fill_)
        refuse_missing(table, self._names())
        return table

    def unweighted(self) -> tuple[str, ...]:
        """Return that imputation counts all patients alike, where there is one."""
        return ("values put in for missing ones",) if self.impute else ()

    def summary(self, labels: ArrayLike | None = None) -> ModelSummary:
        """Return both rounds of tests, what they removed, and the notes."""
        return {
            "intercept": float(self.intercept_[0]),
            "univariable": [cast(FactorEffectRecord, vars(effect)) for effect in self.univariable_],
            "multivariable": [cast(FactorEffectRecord, vars(effect)) for effect in self.multivariable_],
            "removed": [cast(RemovedFactor, vars(step)) for step in self.steps_],
            "left_out": [cast(ExcludedFactorRecord, vars(factor)) for factor in self.excluded_],
            "notes": list(self.notes_),
        }

    def linear_view(self) -> LinearView:
        """Return the final model's factors with their coefficients and 95 % bounds."""
        names = self._names()
        columns = tuple(names.index(factor) for factor in self.factors_)
        with np.errstate(divide="ignore"):  # a bound of an odds ratio may have come out as 0
            intervals = {
                effect.factor: (float(np.log(effect.lower)), float(np.log(effect.upper)))
                for effect in self.multivariable_
            }
        return LinearView(columns, np.ravel(self.coef_)[list(columns)], float(self.intercept_[0]), intervals)

    def _names(self) -> list[str]:
        if hasattr(self, "feature_names_in_"):
            return [str(name) for name in self.feature_names_in_]
        return [f"x{column}" for column in range(self.n_features_in_)]

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the log odds of ``classes_[1]``, of shape (n_patients,)."""
        check_is_fitted(self)
        table = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        table = self.completed(table)
        log_odds: NDArray[np.float64] = table @ self.coef_[0] + self.intercept_[0]
        return log_odds

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the probabilities of both classes, of shape (n_patients, 2)."""
        log_odds = self.decision_function(X)
        return np.column_stack([expit(-log_odds), expit(log_odds)])

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return each patient's more probable class; a study's own threshold belongs to its evaluation."""
        second = self.decision_function(X) > 0
        labels: NDArray[Any] = self.classes_[second.astype(int)]
        return labels
