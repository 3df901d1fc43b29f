"""Holm's correction."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from schemas.errors import ContractError
from zoo.evaluation.multiplicity import holm

P_VALUES = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def test_holm_by_hand():
    """Of .04 .01 .03 .02 the smallest counts four times, the next three; later ones never fall below."""
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])


@pytest.fixture
def few_objects():
    """Keep what is there already out of the collections of garbage, one at each call of statsmodels."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("few_objects")
@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(P_VALUES)
def test_holm_is_that_of_statsmodels(p_values):
    """The adjusted values equal statsmodels' multipletests."""
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1], abs=1e-12)


@settings(deadline=None)
@given(P_VALUES)
def test_holm_never_lowers_a_p_value_nor_changes_their_order(p_values):
    """Adjusted values are at least the raw ones, at most 1, at most Bonferroni's, and in the same order."""
    raw, adjusted = np.array(p_values), holm(p_values)
    assert (adjusted >= raw).all()
    assert (adjusted <= np.minimum(1, raw * len(raw))).all()
    assert (np.diff(adjusted[np.argsort(raw)]) >= 0).all()


def test_no_comparison_needs_no_correction():
    """An empty list gives an empty array."""
    assert holm([]).shape == (0,)


@pytest.mark.parametrize(("p_values", "where"), [([0.1, 1.2], 1), ([-0.1], 0), ([0.1, 0.2, np.nan], 2)])
def test_what_is_no_p_value_is_refused(p_values, where):
    """Values outside 0 to 1 and missing ones are errors that name the position."""
    with pytest.raises(ContractError, match=rf"p_values\[{where}\]"):
        holm(p_values)
