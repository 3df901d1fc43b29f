"""Variants: several models of one study from one member of the zoo."""

from __future__ import annotations

import json

import polars as pl
import pytest

from schemas.errors import NotFoundError
from schemas.study.file import Study
from store.history.studies import stored_study
from zoo.benchmark.cross_validation import plan_cross_validation, split_labels
from zoo.benchmark.folds import repeated_folds
from zoo.benchmark.holdout import judged_model
from zoo.models.explained import patient_explanation, validation_importances
from zoo.models.remade import remade_model
from zoo.models.saved import stored_model
from zoo.models.training import plan_training
from zoo.registry import model_spec, recorded_spec, study_spec
from zoo.saving.persist import load_model
from zoo.tables.inputs import ModelInputs, model_inputs

VARIANTS = """[models.radiomics_lr]
correction = "benjamini-hochberg"

[models.lr_late]
base = "radiomics_lr"
phases = ["DP"]
"""


def trained(written, model):
    """Train a model of the store's study and commit it; return its row."""
    written.put_study()
    version = written.train(model)["version"]
    (row,) = written.snapshot.rows("models", model=model, version=version)
    return row


def test_a_variant_is_trained_recorded_and_judged_under_its_own_name(cohort_of_90):
    """Its columns and settings are its own, all else its base's; row, record and card say the base."""
    cohort_of_90.edit("[models.radiomics_lr]\n", VARIANTS)
    row = trained(cohort_of_90, "lr_late")
    assert (row["model"], row["version"], json.loads(row["summary"])["base"]) == ("lr_late", 1, "radiomics_lr")
    assert row["path"].startswith("models/s/lr_late/v1-")
    loaded = load_model(cohort_of_90.store.files.local_folder(row["path"]), row["sha256"])
    assert (loaded.metadata["model"], loaded.metadata["base"]) == ("lr_late", "radiomics_lr")
    assert loaded.card is not None
    assert loaded.card.startswith("# lr_late of study s\n")
    assert "- A variant of the zoo's `radiomics_lr`" in loaded.card
    assert {name.partition("__")[0] for name in loaded.metadata["columns"]} == {"DP"}
    assert loaded.estimator.get_params()["estimator__univariable__correction"] == "benjamini-hochberg"
    assert {each.model for each in judged_model(cohort_of_90.snapshot, row).leaderboard} == {"lr_late"}
    assert recorded_spec(row) == study_spec(cohort_of_90.study, "lr_late")


def test_a_member_of_the_study_says_nothing_of_a_base(cohort_of_90):
    """The row and the record of a model that is no variant are as they were before there were variants."""
    row = trained(cohort_of_90, "cr")
    assert "base" not in json.loads(row["summary"])
    assert "base" not in stored_model(cohort_of_90.snapshot, row).loaded.metadata
    assert recorded_spec(row) == model_spec("cr")


def test_each_version_of_a_variant_keeps_the_base_it_was_trained_from(cohort_of_90):
    """After the study file gives another base, the old version is explained and made again, or not, as what it was."""
    cohort_of_90.edit("[models.radiomics_lr]\n", VARIANTS)
    old = trained(cohort_of_90, "lr_late")
    cohort_of_90.edit('base = "radiomics_lr"', 'base = "radiomics_knn"')
    new = trained(cohort_of_90, "lr_late")
    assert (old["version"], new["version"]) == (1, 2)
    assert [recorded_spec(row).base for row in (old, new)] == ["radiomics_lr", "radiomics_knn"]
    assert patient_explanation(cohort_of_90.snapshot, old, "P70")["kind"] == "linear"
    assert patient_explanation(cohort_of_90.snapshot, new, "P70")["kind"] == "occlusion"
    assert {each["model"] for each in validation_importances(cohort_of_90.snapshot, new)} == {"lr_late"}
    assert not remade_model(cohort_of_90.store, old)
    assert remade_model(cohort_of_90.store, new)


def test_variants_and_their_base_are_fitted_side_by_side_in_folds(cohort_of_90):
    """Every fold fits both under their own names; the variant reads its own columns."""
    cohort_of_90.edit("[models.radiomics_lr]\n", VARIANTS)
    cohort_of_90.put_study()
    study, snapshot = cohort_of_90.study, cohort_of_90.snapshot
    labels = split_labels(snapshot, study, "fixed")
    folds = repeated_folds(labels, repeats=1, folds=2, seed=1)
    planned = plan_cross_validation(
        snapshot,
        study,
        ["radiomics_lr", "lr_late"],
        labels={"fixed": labels},
        folds={"fixed": folds},
        with_thresholds=False,
    )
    assert [[recipe.model for recipe in task.recipes] for task in planned.tasks] == [["radiomics_lr", "lr_late"]] * 2
    columns = {recipe.model: pl.read_parquet_schema(recipe.dataset) for recipe in planned.tasks[0].recipes}
    assert [any(name.startswith("AP__") for name in columns[model]) for model in ("radiomics_lr", "lr_late")] == [
        True,
        False,
    ]
    assert not planned.networks


def test_a_dataset_of_a_stages_variant_keeps_the_switch_that_the_studys_own_stage_has_otherwise(tables_of_12):
    """Where the study switches a stage's rule on, the dataset of a variant that has it off says so, and reads so."""
    study = tables_of_12.study.model_dump(mode="json")
    study["models"] = {
        "bclc": {"single_over_5cm_is_b": True},
        "bclc_a": {"base": "bclc", "single_over_5cm_is_b": False},
        "bclc_same": {"base": "bclc"},
    }
    written = Study.model_validate(study)
    inputs = {model: model_inputs(written, study_spec(written, model)) for model in written.models}
    assert inputs["bclc"].as_dict() == inputs["bclc_same"].as_dict()
    assert inputs["bclc"].as_dict() != inputs["bclc_a"].as_dict()
    for each in inputs.values():
        again = ModelInputs.from_dict(json.loads(json.dumps(each.as_dict())), written)
        assert again.as_dict() == each.as_dict()
        assert again.comparator.assumptions == each.comparator.assumptions
    alone = Study.model_validate(study | {"models": {"bclc": {}}})
    assert "single_over_5cm_is_b" not in model_inputs(alone, study_spec(alone, "bclc")).as_dict()


def test_a_model_that_neither_the_study_nor_the_zoo_has_is_refused_with_the_nearest_names(cohort_of_90):
    """The names of the study's variants are among those that may be meant."""
    cohort_of_90.edit("[models.radiomics_lr]\n", VARIANTS)
    cohort_of_90.put_study()
    with pytest.raises(NotFoundError, match="neither study 's' nor the zoo has a model 'lr_lat'; nearest: lr_late"):
        plan_training(cohort_of_90.snapshot, stored_study(cohort_of_90.snapshot, "s"), "lr_lat")
