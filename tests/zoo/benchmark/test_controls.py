"""Negative controls: what is permuted, what is shuffled, and that an honest procedure finds nothing."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.features.radiomics_settings import HCC_CEMRI
from schemas.results import ControlRow
from schemas.study.file import Study
from zoo.benchmark.controls import control_row, permuted_labels, shuffled_set, split_fold, with_shuffled_set
from zoo.benchmark.cross_validation import plan_cross_validation, split_cohorts, split_labels
from zoo.benchmark.fold_fits import fitted_task
from zoo.benchmark.folds import repeated_folds
from zoo.tables.inputs import ModelInputs

LABELS = {f"P{number:02}": int(number % 3 == 0) for number in range(40)}
COHORTS = {patient: "training" if number < 30 else "validation" for number, patient in enumerate(LABELS)}


def radiomics_study(**more) -> Study:
    """Return a study whose models read radiomics."""
    return Study.model_validate(
        {
            "study": {"id": "s", "title": "t"},
            "cohort": {"table": "t.csv"},
            "phases": {"AP": {"image": "i", "mask": "m"}},
            "splits": {"main": {"kind": "stratified"}},
            "feature_sets": ["hcc-cemri@1"],
        }
        | more
    )


def reads(feature_set) -> ModelInputs:
    """Return inputs that are one feature set."""
    return ModelInputs(split="main", feature_set=feature_set, phases=("AP",), factors=())


def test_permuting_keeps_the_events_of_each_group():
    """Labels change hands within cohorts: each keeps its events, and the order of the patients does not matter."""
    drawn = permuted_labels(LABELS, COHORTS, seed=1)
    assert drawn.keys() == LABELS.keys()
    assert drawn != LABELS
    for cohort in ("training", "validation"):
        events = [sum(of[p] for p in LABELS if COHORTS[p] == cohort) for of in (LABELS, drawn)]
        assert events[0] == events[1]
    assert permuted_labels(dict(reversed(LABELS.items())), COHORTS, seed=1) == drawn
    assert permuted_labels(LABELS, COHORTS, seed=2) != drawn


def test_permuting_over_all_patients_mixes_cohorts():
    """Without groups the events of a cohort may change, those of all patients not."""
    drawn = [permuted_labels(LABELS, {}, seed=seed) for seed in range(5)]
    assert {sum(each.values()) for each in drawn} == {sum(LABELS.values())}
    training = {sum(each[p] for p in LABELS if COHORTS[p] == "training") for each in drawn}
    assert len(training) > 1


def test_a_split_is_one_fold():
    """In the holdout suite the training cohort trains and the validation cohort is judged."""
    fold = split_fold(LABELS, COHORTS)
    assert [COHORTS[patient] for patient in fold.training] == ["training"] * 30
    assert [COHORTS[patient] for patient in fold.judged] == ["validation"] * 10


def test_the_shuffled_set_is_the_models_own_without_shape():
    """Everything but shape and the shuffling is as in the model's feature set; the study asks for it alone."""
    name, settings = shuffled_set(radiomics_study(), reads("hcc-cemri@1"))
    assert name == "hcc-cemri-shuffled"
    assert settings.shuffled_voxels
    assert "shape" not in settings.families
    kept = {"shuffled_voxels": False, "families": HCC_CEMRI.families}
    assert settings.model_copy(update=kept) == HCC_CEMRI
    derived = with_shuffled_set(radiomics_study(), name, settings)
    assert derived.feature_sets == ("hcc-cemri-shuffled",)
    assert derived.define["hcc-cemri-shuffled"].radiomics == settings
    assert Study.model_validate(derived.model_dump()) == derived


def test_a_set_of_shape_alone_has_nothing_to_shuffle():
    """Shape does not depend on intensities: there is no control for it, and none for a model without features."""
    study = radiomics_study(define={"form": {"radiomics": {"families": ["shape"]}}}, feature_sets=["form"])
    assert shuffled_set(study, reads("form")) is None
    assert shuffled_set(study, reads(None)) is None


def test_permuted_labels_are_not_found(pristine_cohort):
    """Models that find the planted signal find nothing once labels are permuted: .5 lies in the interval."""
    snapshot, study = pristine_cohort.snapshot, pristine_cohort.study
    models = ["cr", "radiomics_lr"]
    true = split_labels(snapshot, study, "fixed")
    rows = {}
    for what, labels in (("true", true), ("permuted", permuted_labels(true, {}, seed=4))):
        folds = {"fixed": repeated_folds(labels, repeats=2, folds=3, seed=4)}
        planned = plan_cross_validation(
            snapshot, study, models, labels={"fixed": labels}, folds=folds, with_thresholds=False
        )
        results = {task.key: fitted_task(task) for task in planned.tasks}
        for model in models:
            rows[what, model] = control_row("s", "nested-cv", "permuted_labels", model, planned, results)
    for model in models:
        assert rows["true", model].auc > 0.7
        assert rows["permuted", model].holds_chance
        assert (rows["permuted", model].repeats, rows["permuted", model].n) == (2, 90)
        assert rows["permuted", model].events == sum(true.values())


def test_in_the_paper_suite_the_validation_cohort_is_judged(pristine_cohort):
    """Trained on the training cohort with permuted labels, models are judged on the validation cohort."""
    snapshot, study = pristine_cohort.snapshot, pristine_cohort.study
    cohorts = split_cohorts(snapshot, study, "fixed")
    labels = permuted_labels(split_labels(snapshot, study, "fixed"), cohorts, seed=0)
    folds = {"fixed": [split_fold(labels, cohorts)]}
    planned = plan_cross_validation(
        snapshot, study, ["cr"], labels={"fixed": labels}, folds=folds, with_thresholds=False
    )
    results = {task.key: fitted_task(task) for task in planned.tasks}
    row = control_row("s", "holdout", "permuted_labels", "cr", planned, results)
    assert (row.cohort, row.n, row.repeats) == ("validation", 30, 1)


@pytest.mark.parametrize(("bounds", "holds"), [((0.4, 0.6), True), ((0.5, 0.7), True), ((0.51, 0.7), False)])
def test_a_row_says_whether_chance_lies_in_its_interval(bounds, holds):
    """One half on the bound counts as inside."""
    row = ControlRow(
        study="s",
        suite="nested-cv",
        control="permuted_labels",
        model="cr",
        cohort="out_of_fold",
        repeats=1,
        n=10,
        events=5,
        auc=float(np.mean(bounds)),
        auc_lo=bounds[0],
        auc_hi=bounds[1],
    )
    assert row.holds_chance is holds
