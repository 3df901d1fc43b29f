"""The classifier that is tuned and recalibrated on patients whom its inner folds hold out."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.special import expit
from sklearn.calibration import CalibratedClassifierCV
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from zoo.evaluation.calibration import calibration_line
from zoo.logistic.person_folds import person_folds
from zoo.logistic.recalibrated import RecalibratedClassifier
from zoo.logistic.sigmoid import rising_sigmoid

# A patient of weight zero is refused: who counts for nothing is to be left out.
OF_WEIGHT_ZERO = dict.fromkeys(
    ["check_sample_weight_equivalence_on_dense_data", "check_classifiers_one_label_sample_weights"],
    "it gives some rows the weight zero",
)

GRID = {"C": (1e-3, 1e-2, 0.1, 1.0, 10.0)}


@parametrize_with_checks(
    [RecalibratedClassifier(LogisticRegression(), {"C": (0.1, 1.0)}, n_splits=2)],
    expected_failed_checks=lambda _: OF_WEIGHT_ZERO,
)
def test_it_is_a_classifier_of_scikit_learns_kind(estimator: Any, check: Any) -> None:
    """All of scikit-learn's checks of estimators hold, but for weights of zero."""
    check(estimator)


def selecting() -> Pipeline:
    """Return a pipeline that keeps the five columns that differ most between the labels."""
    return Pipeline([("select", SelectKBest(k=5)), ("classifier", LogisticRegression(max_iter=1000))])


def cohort(seed: int, patients: int, columns: int, effect: float) -> tuple[np.ndarray, np.ndarray]:
    """Return standard normal columns, the first five of which move the log odds, and labels."""
    random = np.random.default_rng(seed)
    values = random.normal(size=(patients, columns))
    log_odds = effect * values[:, :5].sum(axis=1)
    return values, (random.random(patients) < expit(log_odds)).astype(int)


def test_the_sigmoid_is_scikit_learns_on_the_same_folds() -> None:
    """With one combination to try, probabilities are those of a Platt calibration without an ensemble."""
    values, labels = cohort(1, 120, 8, 0.6)
    ours = RecalibratedClassifier(LogisticRegression(), random_state=3).fit(values, labels)
    folds = StratifiedKFold(5, shuffle=True, random_state=3)
    theirs = CalibratedClassifierCV(LogisticRegression(), method="sigmoid", cv=folds, ensemble=False)
    expected = theirs.fit(values, labels).predict_proba(values)
    np.testing.assert_allclose(ours.predict_proba(values), expected, atol=1e-4)


def test_everything_is_selected_anew_inside_the_folds() -> None:
    """Of noise the held-out probabilities tell nothing, and nobody's is far from the prevalence."""
    values, labels = cohort(2, 100, 400, 0.0)
    model = RecalibratedClassifier(selecting(), GRID).fit(values, labels)
    flattering = model.estimator_.decision_function(values)
    assert roc_auc_score(labels, flattering) > 0.8
    assert 0.3 < roc_auc_score(labels, model.held_out_probabilities_) < 0.7
    assert abs(model.predict_proba(values)[:, 1] - labels.mean()).max() < 0.15


def test_new_patients_have_the_probabilities_that_were_given() -> None:
    """Over draws of moderate signal slopes are near 1, and no Brier score is worse than prevalence alone."""
    slopes, excess, plain, every = [], [], [], []
    for seed in range(20):
        values, labels = cohort(seed, 150, 60, 0.6)
        new, truth = cohort(1000 + seed, 3000, 60, 0.6)
        model = RecalibratedClassifier(selecting(), GRID).fit(values, labels)
        told = model.predict_proba(new)[:, 1]
        every.append((truth, told))
        slopes.append(calibration_line(truth, told).slope)
        excess.append(brier_score_loss(truth, told) - truth.mean() * (1 - truth.mean()))
        alone = selecting().fit(values, labels)
        plain.append(calibration_line(truth, alone.predict_proba(new)[:, 1]).slope)
    assert 0.8 < np.median(slopes) < 1.25
    assert 0.8 < calibration_line(*map(np.concatenate, zip(*every, strict=True))).slope < 1.25
    assert np.median(plain) < 0.75
    assert max(excess) < 0


def test_people_are_held_out_whole() -> None:
    """Rows of one person, who is two patients of the table, fall into one fold; a label with one person has none."""
    labels = np.arange(40) % 2
    people = [f"P{row % 16}" for row in range(40)]
    folds = person_folds(labels, people, 5, 0)
    assert len(folds) == 5
    for training, judged in folds:
        assert not {people[row] for row in training} & {people[row] for row in judged}
    assert sorted(row for _, judged in folds for row in judged) == list(range(40))
    assert person_folds(labels, ["one"] * 40, 5, 0) == []
    assert len(person_folds([0] * 20 + [1] * 3, None, 5, 0)) == 3
    values, _ = cohort(3, 40, 4, 0.5)
    grouped, apart = (
        RecalibratedClassifier(LogisticRegression()).fit(values, labels, groups=each) for each in (people, None)
    )
    assert not np.array_equal(grouped.held_out_probabilities_, apart.held_out_probabilities_)


