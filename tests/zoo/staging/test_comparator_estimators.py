"""The comparator's classifier: direction, probabilities, persistence, scikit-learn's contract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit
from scipy.stats import rankdata
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from zoo.evaluation.auc import auc
from zoo.logistic.missing_values import MissingValuesError
from zoo.saving.persist import load_model, save_model
from zoo.staging.estimators import ComparatorClassifier

# Training patients of the HCC study with AST > 40 U/L: 36 of 78 with early recurrence, 13 of 54 without.
AST = (36, 78, 13, 54)


def ast_cohort() -> tuple[np.ndarray, np.ndarray]:
    """Return the study's dichotomised AST as one column, and early recurrence."""
    positive_events, events, positive_others, others = AST
    score = np.repeat(
        [1.0, 0.0, 1.0, 0.0], [positive_events, events - positive_events, positive_others, others - positive_others]
    )
    return score[:, None], np.repeat([1, 0], [events, others])


def related_score(seed: int = 0, n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Return one column of continuous scores that speak for class 1, and the classes."""
    random = np.random.default_rng(seed)
    score = random.normal(3.0, 1.5, size=n)
    return score[:, None], (score - 3 + random.logistic(size=n) > 0).astype(int)


def without_convention(_: Any) -> dict[str, str]:
    """Return the scikit-learn checks that contradict a fixed direction or a refusal of patients of weight zero."""
    reason = "decision_function is the directed score, whose cut points are its own: its sign is no prediction"
    of_weight_zero = "a patient of weight zero is refused: who counts for nothing is to be left out"
    with_zeros = ("check_sample_weight_equivalence_on_dense_data", "check_classifiers_one_label_sample_weights")
    return dict.fromkeys(("check_classifiers_train", "check_classifiers_classes"), reason) | dict.fromkeys(
        with_zeros, of_weight_zero
    )


@parametrize_with_checks(
    [ComparatorClassifier(column=0), ComparatorClassifier(column=0, worse="low")],
    expected_failed_checks=without_convention,
)
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    """All of scikit-learn's checks hold but those that read a prediction into the score's sign, or weigh zero."""
    check(estimator)


def test_probabilities_are_those_of_the_maximum_likelihood() -> None:
    """For a binary score the fitted probabilities are the two observed proportions of the published table."""
    X, y = ast_cohort()
    model = ComparatorClassifier().fit(X, y)

    assert model.predict_proba([[1.0], [0.0]])[:, 1] == pytest.approx([36 / 49, 42 / 83], abs=1e-9)
    # Odds ratio of AST in the paper's Table 3: 2.70.
    assert round(float(np.exp(model.slope_)), 2) == 2.70
    assert model.follows_published_direction_
    assert model.slope_ == model.unconstrained_slope_
    assert model.classes_.tolist() == [0, 1]


def test_low_is_worse() -> None:
    """A score whose low end is worse is turned, with the same probabilities as its opposite."""
    X, y = related_score()
    high, low = ComparatorClassifier().fit(X, y), ComparatorClassifier(worse="low").fit(-X, y)

    assert (low.decision_function(-X) == X[:, 0]).all()
    assert (low.predict_proba(-X) == high.predict_proba(X)).all()


def test_direction_is_never_learnt() -> None:
    """Where the training data contradict the publication, the AUC is below one half and the model says so."""
    X, y = related_score()
    model = ComparatorClassifier(worse="low").fit(X, y)
    probability = model.predict_proba(X)[:, 1]

    assert not model.follows_published_direction_
    assert model.unconstrained_slope_ < 0 < model.slope_
    assert auc(y, model.decision_function(X)) == auc(y, -X[:, 0]) < 0.4
    assert auc(y, probability) == auc(y, -X[:, 0])
    assert probability == pytest.approx(np.full(len(y), y.mean()), abs=2e-3)
    assert probability.mean() == pytest.approx(y.mean(), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    scores=st.lists(st.integers(-40, 40), min_size=8, max_size=30),
    worse=st.sampled_from(["high", "low"]),
    seed=st.integers(0, 1000),
)
def test_probability_ranks_as_the_directed_score(scores: list[int], worse: str, seed: int) -> None:
    """Whatever the training patients are, probabilities order all patients as the directed score, ties included."""
    y = np.random.default_rng(seed).permutation(np.arange(len(scores)) % 2)
    X = np.array(scores, dtype=float)[:, None] / 4
    model = ComparatorClassifier(worse=worse).fit(X, y)
    probability = model.predict_proba(X)[:, 1]

    assert model.slope_ > 0
    assert rankdata(probability).tolist() == rankdata(model.decision_function(X)).tolist()
    assert probability.mean() == pytest.approx(y.mean(), abs=1e-6)
    assert ((probability > 0) & (probability < 1)).all()


def test_separated_classes_keep_finite_probabilities() -> None:
    """A score that separates the training classes gives finite odds, and an infinite slope is reported."""
    X, y = np.arange(20.0)[:, None], np.repeat([0, 1], 10)
    model = ComparatorClassifier().fit(X, y)

    assert model.unconstrained_slope_ == np.inf
    assert model.follows_published_direction_
    assert np.abs(logit(model.predict_proba(X)[:, 1])).max() < 10
    assert model.predict(X).tolist() == y.tolist()


def test_separated_the_wrong_way_round() -> None:
    """A score that separates the classes against its direction predicts the prevalence, and an AUC of 0."""
    X, y = np.arange(20.0)[:, None], np.repeat([1, 0], 10)
    model = ComparatorClassifier().fit(X, y)

    assert model.unconstrained_slope_ == -np.inf
    assert not model.follows_published_direction_
    assert auc(y, model.predict_proba(X)[:, 1]) == 0.0


def test_constant_score() -> None:
    """A stage that all training patients share predicts the prevalence for them, and more for a worse stage."""
    y = np.repeat([1, 0], [3, 7])
    model = ComparatorClassifier().fit(np.ones((10, 1)), y)

    assert model.unconstrained_slope_ == 0.0
    assert not model.follows_published_direction_
    assert model.predict_proba([[1.0]])[0, 1] == pytest.approx(0.3, abs=1e-12)
    assert model.predict_proba([[2.0]])[0, 1] > 0.3


def test_column_is_chosen_by_name_or_position() -> None:
    """Among several columns the score's is named; none or an unknown one is refused."""
    X, y = related_score()
    frame = pl.DataFrame({"nlr": X[::-1, 0], "plr": X[:, 0]})
    named = ComparatorClassifier(column="plr").fit(frame, y)

    assert named.column_ == 1
    assert (named.decision_function(frame) == X[:, 0]).all()
    assert ComparatorClassifier(column=1).fit(frame.to_numpy(), y).slope_ == named.slope_
    for column, message in ((None, "name the score's"), ("lmr", "there are: nlr, plr"), (2, "there are 2")):
        with pytest.raises(ValueError, match=message):
            ComparatorClassifier(column=column).fit(frame, y)


def test_patients_without_a_score_are_refused() -> None:
    """A missing score is an error in fit and in prediction, with how many."""
    X, y = related_score()
    model = ComparatorClassifier().fit(X, y)
    X[:2] = np.nan

    with pytest.raises(MissingValuesError, match="2 of 120 patients have no score"):
        ComparatorClassifier().fit(X, y)
    with pytest.raises(MissingValuesError, match="comparator_frame"):
        model.predict_proba(X)


def test_parameters_and_state_are_checked() -> None:
    """An unknown direction and an unfitted model are refused."""
    X, y = related_score()
    with pytest.raises(ValueError, match="'high' or 'low'"):
        ComparatorClassifier(worse="up").fit(X, y)
    with pytest.raises(NotFittedError):
        ComparatorClassifier().decision_function(X)


def test_stored_model_predicts_the_same(tmp_path: Path) -> None:
    """A model read back from its folder gives bit-equal probabilities."""
    X, y = related_score()
    frame = pl.DataFrame({"erasl_pre": X[:, 0]})
    model = ComparatorClassifier(column="erasl_pre").fit(frame, y)
    digest = save_model(tmp_path / "erasl_pre" / "1", model, {"columns": ["erasl_pre"]})
    loaded = load_model(tmp_path / "erasl_pre" / "1", digest)

    assert (loaded.estimator.predict_proba(frame) == model.predict_proba(frame)).all()
    assert loaded.estimator.follows_published_direction_ is True
