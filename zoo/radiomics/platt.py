"""Platt's sigmoid behind a machine, which never turns its order round; models of former releases have it."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.utils import Tags
from sklearn.utils.validation import check_is_fitted, validate_data

from zoo.logistic.sigmoid import rising_sigmoid
from zoo.logistic.two_classes import two_classes

__all__ = ["PlattClassifier"]

Floats = NDArray[np.float64]


class PlattClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    r"""A machine whose decision values a rising sigmoid turns into probabilities.

    One machine is fitted to all patients. The sigmoid :math:`\operatorname{expit}(a + b f)` is fitted to decision
    values f of folds that a machine was not fitted on, by maximum likelihood to Platt's targets,
    :math:`(n_1 + 1) / (n_1 + 2)` for a patient of ``classes_[1]`` and :math:`1 / (n_0 + 2)` for another [1]_,
    [2]_; b > 0, so that probabilities rank patients as the machine does.

    Parameters
    ----------
    estimator : classifier
        The machine; it must have a ``decision_function``.
    n_splits : int, default=5
        Folds, stratified and shuffled; fewer where the smaller class has fewer patients.
    random_state : int, default=0
        Draws the folds.

    Attributes
    ----------
    machine_ : classifier
        Fitted to all patients, on labels 0 and 1 for ``classes_``.
    slope_ : float
        b, log odds per unit of the decision value; above 0.
    intercept_ : float
        a.
    unconstrained_slope_ : float
        The maximum likelihood b, 0 for constant decision values.
    follows_machine_ : bool
        Whether that is above 0. Below 0.001 per standard deviation of the decision values it is raised to that, and
        ``intercept_`` gives the training prevalence: to three decimals everyone gets it, in the machine's order.
    classes_ : ndarray of shape (2,)
        The labels, sorted.
    n_features_in_ : int
        Columns seen in fit.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where X has string column names.

    See Also
    --------
    sklearn.calibration.CalibratedClassifierCV : With ``ensemble=False`` the same but for the slope, which may fall.
    zoo.staging.estimators.ComparatorClassifier : A published score, whose direction is not learnt either.

    Notes
    -----
    A held-out patient and the patients that a fold's machine saw make up one sample: what the one adds to a class
    the others lack. Where the signal is weak, values pooled over folds therefore run against the labels, and an
    unconstrained sigmoid would turn the machine round.

    References
    ----------
    .. [1] Platt 1999, Probabilistic outputs for support vector machines, in: Advances in Large Margin
       Classifiers, MIT Press, p. 61
    .. [2] Lin, Lin & Weng 2007, Mach Learn 68:267, doi:10.1007/s10994-007-5018-6
    """

    def __init__(self, estimator: BaseEstimator, n_splits: int = 5, random_state: int = 0) -> None:
        self.estimator = estimator
        self.n_splits = n_splits
        self.random_state = random_state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Return self, with the machine and its sigmoid fitted.

        Parameters
        ----------
        X : array-like of shape (n_patients, n_features)
            No missing values.
        y : array-like of shape (n_patients,)
            Two classes.

        Raises
        ------
        ValueError
            If X has missing values, or y has not two classes of at least 2 patients.
        """
        table, labels = validate_data(self, X, y, dtype=np.float64)
        self.classes_, target = two_classes(labels)
        smaller = int(np.bincount(target).min())
        if smaller < 2:
            raise ValueError(
                "a class has 1 patient only, and decision values of patients whom a machine has not seen need 2 of each"
            )
        folds = StratifiedKFold(max(2, min(self.n_splits, smaller)), shuffle=True, random_state=self.random_state)
        held_out = cross_val_predict(clone(self.estimator), table, target, cv=folds, method="decision_function")
        self.machine_ = clone(self.estimator).fit(table, target)
        own = np.asarray(self.machine_.decision_function(table), dtype=np.float64)
        self._fit_sigmoid(np.asarray(held_out, dtype=np.float64), own, target)
        return self

    def _fit_sigmoid(self, held_out: Floats, own: Floats, target: NDArray[np.intp]) -> None:
        sigmoid = rising_sigmoid(held_out, own, target)
        self.slope_, self.intercept_ = sigmoid.slope, sigmoid.intercept
        self.unconstrained_slope_ = sigmoid.unconstrained_slope
        self.follows_machine_ = self.unconstrained_slope_ > 0

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Return the probabilities of both classes, of shape (n_patients, 2)."""
        check_is_fitted(self)
        table = validate_data(self, X, dtype=np.float64, reset=False)
        log_odds = self.intercept_ + self.slope_ * self.machine_.decision_function(table)
        return np.column_stack([expit(-log_odds), expit(log_odds)])

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return each patient's more probable class."""
        check_is_fitted(self)
        labels: NDArray[Any] = self.classes_[np.argmax(self.predict_proba(X), axis=1)]
        return labels
