"""Explanations: they add up where they say so, are those of other implementations, and know what cannot matter."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
import xgboost
from scipy.special import expit, logit
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression

from zoo.logistic.clinical import ClinicalLogisticRegression
from zoo.models.contributions import column_references, contributions, last_step
from zoo.models.importances import permutation_importances, training_importances
from zoo.registry import model_spec
from zoo.staging.estimators import ComparatorClassifier

RADIOMICS = ("radiomics_lr", "radiomics_svm", "radiomics_knn", "radiomics_xgb", "radiomics_mlp", "rcr")
KIND = dict.fromkeys(RADIOMICS, "occlusion") | {"radiomics_lr": "linear", "rcr": "linear", "radiomics_xgb": "tree"}


def cohort(seed: int = 0) -> tuple[pl.DataFrame, np.ndarray]:
    """Return 24 features with holes and two factors of 80 patients; three features and one factor tell the label."""
    random = np.random.default_rng(seed)
    features = random.normal(size=(80, 24))
    sick = (random.random(80) < 0.5).astype(float)
    age = random.normal(60, 9, size=80)
    labels = (features[:, :3].sum(axis=1) + 1.5 * sick + random.logistic(size=80) > 0.8).astype(int)
    features[random.random(features.shape) < 0.01] = np.nan
    table = pl.DataFrame(features, schema=[f"AP__f{column}" for column in range(24)]).with_columns(
        pl.all().fill_nan(None)
    )
    return table.with_columns(sick=pl.Series(sick), age=pl.Series(age)), labels


@pytest.fixture(scope="module")
def fitted():
    """Return a function that gives a fitted model, its table and the labels; each is fitted once."""
    table, labels = cohort()
    known = {}

    def of(name):
        if name not in known:
            inputs = table if name == "rcr" else table.select(pl.exclude("sick", "age"))
            known[name] = model_spec(name).build(random_state=1).fit(inputs, labels), inputs
        return *known[name], labels

    return of


@pytest.mark.parametrize("name", RADIOMICS)
def test_what_selection_left_out_cannot_matter(fitted, name):
    """Other values in every column that the last step does not see leave all probabilities bit-equal."""
    model, inputs, _ = fitted(name)
    step = last_step(model, inputs, {})
    assert 0 < len(step.features) < inputs.width
    others = [column for column in inputs.columns if column not in step.features]
    changed = inputs.with_columns(pl.lit(1e3).alias(column) for column in others)
    np.testing.assert_array_equal(model.predict_proba(changed), model.predict_proba(inputs))


@pytest.mark.parametrize("name", RADIOMICS)
def test_the_last_step_gives_the_models_own_probabilities(fitted, name):
    """From the columns it sees alone, the last step gives each patient's probability."""
    model, inputs, _ = fitted(name)
    step = last_step(model, inputs, {})
    np.testing.assert_allclose(step.probability(step.values), model.predict_proba(inputs)[:, 1], rtol=1e-14)


@pytest.mark.parametrize("name", RADIOMICS)
def test_contributions_are_of_the_kind_that_the_model_allows(fitted, name):
    """Linear and tree contributions add up to the log odds; other models get differences of probabilities."""
    model, inputs, _ = fitted(name)
    step = last_step(model, inputs, {})
    found = contributions(step)
    probabilities = model.predict_proba(inputs)[:, 1]
    assert found.kind == KIND[name]
    assert found.values.shape == (80, len(found.features))
    assert found.unit == ("probability" if found.kind == "occlusion" else "log odds")
    if found.kind == "occlusion":
        without = step.values.copy()
        without[:, 0] = 0.0  # the training mean of a column that was scaled on the training patients
        np.testing.assert_array_equal(found.values[:, 0], probabilities - step.probability(without))
    else:
        # XGBoost computes in single precision.
        tolerance = 1e-5 if found.kind == "tree" else 1e-12
        np.testing.assert_allclose(found.baseline + found.values.sum(axis=1), logit(probabilities), atol=tolerance)


def test_tree_contributions_are_shapley_values():
    """On two features TreeSHAP gives Shapley's average over both orders, computed here from the trees themselves."""
    random = np.random.default_rng(4)
    X = random.normal(size=(60, 2))
    y = (X[:, 0] + 0.5 * X[:, 1] + 0.3 * random.normal(size=60) > 0).astype(int)
    model = xgboost.XGBClassifier(n_estimators=1, max_depth=2, n_jobs=1, learning_rate=1.0).fit(X, y)
    trees = model.get_booster().trees_to_dataframe().set_index("ID")
    base = model.predict(X[:1], output_margin=True)[0]

    def expected(row, known, node="0-0"):
        """Return the tree's output where only some features are known: others go both ways, by training cover."""
        here = trees.loc[node]
        if here["Feature"] == "Leaf":
            return here["Gain"]
        column = int(here["Feature"][1:])
        if column in known:
            return expected(
                row, known, here["Yes"] if np.float32(row[column]) < np.float32(here["Split"]) else here["No"]
            )
        yes, no = trees.loc[here["Yes"]], trees.loc[here["No"]]
        share = yes["Cover"] / (yes["Cover"] + no["Cover"])
        return share * expected(row, known, here["Yes"]) + (1 - share) * expected(row, known, here["No"])

    found = model.get_booster().predict(xgboost.DMatrix(X), pred_contribs=True)
    constant = base - expected(X[0], {0, 1})
    for row, (first, second, bias) in zip(X, found, strict=True):
        none, one, two, both = (expected(row, known) for known in ({}, {0}, {1}, {0, 1}))
        assert first == pytest.approx(((one - none) + (both - two)) / 2, abs=1e-5)
        assert second == pytest.approx(((two - none) + (both - one)) / 2, abs=1e-5)
        assert bias == pytest.approx(none + constant, abs=1e-5)


