"""The area under the ROC curve and its intervals."""

from __future__ import annotations

import numpy as np
import pytest
from builders.published_model import published
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from schemas.errors import ContractError
from zoo.evaluation.auc import auc, auc_variance, delong_interval, logit_interval


@st.composite
def scored_patients(draw, least=1):
    """Labels with at least ``least`` of each class, and integer scores with many ties."""
    positives, negatives = draw(st.integers(least, 20)), draw(st.integers(least, 20))
    labels = draw(st.permutations([1] * positives + [0] * negatives))
    scores = draw(st.lists(st.integers(-8, 8), min_size=len(labels), max_size=len(labels)))
    return np.array(labels), np.array(scores, dtype=float)


def placement_matrix(labels, scores):
    """Every pair by itself: 1 where the positive is above, 1/2 where tied; the definition, in O(mn)."""
    positives, negatives = scores[labels == 1][:, None], scores[labels == 0][None, :]
    return (positives > negatives) + 0.5 * (positives == negatives)


@pytest.mark.parametrize("marker", ["wfns", "s100b", "ndka"])
def test_auc_variance_and_interval_are_those_of_proc(asah, oracle, marker):
    """On aSAH the AUC, its variance and its plain DeLong interval equal those of pROC 1.18."""
    expected = oracle["aSAH"]["auc"][marker]
    assert auc(asah["y"], asah[marker]) == pytest.approx(expected["auc"], abs=1e-6)
    assert auc_variance(asah["y"], asah[marker]) == pytest.approx(expected["var"], abs=1e-9)
    lower, _, upper = expected["ci"]
    assert delong_interval(asah["y"], asah[marker]) == pytest.approx((lower, upper), abs=1e-6)


@pytest.mark.parametrize(("marker", "area"), [("wfns", 0.823679), ("s100b", 0.731369), ("ndka", 0.611958)])
def test_auc_of_asah_in_print(asah, marker, area):
    """The AUCs of aSAH are those that pROC prints."""
    assert round(auc(asah["y"], asah[marker]), 6) == area


@pytest.mark.parametrize(
    ("cohort", "area", "bounds"),
    [("training", 0.66168, (0.57399, 0.74937)), ("validation", 0.75185, (0.59319, 0.91051))],
)
def test_auc_of_the_published_clinical_model(cohort, area, bounds):
    """The clinical model of the HCC study has the AUC and DeLong interval that the study reports."""
    labels, probabilities = published(cohort)
    assert round(auc(labels, probabilities), 5) == area
    assert tuple(round(bound, 5) for bound in delong_interval(labels, probabilities)) == bounds


@settings(deadline=None)
@given(scored_patients())
def test_auc_is_the_mann_whitney_statistic_per_pair(patients):
    """The AUC is scipy's U divided by the number of pairs, and the mean of the placement matrix."""
    labels, scores = patients
    u = stats.mannwhitneyu(scores[labels == 1], scores[labels == 0], method="asymptotic").statistic
    matrix = placement_matrix(labels, scores)
    assert auc(labels, scores) == pytest.approx(u / matrix.size, abs=1e-12)
    assert auc(labels, scores) == pytest.approx(matrix.mean(), abs=1e-12)


@settings(deadline=None)
@given(scored_patients(least=2))
def test_variance_is_that_of_all_pairs(patients):
    """The mid-rank variance equals the definition computed from every pair."""
    labels, scores = patients
    matrix = placement_matrix(labels, scores)
    m, n = matrix.shape
    expected = matrix.mean(axis=1).var(ddof=1) / m + matrix.mean(axis=0).var(ddof=1) / n
    assert auc_variance(labels, scores) == pytest.approx(expected, abs=1e-14)


@settings(deadline=None)
@given(scored_patients(least=2))
def test_only_the_order_of_scores_matters(patients):
    """A strictly increasing map of the scores changes neither AUC, variance nor intervals."""
    labels, scores = patients
    for mapped in (np.exp(scores), scores**3 - 5, np.unique(scores, return_inverse=True)[1]):
        assert auc(labels, mapped) == auc(labels, scores)
        assert auc_variance(labels, mapped) == auc_variance(labels, scores)
        assert logit_interval(labels, mapped) == logit_interval(labels, scores)


