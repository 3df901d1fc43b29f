"""Standard scales of intensities: whom they were learnt from is never judged by features on them."""

from __future__ import annotations

import json

import pytest

from schemas.errors import ContractError
from schemas.features.preparation import PhaseLandmarks
from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.keys import canonical_json
from schemas.splits import split_sha256
from zoo.benchmark.controls import split_fold
from zoo.benchmark.cross_validation import plan_cross_validation, split_cohorts, split_labels
from zoo.benchmark.folds import Fold
from zoo.models.training import plan_training
from zoo.radiomics.landmarks import learnt_from


def put_split(written, cohorts):
    """Write the split as it is now, with its hash."""
    own = {"study": "s", "split": "fixed"}
    written.put("splits", [own | {"kind": "column", "sha256": split_sha256(cohorts), "patients": len(cohorts)}])
    rows = [own | {"patient": patient, "cohort": cohort} for patient, cohort in cohorts.items()]
    written.put("split_members", rows, replacing=own)


@pytest.fixture
def standardised(cohort_of_90):
    """Return the cohort with its features on scales that its training patients taught, in phase AP alone."""
    cohorts = split_cohorts(cohort_of_90.snapshot, cohort_of_90.study, "fixed")
    put_split(cohort_of_90, cohorts)
    write_landmarks(cohort_of_90, split_sha256=split_sha256(cohorts))
    return cohort_of_90


def write_landmarks(written, **change):
    """Write the landmarks of phase AP into the definition of the store's feature set, and return them."""
    landmarks = {
        "phase": "AP",
        "percentiles": [1.0, 99.0],
        "values": [0.0, 100.0],
        "study": "s",
        "split": "fixed",
        "split_sha256": "0" * 64,
        "patients": 60,
        "prepared_sha256": RadiomicsSettings().prepared_sha256,
    } | change
    before, keys, after = written.text.partition('families = ["shape"]\n')
    lines = [f"{name} = {json.dumps(value)}" for name, value in landmarks.items()]
    tables = "\n".join(["standardize = true", "[[define.quick.radiomics.landmarks]]", *lines])
    written.text = f"{before}{keys}{tables}\n\n[models.cr{after.rpartition('[models.cr')[2]}"
    row = written.snapshot.row("feature_sets", feature_set="quick@1")
    settings = written.study.define["quick"].settings.model_dump(mode="json")
    definition = json.loads(row["definition"]) | {"settings": settings}
    written.put("feature_sets", [row | {"definition": canonical_json(definition)}])
    return PhaseLandmarks.model_validate(landmarks)


def planned_folds(written, folds):
    """Return the plan of a model's fits on folds."""
    labels = {"fixed": split_labels(written.snapshot, written.study, "fixed")}
    return plan_cross_validation(
        written.snapshot, written.study, ["radiomics_lr"], labels=labels, folds={"fixed": folds}
    )


def test_who_taught_may_train_and_nobody_else_is_held_back(standardised):
    """On the split that taught the landmarks a model is planned, for training and for the holdout suite."""
    assert plan_training(standardised.snapshot, standardised.study, "radiomics_lr").next_version == 1
    labels = split_labels(standardised.snapshot, standardised.study, "fixed")
    cohorts = split_cohorts(standardised.snapshot, standardised.study, "fixed")
    assert planned_folds(standardised, [split_fold(labels, cohorts)]).tasks


def test_who_taught_is_not_judged_in_another_cohort(standardised):
    """Two teachers become validation patients: the store's history knows them, whatever the split is now."""
    cohorts = split_cohorts(standardised.snapshot, standardised.study, "fixed")
    put_split(standardised, cohorts | {"P00": "validation", "P07": "validation", "P60": "training"})
    with pytest.raises(ContractError, match="'fixed' of study 's', and 2 of them are held out here") as caught:
        plan_training(standardised.snapshot, standardised.study, "radiomics_lr")
    assert str(caught.value.where) == "patient P00 is one"


def test_who_taught_is_not_judged_by_folds(standardised):
    """Folds hold out everybody once: what was learnt from them is refused there."""
    labels = split_labels(standardised.snapshot, standardised.study, "fixed")
    patients = sorted(labels)
    folds = [
        Fold(0, 0, tuple(patients[:45]), tuple(patients[45:])),
        Fold(0, 1, tuple(patients[45:]), tuple(patients[:45])),
    ]
    with pytest.raises(ContractError, match=r"landmarks of 'quick@1' in phase AP .* are held out here"):
        planned_folds(standardised, folds)


def test_a_phase_that_a_model_does_not_read_holds_nothing_back(standardised):
    """Landmarks of AP say nothing about a model of DP."""
    standardised.edit("[models.radiomics_lr]\n", '[models.radiomics_lr]\nphases = ["DP"]\n')
    cohorts = split_cohorts(standardised.snapshot, standardised.study, "fixed")
    put_split(standardised, cohorts | {"P00": "validation", "P60": "training"})
    assert plan_training(standardised.snapshot, standardised.study, "radiomics_lr").next_version == 1


def test_teachers_of_another_store_are_not_known_here(standardised):
    """Where the store has never had the split, nobody of its patients is among the teachers as far as it can tell."""
    for change in ({"study": "elsewhere"}, {"split": "other"}, {"split_sha256": "f" * 64}):
        landmarks = write_landmarks(standardised, **change)
        assert learnt_from(standardised.snapshot, landmarks) == frozenset()
        assert plan_training(standardised.snapshot, standardised.study, "radiomics_lr").next_version == 1
