"""The clinical model (CR): univariable screening, a multivariable model, backward elimination."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, validate_data

from schemas.errors import ContractError
from zoo.firth import firth_fit
from zoo.imputation import fill_values, filled
from zoo.separation import separates, separating_direction, standardised
from zoo.wald import FactorEffect, FitMethod, LogisticFit, factor_effects, wald_fit

__all__ = [
    "ClinicalLogisticRegression",
    "EliminationStep",
    "ExcludedFactor",
    "FactorEffect",
    "MissingValuesError",
]


_FEWEST_EVENTS = 10
"""Per variable of the multivariable model, in the smaller class (Peduzzi et al. 1996)."""


class MissingValuesError(ContractError, ValueError):
    """A table holds missing values where a complete one is needed.

    Also a ``ValueError``, which is what scikit-learn's callers expect of bad data.
    """


@dataclass(frozen=True)
class EliminationStep:
    """One factor leaving the multivariable model.

    Attributes
    ----------
    factor : str
        The factor that left.
    p : float
        Its p value in the model that it left.
    n_factors : int
        How many factors that model had, this one included.
    method : {'maximum likelihood', 'firth'}
        How that model was fitted.
    """

    factor: str
    p: float
    n_factors: int
    method: FitMethod = "maximum likelihood"


@dataclass(frozen=True)
class ExcludedFactor:
    """A factor whose effect has no unique estimate.

    Attributes
    ----------
    factor : str
        The column's name.
    kind : {'constant', 'collinear', 'not estimable'}
        Why it is out.
    reason : str
        The same as a sentence.
    """

    factor: str
    kind: str
    reason: str


class ClinicalLogisticRegression(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
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
    zoo.classifiers.radiomics_lr : For thousands of columns, where stepwise Wald tests do not hold.

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

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Return self, fitted to complete data, or with ``impute`` to data it completes.

        Parameters
        ----------
        X : array-like of shape (n_patients, n_features)
            Array, pandas or polars frame; one factor per column.
        y : array-like of shape (n_patients,)
            Two classes.

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
        check_classification_targets(labels)
        self.classes_, target = np.unique(labels, return_inverse=True)
        if len(self.classes_) > 2:
            kind = type_of_target(labels)
            raise ValueError(f"Only binary classification is supported. The type of the target is {kind}.")
        if len(self.classes_) < 2:
            raise ValueError("y has only one class: a classifier needs patients of both")

        self.univariable_: list[FactorEffect] = []
        self.excluded_: list[ExcludedFactor] = []
        self.notes_: list[str] = []
        screened: dict[int, float] = {}
        for column, name in enumerate(names):
            effect = self._univariable_effect(table[:, column], target, name)
            if effect is not None:
                self.univariable_.append(effect)
                if effect.p < self.alpha_univariable:
                    screened[column] = effect.p
        self._eliminate(table, target, names, screened)
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
        _refuse_missing(table, self._names())
        return table

    def _names(self) -> list[str]:
        if hasattr(self, "feature_names_in_"):
            return [str(name) for name in self.feature_names_in_]
        return [f"x{column}" for column in range(self.n_features_in_)]

    def _exclude(self, factor: str, kind: str, reason: str) -> None:
        self.excluded_.append(ExcludedFactor(factor, kind, reason))

    def _univariable_effect(
        self, values: NDArray[np.float64], target: NDArray[np.intp], name: str
    ) -> FactorEffect | None:
        if np.ptp(values) == 0:
            self._exclude(name, "constant", "it has one value in all training patients")
            return None
        if separates(values, target):
            low, high = self.classes_
            self._note_separation(f"'{name}' separates class {low} from class {high}")
            fit = firth_fit(values[:, None], target)
        else:
            fit = wald_fit(values[:, None], target)
        if fit is None:
            self._exclude(name, "not estimable", "the univariable likelihood did not converge")
            return None
        return factor_effects([name], fit)[0]

    def _eliminate(
        self,
        X: NDArray[np.float64],
        target: NDArray[np.intp],
        names: Sequence[str],
        screened: dict[int, float],
    ) -> None:
        kept = self._independent(X, names, screened)
        self.steps_: list[EliminationStep] = []
        self._note_events(len(kept), target)
        fit: LogisticFit | None = None
        while kept:
            fit = self._multivariable_fit(X[:, kept], target, [names[column] for column in kept])
            if fit is None:
                out = max(kept, key=lambda column: screened[column])
                self._exclude(names[out], "not estimable", "the multivariable likelihood did not converge")
                kept.remove(out)
                continue
            worst = int(np.argmax(fit.p))
            if fit.p[worst] < self.alpha_multivariable:
                break
            self.steps_.append(EliminationStep(names[kept[worst]], float(fit.p[worst]), len(kept), fit.method))
            del kept[worst]

        self.intercept_only_ = not kept
        self.coef_ = np.zeros((1, len(names)))
        self.factors_ = [names[column] for column in kept]
        self.multivariable_: list[FactorEffect] = []
        if kept and fit is not None:
            self.coef_[0, kept] = fit.coefficients
            self.intercept_ = np.array([fit.intercept])
            self.multivariable_ = factor_effects(self.factors_, fit)
        else:
            events = int(target.sum())
            self.intercept_ = np.array([np.log(events / (len(target) - events))])

    def _multivariable_fit(
        self, X: NDArray[np.float64], target: NDArray[np.intp], names: Sequence[str]
    ) -> LogisticFit | None:
        direction = separating_direction(X, target)
        if direction is None:
            return wald_fit(X, target)
        involved = [f"'{name}'" for name, moves in zip(names, direction, strict=True) if moves]
        # One that separates alone was named when it was screened.
        if len(involved) > 1:
            self._note_separation(f"{', '.join(involved)} together separate the classes")
        return firth_fit(X, target)

    def _note_separation(self, what: str) -> None:
        note = f"{what}: Firth's method gives the estimate; see whether it is strong or a leak"
        if note not in self.notes_:  # backward elimination meets the same again
            self.notes_.append(note)

    def _note_events(self, factors: int, target: NDArray[np.intp]) -> None:
        smaller = int(np.bincount(target).min())
        if smaller < _FEWEST_EVENTS * factors:
            self.notes_.append(
                f"{factors} factors entered the multivariable model with {smaller} patients in the smaller class: "
                f"{smaller / factors:.1f} events per variable, fewer than {_FEWEST_EVENTS}"
            )

    def _independent(self, X: NDArray[np.float64], names: Sequence[str], screened: dict[int, float]) -> list[int]:
        kept: list[int] = []
        for column in sorted(screened, key=lambda column: (screened[column], column)):
            centred = standardised(X[:, [*kept, column]])[0]
            if np.linalg.matrix_rank(centred) > len(kept):
                kept.append(column)
            else:
                others = ", ".join(names[other] for other in kept)
                self._exclude(names[column], "collinear", f"it is a linear combination of {others}")
        return sorted(kept)

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


def _refuse_missing(X: NDArray[np.float64], names: Sequence[str]) -> None:
    counts = np.isnan(X).sum(axis=0)
    if counts.any():
        listed = ", ".join(f"{names[column]} ({counts[column]})" for column in np.flatnonzero(counts).tolist())
        raise MissingValuesError(
            f"missing values (NaN), column (count): {listed}",
            hint="leave the column out of the study's clinical inputs, or put an imputer before the model",
        )
