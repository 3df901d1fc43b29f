"""Columns with a non-zero coefficient in a cross-validated L1-penalised logistic regression."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import ClassifierTags, Tags, check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from schemas.study.models import LassoRule
from zoo.logistic.person_folds import person_folds
from zoo.logistic.two_classes import two_classes
from zoo.radiomics.liblinear import L1Line, l1_line, solver_seed
from zoo.weighting.sums import means, parts, patient_weights, spreads

__all__ = ["LassoSelector"]

Floats = NDArray[np.float64]

# The path ends at 100 times the C where the first column enters, as glmnet's for more columns than rows.
_PATH_LENGTH = 100.0
# Two percent below where no column is in are a minimum, and a tenth more than that is a rise; else twice as much is.
_TOLD_APART, _RISEN, _RISEN_WITHOUT = 0.98, 1.1, 2.0
# Within the solver's own tolerance a column that is left out need not enter.
_SLACK = 1e-6


class LassoSelector(SelectorMixin, BaseEstimator):  # type: ignore[misc]  # sklearn is untyped
    """Keeps the columns with a non-zero coefficient in an L1-penalised logistic regression.

    The model minimises ``C * sum_i log(1 + exp(-s_i f_i)) + sum_j |b_j|`` with s_i = +-1 the class and
    ``f = b_0 + Z b``, Z the columns brought to mean 0 and standard deviation 1 in the rows at hand. C is
    chosen on a log-spaced path, from where all coefficients vanish to 100 times that, by the binomial
    deviance ``2 * mean(log loss)`` in stratified cross-validation; the model is refitted there on all rows.

    Parameters
    ----------
    n_splits : int, default=5
        Folds; as many as the smaller class has people where that is fewer.
    n_cs : int, default=40
        Points on the path.
    rule : {'minimum', 'one-standard-error'}, default='minimum'
        'minimum' takes the C with the smallest mean deviance, 'one-standard-error' the smallest C (the largest
        penalty) whose mean deviance is within one standard error of it: glmnet's lambda.min and lambda.1se.
    max_iter : int, default=2000
        Iterations of the solver per model; the path ends where they do not suffice.
    random_state : int, RandomState instance or None, default=0
        Draws the folds and the order in which the solver visits the columns.

    Attributes
    ----------
    cs_ : ndarray of shape (n_path,)
        The path, ascending; it ends early where a fold's model does not converge, and where the mean deviance has risen
        for good: above that at the path's beginning and 1.1 times the smallest; where the smallest is less than 2 %
        below the beginning's, twice that.
    deviance_ : ndarray of shape (n_path, 2)
        Per C the mean deviance over the folds, weighted by fold size, and its standard error.
    C_ : float
        The chosen C, for the number of rows in fit; lambda in glmnet's terms is 1 / (n * C).
    coef_ : ndarray of shape (n_features,)
        Coefficients at ``C_`` per unit of the input columns.
    intercept_ : float
        Intercept at ``C_``.
    n_iter_ : int
        Iterations that the solver took at ``C_``.
    support_ : ndarray of bool of shape (n_features,)
        The columns kept.
    relaxed_ : bool
        True when every coefficient at ``C_`` is zero and the column that enters the path first, the one
        with the largest ``|z_j' (y - mean(y))|``, is kept instead, so that a Pipeline always has a column
        to go on with.

    See Also
    --------
    zoo.radiomics.univariable.UnivariableSelector : Each column alone; comes before this one in the pipeline.

    Notes
    -----
    But for that early end the same definition as ``cv.glmnet(family = "binomial", type.measure = "deviance")`` [1]_:
    the intercept is not penalised, columns are standardised in every fold, and folds share lambda, so that C is
    multiplied by n / n_fold. The solver is liblinear with an intercept column of 1000, whose subgradient
    bounds the intercept's equation ``C * |sum_i residual_i|`` by 0.001; saga, which leaves the intercept
    free, took 30 times as long to a hundred times larger errors in the optimality conditions at 132 x 900.

    With weights of rows every sum and mean above is one with weights, and n the sum of them: those of columns and
    labels, the deviance in a fold and over the folds.

    References
    ----------
    .. [1] Friedman, Hastie & Tibshirani 2010, J Stat Softw 33(1), doi:10.18637/jss.v033.i01
    """

    def __init__(
        self,
        n_splits: int = 5,
        n_cs: int = 40,
        rule: LassoRule = "minimum",
        max_iter: int = 2000,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.n_splits = n_splits
        self.n_cs = n_cs
        self.rule = rule
        self.max_iter = max_iter
        self.random_state = random_state

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.classifier_tags = ClassifierTags(multi_class=False)
        return tags

    def fit(
        self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Self:
        """Return self, with C chosen and the columns marked.

        Parameters
        ----------
        X : array-like of shape (n_patients, n_features)
            No missing values.
        y : array-like of shape (n_patients,)
            Two classes, of two patients or more each.
        sample_weight : array-like of shape (n_patients,), optional
            How much each row counts.
        groups : array-like of shape (n_patients,), optional
            Who a row is of: rows of one person are held out together.

        Raises
        ------
        ValueError
            If X has missing values, y has not two classes of two people, or a parameter has no meaning.
        """
        if self.n_splits < 2 or self.n_cs < 2:
            raise ValueError(f"n_splits and n_cs must be 2 or more, got {self.n_splits!r} and {self.n_cs!r}")
        if self.rule not in get_args(LassoRule):
            raise ValueError(f"rule must be 'minimum' or 'one-standard-error', got {self.rule!r}")
        table, labels = validate_data(self, X, y, dtype=np.float64)
        _, target = two_classes(labels)
        smaller = int(np.bincount(target).min())
        if smaller < 2:
            raise ValueError("each class needs two samples or more, the smaller has 1 sample")

        random = check_random_state(self.random_state)
        seed = solver_seed(int(random.randint(2**31 - 1)))
        people = None if groups is None else [str(each) for each in np.asarray(groups)]
        splits = person_folds(target, people, self.n_splits, random)
        if not splits:
            raise ValueError("each class needs two people or more: its folds hold out people")
        of_class_1 = target.astype(np.float64)
        weights = patient_weights(sample_weight, len(target))

        def fitted(Z: Floats, rows: Floats, c: float, counts: Floats | None) -> L1Line | None:
            return l1_line(Z, rows, C=c, seed=seed, max_iter=self.max_iter, weights=counts)

        Z, centre, scale = _standardised(table, weights)
        pull = np.abs(Z.T @ _counted(target - means(target, weights), weights))
        entry = 1.0 / pull.max() if pull.max() > 0 else 1.0
        path = np.geomspace(entry, entry * _PATH_LENGTH, self.n_cs)

        folds = [_held_out_deviances(fitted, path, table, of_class_1, weights, *each) for each in splits]
        sizes = np.array([len(test) if weights is None else weights[test].sum() for _, test in splits])
        curve: list[tuple[float, float]] = []
        # Fold by fold at each C: where one has no model, the path ends for all.
        for of_folds in zip(*folds, strict=False):
            curve.append(_mean_and_error(of_folds, sizes))
            if _is_past_minimum([mean for mean, _ in curve]):
                break
        self.cs_, self.deviance_ = path[: len(curve)], np.array(curve).reshape(-1, 2)
        choice = _chosen(self.deviance_, self.rule) if curve else -1
        # As in glmnet, where a C does not converge the next smaller one stands.
        model = None
        while choice >= 0:
            model = fitted(Z, of_class_1, float(path[choice]), weights)
            if model is not None:
                break
            choice -= 1
        if model is None:
            raise ValueError("the L1-penalised regression converges nowhere on the path: check the columns' values")
        self.C_ = float(self.cs_[choice])
        self.coef_ = model.coef / scale
        self.intercept_ = float(model.intercept - self.coef_ @ centre)
        self.n_iter_ = model.n_iter
        self.support_ = self.coef_ != 0
        self.relaxed_ = not self.support_.any()
        if self.relaxed_:
            self.support_[np.argmax(pull)] = True
        return self

    def penalties(self) -> dict[str, float]:
        """Return the chosen inverse of the penalty."""
        return {"lasso": float(self.C_)}

    def _get_support_mask(self) -> NDArray[np.bool_]:
        check_is_fitted(self)
        support: NDArray[np.bool_] = self.support_
        return support


def _counted(values: Floats, weights: Floats | None) -> Floats:
    return values if weights is None else weights * values


def _standardised(X: Floats, weights: Floats | None) -> tuple[Floats, Floats, Floats]:
    centre = means(X, weights)
    # A column that is constant in these rows must come out as zeros, not as amplified rounding.
    scale = np.where(np.ptp(X, axis=0) > 0, spreads(X, weights), np.inf)
    Z = (X - centre) / scale
    return Z, centre, scale


def _held_out_deviances(
    fitted: Callable[[Floats, Floats, float, Floats | None], L1Line | None],
    path: Floats,
    X: Floats,
    target: Floats,
    weights: Floats | None,
    train: NDArray[np.intp],
    test: NDArray[np.intp],
) -> Iterator[float]:
    """Yield a fold's held-out deviance at each C; it ends where the solver does not converge.

    A model is fitted to the columns that the last one used and those that would enter at the new C, and again with
    whichever column its optimality condition ``C |z_j' residual| <= 1`` then fails: the same minimum from a tenth of
    the columns.
    """
    seen, unseen = parts(weights, train), parts(weights, test)
    Z, centre, scale = _standardised(X[train], seen)
    held_out, own = (X[test] - centre) / scale, target[train]
    share = len(X) / len(train) if weights is None else weights.sum() / weights[train].sum()
    used = np.zeros(Z.shape[1], dtype=bool)
    pull = np.abs(Z.T @ _counted(own - means(own, seen), seen))
    for c in path * share:
        tried = used | (c * pull > 1)
        tried[np.argmax(pull)] = True  # a solver needs a column
        while True:
            columns = Z[:, tried]
            model = fitted(columns, own, c, seen)
            if model is None:
                return
            pull = np.abs(Z.T @ _counted(own - expit(model.log_odds(columns)), seen))
            missed = ~tried & (c * pull > 1 + _SLACK)
            if not missed.any():
                break
            tried |= missed
        yield _deviance(model.log_odds(held_out[:, tried]), target[test], unseen)
        used = np.zeros(Z.shape[1], dtype=bool)
        used[tried] = model.coef != 0


def _deviance(log_odds: Floats, target: Floats, weights: Floats | None) -> float:
    return float(2.0 * means(np.logaddexp(0.0, np.where(target == 1, -log_odds, log_odds)), weights))


def _mean_and_error(deviances: Sequence[float], sizes: NDArray[Any]) -> tuple[float, float]:
    of_folds = np.array(deviances)
    mean = np.average(of_folds, weights=sizes)
    return float(mean), float(np.sqrt(np.average((of_folds - mean) ** 2, weights=sizes) / (len(of_folds) - 1)))


def _is_past_minimum(deviances: Sequence[float]) -> bool:
    """Return whether a curve has risen for good: the model fits what the rows are by chance, the more the larger C is.

    The fits there take most of a path's time. A curve that has no minimum yet may rise first and fall later, as where
    two columns tell nothing but together.
    """
    lowest = min(deviances)
    risen = _RISEN if lowest < _TOLD_APART * deviances[0] else _RISEN_WITHOUT
    return deviances[-1] > max(deviances[0], risen * lowest)


def _chosen(deviance: NDArray[np.float64], rule: LassoRule) -> int:
    best = int(np.argmin(deviance[:, 0]))
    if rule == "minimum":
        return best
    return int(np.argmax(deviance[:, 0] <= deviance[best].sum()))
