"""The radiomics models beside logistic regression, and the combined model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from schemas.errors import ContractError
from zoo.evaluation.auc import auc
from zoo.models.summary import model_summary
from zoo.radiomics.combined import CombinedFeatures
from zoo.radiomics.pipelines import (
    combined,
    radiomics_knn,
    radiomics_lr,
    radiomics_mlp,
    radiomics_svm,
    radiomics_xgb,
)
from zoo.radiomics.platt import PlattClassifier
from zoo.radiomics.tuned import TunedClassifier
from zoo.registry import model_names, model_spec
from zoo.saving.persist import load_model, save_model

# scikit-learn's tables have no column names.
NAMELESS = "what is radiomics and what a clinical factor is told by the columns' names"
NEEDS_NAMES = [
    "check_fit_score_takes_y",
    "check_estimators_overwrite_params",
    "check_dont_overwrite_parameters",
    "check_estimators_fit_returns_self",
    "check_readonly_memmap_input",
    "check_n_features_in_after_fitting",
    "check_positive_only_tag_during_fit",
    "check_estimators_dtypes",
    "check_dtype_object",
    "check_pipeline_consistency",
    "check_sample_weights_pandas_series",
    "check_sample_weights_not_an_array",
    "check_sample_weights_list",
    "check_all_zero_sample_weights_error",
    "check_sample_weights_shape",
    "check_sample_weights_not_overwritten",
    "check_sample_weight_equivalence_on_dense_data",
    "check_estimators_nan_inf",
    "check_estimators_pickle",
    "check_f_contiguous_array_estimator",
    "check_transformer_data_not_an_array",
    "check_transformer_general",
    "check_transformer_preserve_dtypes",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_fit2d_1sample",
    "check_fit2d_1feature",
    "check_dict_unchanged",
    "check_fit_idempotent",
    "check_fit_check_is_fitted",
    "check_n_features_in",
    "check_fit2d_predict1d",
]

BUILDERS = [radiomics_svm, radiomics_knn, radiomics_xgb, radiomics_mlp]
N_PATIENTS, N_FEATURES = 120, 60


@pytest.fixture(scope="module")
def table() -> tuple[pl.DataFrame, np.ndarray]:
    """Three informative features of two phases among sixty, and an informative clinical factor."""
    rng = np.random.default_rng(7)
    labels = np.tile([0, 1], N_PATIENTS // 2)
    values = rng.standard_normal((N_PATIENTS, N_FEATURES))
    values[:, [0, 20, 40]] += 0.9 * labels[:, None]
    names = [f"{'AP' if i % 2 == 0 else 'DP'}__f{i}" for i in range(N_FEATURES)]
    frame = pl.DataFrame(values, schema=names, orient="row")
    factor = (rng.random(N_PATIENTS) < 0.25 + 0.4 * labels).astype(float)
    noise = (rng.random(N_PATIENTS) < 0.5).astype(float)
    return frame.with_columns(pl.Series("ast>40", factor), pl.Series("sex=male", noise)), labels


def radiomics_of(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the columns of a phase."""
    return frame.select([name for name in frame.columns if "__" in name])


@parametrize_with_checks([TunedClassifier(LogisticRegression(), {"C": (0.1, 1.0)}, n_splits=2)])
def test_a_tuned_classifier_keeps_scikit_learns_contract(estimator: Any, check: Any) -> None:
    """The tuned classifier passes every check that scikit-learn has for a binary classifier."""
    check(estimator)


@parametrize_with_checks(
    [CombinedFeatures(StandardScaler())],
    expected_failed_checks=lambda estimator: dict.fromkeys(NEEDS_NAMES, NAMELESS),
)
def test_combined_features_keep_scikit_learns_contract(estimator: Any, check: Any) -> None:
    """The combined inputs pass the checks that a table without column names can make."""
    check(estimator)


def test_combined_features_of_a_table_without_names() -> None:
    """An array, whose columns nobody can tell apart, is refused in words."""
    with pytest.raises(ContractError, match="by their names"):
        CombinedFeatures(StandardScaler()).fit(np.ones((4, 3)), [0, 1, 0, 1])


@pytest.mark.parametrize("build", BUILDERS, ids=lambda build: build.__name__)
def test_a_model_learns_on_some_patients_and_predicts_others(
    build: Callable[..., Pipeline], table: tuple[pl.DataFrame, np.ndarray]
) -> None:
    """Each classifier ranks patients it has not seen well above chance where there is a signal."""
    frame, labels = radiomics_of(table[0]), table[1]
    model = build(random_state=0).fit(frame[:80], labels[:80])
    probabilities = model.predict_proba(frame[80:])[:, 1]
    assert np.all((probabilities >= 0) & (probabilities <= 1))
    assert auc(labels[80:], probabilities) > 0.65


