"""The LASSO step: optimality, the choice of C, real radiomics tables, nothing surviving."""

from __future__ import annotations

import csv
import gzip
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold
from sklearn.utils.estimator_checks import parametrize_with_checks

from zoo.radiomics.lasso import LassoSelector

OF_WEIGHT_ZERO = {
    "check_sample_weight_equivalence_on_dense_data": "a row of weight zero is refused: it is to be left out"
}


def table_with_signal(n: int = 100, n_columns: int = 40, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return correlated columns of which the first three decide the class, two thirds of it class 1."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, n_columns)) + 0.5 * random.normal(size=(n, 1))
    return X, (X[:, :3].sum(axis=1) + 1.0 + random.logistic(size=n) > 0).astype(int)


def radiomics_table(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the features and the outcome of a published radiomics table."""
    with gzip.open(path, "rt") as file:
        header, *rows = csv.reader(file)
    columns = [column for column, name in enumerate(header) if name not in ("ID", "Target")]
    target = header.index("Target")
    return (
        np.array([[float(row[column]) for column in columns] for row in rows]),
        np.array([int(row[target]) for row in rows]),
    )


def optimality_errors(selector: LassoSelector, X: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """Return the largest violations of the LASSO's stationarity conditions: columns, intercept."""
    centre, scale = X.mean(axis=0), X.std(axis=0)
    scale[np.ptp(X, axis=0) == 0] = np.inf
    residual = expit(X @ selector.coef_ + selector.intercept_) - y
    gradient = selector.C_ * ((X - centre) / scale).T @ residual
    active = selector.coef_ != 0
    errors = np.where(active, np.abs(gradient + np.sign(selector.coef_)), np.maximum(np.abs(gradient) - 1, 0))
    return float(errors.max()), float(abs(selector.C_ * residual.sum()))


@parametrize_with_checks([LassoSelector(n_cs=10)], expected_failed_checks=lambda _: OF_WEIGHT_ZERO)
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    """The selector passes every check that scikit-learn has for a supervised transformer, but for weights of zero."""
    check(estimator)


@pytest.mark.parametrize("name", ["Granata2021.gz", "Song2020.gz"])
@pytest.mark.parametrize("rule", ["minimum", "one-standard-error"])
def test_optimal_on_real_radiomics(shared_data: Callable[[str], Path], name: str, rule: Any) -> None:
    """On real, correlated features the coefficients meet the LASSO's conditions with a free intercept."""
    X, y = radiomics_table(shared_data(f"radiomics_tables/{name}"))
    selector = LassoSelector(n_cs=15, rule=rule).fit(X, y)

    columns, intercept = optimality_errors(selector, X, y)
    assert columns < 0.005
    assert intercept < 0.002
    assert 0 < selector.support_.sum() < len(y)


def test_intercept_is_free() -> None:
    """With unbalanced classes the model equals saga's, which leaves the intercept out of the penalty."""
    X, y = table_with_signal()
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    selector = LassoSelector().fit(X, y)
    reference = LogisticRegression(
        solver="saga", l1_ratio=1, C=selector.C_, tol=1e-7, max_iter=50_000, random_state=0
    ).fit(X, y)

    assert selector.intercept_ == pytest.approx(reference.intercept_[0], abs=0.005)
    np.testing.assert_allclose(selector.coef_, reference.coef_[0], atol=0.005)
    assert set(np.flatnonzero(np.abs(reference.coef_[0]) > 0.005)) <= set(selector.get_support(indices=True))


def test_path_starts_where_columns_enter() -> None:
    """At the first C of the path every coefficient is zero, and just above it one is not."""
    X, y = table_with_signal()
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    entry = LassoSelector().fit(X, y).cs_[0]

    def columns_at(c: float) -> int:
        model = LogisticRegression(solver="saga", l1_ratio=1, C=c, tol=1e-9, max_iter=50_000, random_state=0)
        return int(np.count_nonzero(model.fit(X, y).coef_))

    assert columns_at(0.995 * entry) == 0
    assert columns_at(1.01 * entry) == 1


def test_deviance_is_held_out() -> None:
    """The deviance of each C is twice the held-out log loss, at a lambda that the folds share."""
    X, y = table_with_signal()
    selector = LassoSelector(n_cs=6, random_state=4).fit(X, y)
    folds = list(StratifiedKFold(5, shuffle=True, random_state=np.random.RandomState(4)).split(X, y))

    for point in (0, 2, len(selector.cs_) - 1):
        losses = []
        for train, test in folds:
            centre, scale = X[train].mean(axis=0), X[train].std(axis=0)
            model = LogisticRegression(
                solver="saga",
                l1_ratio=1,
                C=selector.cs_[point] * len(X) / len(train),
                tol=1e-5,
                max_iter=50_000,
                random_state=0,
            ).fit((X[train] - centre) / scale, y[train])
            losses.append(2 * log_loss(y[test], model.predict_proba((X[test] - centre) / scale)[:, 1]))
        assert selector.deviance_[point, 0] == pytest.approx(np.mean(losses), rel=0.01)
        assert selector.deviance_[point, 1] == pytest.approx(np.std(losses, ddof=1) / np.sqrt(5), rel=0.05)


def test_rules() -> None:
    """'minimum' takes the smallest mean deviance, the other rule the smallest C within one standard error of it."""
    X, y = table_with_signal()
    smallest, sparser = LassoSelector(rule="minimum").fit(X, y), LassoSelector(rule="one-standard-error").fit(X, y)
    best = int(np.argmin(smallest.deviance_[:, 0]))

    assert smallest.cs_[best] == smallest.C_
    within = smallest.deviance_[:, 0] <= smallest.deviance_[best].sum()
    assert sparser.cs_[within][0] == sparser.C_
    assert sparser.C_ < smallest.C_
    assert sparser.support_.sum() < smallest.support_.sum()
    assert smallest.support_[:3].all()


def test_nothing_survives() -> None:
    """On noise the sparser rule leaves no column, and the one that enters the path first is kept."""
    random = np.random.default_rng(0)
    X, y = random.normal(size=(80, 30)), np.arange(80) % 2
    selector = LassoSelector(rule="one-standard-error").fit(X, y)

    assert selector.relaxed_
    assert not selector.coef_.any()
    correlations = [abs(np.corrcoef(column, y)[0, 1]) for column in X.T]
    assert selector.get_support(indices=True).tolist() == [int(np.argmax(correlations))]


def test_units_do_not_matter() -> None:
    """Columns in other units give the same columns, and coefficients per unit."""
    X, y = table_with_signal()
    units = np.geomspace(1e-3, 1e3, X.shape[1])
    selector, other = LassoSelector().fit(X, y), LassoSelector().fit(X * units + 5 * units, y)

    assert (other.support_ == selector.support_).all()
    np.testing.assert_allclose(other.coef_ * units, selector.coef_, atol=1e-6)


def test_same_seed_same_model() -> None:
    """The same seed gives bit-equal coefficients, another seed other folds."""
    X, y = table_with_signal()
    first, again, other = (LassoSelector(random_state=seed).fit(X, y) for seed in (1, 1, 2))

    np.testing.assert_array_equal(first.coef_, again.coef_)
    assert not np.array_equal(first.deviance_, other.deviance_)


def test_small_classes_and_constant_columns() -> None:
    """A class smaller than the number of folds gets fewer folds; a constant column has coefficient 0."""
    X, y = table_with_signal(n=40)
    X[:, 5] = 0.1
    keep = np.r_[np.flatnonzero(y == 0)[:3], np.flatnonzero(y == 1)]
    selector = LassoSelector().fit(X[keep], y[keep])

    assert selector.coef_[5] == 0
    assert selector.support_.any()
    with pytest.raises(ValueError, match="two samples or more"):
        LassoSelector().fit(X[keep[2:]], y[keep[2:]])


def test_separable_classes() -> None:
    """With classes that one column separates the whole path is finite and the column is kept."""
    X, _ = table_with_signal()
    y = (X[:, 0] > 0).astype(int)
    selector = LassoSelector().fit(X, y)

    assert len(selector.cs_) == selector.n_cs
    assert np.isfinite(selector.deviance_).all()
    assert selector.support_[0]


def test_path_ends_where_a_fold_does_not_converge() -> None:
    """With too few solver iterations the path ends early, without a warning, and a C is still chosen."""
    X, y = table_with_signal(n=60, n_columns=200)
    selector = LassoSelector(max_iter=12).fit(X, y)

    assert 0 < len(selector.cs_) < selector.n_cs
    assert selector.C_ in selector.cs_
    assert selector.support_.any()


@pytest.mark.parametrize("rule", ["minimum", "one-standard-error"])
@pytest.mark.parametrize("signal", [True, False])
def test_path_ends_behind_its_minimum_alone(rule: Any, signal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left out of the path, where held-out deviance has risen for good, would not have been chosen."""
    cut = 0
    for seed in range(6):
        X, y = table_with_signal(n=60, n_columns=120, seed=seed)
        y = y if signal else np.random.default_rng(seed).permutation(y)
        found = LassoSelector(rule=rule).fit(X, y)
        with monkeypatch.context() as patch:
            patch.setattr("zoo.radiomics.lasso._is_past_minimum", lambda _: False)
            whole = LassoSelector(rule=rule).fit(X, y)
        reached = len(found.cs_)
        np.testing.assert_array_equal(found.deviance_, whole.deviance_[:reached])
        np.testing.assert_array_equal(found.coef_, whole.coef_)
        assert found.C_ == whole.C_
        cut += reached < len(whole.cs_)
        if reached < len(whole.cs_):
            assert whole.deviance_[reached:, 0].min() > found.deviance_[:, 0].min()
    assert cut > 3


def test_two_columns_that_tell_only_together_are_found_behind_a_rise() -> None:
    """Nearly the same column twice, the difference being the signal: held-out deviance rises by a fifth, then falls."""
    random = np.random.default_rng(0)
    y = random.integers(0, 2, 132)
    X = random.normal(size=(132, 20))
    X[:, 1] = X[:, 0] + 0.02 * y + 0.005 * random.normal(size=132)
    selector = LassoSelector().fit(X, y)
    deviance = selector.deviance_[:, 0]
    assert deviance[: np.argmin(deviance)].max() > 1.1 * deviance[0]
    assert deviance.min() < 0.7


def test_path_is_the_same_whatever_other_threads_do_to_the_warnings() -> None:
    """Warnings' filters are the whole process's: a fit that learnt from them whether it converged would vary."""
    X, y = table_with_signal()
    alone = LassoSelector(max_iter=12).fit(X, y)
    stop = threading.Event()

    def set_filters() -> None:
        while not stop.is_set():
            with warnings.catch_warnings():
                # Not the filter below: it would be taken out of the list for a moment, before it is put in first.
                warnings.simplefilter("ignore", UserWarning)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = threading.Thread(target=set_filters)
        other.start()
        try:
            beside = [LassoSelector(max_iter=12).fit(X, y) for _ in range(5)]
        finally:
            stop.set()
            other.join()
    for fitted in beside:
        np.testing.assert_array_equal(fitted.cs_, alone.cs_)
        np.testing.assert_array_equal(fitted.coef_, alone.coef_)


def test_names_survive() -> None:
    """Output names are the kept columns' names."""
    X, y = table_with_signal()
    table = pd.DataFrame(X, columns=[f"AP__f{column}" for column in range(X.shape[1])])
    selector = LassoSelector().fit(table, y)

    assert selector.get_feature_names_out().tolist() == table.columns[selector.support_].tolist()


@pytest.mark.parametrize(("parameters", "named"), [({"rule": "max"}, "rule"), ({"n_splits": 1}, "n_splits")])
def test_parameters_without_meaning(parameters: Any, named: str) -> None:
    """A parameter without meaning is refused by name."""
    X, y = table_with_signal()
    with pytest.raises(ValueError, match=named):
        LassoSelector(**parameters).fit(X, y)
