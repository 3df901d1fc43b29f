"""A classifier tuned and recalibrated by what copies of it say of patients whom they have not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.model_selection import ParameterGrid
from sklearn.pipeline import Pipeline
from sklearn.utils import Tags, _safe_indexing, assert_all_finite, column_or_1d, indexable
from sklearn.utils.validation import check_is_fitted, validate_data

from schemas.documents.model_summary import ModelSummary
from schemas.errors import ContractError
from zoo.logistic.firth import leave_out_intervals
from zoo.logistic.person_folds import person_folds
from zoo.logistic.sigmoid import rising_sigmoid
from zoo.logistic.two_classes import two_classes
from zoo.self_description import Completing, Recalibration, Score, scores_of
from zoo.weighting.steps import fit_options
from zoo.weighting.sums import parts, patient_weights

__all__ = ["FEWEST_OF_A_BATCH", "RecalibratedClassifier"]

FEWEST_OF_A_BATCH = 3
"""A batch's shift and scale are not estimated from fewer patients."""
Floats = NDArray[np.float64]


class RecalibratedClassifier(MetaEstimatorMixin, ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    r"""A classifier whose parameters, probabilities and threshold come from patients that it had not seen.

    In each inner fold everything is fitted again to the other folds' patients: imputation, scaling, selection and, for
    every combination of the grid, the last step. The combination that does best for the held-out patients, pooled over
    the folds, is taken, the first of those that are equal; the estimator is fitted to all patients with it. Its scores
    f become probabilities by a rising sigmoid, :math:`p = \operatorname{expit}(a + b f)`, that is fitted to the scores
    of the held-out patients: its slope b is the uniform shrinkage of [1]_.

    Tuned on features that were selected with the held-out patients too, a penalty comes out too weak, and no sigmoid
    can tell: what it would be fitted to is as flattering [2]_.

    Parameters
    ----------
    estimator : classifier or Pipeline
        What is fitted.
    grid : mapping of str to sequence, optional
        Parameters of ``estimator``, of its last step where it is a pipeline, and the values to try: the most cautious
        first.
    scores : {'decision', 'log_odds', 'probability'}, default='decision'
        f: the estimator's ``decision_function``, the log odds of its probability, or the probability itself where it
        may be 0 or 1, as the neighbours' share is. Combinations are compared by the logistic loss of the first, by the
        Brier score of the others, before the sigmoid: after it a score that says little costs as much as one that
        says nothing, however wild it is.
    n_splits : int, default=5
        Folds, stratified and shuffled; fewer where the smaller class has fewer patients.
    random_state : int, default=0
        Draws the folds.
    batch : str, optional
        The column of batches that a harmonised estimator reads, of a frame. No fold leaves fewer than three patients of
        a batch to fit to: those who would be missing are held out of none.
    repeats : int, default=1
        How often the folds are drawn. A sigmoid of one draw depends on it, most where the signal is weak.

    Attributes
    ----------
    estimator_ : classifier or Pipeline
        Fitted to all patients, on labels 0 and 1 for ``classes_``.
    best_params_ : dict
        The chosen parameters.
    slope_, intercept_ : float
        b, above 0, and a.
    unconstrained_slope_ : float
        The maximum likelihood b; at or below 0 the scores of unseen patients say nothing, or the contrary.
    held_out_rows_, held_out_probabilities_ : ndarray of shape (n_patients,)
        The rows that a fold held out, all but those that a rare batch keeps, and their recalibrated probabilities, the
        mean of the draws.
    classes_ : ndarray of shape (2,)
        The labels, sorted.
    n_features_in_ : int
        Columns seen in fit.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where X has string column names.

    Notes
    -----
    Numbers of neighbours (``n_neighbors``) larger than the smallest fold's training part are not tried.

    References
    ----------
    .. [1] van Houwelingen & le Cessie 1990, Stat Med 9:1303, doi:10.1002/sim.4780091109 (shrinkage by cross-validated
       calibration)
    .. [2] Varma & Simon 2006, BMC Bioinformatics 7:91, doi:10.1186/1471-2105-7-91 (all of the fit inside the folds)
    """

    def __init__(
        self,
        estimator: BaseEstimator,
        grid: Mapping[str, Sequence[Any]] | None = None,
        scores: Score = "decision",
        n_splits: int = 5,
        random_state: int = 0,
        batch: str | None = None,
        repeats: int = 1,
    ) -> None:
        self.estimator = estimator
        self.grid = grid
        self.scores = scores
        self.n_splits = n_splits
        self.random_state = random_state
        self.batch = batch
        self.repeats = repeats

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        return tags

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Return self, tuned, fitted and recalibrated.

        Parameters
        ----------
        X : array-like of shape (n_patients, n_features)
            Array or frame, as the estimator reads it.
        y : array-like of shape (n_patients,)
            Two classes.
        groups : array-like of shape (n_patients,), optional
            Who a row is of: rows of one person are held out together, also where a step draws folds of its own.
        sample_weight : array-like of shape (n_patients,), optional
            How much each patient counts: in every step that takes weights, in what combinations are compared by, and
            in the sigmoid.

        Raises
        ------
        ValueError
            If y has not two classes of at least 2 patients or groups, or a fold leaves too few to fit to.
        """
        if issparse(X):
            raise TypeError("sparse input is not supported: give an array or a frame")
        labels = column_or_1d(y, warn=True)
        assert_all_finite(labels, input_name="y")
        validate_data(self, X, skip_check_array=True)
        table, labels = indexable(X, labels)
        self.classes_, target = two_classes(labels)
        people = None if groups is None else [str(each) for each in np.asarray(groups)]
        weights = patient_weights(sample_weight, len(target))
        tried, every = self._scores_of_folds(table, target, people, weights)
        rows = np.flatnonzero(~np.isnan(every).any(axis=(0, 1)))
        if len(np.unique(target[rows])) < 2:
            raise ValueError("the patients whom inner folds can hold out have one label only")
        scores, truth = every[:, :, rows].reshape(len(tried), -1), np.tile(target[rows], self.repeats)
        counts = None if weights is None else np.tile(weights[rows], self.repeats)
        chosen = int(np.argmin([self._loss(each, truth, counts) for each in scores]))
        self.best_params_: dict[str, Any] = dict(tried[chosen])
        whole = clone(self.estimator)
        _last(whole).set_params(**self.best_params_)
        self.estimator_ = whole.fit(table, target, **fit_options(whole, weights, people))
        own = scores_of(self.estimator_, table, self.scores)
        sigmoid = rising_sigmoid(scores[chosen], own, truth, counts, weights)
        self.slope_, self.intercept_ = sigmoid.slope, sigmoid.intercept
        self.unconstrained_slope_ = sigmoid.unconstrained_slope
        self.held_out_rows_ = rows
        held_out = expit(sigmoid.log_odds(scores[chosen])).reshape(self.repeats, -1)
        self.held_out_probabilities_ = np.asarray(held_out.mean(axis=0), dtype=np.float64)
        return self

    def _scores_of_folds(
        self, table: Any, target: NDArray[np.intp], people: Sequence[str] | None, weights: Floats | None
    ) -> tuple[list[dict[str, Any]], Floats]:
        """Return the combinations, and each one's scores of every patient in each draw of the folds, NaN where none."""
        draws = range(self.random_state, self.random_state + self.repeats)
        drawn = [person_folds(target, people, self.n_splits, seed) for seed in draws]
        if not all(drawn):
            raise ValueError("a class has 1 patient only: cross-validation needs one to fit to and one to judge")
        if self.batch is not None:
            drawn = [_with_batches(parts, np.asarray(table[self.batch])) for parts in drawn]
        folds = [(draw, training, judged) for draw, parts in enumerate(drawn) for training, judged in parts]
        tried = self._feasible_grid(min(len(training) for _, training, _ in folds))
        every = np.full((len(tried), self.repeats, len(target)), np.nan)
        for draw, training, judged in folds:
            try:
                every[:, draw, judged] = self._held_out_scores(table, target, people, training, judged, tried, weights)
            except (ValueError, ContractError) as error:
                # What cannot be fitted to all patients either is no fault of the fold.
                whole = clone(self.estimator)
                whole.fit(table, target, **fit_options(whole, weights, people))
                rarer = int(np.bincount(target[training], minlength=2).min())
                left = f"an inner fold leaves {rarer} patients of the rarer label to fit to"
                if isinstance(error, ContractError):
                    raise ContractError(f"{left}; {error.message}", hint=error.hint) from error
                raise ValueError(f"{left}; {error}") from error
        return tried, every

    def _feasible_grid(self, patients: int) -> list[dict[str, Any]]:
        """Return the combinations to try, without numbers of neighbours that a fold has not."""
        every = list(ParameterGrid(self.grid or {}))
        feasible = [each for each in every if each.get("n_neighbors", 0) <= patients]
        if not feasible:
            fewest = min(each["n_neighbors"] for each in every)
            raise ValueError(
                f"its tuning leaves {patients} patients to fit to, and 'n_neighbors' is tried from {fewest} on"
            )
        return feasible

    def _held_out_scores(
        self,
        table: Any,
        target: NDArray[np.intp],
        people: Sequence[str] | None,
        training: NDArray[np.intp],
        judged: NDArray[np.intp],
        tried: Sequence[Mapping[str, Any]],
        weights: Floats | None,
    ) -> Floats:
        """Return the scores of one fold's patients, a row for each combination."""
        seen, unseen, own = _safe_indexing(table, training), _safe_indexing(table, judged), target[training]
        own_people = None if people is None else [people[row] for row in training]
        last, before = self.estimator, None
        if isinstance(self.estimator, Pipeline):
            last = self.estimator[-1]
            # A pipeline asks its cache for all steps but its last: with an empty one behind them, for all of these.
            before = Pipeline(
                [*clone(self.estimator[:-1]).steps, ("selected", "passthrough")], memory=self.estimator.memory
            )
        with leave_out_intervals():
            counts = parts(weights, training)
            if before is not None:
                options = fit_options(before, counts, own_people)
                seen, unseen = before.fit_transform(seen, own, **options), before.transform(unseen)
            options = fit_options(last, counts, own_people)
            return np.stack(
                [
                    scores_of(clone(last).set_params(**each).fit(seen, own, **options), unseen, self.scores)
                    for each in tried
                ]
            )

    def _loss(self, scores: Floats, target: NDArray[np.intp], weights: Floats | None) -> float:
        if self.scores == "decision":
            losses = np.logaddexp(0.0, np.where(target == 1, -scores, scores))
        else:
            losses = ((scores if self.scores == "probability" else expit(scores)) - target) ** 2
        return float((losses if weights is None else weights * losses).sum())

    def fitted_parts(self) -> tuple[BaseEstimator]:
        """Return what was fitted to all patients."""
        return (self.estimator_,)

    def unweighted(self) -> tuple[BaseEstimator]:
        """Return what is fitted: tuning and sigmoid take weights."""
        return (self.estimator,)

    def recalibration(self) -> Recalibration:
        """Return what was fitted to all patients, and the line from its scores to log odds."""
        check_is_fitted(self)
        return Recalibration(self.estimator_, self.scores, self.slope_, self.intercept_)

    def completed(self, table: Floats) -> Floats:
        """Return a table with the values that the estimator puts in the place of missing ones, where it does."""
        return self.estimator_.completed(table) if isinstance(self.estimator_, Completing) else table

    def penalties(self) -> dict[str, float]:
        """Return the inverse of a chosen L2 penalty."""
        has_line = "C" in self.best_params_ and hasattr(_last(self.estimator_), "coef_")
        return {"classifier": float(self.best_params_["C"])} if has_line else {}

    def summary(self, labels: ArrayLike | None = None) -> ModelSummary:
        """Return the sigmoid and the chosen parameters, but for a penalty that has a line of its own."""
        found: ModelSummary = {
            "recalibration": {
                "slope": self.slope_,
                "intercept": self.intercept_,
                "unconstrained_slope": self.unconstrained_slope_,
            }
        }
        if self.best_params_ and not self.penalties():
            found["parameters"] = dict(self.best_params_)
        if self.unconstrained_slope_ <= 0:
            found["notes"] = [
                "what it says of patients whom it has not seen does not rank them as their outcomes do: everyone gets "
                "about the training prevalence"
            ]
        return found

    def decision_function(self, X: ArrayLike) -> Floats:
        """Return the recalibrated log odds of ``classes_[1]``, of shape (n_patients,)."""
        check_is_fitted(self)
        if len(getattr(X, "shape", ())) == 2:
            validate_data(self, X, skip_check_array=True, reset=False)
        return self.recalibration().log_odds(self.estimator_, X)

    def predict_proba(self, X: ArrayLike) -> Floats:
        """Return the recalibrated probabilities of both classes, of shape (n_patients, 2)."""
        log_odds = self.decision_function(X)
        return np.column_stack([expit(-log_odds), expit(log_odds)])

    def predict(self, X: ArrayLike) -> NDArray[Any]:
        """Return each patient's more probable class; a study's own threshold belongs to its evaluation."""
        second = self.decision_function(X) > 0
        labels: NDArray[Any] = self.classes_[second.astype(int)]
        return labels


def _with_batches(
    parts: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]], batches: NDArray[Any]
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return folds whose training parts have enough patients of each batch, whoever is then held out less."""
    found = []
    for training, judged in parts:
        kept = [value for value in np.unique(batches) if (batches[training] == value).sum() < FEWEST_OF_A_BATCH]
        stays = np.isin(batches[judged], kept)
        found.append((np.sort(np.concatenate([training, judged[stays]])), judged[~stays]))
    return [each for each in found if len(each[1])]


def _last(estimator: BaseEstimator) -> BaseEstimator:
    """Return the step that a grid is of."""
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator
