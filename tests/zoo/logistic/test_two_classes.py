"""The labels of estimators that tell two classes apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.logistic.two_classes import two_classes


@given(
    st.lists(st.booleans(), min_size=2).filter(lambda labels: len(set(labels)) == 2),
    st.sampled_from(["ab", "cd", "ef"]),
)
def test_positions_give_the_labels_back(labels, pair):
    """Classes are sorted, and each patient's position names the class that was given."""
    given_labels = np.array([pair[int(label)] for label in labels])
    classes, target = two_classes(given_labels)
    assert list(classes) == sorted(pair)
    assert (classes[target] == given_labels).all()


@pytest.mark.parametrize(
    ("labels", "words"),
    [([1, 1, 1], "only one class: a test needs both"), ([0, 1, 2], "Only binary classification is supported")],
)
def test_one_class_or_three_are_refused(labels, words):
    """What cannot be told apart in two is refused, and one class in the words of who asks."""
    with pytest.raises(ValueError, match=words):
        two_classes(labels, wants="a test needs both")
