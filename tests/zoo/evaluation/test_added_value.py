"""Likelihood-ratio test and reclassification against statsmodels and the paper that named the latter."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from scipy.special import expit, logit

from schemas.errors import ContractError
from zoo.evaluation.added_value import added_likelihood, reclassified


def drawn(seed: int, patients: int = 120) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels and two models' probabilities; each knows a part of what there is to know."""
    random = np.random.default_rng(seed)
    a, b = random.standard_normal((2, patients))
    labels = (random.random(patients) < expit(a + b)).astype(int)
    return labels, expit(a), expit(0.5 * a + 2 * b)


@pytest.mark.parametrize("seed", range(5))
def test_the_test_is_that_of_two_nested_regressions(seed: int) -> None:
    """Statistic and p are those of statsmodels' log likelihoods."""
    labels, first, second = drawn(seed)
    small = sm.Logit(labels, sm.add_constant(logit(first))).fit(disp=False)
    large = sm.Logit(labels, sm.add_constant(np.column_stack([logit(first), logit(second)]))).fit(disp=False)
    found, statistic = added_likelihood(labels, first, second), 2 * (large.llf - small.llf)
    assert (found.statistic, found.reason) == (pytest.approx(statistic, rel=1e-6), None)
    assert found.p == pytest.approx(stats.chi2.sf(statistic, 1), rel=1e-5)


def test_a_model_that_adds_nothing_is_told_apart_in_a_twentieth() -> None:
    """Of 2,000 draws in which the second model is noise, the test rejects in about 5 %."""
    random = np.random.default_rng(0)
    told = 0
    for _ in range(2000):
        a, noise = random.standard_normal((2, 150))
        labels = (random.random(150) < expit(a)).astype(int)
        p = added_likelihood(labels, expit(a), expit(0.7 * a + noise)).p
        told += p is not None and p < 0.05
    assert 0.04 <= told / 2000 <= 0.065


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ([0.2, 0.4, 0.6, 0.3, 0.5], [0.0, 0.4, 0.6, 0.2, 0.4], "exactly 0 or 1"),
        ([0.2, 0.4, 0.6, 0.3, 0.5], [0.4] * 5, "the same probability"),
        ([0.2, 0.4, 0.6, 0.3, 0.5], [0.2, 0.4, 0.6, 0.3, 0.5], "both models say the same"),
        ([0.2, 0.4, 0.6, 0.3, 0.5], [0.1, 0.8, 0.9, 0.2, 0.15], "separate"),
    ],
)
def test_without_a_test_there_is_a_reason(first: list[float], second: list[float], reason: str) -> None:
    """What has no finite line, or no second model, has words instead of numbers."""
    found = added_likelihood([0, 1, 1, 0, 0], first, second)
    assert (found.statistic, found.p) == (None, None)
    assert reason in str(found.reason)


@pytest.mark.parametrize("spread", [0.01, 1.0, 3.0])
def test_a_recalibrated_copy_adds_nothing(spread: float) -> None:
    """Rounding is no second model."""
    log_odds = spread * np.random.default_rng(2).standard_normal(80)
    labels = (np.random.default_rng(3).random(80) < expit(log_odds)).astype(int)
    for copy in (expit(2 * log_odds + 1), np.round(expit(log_odds), 9)):
        assert added_likelihood(labels, expit(log_odds), copy).reason == "both models say the same"


def test_reclassification_is_that_of_the_paper() -> None:
    """Pencina 2008, HDL cholesterol: of 183 events 29 go up and 7 down, of 3,081 others 173 up and 174 down."""
    labels = np.repeat([1, 0], [183, 3081])
    first = np.zeros(len(labels), dtype=bool)
    second = first.copy()
    second[:29] = True
    first[29:36] = True
    second[183 : 183 + 173] = True
    first[183 + 173 : 183 + 173 + 174] = True
    events, others = (reclassified(labels, first, second, label) for label in (1, 0))
    assert (events.patients, events.up, events.down) == (183, 29, 7)
    assert (others.patients, others.up, others.down) == (3081, 173, 174)
    assert events.net + others.net == pytest.approx(0.121, abs=0.001)
    assert events.interval.lower > 0 > others.interval.lower


def test_net_reclassification_is_the_difference_of_sensitivities_and_of_specificities() -> None:
    """By its definition, with Wald's error of paired shares."""
    random = np.random.default_rng(3)
    labels, first, second = random.integers(0, 2, (3, 90))
    for label in (0, 1):
        own = labels == label
        right = [(each[own] == label) for each in (first, second)]
        found = reclassified(labels, first, second, label)
        changed = right[1].astype(int) - right[0].astype(int)
        assert found.net == pytest.approx(changed.mean())
        half = 1.959963984540054 * changed.std() / np.sqrt(own.sum())
        assert found.interval == pytest.approx((changed.mean() - half, changed.mean() + half))


def test_nobody_of_a_label_is_refused() -> None:
    """A share of nobody is none."""
    with pytest.raises(ContractError, match="label 1"):
        reclassified([0, 0], [True, False], [False, False], 1)
