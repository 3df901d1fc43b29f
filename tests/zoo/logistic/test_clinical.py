"""The clinical model: published numbers, elimination, separation, missing values, scikit-learn's contract."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from schemas.errors import ContractError
from zoo.logistic.clinical import ClinicalLogisticRegression, FactorEffect

# A patient of weight zero is refused: who counts for nothing is to be left out.
OF_WEIGHT_ZERO = dict.fromkeys(
    ["check_sample_weight_equivalence_on_dense_data", "check_classifiers_one_label_sample_weights"],
    "it gives some rows the weight zero",
)

# Training patients of the HCC study: (AST > 40, diameter > 5 cm, early recurrence) -> count.
# The only joint table that gives the odds ratios and intervals of the paper's Table 3.
PUBLISHED = {
    (1, 1, 1): 15,
    (1, 0, 1): 21,
    (0, 1, 1): 15,
    (0, 0, 1): 27,
    (1, 1, 0): 4,
    (1, 0, 0): 9,
    (0, 1, 0): 6,
    (0, 0, 0): 35,
}
# Table 1 gives AFP > 400 as 21 of 78 against 6 of 54; its overlap with the other two is not published. This
# one, (AST, diameter, ER) -> AFP > 400, makes it drop out of the multivariable model, as in the paper.
AFP = {(1, 1, 1): 10, (1, 0, 1): 9, (0, 0, 1): 2, (1, 1, 0): 2, (1, 0, 0): 3, (0, 0, 0): 1}


def published_cohort() -> pl.DataFrame:
    """Return the 132 training patients with AST, diameter, AFP and ER."""
    rows = [
        (ast, diameter, int(patient < AFP.get((ast, diameter, er), 0)), er)
        for (ast, diameter, er), count in PUBLISHED.items()
        for patient in range(count)
    ]
    return pl.DataFrame(rows, schema=["ast", "diameter", "afp", "er"], orient="row")


def printed(effect: FactorEffect) -> tuple[float, ...]:
    """Return an odds ratio with its interval to two digits, as papers print it."""
    return tuple(round(value, 2) for value in (effect.odds_ratio, effect.lower, effect.upper))


def two_overlapping(seed: int = 3, n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Return two columns, the first related to the two classes, the second not."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, 2))
    return X, (X[:, 0] + random.logistic(size=n) > 0).astype(int)


@parametrize_with_checks([ClinicalLogisticRegression()], expected_failed_checks=lambda _: OF_WEIGHT_ZERO)
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    """The estimator passes every check that scikit-learn has for a binary classifier, but for weights of zero."""
    check(estimator)


def test_published_multivariable_model() -> None:
    """The joint table gives the printed multivariable coefficients, odds ratios, intervals and p."""
    cohort = published_cohort()
    model = ClinicalLogisticRegression().fit(cohort[["ast", "diameter"]], cohort["er"])

    assert round(model.intercept_[0], 6) == -0.201581
    assert model.coef_[0].round(6).tolist() == [0.911873, 0.919251]
    assert model.factors_ == ["ast", "diameter"]
    ast, diameter = model.multivariable_
    assert (round(ast.odds_ratio, 3), round(ast.p, 3)) == (2.489, 0.022)
    assert printed(ast)[1:] == (1.14, 5.44)
    assert (round(diameter.odds_ratio, 3), round(diameter.p, 3)) == (2.507, 0.032)
    assert printed(diameter)[1:] == (1.08, 5.82)


def test_published_univariable_effects() -> None:
    """The same patients give the printed univariable odds ratios, those of AFP included."""
    cohort = published_cohort()
    model = ClinicalLogisticRegression().fit(cohort.drop("er"), cohort["er"])

    assert {effect.factor: printed(effect) for effect in model.univariable_} == {
        "ast": (2.70, 1.26, 5.82),
        "diameter": (2.75, 1.21, 6.27),
        "afp": (2.95, 1.10, 7.89),
    }


def test_elimination_is_recorded() -> None:
    """AFP passes alone, leaves the multivariable model, and the model is that of the other two."""
    cohort = published_cohort()
    model = ClinicalLogisticRegression().fit(cohort.drop("er"), cohort["er"])

    (step,) = model.steps_
    assert (step.factor, step.n_factors) == ("afp", 3)
    assert step.p >= 0.05
    assert model.factors_ == ["ast", "diameter"]
    assert model.coef_[0].round(6).tolist() == [0.911873, 0.919251, 0.0]
    assert not model.intercept_only_


def test_probabilities_are_the_maximum_likelihood_model() -> None:
    """Probabilities equal those of scikit-learn's unpenalised logistic regression on the final factors."""
    X, y = two_overlapping()
    model = ClinicalLogisticRegression(alpha_univariable=1.0, alpha_multivariable=1.0).fit(X, y)
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(X, y)

    assert model.factors_ == ["x0", "x1"]
    np.testing.assert_allclose(model.predict_proba(X), reference.predict_proba(X), atol=1e-6)
    assert (model.predict(X) == reference.predict(X)).all()


