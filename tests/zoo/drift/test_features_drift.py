"""Which features drift, and how often one is called so that does not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from zoo.drift.features import features_drift
from zoo.drift.scores import score_drift

LOADINGS = np.random.default_rng(7).standard_normal((60, 5))


def redraw(seed, patients=36, features=60):
    """Return features that hang together by five factors, a third of them with long tails."""
    random = np.random.default_rng([seed, 8])
    values = random.standard_normal((patients, 5)) @ LOADINGS.T + 0.5 * random.standard_normal((patients, features))
    values[:, ::3] = np.exp(values[:, ::3])
    return values


def drift_of(values, current=12, *, draws=199, seed=0):
    """Return what drifts between the last patients and the others."""
    is_current = np.arange(len(values)) >= len(values) - current
    return features_drift(
        values, [f"f{n:02}" for n in range(values.shape[1])], is_current, tests=2, draws=draws, seed=seed
    )


def test_where_nothing_drifts_something_is_found_no_more_often_than_said():
    """Of 100 redraws at the level .1 at most the number that a rate of .1 exceeds once in a thousand times."""
    found = [drift_of(redraw(seed)[:, :30], seed=seed) for seed in range(100)]
    alarms = sum(each.features[0].p <= 0.1 or each.auc_p <= 0.1 for each in found)
    assert alarms <= stats.binom.ppf(0.999, 100, 0.1)


def test_a_feature_that_moves_is_found_and_named():
    """Two of sixty features move by two standard deviations: these come first, and no other is called drifting."""
    values = redraw(1, patients=80)
    values[50:, [10, 40]] += 2 * values[:, [10, 40]].std(axis=0)
    found = drift_of(values, 30, draws=999)
    assert {each.feature for each in found.features if each.p <= 0.05} == {"f10", "f40"}
    assert {each.feature for each in found.features[:2]} == {"f10", "f40"}
    first = next(each for each in found.features if each.feature == "f10")
    assert first.psi > 0.5
    assert first.wasserstein == pytest.approx(2, abs=0.7)
    assert first.current_median > first.reference_median


def test_one_feature_has_the_p_of_its_own_permutations():
    """That of the permutation test of scipy with Kolmogorov and Smirnov's statistic, doubled for two tests."""
    values = np.random.default_rng(6).normal(size=(24, 1))
    values[16:] += 0.8
    exact = stats.permutation_test(
        (values[:16, 0], values[16:, 0]),
        lambda a, b: stats.ks_2samp(a, b, method="asymp").statistic,
        alternative="greater",
        n_resamples=1000,
        rng=np.random.default_rng(1),
    )
    (found,) = drift_of(values, 8, draws=4000).features
    assert found.ks == pytest.approx(exact.statistic)
    assert found.p == pytest.approx(2 * exact.pvalue, abs=0.05)
    assert score_drift(values[:16, 0], values[16:, 0], tests=2, draws=4000, seed=0).p == pytest.approx(
        found.p, abs=0.03
    )


def test_more_features_never_make_a_p_smaller():
    """A family's p value is at least that of one of its members alone."""
    values = redraw(3)
    of_all = {each.feature: each.p for each in drift_of(values).features}
    (alone,) = drift_of(values[:, :1]).features
    assert of_all["f00"] >= alone.p


def test_a_feature_that_fails_in_one_group_drifts():
    """Whoever has no value is counted, and the feature is found."""
    values = redraw(4, patients=80)
    values[50:, 5] = np.nan
    first, *_ = drift_of(values, 30, draws=999).features
    assert (first.feature, first.reference_missing, first.current_missing) == ("f05", 0, 30)
    assert first.p <= 0.01
    assert first.current_median is None
    assert first.wasserstein is None
