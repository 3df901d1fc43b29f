"""DeLong's paired and unpaired tests."""

from __future__ import annotations

import numpy as np
import pytest
from builders.published_model import published
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from schemas.errors import ContractError
from zoo.evaluation.auc import auc, auc_variance
from zoo.evaluation.delong import paired_delong, unpaired_delong

PERFECT = np.repeat([1.0, 0.0], [18, 15])


@st.composite
def two_models(draw):
    """Labels with two or more of each class, and tied integer scores of two models."""
    labels = draw(st.permutations([1] * draw(st.integers(2, 15)) + [0] * draw(st.integers(2, 15))))
    column = st.lists(st.integers(-6, 6), min_size=len(labels), max_size=len(labels))
    return np.array(labels), np.array(draw(column), dtype=float), np.array(draw(column), dtype=float)


@pytest.mark.parametrize("pair", ["wfns_s100b", "s100b_ndka", "wfns_ndka"])
def test_paired_test_is_that_of_proc(asah, oracle, pair):
    """On aSAH the paired Z and p equal pROC's to all its digits."""
    expected = oracle["aSAH"]["delong_paired"][pair]
    a, b = pair.split("_")
    test = paired_delong(asah["y"], asah[a], asah[b])
    assert (test.kind, test.df) == ("paired", None)
    assert test.statistic == pytest.approx(expected["statistic"], abs=1e-6)
    assert test.p == pytest.approx(expected["p"], abs=1e-6)
    assert test.auc_a == auc(asah["y"], asah[a])
    assert test.auc_b == auc(asah["y"], asah[b])


@pytest.mark.parametrize(
    ("a", "b", "z", "p"),
    [
        ("wfns", "s100b", 2.208984, 0.027176),
        ("wfns", "ndka", 2.797776, 0.005146),
        ("s100b", "ndka", 1.390770, 0.164295),
    ],
)
def test_paired_test_in_print(asah, a, b, z, p):
    """The paired tests of aSAH are those that pROC prints."""
    test = paired_delong(asah["y"], asah[a], asah[b])
    assert (round(test.statistic, 6), round(test.p, 6)) == (z, p)


@pytest.mark.parametrize(
    ("a", "b", "d", "p"),
    [
        ("wfns", "s100b", 1.434906, 0.152825),
        ("wfns", "ndka", 3.101251, 0.002210),
        ("ndka", "s100b", -1.559957, 0.120193),
    ],
)
def test_unpaired_test_in_print(asah, a, b, d, p):
    """Taken as if from different patients, the markers of aSAH give pROC's unpaired D and p."""
    test = unpaired_delong(asah["y"], asah[a], asah["y"], asah[b])
    assert (round(test.statistic, 6), round(test.p, 6)) == (d, p)


def test_unpaired_test_is_that_of_proc(asah, oracle):
    """D, Welch's degrees of freedom and p equal pROC's to all its digits."""
    expected = oracle["aSAH"]["delong_unpaired_wfns_s100b"]
    test = unpaired_delong(asah["y"], asah["wfns"], asah["y"], asah["s100b"])
    assert test.kind == "unpaired"
    assert test.statistic == pytest.approx(expected["statistic"], abs=1e-6)
    assert test.df == pytest.approx(expected["df"], abs=1e-6)
    assert test.p == pytest.approx(expected["p"], abs=1e-6)


def test_training_against_validation_of_the_published_study():
    """The study's clinical model: D -.97491 with 53.32 degrees of freedom, p .33401."""
    test = unpaired_delong(*published("training"), *published("validation"))
    assert (round(test.statistic, 5), round(test.df, 2), round(test.p, 5)) == (-0.97491, 53.32, 0.33401)


@settings(deadline=None)
@given(two_models())
def test_swapping_the_models_turns_the_sign_only(models):
    """Both tests are antisymmetric: the statistic changes its sign, p stays."""
    labels, a, b = models
    for there, back in (
        (paired_delong(labels, a, b), paired_delong(labels, b, a)),
        (unpaired_delong(labels, a, labels, b), unpaired_delong(labels, b, labels, a)),
    ):
        assert there.statistic == pytest.approx(-back.statistic, abs=1e-12)
        assert there.p == pytest.approx(back.p, abs=1e-12)
        assert there.df == pytest.approx(back.df)
        assert 0 < there.p <= 1
        assert np.isfinite(there.statistic)