@settings(max_examples=25, deadline=None)
@given(unit=st.floats(1e-6, 1e6), offset=st.floats(-1e3, 1e3))
def test_units_do_not_matter(unit: float, offset: float) -> None:
    """A factor in other units has the same p and probabilities, and its coefficient per unit."""
    X, y = two_overlapping()
    model = ClinicalLogisticRegression().fit(X, y)
    other = ClinicalLogisticRegression().fit((X + offset) * unit, y)

    assert other.factors_ == model.factors_ == ["x0"]
    np.testing.assert_allclose(other.coef_ * unit, model.coef_, rtol=1e-6)
    np.testing.assert_allclose([effect.p for effect in other.univariable_], [effect.p for effect in model.univariable_])
    np.testing.assert_allclose(other.predict_proba((X + offset) * unit), model.predict_proba(X), rtol=1e-6)


def test_nothing_passes() -> None:
    """Factors unrelated to the outcome give the training prevalence for everyone, and the model says so."""
    X = np.array([[0.0], [1.0]] * 20)
    y = np.array([0, 0, 1, 1, 1, 1] * 6 + [0, 0, 1, 1])
    model = ClinicalLogisticRegression().fit(X, y)

    assert model.intercept_only_
    assert model.factors_ == model.multivariable_ == []
    np.testing.assert_allclose(model.predict_proba(X)[:, 1], y.mean())


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(lambda y: y * 2.0, id="complete"),
        pytest.param(lambda y: (y == 1) & (np.arange(len(y)) % 2 == 0), id="empty cell"),
        pytest.param(lambda y: np.where(y == 1, -np.arange(len(y)), np.arange(len(y))), id="shared end point"),
    ],
)
def test_separating_factor_has_a_finite_effect(values: Any) -> None:
    """A factor that separates the classes gets Firth's estimate, says so, and stays in the model that it decides."""
    X, y = two_overlapping()
    table = pd.DataFrame({"marker": values(y).astype(float), "age": X[:, 0]})
    model = ClinicalLogisticRegression().fit(table, y)

    assert model.excluded_ == []
    marker, age = model.univariable_
    assert (marker.method, age.method) == ("firth", "maximum likelihood")
    assert np.isfinite([value for effect in model.multivariable_ for value in astuple(effect)[1:-1]]).all()
    assert {effect.method for effect in model.multivariable_} == {"firth"}
    assert "marker" in model.factors_
    assert model.notes_[0].startswith("'marker' separates class 0 from class 1: Firth's method")


def test_jointly_separating_factors() -> None:
    """Where two factors separate only together, each alone is a plain estimate and both together are Firth's."""
    random = np.random.default_rng(5)
    X = random.normal(size=(200, 2))
    y = (2 * X[:, 0] + X[:, 1] > 0).astype(int)
    model = ClinicalLogisticRegression().fit(X, y)

    assert [effect.method for effect in model.univariable_] == ["maximum likelihood"] * 2
    assert model.factors_ == ["x0", "x1"]
    assert [effect.method for effect in model.multivariable_] == ["firth"] * 2
    assert model.coef_[0, 0] / model.coef_[0, 1] == pytest.approx(2, rel=0.2)
    assert model.notes_ == [
        "'x0', 'x1' together separate the classes: Firth's method gives the estimate; "
        "see whether it is strong or a leak"
    ]


