"""Steps that several models fit alike: fitted once, with the numbers of every model fitting its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from schemas.study.models import ModelSettings
from zoo.radiomics.lasso import LassoSelector
from zoo.radiomics.shared_fits import SharedFits
from zoo.registry import model_spec
from zoo.saving.persist import save_model

RADIOMICS = ("radiomics_lr", "radiomics_svm", "radiomics_knn", "radiomics_xgb", "radiomics_mlp")
N_PATIENTS, N_FEATURES = 60, 30


class Counted(TransformerMixin, BaseEstimator):
    """A transformer that counts its fits."""

    fits = 0

    def __init__(self, power: int = 1, random_state: Any = 0) -> None:
        self.power = power
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> Counted:
        """Return self, counted."""
        type(self).fits += 1
        return self

    def transform(self, X: Any) -> Any:
        """Return the table to the power."""
        return np.asarray(X) ** self.power


@pytest.fixture(autouse=True)
def _from_zero() -> None:
    Counted.fits = 0


@pytest.fixture(scope="module")
def table() -> tuple[pl.DataFrame, np.ndarray]:
    """Give features of one phase, a clinical factor, and labels that follow two of the features and the factor."""
    random = np.random.default_rng(5)
    labels = np.tile([0, 1], N_PATIENTS // 2)
    values = random.standard_normal((N_PATIENTS, N_FEATURES))
    values[:, [2, 9]] += labels[:, None]
    frame = pl.DataFrame(values, schema=[f"AP__f{i}" for i in range(N_FEATURES)], orient="row")
    return frame.with_columns(
        pl.Series("ast>40", (random.random(N_PATIENTS) < 0.2 + 0.5 * labels).astype(float))
    ), labels


def counted(**parameters: Any) -> Pipeline:
    """Return a pipeline of one counted step and a classifier."""
    return Pipeline([("counted", Counted(**parameters)), ("classifier", LogisticRegression())])


def test_shared_fits_give_the_numbers_of_separate_ones(table, tmp_path) -> None:
    """All radiomics models and the combined one predict to the last bit what they predict when each fits alone."""
    frame, labels = table
    shared = SharedFits()
    for name in (*RADIOMICS, "rcr"):
        columns = frame.columns if name == "rcr" else frame.columns[:-1]
        estimator = model_spec(name).build(ModelSettings(), random_state=1)
        together = shared.sharing(estimator).fit(frame.select(columns)[:45], labels[:45])
        alone = estimator.fit(frame.select(columns)[:45], labels[:45])
        rest = frame.select(columns)[45:]
        assert np.array_equal(together.predict_proba(rest), alone.predict_proba(rest)), name
        SharedFits.released(together)
        saved = [save_model(tmp_path / f"{name}-{at}", each, {}) for at, each in enumerate((together, alone))]
        assert saved[0] == saved[1], name


def test_the_selection_is_fitted_once_for_all(table, monkeypatch) -> None:
    """Five radiomics models and the combined one need one LASSO for all patients and one for each inner fold."""
    frame, labels = table
    fits = []
    fit = LassoSelector.fit
    monkeypatch.setattr(LassoSelector, "fit", lambda self, X, y: fits.append(1) or fit(self, X, y))
    shared = SharedFits()
    for name in (*RADIOMICS, "rcr"):
        columns = frame.columns if name == "rcr" else frame.columns[:-1]
        shared.sharing(model_spec(name).build(ModelSettings(), random_state=1)).fit(frame.select(columns), labels)
    assert len(fits) == 1 + 5


@pytest.mark.parametrize("change", ["rows", "values", "names", "labels", "parameters"])
def test_what_differs_is_not_shared(table, change) -> None:
    """Other rows, values, column names, labels or parameters are another fit."""
    frame, labels = table
    shared = SharedFits()
    shared.sharing(counted()).fit(frame, labels)
    parameters = {}
    if change == "rows":
        frame, labels = frame[:-2], labels[:-2]
    elif change == "values":
        frame = frame.with_columns(pl.col("AP__f0") + 1e-12)
    elif change == "names":
        frame = frame.rename({"AP__f0": "AP__g0"})
    elif change == "labels":
        labels = labels[::-1]
    else:
        parameters = {"power": 2}
    shared.sharing(counted(**parameters)).fit(frame, labels)
    assert Counted.fits == 2


def test_a_step_that_goes_on_drawing_is_not_shared(table) -> None:
    """A random state that is not a number gives another draw every time, so its fits are never taken for another's."""
    shared = SharedFits()
    for _ in range(2):
        shared.sharing(counted(random_state=np.random.RandomState(0))).fit(*table)
    assert Counted.fits == 2


def test_the_estimator_given_stays_unfitted_and_unshared(table) -> None:
    """Sharing works on a copy: what was given has no cache and no fit."""
    estimator = counted()
    SharedFits().sharing(estimator).fit(*table)
    assert estimator.memory is None
    assert not hasattr(estimator[-1], "coef_")


def test_what_is_released_keeps_its_own_steps(table) -> None:
    """A step of somebody else's that has the name of the empty one, and a cache of their own, stay."""
    frame, labels = table
    own = Pipeline([("counted", Counted()), ("selected", LogisticRegression())], memory=None)
    together = SharedFits.released(SharedFits().sharing(own).fit(frame, labels))
    assert [name for name, _ in together.steps] == ["counted", "selected"]
    assert together.memory is None
    assert together.predict_proba(frame).shape == (len(labels), 2)
