"""Platt's sigmoid behind a support vector machine: probabilities that rank patients as the machine does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import rankdata
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC
from sklearn.utils.estimator_checks import parametrize_with_checks

from zoo.evaluation.auc import auc
from zoo.radiomics.pipelines import radiomics_svm
from zoo.radiomics.platt import PlattClassifier
from zoo.radiomics.tuned import TunedClassifier
from zoo.saving.persist import load_model, save_model

# Patients and events of the HCC study's training cohort.
PATIENTS, EVENTS = 132, 78
# Draws of a weak signal for which scikit-learn's sigmoid turns the machine round, and draws for which it does not.
TURNED, FOLLOWED = [(0.0, 0), (0.4, 3), (0.4, 7)], [(0.0, 4), (0.4, 2), (2.0, 0)]


def one_feature(effect: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a column whose mean is higher by ``effect`` standard deviations for patients with the event."""
    labels = np.repeat([1, 0], [EVENTS, PATIENTS - EVENTS])
    return (np.random.default_rng(seed).normal(size=PATIENTS) + effect * labels)[:, None], labels


def scikit_learns(values: np.ndarray, labels: np.ndarray) -> CalibratedClassifierCV:
    """Return the outside source: the same machine and folds, with a sigmoid of any direction."""
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return CalibratedClassifierCV(SVC(), method="sigmoid", ensemble=False, cv=folds).fit(values, labels)


@parametrize_with_checks([PlattClassifier(SVC(), n_splits=2)])
def test_scikit_learn_contract(estimator: Any, check: Any) -> None:
    """The classifier passes every check that scikit-learn has for a binary classifier."""
    check(estimator)


@pytest.mark.parametrize(("effect", "seed"), TURNED)
def test_a_weak_signal_does_not_turn_the_machine_round(effect: float, seed: int) -> None:
    """Where held-out values run against the labels, probabilities are the prevalence in the machine's order."""
    values, labels = one_feature(effect, seed)
    model = PlattClassifier(SVC()).fit(values, labels)
    probabilities, decisions = model.predict_proba(values)[:, 1], model.machine_.decision_function(values)

    turned = scikit_learns(values, labels).predict_proba(values)[:, 1]
    assert auc(labels, turned) == pytest.approx(1 - auc(labels, decisions))
    assert auc(labels, probabilities) == auc(labels, decisions)
    assert rankdata(probabilities).tolist() == rankdata(decisions).tolist()
    assert model.unconstrained_slope_ < 0 < model.slope_
    assert not model.follows_machine_
    assert probabilities.mean() == pytest.approx(EVENTS / PATIENTS, abs=1e-9)
    assert np.ptp(probabilities) < 0.005


@pytest.mark.parametrize(("effect", "seed"), FOLLOWED)
def test_a_free_slope_gives_scikit_learns_probabilities(effect: float, seed: int) -> None:
    """Where held-out decision values rise with the labels, the sigmoid is that of CalibratedClassifierCV."""
    values, labels = one_feature(effect, seed)
    model = PlattClassifier(SVC()).fit(values, labels)

    assert model.follows_machine_
    assert model.slope_ == model.unconstrained_slope_
    np.testing.assert_allclose(
        model.predict_proba(values), scikit_learns(values, labels).predict_proba(values), atol=1e-4
    )


@pytest.mark.parametrize(("effect", "seed"), [TURNED[1], FOLLOWED[1]])
def test_the_radiomics_machine_ranks_as_its_decision_values(effect: float, seed: int) -> None:
    """The model of the zoo, its C and gamma chosen, gives probabilities in the order of its machine's values."""
    values, labels = one_feature(effect, seed)
    model = radiomics_svm(random_state=0).fit(values, labels)
    machine = model.estimator_[-1]

    probabilities = model.predict_proba(values)[:, 1]
    assert auc(labels, probabilities) == auc(labels, machine.decision_function(model.estimator_[:-1].transform(values)))


def test_units_of_the_decision_values_do_not_matter() -> None:
    """A machine whose values are a millionth of another's gives the same probabilities."""
    values, labels = one_feature(0.8, 0)
    machines = (LinearDiscriminantAnalysis(), ScaledDiscriminant())
    first, second = (PlattClassifier(machine).fit(values, labels).predict_proba(values) for machine in machines)
    np.testing.assert_allclose(first, second, atol=1e-6)


class ScaledDiscriminant(LinearDiscriminantAnalysis):  # type: ignore[misc]  # sklearn is untyped
    """A linear discriminant in other units."""

    def decision_function(self, X: Any) -> Any:
        """Return a millionth of the log odds."""
        return super().decision_function(X) * 1e-6


class ConstantMachine(DummyClassifier):  # type: ignore[misc]  # sklearn is untyped
    """A machine that tells nobody from anybody."""

    def decision_function(self, X: Any) -> Any:
        """Return three tenths for everybody."""
        return np.full(len(X), 0.3)


def test_constant_decision_values_give_the_prevalence() -> None:
    """A machine without an opinion leaves everyone the training prevalence."""
    values, labels = one_feature(0.4, 0)
    model = PlattClassifier(ConstantMachine()).fit(values, labels)
    assert model.unconstrained_slope_ == 0.0
    assert model.predict_proba(values)[:, 1] == pytest.approx(EVENTS / PATIENTS, abs=1e-12)


def test_separated_classes_keep_finite_probabilities() -> None:
    """Platt's targets keep the probabilities of separated classes away from 0 and 1."""
    labels = np.repeat(["early", "none"], [6, 20])
    values = np.r_[np.linspace(5, 6, 6), np.linspace(-6, -5, 20)][:, None]
    model = PlattClassifier(SVC()).fit(values, labels)
    assert model.classes_.tolist() == ["early", "none"]
    assert model.predict(values).tolist() == labels.tolist()
    assert np.abs(logit(model.predict_proba(values)[:, 1])).max() < 5


def test_few_patients_get_fewer_folds() -> None:
    """Two patients of a class are enough, one is refused in words."""
    values, labels = one_feature(0.8, 0)
    some = np.r_[0, 1, EVENTS : EVENTS + 10]
    assert PlattClassifier(SVC()).fit(values[some], labels[some]).slope_ > 0
    with pytest.raises(ValueError, match="a class has 1 patient only"):
        PlattClassifier(SVC()).fit(values[some[1:]], labels[some[1:]])


def test_models_saved_with_scikit_learns_sigmoid_still_load(tmp_path: Path) -> None:
    """A model of a release whose machine had scikit-learn's sigmoid loads and predicts as it did."""
    values, labels = one_feature(0.8, 0)
    machine = CalibratedClassifierCV(SVC(), ensemble=False, cv=StratifiedKFold(5, shuffle=True, random_state=0))
    model = TunedClassifier(machine, {"estimator__C": (0.1, 1.0)}).fit(values, labels)
    digest = save_model(tmp_path / "model", model, {})
    loaded = load_model(tmp_path / "model", digest).estimator
    assert np.array_equal(loaded.predict_proba(values), model.predict_proba(values))
