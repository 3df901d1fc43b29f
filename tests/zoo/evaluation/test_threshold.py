"""The Youden threshold."""

from __future__ import annotations

import numpy as np
import pytest
from builders.published_model import published
from hypothesis import given, settings
from hypothesis import strategies as st

from zoo.evaluation.classification import classification
from zoo.evaluation.threshold import youden_threshold

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