@settings(deadline=None)
@given(two_models())
def test_paired_variance_is_that_of_all_pairs(models):
    """Z equals the definition with the covariance of placements computed from every pair."""
    labels, a, b = models
    matrices = []
    for scores in (a, b):
        positives, negatives = scores[labels == 1][:, None], scores[labels == 0][None, :]
        matrices.append((positives > negatives) + 0.5 * (positives == negatives))
    by_positive = np.cov(*(matrix.mean(axis=1) for matrix in matrices))
    by_negative = np.cov(*(matrix.mean(axis=0) for matrix in matrices))
    m, n = matrices[0].shape
    covariance = by_positive / m + by_negative / n
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    if variance > 1e-12:
        z = (matrices[0].mean() - matrices[1].mean()) / np.sqrt(variance)
        assert paired_delong(labels, a, b).statistic == pytest.approx(z, rel=1e-6, abs=1e-9)


@settings(deadline=None)
@given(two_models())
def test_models_that_rank_alike_do_not_differ(models):
    """Identical scores, or a strictly increasing map of them, give statistic 0 and p = 1."""
    labels, a, _ = models
    for same in (a, np.exp(a)):
        test = paired_delong(labels, a, same)
        assert (test.statistic, test.p) == (0.0, 1.0)
    test = unpaired_delong(labels, a, labels, a)
    assert (test.statistic, test.p) == (0.0, 1.0)


@settings(deadline=None)
@given(two_models())
def test_welch_degrees_of_freedom_lie_between_the_cohorts_and_their_sum(models):
    """The degrees of freedom are at least those of the smaller cohort and at most both together."""
    labels, a, b = models
    if auc_variance(labels, a) + auc_variance(labels, b) > 0:
        df = unpaired_delong(labels, a, labels, b).df
        assert len(labels) - 1 - 1e-9 <= df <= 2 * (len(labels) - 1) + 1e-9


@pytest.mark.parametrize(("other", "p"), [(np.zeros(33), 2 * (2 / 3) ** 15), (-PERFECT, 2 * 0.5**15)])
def test_a_perfect_model_without_variance_has_a_finite_statistic(other, p):
    """Against a constant or reversed model p is the stated bound for 15 disjoint pairs, never zero."""
    for test in (paired_delong(PERFECT, PERFECT, other), unpaired_delong(PERFECT, PERFECT, PERFECT, other)):
        assert test.p == pytest.approx(p)
        assert 2 * stats.norm.sf(test.statistic) == pytest.approx(p)
        assert test.df is None


@pytest.mark.parametrize("pairs", [2, 5, 15])
def test_the_bound_of_p_is_not_exceeded_by_chance(pairs):
    """Over all pairs of models with equal AUC the event 'one perfect, one constant' is rarer than p / 2."""
    area = np.linspace(0.5, 1, 2001)
    rarest = np.minimum(area**pairs, (2 - 2 * area) ** pairs).max()
    labels = np.repeat([1, 0], pairs)
    p = paired_delong(labels, labels, np.zeros(2 * pairs)).p
    assert min(1.0, 2 * rarest) <= p + 1e-12


def test_a_difference_that_does_not_vary_is_judged_without_the_covariance():
    """Where only the variance of the difference vanishes, Z is the difference over the unpaired error."""
    labels = [1, 1, 0, 0]
    a, b = [2, 3, 1, 2.5], [1, 3, 2, 4]
    test = paired_delong(labels, a, b)
    assert (test.auc_a, test.auc_b) == (0.75, 0.25)
    assert test.statistic == pytest.approx(0.5 / np.sqrt(auc_variance(labels, a) + auc_variance(labels, b)))


def test_errors_name_the_cohort_at_fault():
    """A broken rule is reported with the argument that broke it."""
    with pytest.raises(ContractError, match=r"scores_b\[1\]: expected finite numbers"):
        paired_delong([1, 0], [1, 2], [1, float("nan")])
    with pytest.raises(ContractError, match="labels_b: both classes are needed"):
        unpaired_delong([1, 1, 0, 0], [1, 2, 3, 4], [1, 1], [1, 2])
    with pytest.raises(ContractError, match="labels_b: the variance of an AUC needs two patients"):
        unpaired_delong([1, 1, 0, 0], [1, 2, 3, 4], [1, 0], [1, 2])
