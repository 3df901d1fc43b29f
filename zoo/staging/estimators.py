"""A comparator's score as a probability, learnt from the training patients without learning its direction."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from schemas.documents.model_summary import ModelSummary
from zoo.logistic.missing_values import MissingValuesError
from zoo.logistic.separation import separates
from zoo.logistic.sigmoid import LEAST_SLOPE, calibrated_intercept
from zoo.logistic.two_classes import two_classes
from zoo.logistic.wald import wald_fit
from zoo.self_description import LinearView
from zoo.weighting.sums import means, patient_weights, spreads

__all__ = ["ComparatorClassifier"]


class ComparatorClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    r"""A published score or stage, mapped to a probability by logistic regression.

    The direction is the published one and never learnt. ``decision_function`` returns the directed score
    itself, :math:`s = x` where high is worse and :math:`s = -x` where low is; an AUC of it judges the published
    claim, below one half where the claim fails. The probability is :math:`\operatorname{expit}(a + b s)` with
    b > 0, so that it ranks patients as the score does.

    Parameters
    ----------
    worse : {'high', 'low'}, default='high'
        Which end of the score speaks for ``classes_[1]``; `Comparator.worse`.
    column : int or str, optional
        Position or name of the score's column; by default X must have one column only.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        The labels, sorted.
    column_ : int
        Position of the score's column.
    slope_ : float
        b, log odds per unit of the directed score; above 0.
    intercept_ : float
        a.
    unconstrained_slope_ : float
        The maximum likelihood b: 0 for a constant score, infinite where the score separates the classes, NaN
        where the likelihood has no optimum that can be found.
    follows_published_direction_ : bool
        Whether the training patients' own slope is above 0. Where it is not, ``slope_`` is 0.001 per standard
        deviation of their scores: to three decimals everyone gets the training prevalence, the best that a
        score of the wrong direction deserves, and their order is still that of the score.
    n_features_in_ : int
        Columns seen in fit.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where X has string column names.

    See Also
    --------
    zoo.staging.frame.comparator_frame : Makes the column.
    zoo.logistic.clinical.ClinicalLogisticRegression : Learns factors and directions.

    Notes
    -----
    b is the maximum likelihood estimate, unpenalised, as in a recalibration. Only where the score separates
    the classes of the training patients, or the likelihood does not converge, is b that of an L2 penalty of 1
    on the standardised score. a then makes the mean probability the training prevalence.

    ``predict`` names the more probable class. By scikit-learn's convention ``decision_function`` would be
    positive there; here it is the score, whose cut points are its own.

    Examples
    --------
    >>> model = ComparatorClassifier(worse="low").fit([[1.0], [2.0], [3.0], [4.0]], [1, 0, 1, 0])
    >>> model.decision_function([[2.5]])
    array([-2.5])
    """

    def __init__(self, worse: str = "high", column: int | str | None = None) -> None:
        self.worse = worse
        self.column = column

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        # One column in a direction that data cannot turn.
        tags.classifier_tags.poor_score = True
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Return self, with slope and intercept of the training patients.

        Parameters
        ----------
        X : array-like of shape (n_patients, n_features)
            Array, pandas or polars frame that holds the score's column.
        y : array-like of shape (n_patients,)
            Two classes.
        sample_weight : array-like of shape (n_patients,), optional
            How much each patient counts in the line.

        Raises
        ------
        MissingValuesError
            If a patient has no score.
        ValueError
            If y has not two classes, X has several columns and ``column`` is None, or a parameter has no
            meaning.
        """
        if self.worse not in ("high", "low"):
            raise ValueError(f"worse must be 'high' or 'low', got {self.worse!r}")
        table, labels = validate_data(self, X, y, dtype=np.float64, ensure_all_finite="allow-nan")
        self.column_ = self._position()
        score = self._directed(table)
        self.classes_, target = two_classes(labels)
        self._fit_line(score, target, patient_weights(sample_weight, len(target)))
        return self

    def _position(self) -> int:
        if self.column is None:
            if self.n_features_in_ != 1:
                raise ValueError(f"X has {self.n_features_in_} columns: name the score's in the parameter 'column'")
            return 0
        if isinstance(self.column, str):
            names = [str(name) for name in getattr(self, "feature_names_in_", ())]
            if self.column not in names:
                raise ValueError(f"X has no column '{self.column}'; there are: {', '.join(names) or 'unnamed ones'}")
            return names.index(self.column)
        if not 0 <= self.column < self.n_features_in_:
            raise ValueError(f"X has no column {self.column}: there are {self.n_features_in_}")
        return int(self.column)

    def _directed(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        score = table[:, self.column_]
        absent = int(np.isnan(score).sum())
        if absent:
            raise MissingValuesError(
                f"missing values (NaN): {absent} of {len(score)} patients have no score",
                hint="leave out the patients for whom comparator_frame gives a reason",
            )
        return score.copy() if self.worse == "high" else -score

    def _fit_line(
        self, score: NDArray[np.float64], target: NDArray[np.intp], weights: NDArray[np.float64] | None
    ) -> None:
        prevalence = float(means(target, weights))
        self.unconstrained_slope_, intercept = _maximum_likelihood(score, target, weights)
        deviation = float(spreads(score, weights)) if np.ptp(score) > 0 else 1.0
        slope = self.unconstrained_slope_
        if np.isnan(slope) or slope == np.inf:
            standardised = ((score - means(score, weights)) / deviation)[:, None]
            slope = float(LogisticRegression().fit(standardised, target, weights).coef_[0, 0]) / deviation
            intercept = None
        self.follows_published_direction_ = bool(slope > 0)
        if slope < LEAST_SLOPE / deviation:
            slope, intercept = LEAST_SLOPE / deviation, None
        self.slope_ = slope
        if intercept is None:
            intercept = calibrated_intercept(slope * score, prevalence, weights)
        self.intercept_ = intercept

    def summary(self, labels: ArrayLike | None = None) -> ModelSummary:
        """Return the line, and whether the training patients' own slope has the published direction."""
        return {
            "intercept": float(self.intercept_),
            "slope": float(self.slope_),
            "follows_published_direction": bool(self.follows_published_direction_),
        }

    def linear_view(self) -> LinearView:
        """Return the score's column with the slope in the column's own direction."""
        direction = 1.0 if self.worse == "high" else -1.0
        return LinearView((self.column_,), np.array([self.slope_ * direction]), float(self.intercept_))

    def decision_function(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the directed score, of shape (n_patients,): higher speaks for ``classes_[1]``."""
        check_is_fitted(self)
        table = validate_data(self, X, dtype=np.float64, ensure_all_finite="allow-nan", reset=False)
        return self._directed(table)

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the probabilities of both classes, of shape (n_patients, 2)."""
        score = self.decision_function(X)
        log_odds = self.intercept_ + self.slope_ * score
        return np.column_stack([expit(-log_odds), expit(log_odds)])

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return each patient's more probable class; a study's own threshold belongs to its evaluation."""
        probabilities = self.predict_proba(X)
        labels: NDArray[Any] = self.classes_[np.argmax(probabilities, axis=1)]
        return labels


def _maximum_likelihood(
    score: NDArray[np.float64], target: NDArray[np.intp], weights: NDArray[np.float64] | None
) -> tuple[float, float | None]:
    """Return slope and intercept; None for the intercept where the slope has no finite estimate or is 0."""
    if np.ptp(score) == 0:
        return 0.0, None
    if separates(score, target):
        rises = score[target == 1].mean() > score[target == 0].mean()
        return (float("inf") if rises else float("-inf")), None
    fit = wald_fit(score[:, None], target, weights)
    if fit is None:
        return float("nan"), None
    return float(fit.coefficients[0]), float(fit.intercept)