@pytest.mark.parametrize("build", [*BUILDERS, combined], ids=lambda build: build.__name__)
def test_the_same_seed_gives_the_same_model_and_saving_keeps_it(
    build: Callable[..., Pipeline], table: tuple[pl.DataFrame, np.ndarray], tmp_path: Path
) -> None:
    """Two fits with one seed agree to the bit, and so does the model read back from its folder."""
    frame = table[0] if build is combined else radiomics_of(table[0])
    first, second = (build(random_state=3).fit(frame, table[1]) for _ in range(2))
    expected = first.predict_proba(frame)
    assert np.array_equal(expected, second.predict_proba(frame))
    digest = save_model(tmp_path / "model", first, {"columns": list(frame.columns)})
    loaded = load_model(tmp_path / "model", digest)
    assert np.array_equal(expected, loaded.estimator.predict_proba(frame))


def test_all_radiomics_models_select_the_same_features(table: tuple[pl.DataFrame, np.ndarray]) -> None:
    """The selection before the classifier is one and the same, so models differ in the classifier alone."""
    frame, labels = radiomics_of(table[0]), table[1]
    selected = {
        tuple(build(random_state=0).fit(frame, labels).estimator_[:-1].get_feature_names_out())
        for build in (radiomics_lr, radiomics_knn, radiomics_mlp)
    }
    assert len(selected) == 1


def test_the_combined_model_keeps_features_and_factors(table: tuple[pl.DataFrame, np.ndarray]) -> None:
    """RCR's last step sees the selected features and the factors that the clinical model keeps, and no other."""
    model = combined(random_state=0).fit(*table)
    names = [str(name) for name in model.estimator_[:-1].get_feature_names_out()]
    assert "ast>40" in names
    assert "sex=male" not in names
    assert any("__" in name for name in names)
    transformed = model.estimator_[:-1].transform(table[0])
    factor = transformed[:, names.index("ast>40")]
    assert factor.mean() == pytest.approx(0, abs=1e-12)
    assert factor.std() == pytest.approx(1)


@pytest.mark.parametrize("kind", ["radiomics", "clinical"])
def test_the_combined_model_needs_both_kinds_of_columns(kind: str, table: tuple[pl.DataFrame, np.ndarray]) -> None:
    """A table of one kind alone is refused in words."""
    frame = radiomics_of(table[0]) if kind == "radiomics" else table[0].select("ast>40", "sex=male")
    with pytest.raises(ContractError, match="needs radiomics columns"):
        combined().fit(frame, table[1])


def test_tuning_takes_the_value_that_predicts_best() -> None:
    """Of one neighbour and many, many are taken where labels are noisy, and the score is kept."""
    rng = np.random.default_rng(0)
    labels = np.tile([0, 1], 100)
    values = labels[:, None] + 1.5 * rng.standard_normal((200, 1))
    tuned = TunedClassifier(KNeighborsClassifier(), {"n_neighbors": (1, 41)}).fit(values, labels)
    assert tuned.best_params_ == {"n_neighbors": 41}


def test_tuning_does_not_depend_on_the_labels_names() -> None:
    """Words as labels give the choice and the score that 0 and 1 give."""
    random = np.random.default_rng(1)
    values, labels = random.normal(size=(40, 3)), np.repeat([0, 1], 20)
    grid = {"n_neighbors": (1, 5, 9)}
    words = np.array(["none", "recurrence"])[labels]
    numbered, named = (TunedClassifier(KNeighborsClassifier(), grid).fit(values, each) for each in (labels, words))
    assert (named.best_params_, named.best_score_) == (numbered.best_params_, numbered.best_score_)
    assert set(named.predict(values)) == {"none", "recurrence"}


def test_more_neighbours_than_a_fold_has_are_not_tried():
    """With 20 patients in five folds of 16 to train on, 31 neighbours are left out and nothing is warned of."""
    random = np.random.default_rng(1)
    values, labels = random.normal(size=(20, 3)), np.repeat([0, 1], 10)
    tuned = TunedClassifier(KNeighborsClassifier(), {"n_neighbors": (5, 31)}).fit(values, labels)
    assert tuned.best_params_ == {"n_neighbors": 5}
    with pytest.raises(ValueError, match="leaves 16 patients to fit to, and 'n_neighbors' is tried from 31 on"):
        TunedClassifier(KNeighborsClassifier(), {"n_neighbors": (31,)}).fit(values, labels)
    assert -0.25 < tuned.best_score_ < 0