def test_order_stays_where_the_scores_run_the_wrong_way() -> None:
    """Held-out scores against the labels give everyone about the prevalence, in the order of the scores."""
    values, labels = np.repeat(np.arange(10.0), 2)[:, None], np.arange(20) % 2
    model = RecalibratedClassifier(LogisticRegression()).fit(values, labels)
    assert model.unconstrained_slope_ <= 0 < model.slope_
    told = model.predict_proba(values)[:, 1]
    assert abs(told - 0.5).max() < 1e-2
    assert np.array_equal(np.argsort(told, kind="stable"), np.argsort(model.estimator_.decision_function(values)))
    assert "does not rank them" in model.summary()["notes"][0]


def test_neighbours_that_a_fold_has_not_are_not_tried() -> None:
    """Numbers of neighbours beyond the smallest part are left out; where none is left, the numbers are said."""
    values, labels = cohort(4, 20, 3, 1.0)
    grid = {"n_neighbors": (31, 5)}
    model = RecalibratedClassifier(KNeighborsClassifier(), grid, "probability").fit(values, labels)
    assert model.best_params_ == {"n_neighbors": 5}
    with pytest.raises(ValueError, match="'n_neighbors' is tried from 31 on"):
        RecalibratedClassifier(KNeighborsClassifier(), {"n_neighbors": (31,)}, "probability").fit(values, labels)


def test_what_fails_in_a_fold_is_said_with_its_patients() -> None:
    """A fold that leaves one label is named; what no number of patients helps is the estimator's own error."""

    class TwoOfEach(LogisticRegression):  # type: ignore[misc]  # sklearn is untyped
        def fit(self, X: Any, y: Any) -> Any:
            if np.bincount(y).min() < 2:
                raise ValueError("two of each are needed")
            return super().fit(X, y)

    values = np.random.default_rng(5).normal(size=(20, 2))
    with pytest.raises(ValueError, match="an inner fold leaves 1 patients of the rarer label to fit to; two of each"):
        RecalibratedClassifier(TwoOfEach()).fit(values, [1, 1, *[0] * 18])
    table = pl.DataFrame(values, schema=["a", "b"]).with_columns(a=pl.lit(None, dtype=pl.Float64))
    with pytest.raises(ValueError, match=r"^Input X contains NaN"):
        RecalibratedClassifier(LogisticRegression()).fit(table, np.arange(20) % 2)


def test_scores_that_are_all_equal_give_a_line_of_a_common_size() -> None:
    """Equal numbers differ by their rounding, which is no unit: everyone gets the prevalence, the slope is small."""
    equal = np.full(100, -0.4054651081081644)
    target = (np.arange(100) < 40).astype(np.intp)
    line = rising_sigmoid(equal, equal, target)
    assert equal.std() > 0
    assert line.slope == 1e-3
    np.testing.assert_allclose(expit(line.log_odds(equal)), 0.4, atol=1e-9)


def test_a_rare_batch_stays_where_it_is_needed() -> None:
    """Three patients of a scanner train in every fold, and are held out of none; the others are, all of them."""

    class Counting(LogisticRegression):  # type: ignore[misc]  # sklearn is untyped
        def fit(self, X: Any, y: Any) -> Any:
            assert X["batch=t"].value_counts()["count"].min() >= 3
            return super().fit(X, y)

    values, labels = cohort(6, 60, 3, 1.0)
    batch = np.where(np.arange(60) < 3, 3.0, 1.5)
    table = pl.DataFrame(values, schema=["a", "b", "c"]).with_columns(pl.Series("batch=t", batch))
    model = RecalibratedClassifier(Counting(), batch="batch=t").fit(table, labels)
    assert model.held_out_rows_.tolist() == list(range(3, 60))
    assert len(model.held_out_probabilities_) == 57


def test_folds_of_people_with_both_labels_leave_both_to_fit_to() -> None:
    """Where five folds would leave one label in a training part, there are fewer, or none."""
    labels, people = [1, 1, 0, 0, 0, 1, 1, 1], ["p2", "p3", "p5", "p2", "p5", "p0", "p0", "p2"]
    for seed in range(50):
        for training, _ in person_folds(labels, people, 5, seed):
            assert {labels[row] for row in training} == {0, 1}


def test_more_draws_of_folds_make_the_slope_depend_less_on_them() -> None:
    """Slopes of ten seeds spread less with ten draws than with one; each patient has the mean of the draws."""
    values, labels = cohort(7, 100, 6, 0.25)
    spread = {
        repeats: np.std(
            [
                RecalibratedClassifier(LogisticRegression(), random_state=100 * seed, repeats=repeats)
                .fit(values, labels)
                .unconstrained_slope_
                for seed in range(10)
            ]
        )
        for repeats in (1, 10)
    }
    assert spread[10] < spread[1] / 2
    model = RecalibratedClassifier(LogisticRegression(), repeats=3).fit(values, labels)
    assert model.held_out_probabilities_.shape == (100,)
    assert model.held_out_rows_.tolist() == list(range(100))
