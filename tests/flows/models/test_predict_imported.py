"""Predictions of a model that was trained on an imported feature table: for its own patients, and another study's."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from flows.bench.run import bench
from flows.ingest.run import ingest
from flows.models.predict import predict
from schemas.errors import ContractError
from store.analyst.query import answer
from store.history.snapshot import Snapshot
from store.home import Store

STUDY = """[study]
id = "{id}"
title = "t"

[cohort]
table = "patients.csv"

[imported.elsewhere]
table = "features.csv"
phases = {{ ADC = "ADC_", T2 = "T2_" }}

[outcome]
kind = "binary"
name = "o"
column = "o"

[splits.fixed]
kind = "column"
column = "cohort"

[models.radiomics_lr]
"""
FEATURES = ("mean", "size", "edge")


def write_study(root, study, patients, *, seed, features=FEATURES):
    """Write a study of one imported table of two phases, whose first feature tells the outcome."""
    folder = root / study
    folder.mkdir()
    (folder / "study.toml").write_text(STUDY.format(id=study))
    random = np.random.default_rng(seed)
    with (folder / "patients.csv").open("w") as cohort, (folder / "features.csv").open("w") as table:
        csv.writer(cohort).writerow(["patient", "o", "cohort"])
        csv.writer(table).writerow(["patient", *(f"{phase}_{name}" for phase in ("ADC", "T2") for name in features)])
        for number, patient in enumerate(patients):
            label = number % 2
            csv.writer(cohort).writerow([patient, label, "validation" if number % 4 > 1 else "training"])
            values = random.normal(size=2 * len(features))
            values[0] += 2 * label
            csv.writer(table).writerow([patient, *values.round(6)])
    return folder / "study.toml"


@pytest.fixture(scope="module")
def store(tmp_path_factory, prefect_server):
    """Return a store with a model that was trained on an imported table, judged on its validation cohort."""
    root = tmp_path_factory.mktemp("imported")
    ingest(write_study(root, "s", [f"P{number:02}" for number in range(60)], seed=1), root / "store", workers=1)
    bench(Store(root / "store"), "s")
    return Store(root / "store")


def test_the_models_own_patients_get_the_benchmarks_probabilities(store):
    """The validation patients' answers are those of the benchmark."""
    rows = answer(Snapshot(store), "select patient, probability from predictions where cohort = 'validation'")
    judged = {row["patient"]: row["probability"] for row in rows.to_pylist()}
    found = predict(store, "radiomics_lr", "s", patients=sorted(judged))
    assert {each.patient: each.probability for each in found.patients} == pytest.approx(judged)


def test_another_study_with_a_table_of_the_same_columns_is_answered(store, tmp_path):
    """New patients whose table has the same definition are ranked as their outcome says; a missing row is a reason."""
    file = write_study(tmp_path, "new", [f"N{number:02}" for number in range(12)], seed=2)
    table = file.with_name("features.csv")
    table.write_text("".join(line for line in table.read_text().splitlines(True) if not line.startswith("N03")))
    ingest(file, store.root, workers=1)
    found = predict(store, "s/radiomics_lr", "new")
    answered = {each.patient: each.probability for each in found.patients if each.probability is not None}
    (silent,) = [each for each in found.patients if each.probability is None]
    assert (silent.patient, silent.reason) == ("N03", "no elsewhere@1 in ADC: no row in features.csv")
    events = [answered[patient] for patient in answered if int(patient[1:]) % 2]
    assert np.mean(events) > np.mean([answered[patient] for patient in answered if not int(patient[1:]) % 2]) + 0.2
    assert {each.cohort for each in found.patients} == {"new"}


def test_a_table_of_other_columns_is_another_definition(store, tmp_path):
    """A study whose table of the same name has other columns is refused, with both definitions."""
    file = write_study(tmp_path, "other", [f"Q{number}" for number in range(8)], seed=3, features=("mean", "size"))
    ingest(file, store.root, workers=1)
    with pytest.raises(ContractError, match=r"the model reads elsewhere@1 .* the study has elsewhere@2"):
        predict(store, "s/radiomics_lr", "other")