@pytest.mark.parametrize("build", [radiomics_svm, radiomics_knn], ids=lambda build: build.__name__)
@pytest.mark.parametrize(("events", "patients"), [(6, 40), (3, 24)])
def test_few_events_get_fewer_folds(build: Callable[..., Pipeline], events: int, patients: int) -> None:
    """With few patients of a class every fit of the search has both classes, and the best score is a number."""
    labels = (np.arange(patients) < events).astype(int)
    values = np.random.default_rng(2).normal(size=(patients, 4)) + 1.5 * labels[:, None]
    tuned = build(random_state=0).fit(values, labels)
    assert np.isfinite(tuned.held_out_probabilities_).all()
    assert np.isfinite(tuned.predict_proba(np.zeros((1, tuned.n_features_in_)))).all()


def test_one_patient_of_a_class_cannot_be_cross_validated() -> None:
    """A class with one patient is refused in words, and one with two is enough for neighbours."""
    values, labels = np.random.default_rng(3).normal(size=(21, 2)), np.repeat([1, 0], [2, 19])
    tuned = TunedClassifier(KNeighborsClassifier(), {"n_neighbors": (3, 5)}).fit(values, labels)
    assert np.isfinite(tuned.best_score_)
    with pytest.raises(ValueError, match="a class has 1 patient only"):
        TunedClassifier(KNeighborsClassifier(), {"n_neighbors": (3, 5)}).fit(values[1:], labels[1:])


def test_a_fit_that_fails_is_not_passed_over() -> None:
    """What a machine refuses on a part of the patients is raised, and is not a score of the first of the grid."""
    values, labels = np.random.default_rng(3).normal(size=(21, 2)), np.repeat([1, 0], [2, 19])
    with pytest.raises(ValueError, match="leaves 1 of 2 patients of the rarer label to fit to; a class has 1"):
        TunedClassifier(PlattClassifier(SVC()), {"estimator__C": (0.1, 1.0)}).fit(values, labels)


def test_a_summary_names_features_steps_and_choices(table: tuple[pl.DataFrame, np.ndarray]) -> None:
    """What is stored of a model names its features, the columns left after each step and chosen parameters."""
    frame, labels = table
    linear = model_summary(radiomics_lr().fit(radiomics_of(frame), labels))
    assert linear["columns_after"]["variance"] == N_FEATURES
    assert linear["columns_after"]["lasso"] == len(linear["features"])
    assert all(isinstance(each["coefficient"], float) for each in linear["features"])
    trees = model_summary(radiomics_xgb().fit(radiomics_of(frame), labels))
    assert {"max_depth", "n_estimators", "reg_lambda"} == trees["parameters"].keys()
    assert all(each["coefficient"] is None for each in trees["features"])
    both = model_summary(combined().fit(frame, labels))
    assert both["columns_after"]["with_factors"] == len(both["features"])


@pytest.mark.parametrize("build", [radiomics_lr, radiomics_knn, combined], ids=lambda build: build.__name__)
def test_few_events_per_selected_column_are_noted(
    build: Callable[..., Pipeline], table: tuple[pl.DataFrame, np.ndarray]
) -> None:
    """Under ten patients of the smaller class for each column of the last step are noted, and ten are not."""
    frame, labels = table if build is combined else (radiomics_of(table[0]), table[1])
    model = build(random_state=0).fit(frame, labels)
    columns = len(model.estimator_[:-1].get_feature_names_out())
    what = "features and factors" if build is combined else "features"
    few, enough = np.repeat([1, 0], [10 * columns - 1, 500]), np.repeat([1, 0], [10 * columns, 500])
    note = (
        f"{columns} selected {what} entered the classifier with {10 * columns - 1} patients in the smaller class: "
        f"{10 - 1 / columns:.1f} events per variable, fewer than 10"
    )
    assert columns > 1
    assert note in model_summary(model, few)["notes"]
    assert note not in model_summary(model, enough)["notes"]
    assert model_summary(model, few)["notes"][:-1] == model_summary(model, enough)["notes"]


def test_the_zoo_has_the_members_of_the_design() -> None:
    """Names and inputs are those that studies and SQL rely on."""
    inputs = {name: model_spec(name).inputs for name in model_names()}
    assert inputs["cr"] == ("clinical",)
    assert inputs["rcr"] == ("clinical", "radiomics")
    for name in ("lr", "svm", "knn", "xgb", "mlp"):
        assert inputs[f"radiomics_{name}"] == ("radiomics",)
    for name in ("bclc", "cnlc", "erasl_pre", "nlr", "plr", "lmr"):
        assert inputs[name] == ("comparator",)
