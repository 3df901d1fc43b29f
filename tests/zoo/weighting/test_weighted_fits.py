"""Fits with weights of patients: a patient of weight 2 counts as two alike, in every step that takes weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
import statsmodels.api as sm
from scipy.special import expit
from scipy.stats import norm
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from schemas.study.models import ModelSettings
from zoo.evaluation.threshold import chosen_threshold, sensitivity_threshold, youden_threshold
from zoo.logistic.clinical import ClinicalLogisticRegression
from zoo.logistic.firth import firth_fit
from zoo.logistic.recalibrated import RecalibratedClassifier
from zoo.logistic.sigmoid import rising_sigmoid
from zoo.logistic.wald import LogisticFit, wald_fit
from zoo.networks.score_join import ScoreJoin
from zoo.radiomics.lasso import LassoSelector
from zoo.radiomics.liblinear import l1_line, solver_seed
from zoo.radiomics.shared_fits import SharedFits
from zoo.registry import model_spec
from zoo.staging.estimators import ComparatorClassifier
from zoo.weighting.steps import fit_options, steps_without_weights
from zoo.weighting.sums import effective_size, means, patient_weights, spreads

RADIOMICS = ("radiomics_lr", "radiomics_svm", "radiomics_knn", "radiomics_xgb", "radiomics_mlp")
TESTS, FILLED = "the univariable tests of features", "values put in for missing ones"

Draw = tuple[np.ndarray, np.ndarray, np.ndarray]


def drawn(patients: int = 80, columns: int = 3, seed: int = 0) -> Draw:
    """Return columns, labels that follow them, and weights of 1, 2 or 3."""
    random = np.random.default_rng(seed)
    table = random.normal(size=(patients, columns))
    labels = (random.random(patients) < expit(table @ np.linspace(1.0, 0.2, columns) - 0.5)).astype(int)
    return table, labels, random.integers(1, 4, patients).astype(float)


def repeated(table: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each patient as often as the weight says."""
    rows = np.repeat(np.arange(len(labels)), weights.astype(int))
    return table[rows], labels[rows]


def assert_equal_fits(found: LogisticFit | None, expected: LogisticFit | None, rel: float) -> None:
    """Compare all numbers of two fits."""
    assert found is not None
    assert expected is not None
    for name in ("intercept", "coefficients", "lower", "upper", "p"):
        assert np.allclose(getattr(found, name), getattr(expected, name), rtol=rel, atol=rel), name


def test_a_weighted_regression_is_that_of_repeated_patients_with_the_errors_of_statsmodels() -> None:
    """Whatever the weights add up to: those of its GLM by HC0, with the factor of HC1, which it leaves out."""
    table, labels, weights = drawn()
    of_repeated = wald_fit(*repeated(table, labels, weights))
    design = sm.add_constant(table)
    for scale in (1.0, 0.37):
        found = wald_fit(table, labels, weights * scale)
        assert found is not None
        assert of_repeated is not None
        assert np.allclose(found.coefficients, of_repeated.coefficients, rtol=1e-7)
        model = sm.GLM(labels, design, family=sm.families.Binomial(), var_weights=weights * scale)
        glm = model.fit(tol=1e-12, cov_type="HC0")
        assert np.allclose([found.intercept, *found.coefficients], glm.params, rtol=1e-7)
        errors = glm.bse[1:] * np.sqrt(80 / (80 - 4))
        assert np.allclose(found.p, 2 * norm.sf(np.abs(glm.params[1:] / errors)), rtol=1e-6)
        assert np.allclose(found.upper - found.lower, 2 * norm.ppf(0.975) * errors, rtol=1e-6)


def test_firths_regression_with_weights_is_that_of_repeated_patients() -> None:
    """The penalty counts by weight too, where a factor separates the classes, and its profile with it."""
    table, labels, weights = drawn(30, 1, seed=3)
    separating = np.column_stack([labels.astype(float), table[:, 0]])
    assert_equal_fits(firth_fit(separating, labels, weights), firth_fit(*repeated(separating, labels, weights)), 1e-4)


def test_the_clinical_model_with_weights_is_that_of_repeated_patients() -> None:
    """Its factors' coefficients; an intercept alone is the weighted share."""
    table, labels, weights = drawn(120, 4, seed=1)
    weighted = ClinicalLogisticRegression().fit(table, labels, weights)
    kept = [int(name.removeprefix("x")) for name in weighted.factors_]
    assert 0 < len(kept) < 4
    expected = wald_fit(*repeated(table[:, kept], labels, weights))
    assert expected is not None
    assert np.allclose(weighted.coef_[0, kept], expected.coefficients, rtol=1e-7)
    assert weighted.intercept_[0] == pytest.approx(expected.intercept, rel=1e-7)
    noise = ClinicalLogisticRegression(alpha_univariable=1e-9).fit(table, labels, weights)
    assert noise.intercept_only_
    assert expit(noise.intercept_[0]) == pytest.approx(np.average(labels, weights=weights))


