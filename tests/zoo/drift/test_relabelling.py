"""Exchanges of patients between two groups, and the p values that they give."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from schemas.errors import ContractError
from zoo.drift.relabelling import chance_p, draws_for, relabelled


def test_an_exchange_keeps_the_sizes():
    """The first labelling is the one given, the others have as many in each group, and all patients move."""
    own = np.arange(20) < 6
    found = relabelled(own, 500, seed=1)
    assert (found[0] == own).all()
    assert (found.sum(axis=1) == 6).all()
    assert found[1:].mean(axis=0) == pytest.approx(np.full(20, 0.3), abs=0.08)
    assert (found == relabelled(own, 500, seed=1)).all()


@pytest.mark.parametrize("labels", [[True, True], [False], []])
def test_two_groups_are_compared(labels):
    """An empty group is an error."""
    with pytest.raises(ContractError, match="both have somebody"):
        relabelled(labels, 9, seed=1)


def test_p_by_hand():
    """Of nine draws 3, 4 and 5 are at least 3: (1 + 3) / 10; equal ones count."""
    drawn = [0, 1, 2, 2, 1, 0, 3, 4, 5]
    assert chance_p([3, 9, 0], drawn) == pytest.approx([0.4, 0.1, 1.0])


def test_p_is_no_more_often_small_than_it_says():
    """Of all ways to put four of eight patients into a group at most a share alpha has a p of at most alpha."""
    values = np.array([0.3, 1.2, -0.7, 2.2, 0.1, -1.9, 0.8, 1.1])
    sums = [sum(values[list(chosen)]) for chosen in combinations(range(8), 4)]
    # Every other way is a draw for each way.
    p_values = [chance_p([each], sums[:at] + sums[at + 1 :])[0] for at, each in enumerate(sums)]
    for alpha in (0.02, 0.05, 0.1, 0.5):
        assert np.mean([p <= alpha for p in p_values]) <= alpha


def test_draws_are_enough_for_the_level_of_one_test():
    """The least p value is a quarter of what one of the tests has; never fewer than 999."""
    assert draws_for(0.05, 2) == 999
    assert draws_for(0.01, 24) == 9599
    assert 1 / (1 + draws_for(0.01, 24)) == pytest.approx(0.01 / 24 / 4)
