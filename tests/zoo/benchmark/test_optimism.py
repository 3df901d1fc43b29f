"""Bootstrap optimism: the numbers of R's rms, the truth of a simulated population, copies kept in one inner fold."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from builders.resampled import optimism_rows, resampled_table
from scipy.special import expit
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from schemas.study.models import ModelSettings
from zoo.benchmark.fold_fits import FitTask, Recipe, fitted_task
from zoo.evaluation.auc import auc
from zoo.evaluation.calibration import brier, calibration_line
from zoo.logistic.recalibrated import RecalibratedClassifier
from zoo.radiomics.lasso import LassoSelector
from zoo.registry import model_spec
from zoo.weighting.steps import fit_options

FIGURES = ("auc", "calibration_slope", "brier")
UNPENALISED = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10)

# R 4.2.2 with rms 6.5-0 on pROC's aSAH data, computed for this test:
#   f <- lrm(y ~ age + wfns + s100b + log(ndka) + (gender == "Female"), x = TRUE, y = TRUE)
#   set.seed(1); validate(f, B = 4000)
# Of each figure: apparent (index.orig) and optimism; Dxy = 2 AUC - 1.
RMS = {
    "auc": ((1 + 0.773035) / 2, 0.046201 / 2),
    "calibration_slope": (1.0, 0.14474154079),
    "brier": (0.14022149868, -0.02039905453),
}
RMS_RESAMPLES = 4000


def test_optimism_is_that_of_rms(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    """Apparent figures to six digits; optimism within what two sets of random resamples differ by."""
    read = pl.read_csv(shared_data("statistics_oracles") / "aSAH.csv")
    table = read.select(
        pl.format("p{}", pl.int_range(pl.len()).cast(pl.String).str.zfill(3)).alias("patient"),
        pl.col("y").alias("label"),
        *("age", "wfns", "s100b"),
        pl.col("ndka").log(),
        (pl.col("gender") == "Female").cast(pl.Float64).alias("female"),
    )
    resamples = 400
    found = resampled_table(tmp_path, "s", table, UNPENALISED, resamples=resamples)
    rows = {row["figure"]: row for row in optimism_rows(found.rows)}
    assert rows.keys() == RMS.keys()
    for figure, (apparent, optimism) in RMS.items():
        row = rows[figure]
        assert row["apparent"] == pytest.approx(apparent, abs=1e-6)
        error = row["monte_carlo_error"] * np.sqrt(1 + resamples / RMS_RESAMPLES)
        assert abs(row["optimism"] - optimism) < 3.5 * error
        assert abs(optimism) > 6 * error  # it is told from nothing, and from its opposite
        assert row["corrected"] == pytest.approx(row["apparent"] - row["optimism"], abs=1e-12)
        assert (row["n"], row["events"], row["resamples"], row["with_figure"]) == (113, 41, resamples, resamples)


def simulated(seed: int, patients: int, columns: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Return normal columns, half of which tell of the label, and the labels."""
    random = np.random.default_rng([77, seed])
    values = random.standard_normal((patients, columns))
    effects = np.where(np.arange(columns) % 2 == 0, 0.5, 0.0)
    return values, (random.random(patients) < expit(values @ effects)).astype(int)


def test_corrected_figures_are_those_of_the_population(tmp_path: Path) -> None:
    """A logistic model of 100 patients and ten columns: corrected, its figures are on average those of new patients."""
    new, their_labels = simulated(10**6, 5_000)
    rows, true = [], []
    for number in range(30):
        values, labels = simulated(number, 100)
        names = [f"x{at}" for at in range(values.shape[1])]
        table = pl.DataFrame(values, schema=names).with_columns(
            pl.Series("patient", [f"p{at:03}" for at in range(100)]), pl.Series("label", labels)
        )
        rows += resampled_table(tmp_path, f"s{number:02}", table, UNPENALISED, resamples=15).rows
        probabilities = UNPENALISED.fit(values, labels).predict_proba(new)[:, 1]
        slope = calibration_line(their_labels, probabilities).slope
        true.append((auc(their_labels, probabilities), slope, brier(their_labels, probabilities)))
    found = optimism_rows(rows)
    for figure, of_figure in zip(FIGURES, np.array(true).T, strict=True):
        told = [row for row in found if row["figure"] == figure]
        apart = np.array([row["corrected"] for row in told]) - of_figure
        flattery = np.array([row["apparent"] for row in told]) - of_figure
        error = apart.std(ddof=1) / np.sqrt(len(apart))
        assert abs(apart.mean()) < 3 * error
        assert abs(flattery.mean()) > 5 * error


