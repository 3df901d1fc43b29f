"""Thresholds: Youden's, and those of a sensitivity, a cost or a number."""

from __future__ import annotations

import numpy as np
import pytest
from builders.published_model import published
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.study.thresholds import CostThreshold, SensitivityThreshold
from zoo.evaluation.classification import classification
from zoo.evaluation.threshold import (
    chosen_threshold,
    cuts_between,
    sensitivity_threshold,
    threshold_spread,
    youden_threshold,
)

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def youden_index(labels, scores, cut):
    """Sensitivity + specificity - 1 at ``score >= cut``."""
    at = classification(labels, scores, cut)
    return at.sensitivity + at.specificity - 1


@pytest.mark.parametrize("marker", ["wfns", "s100b", "ndka"])
def test_threshold_and_rates_are_those_of_proc(asah, oracle, marker):
    """On aSAH the cut and the five rates at it equal pROC's coords(x = "best")."""
    expected = oracle["aSAH"]["youden"][marker]
    cut = youden_threshold(asah["y"], asah[marker])
    at = classification(asah["y"], asah[marker], cut)
    assert cut == pytest.approx(expected.pop("threshold"), abs=1e-6)
    for rate, value in expected.items():
        assert getattr(at, rate) == pytest.approx(value, abs=1e-6)


def test_the_frozen_training_threshold_of_the_published_study():
    """Sensitivity/specificity .654/.648 in training and, with the same cut, .667/.800 in validation."""
    cut = youden_threshold(*published("training"))
    rates = {
        cohort: (round(at.sensitivity, 3), round(at.specificity, 3))
        for cohort in ("training", "validation")
        for at in [classification(*published(cohort), cut)]
    }
    assert rates == {"training": (0.654, 0.648), "validation": (0.667, 0.8)}


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), FINITE), min_size=2, max_size=30))
def test_no_other_cut_does_better(patients):
    """Whatever finite scores, the cut is finite and no cut at any score has a larger index."""
    labels, scores = (list(column) for column in zip(*patients, strict=True))
    if len(set(labels)) < 2:
        return
    cut = youden_threshold(labels, scores)
    assert np.isfinite(cut)
    best = max(youden_index(labels, scores, other) for other in [*scores, np.inf])
    assert youden_index(labels, scores, cut) == pytest.approx(best, abs=1e-12)


def test_of_equal_cuts_the_most_sensitive_is_taken():
    """Cuts at 1.5 and 3.5 have the same index of one half: the lower one is returned."""
    assert youden_threshold([0, 1, 0, 1], [1, 2, 3, 4]) == 1.5


def test_scores_that_rank_the_wrong_way_call_everyone_positive():
    """The direction is not turned over: the best that a reversed score can do is index 0."""
    cut = youden_threshold([1, 1, 0, 0], [1, 2, 3, 4])
    assert cut == 1
    assert youden_index([1, 1, 0, 0], [1, 2, 3, 4], cut) == 0


def test_neighbouring_floats_are_told_apart():
    """Where no float lies between two scores the cut still separates them."""
    low = 1.0
    high = np.nextafter(low, 2)
    assert youden_index([0, 1], [low, high], youden_threshold([0, 1], [low, high])) == 1


def test_a_sensitivity_is_reached_by_the_highest_cut_that_does():
    """Of five patients with the outcome, .8 asks for four; the next higher cut finds three."""
    labels, scores = [1, 1, 1, 1, 1, 0, 0], [0.9, 0.8, 0.7, 0.6, 0.2, 0.65, 0.1]
    assert sensitivity_threshold(labels, scores, 0.8) == 0.6
    assert sensitivity_threshold(labels, scores, 0.81) == 0.2
    assert sensitivity_threshold(labels, scores, 1.0) == 0.2
    assert sensitivity_threshold(labels, scores, 0.01) == 0.9


@given(
    labels=st.lists(st.integers(0, 1), min_size=4, max_size=30).filter(lambda each: 0 < sum(each) < len(each)),
    wanted=st.floats(0.01, 1),
    data=st.data(),
)
def test_no_higher_cut_reaches_the_sensitivity(labels, wanted, data):
    """For any labels and scores the cut reaches it, and every higher score falls short."""
    scores = data.draw(st.lists(st.floats(0, 1), min_size=len(labels), max_size=len(labels)))
    truth, values = np.array(labels), np.array(scores)
    cut = sensitivity_threshold(labels, scores, wanted)
    assert (values[truth == 1] >= cut).mean() >= wanted - 1e-9
    assert all((values[truth == 1] >= higher).mean() < wanted for higher in values[truth == 1] if higher > cut)


def test_each_rule_of_a_study_gives_its_cut():
    """A number is itself, a cost of 4 false alarms is .2; only what depends on patients has a spread."""
    labels, scores = [0, 1, 0, 1, 1, 0], [0.1, 0.9, 0.4, 0.5, 0.8, 0.45]
    assert chosen_threshold(0.35, labels, scores) == 0.35
    assert chosen_threshold(CostThreshold(missed_cost=4), labels, scores) == pytest.approx(0.2)
    assert chosen_threshold(SensitivityThreshold(sensitivity=0.9), labels, scores) == 0.5
    for rule in ("youden", "youden-training"):
        assert chosen_threshold(rule, labels, scores) == youden_threshold(labels, scores)
        spread = threshold_spread(rule, labels, scores)
        assert 0.1 <= spread.lower <= spread.upper <= 0.9
        assert spread.lower < spread.upper
    assert threshold_spread(0.35, labels, scores) is None
    assert threshold_spread(CostThreshold(missed_cost=4), labels, scores) is None


def test_a_cut_of_other_fits_lies_between_the_models_own_scores():
    """Out-of-fold scores may separate best where the model says nothing: the best of its own cuts is taken."""
    labels, held_out, own = [0, 0, 1, 1], [0.1, 0.2, 0.25, 0.3], [0.15, 0.15, 0.4, 0.4]
    assert youden_threshold(labels, held_out) == pytest.approx(0.225)
    assert cuts_between(own).tolist() == pytest.approx([0.15, 0.275])
    assert chosen_threshold("youden", labels, held_out, cuts_between(own)) == pytest.approx(0.15)
    assert sensitivity_threshold(labels, held_out, 0.5, cuts_between(own)) == pytest.approx(0.275)
    assert sensitivity_threshold(labels, [0.0] * 4, 0.5, cuts_between(own)) == pytest.approx(0.15)