@pytest.mark.parametrize("worse", ["high", "low"])
def test_a_published_score_with_weights_is_that_of_repeated_patients(worse: str) -> None:
    """Where the slope has the published direction, and where it has not and everyone gets the weighted share."""
    table, labels, weights = drawn(100, 1, seed=2)
    weighted = ComparatorClassifier(worse).fit(table, labels, weights)
    expected = ComparatorClassifier(worse).fit(*repeated(table, labels, weights))
    assert (weighted.slope_, weighted.intercept_) == pytest.approx((expected.slope_, expected.intercept_), rel=1e-6)
    assert weighted.follows_published_direction_ == (worse == "high")


def test_a_weighted_lasso_line_is_that_of_repeated_patients() -> None:
    """At one penalty: which columns stay, and with what coefficient."""
    table, labels, weights = drawn(100, 12, seed=4)
    options: dict[str, Any] = {"C": 0.05, "seed": solver_seed(0), "max_iter": 5000}
    found = l1_line(table, labels.astype(float), weights=weights, **options)
    rows, of_rows = repeated(table, labels, weights)
    expected = l1_line(rows, of_rows.astype(float), **options)
    assert found is not None
    assert expected is not None
    assert np.allclose(found.coef, expected.coef, atol=1e-5)
    assert 0 < (found.coef != 0).sum() < 12


def test_the_lasso_is_at_the_weighted_optimum_and_its_path_does_not_depend_on_the_weights_sum() -> None:
    """The optimality condition of every column, and C times as small where all weigh ten times as much."""
    table, labels, weights = drawn(100, 12, seed=5)
    found = LassoSelector(n_cs=12).fit(table, labels, weights)
    scale = spreads(table, weights)
    Z = (table - means(table, weights)) / scale
    residual = weights * (labels - expit(table @ found.coef_ + found.intercept_))
    pull = found.C_ * (Z.T @ residual)
    assert np.allclose(pull[found.coef_ != 0], np.sign(found.coef_[found.coef_ != 0]), atol=1e-3)
    assert (np.abs(pull) <= 1 + 1e-3).all()
    heavier = LassoSelector(n_cs=12).fit(table, labels, weights * 10)
    assert np.array_equal(heavier.support_, found.support_)
    assert pytest.approx(found.C_ / 10) == heavier.C_
    assert np.allclose(heavier.deviance_, found.deviance_, rtol=1e-4)


def test_a_weighted_sigmoid_is_that_of_repeated_patients() -> None:
    """Platt's targets count by weight; so does the share where the scores say nothing."""
    table, labels, weights = drawn(90, 1, seed=6)
    score = table[:, 0]
    rows, of_rows = repeated(score[:, None], labels, weights)
    for sign in (1.0, -1.0):
        found = rising_sigmoid(sign * score, sign * score, labels, weights, weights)
        expected = rising_sigmoid(sign * rows[:, 0], sign * rows[:, 0], of_rows)
        assert (found.slope, found.intercept) == pytest.approx((expected.slope, expected.intercept), rel=1e-5)


def test_thresholds_with_weights_are_those_of_repeated_patients() -> None:
    """Youden's index and a sensitivity asked for, among all cuts or given ones."""
    for seed in range(5):
        table, labels, weights = drawn(40, 1, seed=seed)
        score = np.round(expit(table[:, 0]), 1)
        rows, of_rows = repeated(score[:, None], labels, weights)
        assert youden_threshold(labels, score, weights=weights) == youden_threshold(of_rows, rows[:, 0])
        for sensitivity in (0.3, 0.8, 1.0):
            found = sensitivity_threshold(labels, score, sensitivity, weights=weights)
            assert found == sensitivity_threshold(of_rows, rows[:, 0], sensitivity)
        cuts = np.linspace(0.1, 0.9, 7)
        assert chosen_threshold("youden", labels, score, cuts, weights) == youden_threshold(of_rows, rows[:, 0], cuts)


