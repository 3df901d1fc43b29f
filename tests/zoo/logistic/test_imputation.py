"""Imputation of clinical factors: what stands in is learnt in the training fold, and leaves the rest as it is."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.impute import SimpleImputer

from schemas.study.models import ModelSettings
from zoo.logistic.clinical import ClinicalLogisticRegression, MissingValuesError
from zoo.logistic.imputation import fill_values, filled
from zoo.radiomics.pipelines import combined
from zoo.registry import model_spec


@settings(max_examples=50)
@given(arrays(float, (9, 3), elements=st.one_of(st.just(np.nan), st.floats(-1e6, 1e6))))
def test_numbers_get_the_median(table):
    """The values that stand in are those of scikit-learn's median imputer, 0 for a column without any."""
    table = table + np.array([0.25, 0.5, 0.75])  # no column of zeros and ones
    reference = SimpleImputer(strategy="median", keep_empty_features=True).fit(table)
    np.testing.assert_array_equal(fill_values(table), reference.statistics_)
    np.testing.assert_array_equal(filled(table, fill_values(table)), reference.transform(table))


def test_zeros_and_ones_get_the_more_frequent():
    """A factor of zeros and ones gets the more frequent one and zero on a tie, never a half."""
    nan = np.nan
    table = np.array([[1, 0, 1, nan], [1, 0, 0, nan], [0, 1, nan, nan], [nan, nan, nan, nan]], dtype=float)
    assert fill_values(table).tolist() == [1.0, 0.0, 0.0, 0.0]


def cohort(n=120, lacking=0.2):
    """Return two factors, one of which tells the label, some cells missing, and the labels."""
    random = np.random.default_rng(3)
    strong, weak = random.normal(size=n), random.normal(size=n)
    labels = (strong + random.normal(size=n) > 0).astype(int)
    values = np.column_stack([strong, weak])
    values[random.random(values.shape) < lacking] = np.nan
    return pl.DataFrame(values, schema=["strong", "weak"]).fill_nan(None), labels


def test_the_clinical_model_fills_with_what_it_learnt_in_training():
    """A model that imputes equals one fitted to data filled by the training medians, in training and afterwards."""
    frame, labels = cohort()
    train, rest = frame[:80], frame[80:]
    medians = train.median().to_numpy()[0]
    model = model_spec("cr").build(ModelSettings(missing="impute")).fit(train, labels[:80])
    np.testing.assert_array_equal(model.estimator_.fill_, medians)
    whole = pl.DataFrame(filled(train.fill_null(np.nan).to_numpy(), medians), schema=train.columns)
    reference = ClinicalLogisticRegression().fit(whole, labels[:80])
    assert model.estimator_.factors_ == reference.factors_ == ["strong"]
    expected = reference.predict_proba(
        pl.DataFrame(filled(rest.fill_null(np.nan).to_numpy(), medians), schema=rest.columns)
    )
    np.testing.assert_allclose(model.estimator_.predict_proba(rest), expected)
    assert np.isfinite(model.predict_proba(rest)).all()


def test_without_imputation_a_missing_value_is_refused():
    """The model as it is by default names the columns and how many values they lack."""
    frame, labels = cohort()
    with pytest.raises(MissingValuesError, match="strong"):
        model_spec("cr").build(ModelSettings()).fit(frame, labels)


def test_the_combined_model_fills_its_factors_too():
    """RCR with imputation gives a probability to patients without any factor, those of its own median."""
    frame, labels = cohort()
    random = np.random.default_rng(4)
    features = {f"AP__f{n}": labels + random.normal(size=len(labels)) for n in range(4)}
    frame = frame.with_columns(**{name: pl.Series(values) for name, values in features.items()})
    model = combined(ModelSettings(missing="impute")).fit(frame, labels)
    combine = model.estimator_[0]
    assert combine.factors_ == ["strong"]
    assert combine.fill_.tolist() == [frame["strong"].median()]
    lacking = frame[:5].with_columns(strong=pl.lit(None, dtype=pl.Float64), weak=pl.lit(None, dtype=pl.Float64))
    given = lacking.with_columns(strong=pl.lit(frame["strong"].median()))
    np.testing.assert_array_equal(model.predict_proba(lacking), model.predict_proba(given))
