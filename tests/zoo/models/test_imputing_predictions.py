"""Predictions of clinical models that impute: who lacks a factor is answered as the model's training imputes it."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from store.commits.commit import commit_to
from zoo.benchmark.holdout import judged_model
from zoo.models.prediction import predictions
from zoo.models.saved import pinned_rows, stored_model

LACKING = {"P05": ("afp",), "P40": ("age",), "P70": ("afp",), "P71": ("age", "sex"), "P72": ("afp", "age", "sex")}


@pytest.fixture(scope="module", params=["impute", "indicate"])
def trained(request, pristine_cohort, tmp_path_factory):
    """Return a store where five patients lack factors, and its clinical model that imputes them."""
    written = pristine_cohort.copied(tmp_path_factory.mktemp(request.param))
    written.edit("[models.cr]\n", f'[models.cr]\nmissing = "{request.param}"\n')
    written.put("study_patients", [{"study": "s", "patient": f"P{number:02}"} for number in range(90)])
    with commit_to(written.store, "values that are missing") as commit:
        for patient, names in LACKING.items():
            gone = {"patient": patient, "observed_at": ""}
            commit.remove("clinical", [gone | {"variable": name} for name in names])
    written.train("cr")
    return written


def answers(written, **options):
    """Return what the clinical model says of each patient of its study."""
    snapshot = written.snapshot
    saved = stored_model(snapshot, snapshot.row("models", model="cr", study="s"))
    return {each.patient: each for each in predictions(snapshot, written.study, saved, **options).patients}


def test_patients_of_the_models_own_study_get_the_benchmarks_probabilities(trained):
    """Whoever has one factor at least is answered, with the probability that the benchmark gives the pinned row."""
    found = answers(trained, include_training=True)
    judged = {each.patient: each.probability for each in judged_model(trained.snapshot, row_of(trained)).predictions}
    answered = {patient: each.probability for patient, each in found.items() if each.probability is not None}
    assert answered == pytest.approx(judged)
    assert set(found) - set(answered) == {"P72"}
    assert "no value of" in found["P72"].reason


def test_a_missing_factor_is_answered_by_the_training_patients_median(trained):
    """The answer for a patient without AFP is that of the same row with the more frequent value of the training."""
    found = answers(trained, patients=["P70"])["P70"]
    saved = stored_model(trained.snapshot, row_of(trained))
    rows = pinned_rows(trained.snapshot, saved.loaded.metadata["dataset_id"])
    training = rows.filter(pl.col("cohort") == "training")
    frequent = float(np.median(training["afp>400"].drop_nulls()) > 0.5)
    row = rows.filter(pl.col("patient") == "P70")
    assert row["afp>400"].to_list() == [None]
    completed = row.with_columns(pl.lit(frequent).alias("afp>400")).select(saved.inputs.columns)
    assert found.probability == pytest.approx(saved.loaded.estimator.predict_proba(completed)[0, 1])


def test_what_each_factor_contributes_adds_up_for_a_patient_who_lacks_one(trained):
    """An imputed patient is explained like the others: baseline and contributions give the log odds."""
    found = answers(trained, patients=["P70", "P71"], explain=True)
    for each in found.values():
        assert sum(each.contributions.values()) == pytest.approx(np.log(each.probability / (1 - each.probability)))


def row_of(written):
    """Return the model's row of the catalogue."""
    return written.snapshot.row("models", model="cr", study="s")