def test_members_of_late_fusion_are_joined_by_weight() -> None:
    """AUCs within parts, slope and intercept are those of repeated patients of the same parts' spread."""
    table, labels, weights = drawn(120, 2, seed=7)
    numbers = np.arange(120) % 3
    found = ScoreJoin().fit(table, labels, numbers, weights)
    ones, zeros = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    wins, pairs = np.zeros(2), 0.0
    for one in ones:
        for zero in zeros[numbers[zeros] == numbers[one]]:
            wins += weights[one] * weights[zero] * (table[one] > table[zero])
            pairs += weights[one] * weights[zero]
    assert found.aucs_ == pytest.approx(wins / pairs)
    said = expit(found.log_odds((table - found.means_) / found.scales_))
    assert float(np.average(said, weights=weights)) == pytest.approx(np.average(labels, weights=weights), abs=0.02)
    plain, ones_only = ScoreJoin().fit(table, labels, numbers), np.ones(120)
    assert ScoreJoin().fit(table, labels, numbers, ones_only).weights_ == pytest.approx(plain.weights_)


@pytest.fixture(scope="module")
def radiomics() -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """Give features of one phase with a factor, labels that follow some of them, and weights."""
    table, labels, weights = drawn(90, 16, seed=8)
    names = [*(f"AP__f{number}" for number in range(15)), "age"]
    return pl.DataFrame(table, schema=names, orient="row"), labels, weights


def members() -> list[str]:
    """Return the members that read tables and learn more than a line."""
    return [*RADIOMICS, "rcr", "cr"]