def noise(patients: int = 60, columns: int = 5) -> tuple[pl.DataFrame, np.ndarray]:
    """Return columns that tell nothing of the label, and the labels."""
    values = np.random.default_rng(4).standard_normal((patients, columns))
    return pl.DataFrame(values, schema=[f"AP__f{at}" for at in range(columns)]), np.tile([0, 1], patients // 2)


def test_copies_of_a_patient_are_held_out_together(tmp_path: Path) -> None:
    """A nearest neighbour knows a copy of a patient: inside a resample none is on the other side of an inner fold."""
    table, labels = noise()
    patients = [f"p{at:02}" for at in range(len(labels))]
    file = tmp_path / "noise.parquet"
    table.with_columns(pl.Series("patient", patients)).write_parquet(file)
    model = RecalibratedClassifier(KNeighborsClassifier(1), scores="probability")
    of = dict(zip(patients, labels.tolist(), strict=True))
    twice = dict.fromkeys(patients, 2)
    task = FitTask(
        1, of, tuple(patients), (Recipe("m", model, file, "hash"),), {}, draws=twice, thresholds={"m": "youden"}
    )
    held_out = fitted_task(task)["m"]["held_out"]
    assert len(held_out) == 60
    assert 0.3 < auc(labels, [held_out[patient] for patient in patients]) < 0.7
    # The same rows without a word of whose they are: nearly every patient is known by a copy.
    rows = table[np.repeat(np.arange(60), 2)]
    leaking = RecalibratedClassifier(KNeighborsClassifier(1), scores="probability").fit(rows, np.repeat(labels, 2))
    assert auc(np.repeat(labels, 2), leaking.held_out_probabilities_) > 0.85


def test_copies_of_a_patient_are_in_one_fold_of_the_lasso() -> None:
    """With more columns than patients a LASSO predicts the copies of those it was fitted to, and takes far too many."""
    table, labels = noise(columns=150)
    rows, target = table.to_numpy()[np.repeat(np.arange(60), 2)], np.repeat(labels, 2)
    people = [f"p{at:02}" for at in np.repeat(np.arange(60), 2)]
    told, untold = LassoSelector().fit(rows, target, groups=people), LassoSelector().fit(rows, target)
    assert untold.support_.sum() > 5 * told.support_.sum()
    # Held out whole, nobody is predicted better than by the prevalence: its deviance is 2 log 2.
    assert told.deviance_[:, 0].min() > 2 * np.log(2) - 0.02
    assert untold.deviance_[:, 0].min() < 1
    single = LassoSelector().fit(table.to_numpy(), labels, groups=list(range(60)))
    alone = LassoSelector().fit(table.to_numpy(), labels)
    np.testing.assert_array_equal(single.coef_, alone.coef_)
    np.testing.assert_array_equal(single.deviance_, alone.deviance_)


@pytest.mark.parametrize(
    ("name", "told"), [("radiomics_lr", {"lasso__groups"}), ("rcr", {"combine__groups"}), ("cr", set())]
)
def test_people_reach_the_folds_of_every_step(name: str, told: set[str]) -> None:
    """The LASSO is the one step of the zoo's models that draws folds, also inside the combined model."""
    estimator: Any = model_spec(name).build(ModelSettings(), random_state=0)
    assert fit_options(estimator.estimator, None, ["a"]).keys() == told
    assert fit_options(estimator.estimator, None) == {}


class KnowsItsPeople(TransformerMixin, BaseEstimator):
    """A step that cannot be fitted unless it is told whose each row is."""

    def fit(self, X: Any, y: Any, groups: Any = None) -> KnowsItsPeople:
        """Return self where equal rows, and no others, are of one person."""
        if groups is None or len(set(groups)) != len({(who, *row) for who, row in zip(groups, X, strict=True)}):
            raise ValueError("rows of one person differ, or nobody is named")
        if len(set(groups)) != len({tuple(row) for row in X}):
            raise ValueError("two people have one row")
        self.n_features_in_ = len(X[0])
        return self

    def transform(self, X: Any) -> Any:
        """Return the rows as they are."""
        return X


def test_steps_of_a_resample_are_told_whose_each_row_is(tmp_path: Path) -> None:
    """In the fit to all rows and in every inner fold, where rows are fewer, copies carry their patient's name."""
    table, labels = noise()
    patients = [f"p{at:02}" for at in range(60)]
    file = tmp_path / "noise.parquet"
    table.with_columns(pl.Series("patient", patients)).write_parquet(file)
    pipeline = Pipeline([("scale", StandardScaler()), ("know", KnowsItsPeople()), ("fit", LogisticRegression())])
    recipes = (Recipe("a", RecalibratedClassifier(pipeline), file, "hash"),)
    recipes += (Recipe("b", RecalibratedClassifier(pipeline, {"C": [0.1, 1.0]}), file, "hash"),)
    draws = {patient: 1 + at % 3 for at, patient in enumerate(patients)}
    found = fitted_task(
        FitTask(1, dict(zip(patients, labels.tolist(), strict=True)), tuple(patients), recipes, {}, draws=draws)
    )
    assert [found[name].get("unfit") for name in ("a", "b")] == [None, None]
    assert len(found["a"]["probabilities"]) == 60
