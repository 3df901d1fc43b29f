"""The registry and the radiomics pipeline: members, names of features, missing features, no leak."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone, is_classifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from schemas.errors import NotFoundError, UsageError
from schemas.study.models import ModelSettings
from schemas.study.networks import NetworkSettings
from zoo.radiomics.pipelines import radiomics_lr, selected_features
from zoo.registry import REGISTRY, model_names, model_spec


def radiomics_table(n: int = 90, n_columns: int = 120, seed: int = 0) -> tuple[pl.DataFrame, np.ndarray]:
    """Return features of which the first four decide the class, with holes as extraction leaves them."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, n_columns))
    y = (1.2 * X[:, :4].sum(axis=1) + random.logistic(size=n) > 0).astype(int)
    X[random.random(X.shape) < 0.01] = np.nan
    X[:, 10] = np.nan
    X[:, 11] = 7.0
    table = pl.DataFrame(X, schema=[f"PVP__f{column}" for column in range(n_columns)])
    return table.with_columns(pl.all().fill_nan(None)), y


def test_members() -> None:
    """Every member has its own name as key, inputs, and builds an unfitted classifier from a seed."""
    assert model_names() == tuple(REGISTRY)
    assert {"cr": ("clinical",), "radiomics_lr": ("radiomics",)}.items() <= {
        name: spec.inputs for name, spec in REGISTRY.items()
    }.items()
    for name in model_names():
        spec = model_spec(name)
        assert spec.name == name
        estimator = spec.build(ModelSettings(), random_state=3)
        assert is_classifier(estimator)
        assert not hasattr(estimator, "classes_")
        clone(estimator)


@pytest.mark.parametrize("name", [name for name, spec in REGISTRY.items() if "regions" in spec.inputs])
def test_what_the_study_file_says_reaches_the_network(name: str) -> None:
    """The study's settings are those of the built network; left out, they are the paper's."""
    asked = NetworkSettings(epochs=7, optimiser="adam")
    for settings, expected in ((ModelSettings(network=asked), asked), (ModelSettings(), NetworkSettings())):
        parameters = model_spec(name).build(settings, random_state=3).get_params()
        assert parameters["network__settings" if name == "late_fusion" else "settings"] == expected
    assert (expected.epochs, expected.batch_size, expected.learning_rate, expected.weight_decay, expected.momentum) == (
        (200, 64, 1e-4, 1e-4, 0.9)
    )


@pytest.mark.parametrize("name", [name for name, spec in REGISTRY.items() if "radiomics" in spec.inputs])
def test_what_the_study_file_says_reaches_the_selection(name: str) -> None:
    """The correction and the LASSO's rule of the settings are those of the built pipeline."""
    settings = ModelSettings(correction="benjamini-hochberg", lasso_rule="one-standard-error")
    parameters = model_spec(name).build(settings, random_state=3).get_params()
    found = {
        key.rpartition("__")[2]: value for key, value in parameters.items() if "univariable" in key or "lasso" in key
    }
    assert (found["correction"], found["rule"], found["random_state"]) == (
        "benjamini-hochberg",
        "one-standard-error",
        3,
    )


def test_unknown_model() -> None:
    """An unknown name is not found, with the nearest names, and all of them once."""
    with pytest.raises(NotFoundError, match="nearest: radiomics_lr") as error:
        model_spec("radiomic-lr")
    assert error.value.exit_code == 3
    assert str(error.value).count("radiomics_svm") == 1
    with pytest.raises(NotFoundError, match="take one of: cr, radiomics_lr") as error:
        model_spec("zzzzzzzzzzzz")
    assert str(error.value).count("radiomics_svm") == 1