def read_by(model: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Return the columns that a member reads."""
    wanted = {"rcr": frame.columns, "cr": ["age", "AP__f0"]}.get(model, frame.columns[:-1])
    return frame.select(wanted).rename({"AP__f0": "ast"} if model == "cr" else {})


@pytest.mark.parametrize("model", members())
def test_a_member_is_fitted_tuned_and_recalibrated_by_weight(
    model: str, radiomics: tuple[pl.DataFrame, np.ndarray, np.ndarray]
) -> None:
    """Its mean probability by weight is the weighted share, what was held out is, and no weight is no change."""
    frame, labels, weights = radiomics
    table = read_by(model, frame)
    unfitted = model_spec(model).build(ModelSettings(), random_state=1)
    weights = np.where(labels == 1, 1.0, 2.5) * weights
    weighted = clone(unfitted).fit(table, labels, sample_weight=weights)
    share = float(np.average(labels, weights=weights))
    held_out = weighted.held_out_probabilities_
    assert float(np.average(held_out, weights=weights[weighted.held_out_rows_])) == pytest.approx(share, abs=0.01)
    plain = clone(unfitted).fit(table, labels)
    assert float(plain.held_out_probabilities_.mean()) == pytest.approx(labels.mean(), abs=0.01)
    alike = clone(unfitted).fit(table, labels, sample_weight=None)
    assert np.array_equal(alike.predict_proba(table), plain.predict_proba(table))
    if model == "cr":  # whose tests have robust errors where weights are given
        return
    by_one = clone(unfitted).fit(table, labels, sample_weight=np.ones(len(labels)))
    assert np.allclose(by_one.predict_proba(table), plain.predict_proba(table), atol=2e-3)


@pytest.mark.parametrize("model", ["radiomics_lr", "radiomics_svm", "radiomics_xgb", "radiomics_mlp"])
def test_the_last_step_is_fitted_to_weighted_patients_as_to_repeated_ones(model: str) -> None:
    """Regression, machine, trees and perceptron, each at one choice of its grid."""
    table, labels, weights = drawn(70, 4, seed=9)
    found = model_spec(model).build(ModelSettings(), random_state=1)
    chosen = {name: values[0] for name, values in found.grid.items()}
    # Without drawing rows and columns: draws of weighted rows are other draws. A kernel of fixed width.
    drawing = {"subsample": 1.0, "colsample_bytree": 1.0} if model == "radiomics_xgb" else {}
    last = found.estimator[-1].set_params(**chosen, **drawing)
    tight = {"svm": {"tol": 1e-7}, "mlp": {"tol": 1e-10}, "_lr": {"tol": 1e-9}}.get(model[-3:], {})
    last.set_params(**tight)
    weighted = clone(last).fit(table, labels, **fit_options(last, weights))
    expected = clone(last).fit(*repeated(table, labels, weights))
    ask = "decision_function" if hasattr(last, "decision_function") else "predict_proba"
    assert np.allclose(getattr(weighted, ask)(table), getattr(expected, ask)(table), atol=2e-3)
    assert not np.allclose(
        getattr(clone(last).fit(table, labels), ask)(table), getattr(weighted, ask)(table), atol=2e-3
    )


def test_the_tuning_compares_combinations_by_weighted_loss() -> None:
    """A combination that is better for the heavy patients alone wins where they are heavy."""
    random = np.random.default_rng(10)
    labels = np.tile([0, 1], 60)
    # The first column tells the labels of the first forty patients, and the contrary of those of the others.
    follows = np.arange(120) < 40
    table = np.where(follows, labels, 1 - labels)[:, None] + random.normal(0, 0.3, size=(120, 1))
    grid = {"C": (1e-6, 1.0)}
    heavy = np.where(follows, 1.0, 0.1)
    alike = RecalibratedClassifier(LogisticRegression(), grid).fit(table[:, :1], labels)
    weighted = RecalibratedClassifier(LogisticRegression(), grid).fit(table[:, :1], labels, sample_weight=heavy)
    assert weighted.estimator_.coef_[0, 0] > 0 > alike.estimator_.coef_[0, 0]
    scores = np.column_stack([weighted.estimator_.decision_function(table[:, :1]), np.zeros(120)])
    losses = np.logaddexp(0, np.where(labels == 1, -scores.T, scores.T))
    expected = (heavy * losses).sum(axis=1)
    assert [weighted._loss(of, labels, heavy) for of in scores.T] == pytest.approx(expected)


def test_shared_selections_are_shared_only_where_weights_are_the_same(
    radiomics: tuple[pl.DataFrame, np.ndarray, np.ndarray],
) -> None:
    """One store for a model with weights, one without and one with others: each as if it had fitted its own."""
    frame, labels, weights = radiomics
    table = read_by("radiomics_lr", frame)
    shared, found = SharedFits(), []
    unfitted = model_spec("radiomics_lr").build(ModelSettings(), random_state=1)
    for each in (weights, None, weights[::-1], weights):
        own = clone(unfitted).fit(table, labels, sample_weight=each)
        taken = SharedFits.released(shared.sharing(unfitted).fit(table, labels, sample_weight=each))
        assert np.array_equal(own.predict_proba(table), taken.predict_proba(table))
        found.append(own.predict_proba(table))
    assert np.array_equal(found[0], found[3])
    assert not any(np.array_equal(found[0], each) for each in found[1:3])


def test_what_takes_no_weights_is_named() -> None:
    """Of every member, in words; a step of somebody else's without a place for weights is named by its type."""
    built = {name: model_spec(name).build(ModelSettings(), random_state=0) for name in (*RADIOMICS, "rcr", "cr")}
    found = {name: steps_without_weights(each) for name, each in built.items()}
    assert found == {
        **dict.fromkeys(RADIOMICS, (FILLED, TESTS)),
        "radiomics_knn": (FILLED, TESTS, "the neighbours' votes"),
        "rcr": (FILLED, TESTS),
        "cr": (),
    }
    imputing = ModelSettings(missing="impute", harmonise="site")
    assert steps_without_weights(model_spec("cr").build(imputing)) == (FILLED,)
    assert "harmonisation by ComBat" in steps_without_weights(model_spec("radiomics_lr").build(imputing))
    networks = [steps_without_weights(model_spec(name).build(ModelSettings())) for name in ("dl_resnet10", "dlrcr")]
    assert networks == [("the scale of the images",), ("the scale of the images", FILLED, TESTS)]
    joined = steps_without_weights(model_spec("late_fusion").build(ModelSettings()))
    assert joined == (*networks[1], "the scale of the members' scores")
    assert steps_without_weights(model_spec("bclc").build(ModelSettings())) == ()

    class Strange(ComparatorClassifier):
        def fit(self, X: Any, y: Any) -> Any:
            return super().fit(X, y)

    pipeline = Pipeline([("one", LassoSelector()), ("two", Strange())])
    assert steps_without_weights(pipeline) == ("the fit of Strange, which takes no weights",)
    assert list(fit_options(pipeline, np.ones(3))) == ["one__sample_weight"]
    assert fit_options(pipeline, None) == {}
    both = fit_options(pipeline, np.ones(3), ["a", "a", "b"])
    assert list(both) == ["one__sample_weight", "one__groups"]


def test_weights_are_numbers_above_zero() -> None:
    """Kish's number of patients: that of equal weights is their number, one that outweighs all is one patient."""
    assert effective_size([2.0, 2.0, 2.0]) == pytest.approx(3)
    assert effective_size([1e9, 1.0, 1.0]) == pytest.approx(1)
    assert effective_size([1.0, 3.0]) == pytest.approx(16 / 10)
    for wrong in ([1.0, 0.0], [1.0, np.nan], [1.0], [-1.0, 2.0]):
        with pytest.raises(ValueError, match="sample_weight"):
            patient_weights(wrong, 2)
