"""Two-group tests per column: scipy's numbers column by column, the choice of test, nothing passing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.utils.estimator_checks import parametrize_with_checks
from statsmodels.stats.multitest import multipletests

from zoo.radiomics.univariable import UnivariableSelector


def mixed_table(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return 40 normal, 40 skewed and 20 tied columns of 90 patients, every fifth shifted in class 1."""
    random = np.random.default_rng(seed)
    X = np.hstack(
        [
            random.normal(size=(90, 40)),
            random.lognormal(size=(90, 40)),
            random.integers(0, 4, size=(90, 20)).astype(float),
        ]
    )
    y = (np.arange(90) < 50).astype(int)
    X[:, ::5] += y[:, None]
    return X, y


@parametrize_with_checks([UnivariableSelector(), UnivariableSelector(correction="benjamini-hochberg")])
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    """The selector passes every check that scikit-learn has for a supervised transformer."""
    check(estimator)


def test_p_values_are_those_of_scipy() -> None:
    """Each column's p is scipy's for that column alone, by the test that Shapiro-Wilk picks."""
    X, y = mixed_table()
    selector = UnivariableSelector().fit(X, y)

    for column in range(X.shape[1]):
        first, second = X[y == 0, column], X[y == 1, column]
        if min(stats.shapiro(first).pvalue, stats.shapiro(second).pvalue) >= 0.05:
            test, p = "welch-t", stats.ttest_ind(first, second, equal_var=False).pvalue
        else:
            test, p = "mann-whitney", stats.mannwhitneyu(first, second, method="asymptotic").pvalue
        assert selector.test_[column] == test
        assert selector.p_values_[column] == pytest.approx(p, rel=1e-9)
    assert set(selector.test_) == {"welch-t", "mann-whitney"}
    assert (selector.support_ == (selector.p_values_ < 0.05)).all()
    assert selector.support_[::5].sum() > 15
    assert not selector.relaxed_


@pytest.mark.parametrize(("test", "name"), [("t", "welch-t"), ("mann-whitney", "mann-whitney")])
def test_named_test_is_used_throughout(test: Any, name: str) -> None:
    """A named test is used for every column."""
    X, y = mixed_table()
    assert set(UnivariableSelector(test=test).fit(X, y).test_) == {name}


@settings(max_examples=25, deadline=None)
@given(scale=st.floats(1e-3, 1e3), offset=st.floats(-100, 100))
def test_units_and_class_names_do_not_matter(scale: float, offset: float) -> None:
    """Columns in other units and classes with their names swapped have the same p."""
    X, y = mixed_table()
    X = X[:, :60]
    selector = UnivariableSelector().fit(X, y)
    other = UnivariableSelector().fit(X * scale + offset, np.where(y == 1, "a", "b"))

    np.testing.assert_allclose(other.p_values_, selector.p_values_, rtol=1e-6)


def test_a_column_does_not_depend_on_its_neighbours() -> None:
    """In small classes too a column keeps its p when a column with ties stands beside it."""
    random = np.random.default_rng(1)
    X, y = random.normal(size=(12, 1)), np.array([0, 1] * 6)
    alone = UnivariableSelector(test="mann-whitney").fit(X, y)
    beside = UnivariableSelector(test="mann-whitney").fit(np.hstack([X, np.round(X)]), y)

    assert beside.p_values_[0] == alone.p_values_[0]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), alpha=st.floats(0.001, 0.9))
def test_benjamini_hochberg_is_that_of_statsmodels(seed: int, alpha: float) -> None:
    """Adjusted p values and the columns kept are those of statsmodels' multipletests, constant columns counted."""
    X, y = mixed_table(seed)
    X[:, 7] = 1.0
    selector = UnivariableSelector(alpha, test="t", correction="benjamini-hochberg").fit(X, y)
    reject, adjusted, *_ = multipletests(selector.p_values_, alpha=alpha, method="fdr_bh")

    np.testing.assert_allclose(selector.adjusted_p_values_, adjusted, rtol=1e-12)
    if not selector.relaxed_:
        assert (selector.support_ == reject).all()
    assert (UnivariableSelector(alpha, test="t").fit(X, y).p_values_ == selector.p_values_).all()


def test_benjamini_hochberg_keeps_fewer() -> None:
    """On noise the correction keeps nothing but the forced column where plain tests keep some of many."""
    X, y = np.random.default_rng(0).normal(size=(90, 400)), np.arange(90) % 2
    plain, corrected = UnivariableSelector().fit(X, y), UnivariableSelector(correction="benjamini-hochberg").fit(X, y)

    assert plain.support_.sum() > 10
    assert corrected.relaxed_
    assert corrected.get_support(indices=True).tolist() == [int(np.argmin(plain.p_values_))]


def test_nothing_passes() -> None:
    """When no column passes, the one with the smallest p is kept and the selector says so."""
    X, y = mixed_table()
    selector = UnivariableSelector(alpha=1e-12).fit(X, y)

    assert selector.relaxed_
    assert selector.get_support(indices=True).tolist() == [int(np.argmin(selector.p_values_))]
    assert selector.transform(X).shape == (90, 1)


def test_degenerate_columns() -> None:
    """Constant columns have p 1, and classes with one value each are told apart without a warning."""
    y = np.array([0] * 6 + [1] * 6)
    X = np.column_stack([np.full(12, 3.0), y * 2.0, np.where(y == 1, np.arange(12.0), 7.0)])

    auto = UnivariableSelector().fit(X, y)
    assert auto.test_.tolist() == ["constant", "mann-whitney", "mann-whitney"]
    assert auto.p_values_[0] == 1.0
    assert auto.p_values_[1] < 0.01
    assert UnivariableSelector(test="t").fit(X, y).p_values_[:2].tolist() == [1.0, 0.0]


def test_names_survive() -> None:
    """Output names are the kept columns' names."""
    X, y = mixed_table()
    table = pd.DataFrame(X, columns=[f"PVP__f{column}" for column in range(100)])
    selector = UnivariableSelector().fit(table, y)

    assert selector.get_feature_names_out().tolist() == table.columns[selector.support_].tolist()


@pytest.mark.parametrize(
    ("parameters", "named"), [({"alpha": 0.0}, "alpha"), ({"test": "z"}, "test"), ({"correction": "z"}, "correction")]
)
def test_parameters_without_meaning(parameters: Any, named: str) -> None:
    """A parameter without meaning is refused by name."""
    X, y = mixed_table()
    with pytest.raises(ValueError, match=named):
        UnivariableSelector(**parameters).fit(X, y)


def test_a_class_of_one() -> None:
    """A class with a single patient is refused: no spread can be estimated."""
    with pytest.raises(ValueError, match="two samples or more"):
        UnivariableSelector().fit(np.arange(10.0)[:, None], [0] * 9 + [1])
