"""Kolmogorov and Smirnov's distance, of many features at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from zoo.drift.kolmogorov import KolmogorovDistances, kolmogorov_distances

TIED = st.lists(st.integers(0, 5).map(float), min_size=1, max_size=15)


def test_the_distance_by_hand():
    """Up to 1 lie a third of 1, 2, 3 and none of 2, 3, 4; nowhere do the shares differ by more."""
    assert kolmogorov_distances([[1], [2], [3], [2], [3], [4]], [0, 0, 0, 1, 1, 1]) == pytest.approx([1 / 3])


# Of its p value, which is not looked at.
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(TIED, TIED)
def test_the_distance_is_that_of_scipy(reference, current):
    """Equal values included; of a second column that turns the order round too."""
    values = np.array([*reference, *current])
    is_current = np.repeat([False, True], [len(reference), len(current)])
    expected = stats.ks_2samp(reference, current, method="asymp").statistic
    assert kolmogorov_distances(np.column_stack([values, -values]), is_current) == pytest.approx([expected] * 2)


def test_a_missing_value_is_larger_than_every_number():
    """A feature that fails in half of one group is half a unit apart."""
    values = np.array([[1.0], [2], [3], [4], [1], [2], [np.nan], [np.nan]])
    assert kolmogorov_distances(values, np.repeat([False, True], 4)) == pytest.approx([0.5])


def test_the_largest_distance_is_that_of_each_labelling():
    """One number for each labelling, over all features."""
    random = np.random.default_rng(4)
    distances = KolmogorovDistances(random.normal(size=(12, 5)))
    labellings = random.permuted(np.tile(np.arange(12) < 5, (6, 1)), axis=1)
    assert distances.largest(labellings) == pytest.approx([distances.of(each).max() for each in labellings])
