"""Net benefit."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from builders.published_model import published
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import ContractError
from zoo.evaluation.bootstrap import resampled_counts
from zoo.evaluation.classification import classification
from zoo.evaluation.decision_curve import decision_curve, net_benefit, net_benefit_treat_all, net_benefit_treat_none


def test_net_benefit_is_that_of_dcurves(shared_data):
    """The three curves of family history for cancer equal those of R's dcurves at all thresholds."""
    with shared_data("statistics_oracles/decision_curve/df_binary.csv").open(newline="") as file:
        patients = list(csv.DictReader(file))
    with shared_data("statistics_oracles/decision_curve/r_dca_famhistory.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    labels = [int(patient["cancer"] == "TRUE") for patient in patients]
    history = [float(patient["famhistory"]) for patient in patients]
    expected = {
        curve: np.array(
            [[float(row["threshold"]), float(row["net_benefit"])] for row in rows if row["variable"] == curve]
        ).T
        for curve in ("all", "none", "famhistory")
    }
    assert {len(points.T) for points in expected.values()} == {100}
    for curve, (thresholds, benefit) in expected.items():
        # At a threshold of 0 dcurves leaves out patients whose probability is 0, where >= would treat them.
        cuts = np.where((thresholds == 0) & (curve == "famhistory"), 1e-12, thresholds)
        actual = {
            "all": lambda at: net_benefit_treat_all(labels, at),
            "none": net_benefit_treat_none,
            "famhistory": lambda at: net_benefit(labels, history, at),
        }[curve](cuts)
        assert actual == pytest.approx(benefit, abs=1e-6)


def test_net_benefit_of_the_published_clinical_model():
    """At even odds a false positive weighs as much as a true one: (51 - 19) / 132 of the training cohort."""
    labels, probabilities = published("training")
    assert net_benefit(labels, probabilities, [0.5]) == pytest.approx([(51 - 19) / 132])
    assert net_benefit_treat_all(labels, [0.5]) == pytest.approx([(78 - 54) / 132])


@st.composite
def predicted_patients(draw):
    """Labels of both classes, probabilities on a coarse grid, and thresholds on the same one."""
    labels = draw(st.lists(st.integers(0, 1), min_size=2, max_size=30).filter(lambda y: 0 < sum(y) < len(y)))
    grid = st.integers(0, 20).map(lambda step: step / 20)
    probabilities = draw(st.lists(grid, min_size=len(labels), max_size=len(labels)))
    return labels, probabilities, draw(st.lists(grid.filter(lambda t: t < 1), min_size=1, max_size=10))


@settings(deadline=None)
@given(predicted_patients())
def test_net_benefit_is_made_of_the_counts_at_each_threshold(patients):
    """TP/n - FP/n x t/(1 - t), with the counts of the classification at t."""
    labels, probabilities, thresholds = patients
    for threshold, benefit in zip(thresholds, net_benefit(labels, probabilities, thresholds), strict=True):
        at = classification(labels, probabilities, threshold)
        assert benefit == pytest.approx((at.tp - at.fp * threshold / (1 - threshold)) / at.n, abs=1e-12)


@settings(deadline=None)
@given(predicted_patients())
def test_no_model_beats_the_prevalence_and_a_sure_model_treats_all(patients):
    """The prevalence bounds every curve, and a model that says 1 of everyone is treat-all."""
    labels, probabilities, thresholds = patients
    assert (net_benefit(labels, probabilities, thresholds) <= np.mean(labels) + 1e-12).all()
    everyone = net_benefit(labels, np.ones(len(labels)), thresholds)
    assert everyone == pytest.approx(net_benefit_treat_all(labels, thresholds), abs=1e-12)
    assert not net_benefit_treat_none(thresholds).any()


def test_the_band_is_that_of_resampled_patients():
    """The band holds the percentiles of each resample's net benefit; the curve is the cohort's."""
    labels, probabilities = published("validation")
    thresholds = np.array([0.2, 0.5, 0.6, 0.8])
    curve = decision_curve(labels, probabilities, thresholds, resamples=60, seed=9)
    drawn = []
    for counts in resampled_counts(len(labels), 60, 9).astype(int):
        again, predicted = np.repeat(labels, counts), np.repeat(probabilities, counts)
        drawn.append(net_benefit(again, predicted, thresholds))
    lower, upper = np.quantile(drawn, [0.025, 0.975], axis=0)
    assert curve.lower == pytest.approx(lower, abs=1e-12)
    assert curve.upper == pytest.approx(upper, abs=1e-12)
    assert curve.net_benefit == pytest.approx(net_benefit(labels, probabilities, thresholds))
    assert curve.treat_all == pytest.approx(net_benefit_treat_all(labels, thresholds))


@pytest.mark.parametrize("threshold", [-0.1, 1.0, np.nan])
def test_a_threshold_without_odds_is_refused(threshold):
    """Below 0, at 1 or not a number there is no weight for a false positive."""
    for curve in (
        lambda cuts: net_benefit([0, 1], [0.2, 0.8], cuts),
        lambda cuts: decision_curve([0, 1], [0.2, 0.8], cuts),
        lambda cuts: net_benefit_treat_all([0, 1], cuts),
        net_benefit_treat_none,
    ):
        with pytest.raises(ContractError, match=r"thresholds\[1\]"):
            curve([0.5, threshold])


def test_the_net_benefit_of_repeats_is_their_mean():
    """Several predictions of each patient: the mean of the repeats' curves, its band that of resampled patients."""
    labels, probabilities = published("training")
    random = np.random.default_rng(2)
    repeats = [np.clip(probabilities + random.normal(0, 0.1, len(labels)), 0, 1) for _ in range(3)]
    cuts, patients = np.linspace(0.05, 0.95, 19), np.arange(len(labels))
    curve = decision_curve(np.tile(labels, 3), np.concatenate(repeats), cuts, patients=np.tile(patients, 3))
    expected = np.mean([net_benefit(labels, each, cuts) for each in repeats], axis=0)
    np.testing.assert_allclose(curve.net_benefit, expected, atol=1e-12)
    once = decision_curve(labels, probabilities, cuts, patients=patients)
    thrice = decision_curve(np.tile(labels, 3), np.tile(probabilities, 3), cuts, patients=np.tile(patients, 3))
    np.testing.assert_allclose(thrice.lower, once.lower, atol=1e-12)
    np.testing.assert_allclose(thrice.upper, once.upper, atol=1e-12)
