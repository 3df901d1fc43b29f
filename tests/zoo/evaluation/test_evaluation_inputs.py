"""What labels, scores and levels must be."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.errors import ContractError
from zoo.evaluation.auc import auc, delong_interval, logit_interval
from zoo.evaluation.calibration import brier
from zoo.evaluation.classification import classification
from zoo.evaluation.threshold import youden_threshold

STATISTICS = [auc, youden_threshold, brier, lambda labels, scores: classification(labels, scores, 0.5)]


@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize(
    ("labels", "scores", "error"),
    [
        ([1, 2, 0], [0.1, 0.2, 0.3], r"^labels\[1\]: a label is 0 or 1, got .*2"),
        ([1.0, 0.0, np.nan], [0.1, 0.2, 0.3], r"^labels\[2\]: a label is 0 or 1"),
        ([1, None, 0], [0.1, 0.2, 0.3], r"^labels\[1\]: a label is 0 or 1, got None"),
        (["1", "0"], [0.1, 0.2], r"^labels\[0\]: a label is 0 or 1"),
        ([[1, 0]], [0.1, 0.2], r"^labels: expected one row of labels"),
        ([], [], "^labels: both classes are needed"),
        ([1, 0], [0.1, 0.2, 0.3], "one score per label is needed, got 3 scores for 2 labels"),
        ([1, 0], [0.1, np.nan], r"\[1\]: expected finite numbers, got nan"),
        ([1, 0], [np.inf, 0.1], r"\[0\]: expected finite numbers, got inf"),
        ([1, 0], ["a", "b"], "expected numbers"),
        ([1, 0], [None, 0.2], r"\[0\]: expected finite numbers, got None"),
        ([1, 0], [{}, 0.2], "expected numbers"),
        ([1, 0], [[0.1, 0.2]], "expected one row of numbers"),
    ],
)
def test_data_that_break_a_rule_are_refused_with_the_place(statistic, labels, scores, error):
    """Each broken rule is a contract error that names argument and first place, in every statistic."""
    with pytest.raises(ContractError, match=error):
        statistic(labels, scores)


@pytest.mark.parametrize("labels", [[1, 1], [0, 0]])
def test_what_compares_two_classes_needs_both(labels):
    """Areas and thresholds are refused for one class; means over patients and their rates are not."""
    for statistic in (auc, youden_threshold):
        with pytest.raises(ContractError, match=f"^labels: both classes are needed, got {sum(labels)} patients"):
            statistic(labels, [0.5, 0.25])
    assert brier(labels, [0.5, 0.25]) == pytest.approx((0.25 + (labels[0] - 0.25) ** 2) / 2)
    calls = classification(labels, [0.5, 0.25], 0.4)
    assert (calls.sensitivity, calls.specificity) == ((0.5, None) if labels[0] else (None, 0.5))


@pytest.mark.parametrize("labels", [[True, False, True], [1.0, 0.0, 1.0], np.array([1, 0, 1], dtype=object), (1, 0, 1)])
def test_labels_may_be_of_any_kind_that_says_0_or_1(labels):
    """Booleans, floats, objects and tuples are read alike."""
    assert auc(labels, [0.9, 0.5, 0.2]) == 0.5


@pytest.mark.parametrize("level", [0, 1, 95, -0.5])
def test_a_level_outside_0_to_1_is_refused(level):
    """A level given in per cent is an error, not an interval."""
    for interval in (delong_interval, logit_interval):
        with pytest.raises(ContractError, match="level: a confidence level lies between 0 and 1"):
            interval([1, 1, 0, 0], [4, 2, 3, 1], level)