@settings(deadline=None)
@given(scored_patients(least=2))
def test_turning_labels_or_scores_mirrors_the_auc(patients):
    """Swapping the classes, or negating the scores, gives 1 - AUC with the same variance."""
    labels, scores = patients
    for mirrored in ((1 - labels, scores), (labels, -scores)):
        assert auc(*mirrored) == pytest.approx(1 - auc(labels, scores), abs=1e-12)
        assert auc_variance(*mirrored) == pytest.approx(auc_variance(labels, scores), abs=1e-14)
        lower, upper = logit_interval(labels, scores)
        assert logit_interval(*mirrored) == pytest.approx((1 - upper, 1 - lower), abs=1e-9)


@settings(deadline=None)
@given(scored_patients(least=2), st.sampled_from([0.5, 0.8, 0.95, 0.99]))
def test_intervals_hold_the_estimate_and_stay_within_bounds(patients, level):
    """Both intervals are finite, lie in 0 to 1 and contain the AUC."""
    labels, scores = patients
    area = auc(labels, scores)
    for interval in (delong_interval(labels, scores, level), logit_interval(labels, scores, level)):
        assert 0 <= interval.lower <= area + 1e-12
        assert area - 1e-12 <= interval.upper <= 1


@settings(deadline=None)
@given(scored_patients(least=2))
def test_logit_interval_is_symmetric_on_the_logit_scale(patients):
    """With a variance the bounds lie evenly about the AUC in log odds, inside 0 and 1."""
    labels, scores = patients
    if auc_variance(labels, scores) == 0:
        return
    area = auc(labels, scores)
    lower, upper = logit_interval(labels, scores)
    half = 1.959963984540054 * np.sqrt(auc_variance(labels, scores)) / (area * (1 - area))
    centre = np.log(area / (1 - area))
    assert lower == pytest.approx(1 / (1 + np.exp(half - centre)), abs=1e-9)
    assert upper == pytest.approx(1 / (1 + np.exp(-half - centre)), abs=1e-9)


def test_perfect_separation_keeps_an_honest_lower_bound():
    """18 against 15 patients without a fault: Clopper-Pearson's .025 ** (1 / 15); plain DeLong has 1."""
    labels = np.repeat([1, 0], [18, 15])
    assert logit_interval(labels, labels) == pytest.approx((0.025 ** (1 / 15), 1.0), abs=1e-12)
    assert logit_interval(labels, -labels) == pytest.approx((0.0, 1 - 0.025 ** (1 / 15)), abs=1e-12)
    assert delong_interval(labels, labels) == (1.0, 1.0)


def test_equal_scores_give_a_wide_interval_about_one_half():
    """A model that says the same of everyone has AUC .5 and an interval that admits how little that is."""
    labels = np.repeat([1, 0], [18, 15])
    lower, upper = logit_interval(labels, np.full(33, 0.3))
    assert auc(labels, np.full(33, 0.3)) == 0.5
    assert lower + upper == pytest.approx(1)
    assert 0.2 < lower < 0.3


def test_logit_interval_covers_what_it_promises_where_plain_delong_does_not():
    """At n = 33 and a true AUC of .9 the logit interval covers about .95, the plain one under .92."""
    rng = np.random.default_rng(20)
    labels = np.repeat([1, 0], [18, 15])
    shift = np.sqrt(2) * stats.norm.ppf(0.9)
    repeats = 1000
    covered = {delong_interval: 0, logit_interval: 0}
    for _ in range(repeats):
        scores = rng.normal(size=33) + shift * labels
        for interval in covered:
            lower, upper = interval(labels, scores)
            covered[interval] += lower <= 0.9 <= upper
    assert covered[delong_interval] / repeats < 0.92
    assert 0.935 < covered[logit_interval] / repeats < 0.985


def test_one_patient_of_a_class_has_an_auc_but_no_variance():
    """Without a second patient in each class the variance is an error that says so, not NaN."""
    assert auc([1, 0, 0], [3, 1, 2]) == 1
    for statistic in (auc_variance, delong_interval, logit_interval):
        with pytest.raises(ContractError, match="two patients of each class, got 1 labelled 1 and 2"):
            statistic([1, 0, 0], [3, 1, 2])