def test_selected_features_have_their_names() -> None:
    """The final model's features carry the table's names, contain the planted ones, and give its log odds."""
    table, y = radiomics_table()
    pipeline = radiomics_lr().estimator.fit(table, y)
    features = selected_features(pipeline)

    names = [name for name, _ in features]
    assert set(names) <= set(table.columns)
    assert {f"PVP__f{column}" for column in range(4)} <= set(names)
    assert [abs(value) for _, value in features] == sorted((abs(value) for _, value in features), reverse=True)

    medians = table.median()
    filled = table.with_columns(pl.col(name).fill_null(medians[name][0]) for name in names).select(names).to_numpy()
    standardised = (filled - filled.mean(axis=0)) / filled.std(axis=0)
    log_odds = standardised @ [value for _, value in features] + pipeline["classifier"].intercept_[0]
    np.testing.assert_allclose(log_odds, pipeline.decision_function(table), atol=1e-9)


def test_names_at_every_step() -> None:
    """Every step before the classifier can say what its output columns are called."""
    table, y = radiomics_table()
    pipeline = radiomics_lr().estimator.fit(table, y)

    widths = [len(pipeline[:end].get_feature_names_out()) for end in range(1, len(pipeline))]
    assert widths[0] == 120
    assert widths[1] == widths[2] == 118
    assert widths[2] > widths[3] > widths[4] > 0


def test_columns_missing_in_training_do_not_count() -> None:
    """A column missing or constant in training does not enter the model, whatever it holds later."""
    table, y = radiomics_table()
    pipeline = radiomics_lr().estimator.fit(table, y)
    other = table.with_columns(PVP__f10=pl.Series(np.arange(90.0)), PVP__f11=pl.Series(np.arange(90.0)))

    np.testing.assert_array_equal(pipeline.predict_proba(other), pipeline.predict_proba(table))


def test_noise_does_not_stop_a_fold() -> None:
    """With classes that are equal in every column the pipeline still trains on one column and predicts."""
    random = np.random.default_rng(2)
    table = pl.DataFrame(np.repeat(random.normal(size=(30, 5)), 2, axis=0), schema=list("abcde"))
    pipeline = radiomics_lr().estimator.fit(table, np.arange(60) % 2)

    assert pipeline["univariable"].relaxed_
    assert len(pipeline[:-1].get_feature_names_out()) == 1
    assert np.isfinite(pipeline.predict_proba(table)).all()


def test_selection_stays_inside_the_fold() -> None:
    """On noise the cross-validated AUC is near .5, while selecting on all patients first shows far more."""
    random = np.random.default_rng(0)
    X, y = random.normal(size=(80, 400)), np.arange(80) % 2
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    pipeline = radiomics_lr().estimator
    inside = cross_val_predict(radiomics_lr(), X, y, cv=folds, method="predict_proba")[:, 1]
    leaked = pipeline[:-1].fit_transform(X, y)
    outside = cross_val_predict(pipeline[-1], leaked, y, cv=folds, method="predict_proba")[:, 1]

    assert 0.3 < roc_auc_score(y, inside) < 0.7
    assert roc_auc_score(y, outside) > 0.85


def test_penalty_stays() -> None:
    """Where the selected features separate the training patients, probabilities stay away from 0 and 1."""
    random = np.random.default_rng(1)
    X, y = random.normal(size=(60, 1000)), np.arange(60) % 2
    pipeline = radiomics_lr().fit(X, y)

    assert roc_auc_score(y, pipeline.predict_proba(X)[:, 1]) > 0.98
    assert pipeline.predict_proba(X).max() < 0.99


def test_same_seed_same_model() -> None:
    """Two pipelines from one seed give bit-equal probabilities."""
    table, y = radiomics_table()
    first, second = (model_spec("radiomics_lr").build(random_state=5).fit(table, y) for _ in range(2))

    np.testing.assert_array_equal(first.predict_proba(table), second.predict_proba(table))


def test_no_coefficients() -> None:
    """An unfitted pipeline has no features to list and says what to do."""
    with pytest.raises(UsageError, match="no coefficients"):
        selected_features(radiomics_lr().estimator)
