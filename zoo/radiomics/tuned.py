"""A classifier tuned behind a selection, inside the training fold; models of former releases have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from schemas.documents.model_summary import ModelSummary
from zoo.logistic.two_classes import two_classes

__all__ = ["TunedClassifier"]


class TunedClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    """A classifier with the parameters of a grid that predict best on folds it was not fitted on.

    Parameters
    ----------
    estimator : classifier
        What is tuned; it must give probabilities.
    grid : mapping of str to sequence
        Parameters of ``estimator`` and the values to try; every combination is tried.
    n_splits : int, default=5
        Folds, stratified and shuffled; fewer where the smaller class has fewer patients, so that every fold has both.
    scoring : str, default='neg_brier_score'
        The Brier score punishes an overconfident probability and, unlike the log loss, stays finite where a
        probability is 0 or 1, as those of nearest neighbours may be.
    random_state : int, default=0
        Draws the folds.

    Attributes
    ----------
    best_estimator_ : classifier
        Fitted to all of the training fold with the chosen parameters, on labels 0 and 1 for ``classes_``.
    best_params_ : dict
        The chosen parameters.
    best_score_ : float
        Their mean score over the folds.
    classes_ : ndarray of shape (2,)
        The labels, sorted.

    Notes
    -----
    Numbers of neighbours (``n_neighbors``) larger than the smallest fold's training part are not tried.

    See Also
    --------
    sklearn.model_selection.GridSearchCV : Does the search; its record of every fit is not kept.
    """

    def __init__(
        self,
        estimator: BaseEstimator,
        grid: Mapping[str, Sequence[Any]],
        n_splits: int = 5,
        scoring: str = "neg_brier_score",
        random_state: int = 0,
    ) -> None:
        self.estimator = estimator
        self.grid = grid
        self.n_splits = n_splits
        self.scoring = scoring
        self.random_state = random_state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Return self, with the best parameters of the grid.

        Raises
        ------
        ValueError
            If X has missing values, y has not two classes of at least 2 patients, or a fit of the search fails.
        """
        table, labels = validate_data(self, X, y, dtype=np.float64)
        self.classes_, target = two_classes(labels)
        smaller = int(np.bincount(target).min())
        if smaller < 2:
            raise ValueError("a class has 1 patient only: cross-validation needs one to fit to and one to judge")
        n_splits = max(2, min(self.n_splits, smaller))
        folds = StratifiedKFold(n_splits, shuffle=True, random_state=self.random_state)
        fewest = min(len(training) for training, _ in folds.split(table, target))
        grid = self._feasible_grid(fewest)
        # A fit that fails must not count as a score of NaN, behind which the first of the grid would pass for the best.
        search = GridSearchCV(clone(self.estimator), grid, scoring=self.scoring, cv=folds, error_score="raise")
        # The table was checked above; a search fits hundreds of classifiers to parts of it.
        try:
            with config_context(assume_finite=True, skip_parameter_validation=True):
                search.fit(table, target)
        except ValueError as error:
            held_out = f"its tuning in {n_splits} folds leaves {smaller - -(-smaller // n_splits)} of {smaller}"
            raise ValueError(f"{held_out} patients of the rarer label to fit to; {error}") from error
        self.best_estimator_ = search.best_estimator_
        self.best_params_: dict[str, Any] = dict(search.best_params_)
        self.best_score_ = float(search.best_score_)
        return self

    def _feasible_grid(self, patients: int) -> dict[str, list[Any]]:
        """Return the grid without numbers of neighbours that a fold has not."""
        feasible = {
            name: [value for value in values if not name.endswith("n_neighbors") or value <= patients]
            for name, values in self.grid.items()
        }
        if empty := [name for name, values in feasible.items() if not values]:
            fewest = min(self.grid[empty[0]])
            raise ValueError(
                f"its tuning leaves {patients} patients to fit to, and '{empty[0]}' is tried from {fewest} on"
            )
        return feasible

    def summary(self, labels: ArrayLike | None = None) -> ModelSummary:
        """Return the chosen parameters."""
        return {
            "parameters": {
                name: value.item() if isinstance(value, np.generic) else value
                for name, value in self.best_params_.items()
            }
        }

    def fitted_parts(self) -> tuple[BaseEstimator]:
        """Return the classifier with the chosen parameters."""
        return (self.best_estimator_,)

    @available_if(lambda self: hasattr(self.best_estimator_, "get_booster"))  # type: ignore[untyped-decorator]
    def get_booster(self) -> Any:
        """Return the chosen classifier's boosted trees, where it is made of them."""
        return self.best_estimator_.get_booster()

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the probabilities of both classes, of shape (n_patients, 2)."""
        check_is_fitted(self)
        table = validate_data(self, X, dtype=np.float64, reset=False)
        probabilities: NDArray[np.float64] = np.asarray(self.best_estimator_.predict_proba(table), dtype=np.float64)
        return probabilities

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return each patient's more probable class."""
        check_is_fitted(self)
        labels: NDArray[Any] = self.classes_[(self.predict_proba(X)[:, 1] > 0.5).astype(int)]
        return labels
