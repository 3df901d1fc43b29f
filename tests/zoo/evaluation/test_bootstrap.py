"""The bootstrap: counts, bands, and its interval of the AUC beside DeLong's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import ContractError
from zoo.evaluation.auc import delong_interval
from zoo.evaluation.bootstrap import bootstrap_auc_interval, percentile_band, resampled_counts, resampled_weights


@pytest.mark.parametrize("marker", ["wfns", "s100b", "ndka"])
def test_the_bootstrap_interval_of_asah_is_near_delongs(asah, oracle, marker):
    """On the 113 patients of aSAH the percentile interval agrees with pROC's DeLong interval within .015."""
    lower, _, upper = oracle["aSAH"]["auc"][marker]["ci"]
    found = bootstrap_auc_interval(asah["y"], asah[marker])
    assert found == pytest.approx((lower, upper), abs=0.015)
    assert found != delong_interval(asah["y"], asah[marker])


def test_the_bootstrap_interval_is_that_of_resampled_patients():
    """Drawn patient by patient with the same counts, the AUCs have the same percentiles."""
    random = np.random.default_rng(3)
    labels = np.repeat([1, 0], [12, 9])
    scores = np.round(random.normal(labels, 1), 1)
    counts = resampled_counts(12, 200, 5), resampled_counts(9, 200, 6)
    areas = []
    for of_positives, of_negatives in zip(*counts, strict=True):
        positives = np.repeat(scores[:12], of_positives.astype(int))[:, None]
        negatives = np.repeat(scores[12:], of_negatives.astype(int))[None, :]
        areas.append(((positives > negatives) + 0.5 * (positives == negatives)).mean())
    expected = tuple(np.quantile(areas, [0.025, 0.975]))
    assert bootstrap_auc_interval(labels, scores, resamples=200, seed=5) == pytest.approx(expected, abs=1e-12)


def test_perfectly_separated_classes_have_no_spread():
    """Every resample of a perfect model is perfect."""
    assert bootstrap_auc_interval([1, 1, 0, 0], [4, 3, 2, 1], resamples=20) == (1.0, 1.0)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 40), st.integers(1, 20), st.integers(0, 1000))
def test_a_resample_has_as_many_patients_as_the_cohort(n_patients, resamples, seed):
    """Every row of counts sums to the cohort's size, and the same seed gives the same counts."""
    counts = resampled_counts(n_patients, resamples, seed)
    assert counts.shape == (resamples, n_patients)
    assert (counts.sum(axis=1) == n_patients).all()
    assert np.array_equal(counts, resampled_counts(n_patients, resamples, seed))


def test_about_a_third_of_the_patients_is_left_out():
    """Each patient is missing from (1 - 1/n)^n of the resamples, .366 for 100 (Efron 1979)."""
    assert (resampled_counts(100, 4000) == 0).mean() == pytest.approx(0.99**100, abs=0.005)


def test_the_band_holds_the_middle_of_the_curves():
    """Of 101 curves the 95 % band at each point lies between the 2.5th and the 97.5th percentile."""
    curves = np.column_stack([np.arange(101.0), -np.arange(101.0)])
    band = percentile_band(curves)
    assert band.lower == pytest.approx([2.5, -97.5])
    assert band.upper == pytest.approx([97.5, -2.5])


@pytest.mark.parametrize(("n_patients", "resamples"), [(0, 10), (10, 0)])
def test_nothing_to_draw_is_refused(n_patients, resamples):
    """No patients, or no resamples, is an error."""
    with pytest.raises(ContractError, match="expected patients and resamples"):
        resampled_counts(n_patients, resamples)


def test_predictions_are_drawn_with_their_patient():
    """All predictions of a patient count as often as the patient was drawn; without names each is its own patient."""
    drawn = resampled_counts(3, 50, 4)
    assert np.array_equal(resampled_weights(4, ["b", "a", "c", "a"], 50, 4), drawn[:, [1, 0, 2, 0]])
    assert np.array_equal(resampled_weights(3, None, 50, 4), drawn)


def test_a_prediction_without_a_patient_is_refused():
    """Fewer names than predictions are a contract error."""
    with pytest.raises(ContractError, match="expected 3 patients, got 2"):
        resampled_weights(3, ["a", "b"])