def test_few_events_per_variable_are_noted() -> None:
    """Under ten patients of the smaller class for each factor that enters are noted, with the ratio; ten are not."""
    random = np.random.default_rng(8)
    y = np.repeat([0, 1], [60, 39])
    X = random.normal(size=(99, 4)) + 0.9 * y[:, None]
    few, enough = (ClinicalLogisticRegression(alpha_univariable=0.5).fit(X[:, :width], y) for width in (4, 3))

    assert few.notes_ == [
        "4 factors entered the multivariable model with 39 patients in the smaller class: "
        "9.8 events per variable, fewer than 10"
    ]
    assert enough.notes_ == []


def test_collinear_and_constant_factors_are_excluded() -> None:
    """A copy of a factor in other units and a constant are left out with their reasons."""
    X, y = two_overlapping()
    table = pd.DataFrame({"cm": X[:, 0], "mm": 10 * X[:, 0], "site": 1.0})
    model = ClinicalLogisticRegression().fit(table, y)

    assert sorted((excluded.factor, excluded.kind) for excluded in model.excluded_) in (
        [("mm", "collinear"), ("site", "constant")],
        [("cm", "collinear"), ("site", "constant")],
    )
    assert len(model.factors_) == 1


@pytest.mark.parametrize("rounding", [1e-11, 1e-9, 1e-8])
def test_a_copy_but_for_rounding_is_collinear(rounding: float) -> None:
    """A factor in other units, rounded on the way, is left out as the copy it is, not as one that cannot be fitted."""
    X, y = two_overlapping()
    noise = np.random.default_rng(4).normal(size=len(X))
    table = pd.DataFrame({"ng_ml": X[:, 0], "ug_l": 1000 * (X[:, 0] + rounding * noise)})
    model = ClinicalLogisticRegression().fit(table, y)

    (excluded,) = model.excluded_
    assert excluded.kind == "collinear"
    assert excluded.reason == f"it is a linear combination of {model.factors_[0]}"


def test_a_constant_but_for_rounding_is_excluded() -> None:
    """One value computed in two ways, a unit in the last place apart, is a constant and has no odds ratio."""
    X, y = two_overlapping()
    column = np.where(np.arange(len(y)) == int(np.argmax(y)), 0.3, 0.1 * 3)
    assert np.ptp(column) > 0
    model = ClinicalLogisticRegression().fit(pd.DataFrame({"marker": X[:, 0], "dose": column}), y)

    assert [(excluded.factor, excluded.kind) for excluded in model.excluded_] == [("dose", "constant")]
    assert [effect.factor for effect in model.univariable_] == ["marker"]


def test_missing_values_are_refused_by_name() -> None:
    """Missing values are a contract error with each column and its count, in training and prediction."""
    table = pl.DataFrame(
        {"age": [50, None, 61, 70, 44, 58], "ast": [1, 0, None, None, 1, 0], "sex": [0, 1, 0, 1, 1, 0]}
    )
    y = [0, 1, 0, 1, 1, 0]
    with pytest.raises(ContractError, match=r"age \(1\), ast \(2\)"):
        ClinicalLogisticRegression().fit(table, y)

    model = ClinicalLogisticRegression().fit(table.fill_null(0), y)
    with pytest.raises(ContractError, match=r"age \(1\), ast \(2\)"):
        model.predict_proba(table)


def test_imputer_before_it_fills_missing_values() -> None:
    """With an imputer in front the same table trains and predicts."""
    X, y = two_overlapping()
    X[3, 0] = np.nan
    model = make_pipeline(SimpleImputer(strategy="median"), ClinicalLogisticRegression()).fit(X, y)

    assert np.isfinite(model.predict_proba(X)).all()


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_give_names(frame: Any) -> None:
    """Frames of pandas and polars give the array's numbers under their own column names."""
    X, y = two_overlapping()
    table = frame({"age": X[:, 0], "ast": X[:, 1]})
    labels = np.where(y == 1, "recurrence", "none")
    model = ClinicalLogisticRegression().fit(table, labels)

    assert model.feature_names_in_.tolist() == ["age", "ast"]
    assert model.classes_.tolist() == ["none", "recurrence"]
    np.testing.assert_array_equal(model.predict_proba(table), ClinicalLogisticRegression().fit(X, y).predict_proba(X))


@pytest.mark.parametrize("name", ["alpha_univariable", "alpha_multivariable"])
def test_alpha_outside_its_range(name: str) -> None:
    """A significance level outside (0, 1] is refused by name."""
    X, y = two_overlapping()
    with pytest.raises(ValueError, match=name):
        ClinicalLogisticRegression(**{name: 0.0}).fit(X, y)
