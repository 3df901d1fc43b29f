"""Population stability index and Wasserstein's distance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ContractError
from zoo.drift.distances import chance_psi, psi, psi_bins, psi_of_shares, standardised_wasserstein

VALUES = st.lists(st.integers(-50, 50).map(float), min_size=2, max_size=40)


def test_psi_of_shares_by_hand():
    """Quarters that become .1, .2, .3 and .4: .13744 + .01116 + .00912 + .07050."""
    assert psi_of_shares([0.25] * 4, [0.1, 0.2, 0.3, 0.4]) == pytest.approx(0.22822, abs=1e-5)


def test_psi_of_samples_by_hand():
    """Two bins of 1 to 10 hold five each; of eight and two the shares are 8.5 and 2.5 of 11: .2727 ln(8.5 / 2.5)."""
    assert psi(np.arange(1, 11), [1] * 8 + [9] * 2, bins=2) == pytest.approx(3 / 11 * np.log(8.5 / 2.5))


def test_a_value_that_is_missing_has_a_bin_of_its_own():
    """Of two groups whose values are alike one lacks half of them: bins of 5.5, 5.5, .5 against 3, 3, 5.5."""
    reference = np.arange(1.0, 11)
    current = np.array([1.0, 1, 9, 9, 10, *[np.nan] * 5])
    p, q = np.array([5.5, 5.5, 0.5]) / 11.5, np.array([2.5, 3.5, 5.5]) / 11.5
    assert psi(reference, current, bins=2) == pytest.approx(psi_of_shares(p, q))
    assert psi([np.nan] * 9, [np.nan] * 3) == 0


def test_a_sample_of_nobody_has_no_index():
    """Nothing is compared with nobody."""
    with pytest.raises(ContractError, match="no patient"):
        psi([1.0], [])


@given(VALUES, VALUES)
def test_the_index_is_that_of_the_ranks(reference, current):
    """It is never below 0, 0 for equal samples, and the same on any rising scale."""
    found = psi(reference, current, 4)
    assert found >= 0
    assert psi(reference, reference, 4) == 0
    # A power of two scales each quantile exactly.
    assert psi(np.multiply(reference, 4), np.multiply(current, 4), 4) == found


def test_where_nothing_drifts_the_index_has_its_mean():
    """Mean of 400 pairs of normal samples of 300 and 150; Yurdakul and Naranjo's (bins - 1) (1 / n + 1 / m)."""
    random = np.random.default_rng(2)
    found = [psi(random.normal(size=300), random.normal(size=150)) for _ in range(400)]
    assert chance_psi(300, 150, 10) == pytest.approx(0.09)
    assert np.mean(found) == pytest.approx(0.09, rel=0.1)


def test_small_samples_have_fewer_bins():
    """Five patients a bin, two bins at least, ten at most."""
    assert [psi_bins(n, 200) for n in (4, 10, 33, 49, 500)] == [2, 2, 6, 9, 10]


def test_wasserstein_in_standard_deviations():
    """The documentation of scipy gives 5 for these samples; a move by one standard deviation is 1."""
    assert standardised_wasserstein([0, 1, 3], [5, 6, 8]) == pytest.approx(5 / np.std([0, 1, 3], ddof=1))
    reference = np.array([2.0, 3, 5, 9])
    assert standardised_wasserstein(reference, reference + reference.std(ddof=1)) == pytest.approx(1)


@pytest.mark.parametrize("reference", [[1.0], [0.1] * 7, [np.nan, 1.0], [1e308, -1e308]])
def test_a_reference_without_spread_has_no_unit(reference):
    """One value, equal ones, or a spread that no number holds."""
    assert standardised_wasserstein(reference, [1.0, 2.0]) is None


@pytest.mark.parametrize("current", [3.0, 7.0])
def test_a_value_below_or_above_a_constant_is_not_taken_for_it(current):
    """All of the reference at 5, all of the others elsewhere: each way two bins, by hand (60.5 and .5 of 61)."""
    assert psi([5.0] * 60, [current] * 60) == pytest.approx(2 * (60 / 61) * math.log(60.5 / 0.5))


def test_a_sample_below_the_value_that_most_have_drifts():
    """Nineteen of twenty have the largest value, and the others have it never: three bins, by hand."""
    reference, current = [10.0] * 95 + [9.0] * 5, [*np.linspace(0, 8.9, 100)]
    p, q = np.array([5.5, 95.5]), np.array([100.5, 0.5])
    assert psi(reference, current) == pytest.approx(psi_of_shares(p / 101, q / 101))
    assert psi(reference, reference) == 0.0