def test_a_clinical_model_is_explained_from_the_training_means():
    """A factor's part is its coefficient times the distance from the training mean; the parts give the log odds."""
    table, labels = cohort()
    inputs = table.select("sick", "age")
    model = ClinicalLogisticRegression().fit(inputs, labels)
    references = column_references(model, inputs)
    step = last_step(model, inputs, references)
    found = contributions(step)
    assert list(found.features) == model.factors_ == ["sick"]
    expected = (inputs["sick"].to_numpy() - inputs["sick"].mean()) * model.coef_[0, 0]
    np.testing.assert_allclose(found.values[:, 0], expected, atol=1e-12)
    np.testing.assert_allclose(
        expit(found.baseline + found.values.sum(axis=1)), model.predict_proba(inputs)[:, 1], atol=1e-12
    )


def test_a_clinical_coefficient_is_per_standard_deviation_with_its_interval():
    """The stored coefficient is that of a regression on the standardised factor, the interval its Wald interval."""
    table, labels = cohort()
    inputs = table.select("sick", "age")
    model = ClinicalLogisticRegression().fit(inputs, labels)
    step = last_step(model, inputs, column_references(model, inputs))
    (found,) = [row for row in training_importances(step, labels) if row.kind == "coefficient"]
    sick = inputs["sick"].to_numpy()
    standardised = ((sick - sick.mean()) / sick.std())[:, None]
    reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(standardised, labels)
    assert found.value == pytest.approx(reference.coef_[0, 0], rel=1e-5)
    (effect,) = model.multivariable_
    assert (found.lower, found.upper) == pytest.approx(
        (np.log(effect.lower) * sick.std(), np.log(effect.upper) * sick.std())
    )
    assert found.lower < found.value < found.upper


@pytest.mark.parametrize("worse", ["high", "low"])
def test_a_published_score_is_explained_in_its_own_direction(worse):
    """The contribution of a score falls where low is worse, and gives the log odds with the baseline."""
    random = np.random.default_rng(3)
    score = random.normal(3, 2, size=50)
    direction = 1 if worse == "high" else -1
    labels = (direction * (score - 3) + 2 * random.normal(size=50) > 0).astype(int)
    inputs = pl.DataFrame({"nlr": score})
    model = ComparatorClassifier(worse=worse).fit(inputs, labels)
    found = contributions(last_step(model, inputs, column_references(model, inputs)))
    assert np.corrcoef(score, found.values[:, 0])[0, 1] == pytest.approx(direction)
    np.testing.assert_allclose(
        found.baseline + found.values[:, 0], logit(model.predict_proba(inputs)[:, 1]), atol=1e-12
    )


def test_a_model_without_factors_has_nothing_to_explain():
    """Where no factor passed, there is no importance and no contribution, and the baseline is the prevalence."""
    random = np.random.default_rng(6)
    inputs, labels = pl.DataFrame({"a": random.normal(size=40)}), np.arange(40) % 4 == 0
    model = ClinicalLogisticRegression().fit(inputs, labels.astype(int))
    assert model.intercept_only_
    step = last_step(model, inputs, column_references(model, inputs))
    assert training_importances(step, labels.astype(int)) == []
    assert expit(contributions(step).baseline) == pytest.approx(np.full(40, 0.25))


@pytest.mark.parametrize("name", ["radiomics_lr", "radiomics_knn"])
def test_permutation_importance_is_scikit_learns(fitted, name):
    """The mean loss of AUC agrees, within the shuffles' error, with permuting the model's own input columns."""
    model, inputs, labels = fitted(name)
    step = last_step(model, inputs, {})
    mine = {row.feature: row for row in permutation_importances(step, labels, repeats=100)}
    reference = permutation_importance(
        model, inputs.to_pandas(), labels, scoring="roc_auc", n_repeats=30, random_state=7
    )
    theirs = dict(
        zip(inputs.columns, zip(reference.importances_mean, reference.importances_std, strict=True), strict=True)
    )
    for feature, (mean, spread) in theirs.items():
        if feature in mine:
            assert mine[feature].value == pytest.approx(mean, abs=4 * spread / np.sqrt(30) + 1e-3), feature
            assert mine[feature].lower <= mine[feature].value <= mine[feature].upper
        else:
            assert (mean, spread) == (0.0, 0.0), feature


def test_importances_are_the_same_each_time(fitted):
    """The shuffles come from one seed."""
    model, inputs, labels = fitted("radiomics_xgb")
    step = last_step(model, inputs, {})
    assert training_importances(step, labels) == training_importances(step, labels)
    kinds = {row.kind for row in training_importances(step, labels)}
    assert kinds == {"tree", "permutation_training"}
