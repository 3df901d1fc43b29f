"""Embeddings of networks: what is free of labels may be learnt from, what is not is refused; nothing is made twice."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.written_store import WrittenStore
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from flows.bench.remote_fit import RemoteFit, fit_on_worker
from flows.bench.run import bench
from flows.embed.run import embed
from flows.engine.pool import one_thread_each
from flows.engine.runners.environment import environment
from flows.train.run import train
from schemas.errors import ContractError
from schemas.features.region_settings import RegionSettings, RegistrationSettings
from schemas.keys import sql_name
from schemas.study.text import parsed_study
from store.analyst.export import export_snapshot
from store.analyst.query import answer
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store
from store.kinds.every import EMBEDDING, kind_of
from store.verification.verify import store_verification
from zoo.benchmark.cross_validation import plan_cross_validation, split_labels
from zoo.benchmark.fold_fits import fitted_task
from zoo.benchmark.folds import repeated_folds
from zoo.benchmark.holdout import judged_model
from zoo.evaluation.auc import auc
from zoo.models.prediction import predictions
from zoo.models.saved import stored_model

pytestmark = pytest.mark.slow

PATIENTS = [f"P{number:02}" for number in range(64)]
COHORTS = {patient: "training" if number < 48 else "validation" for number, patient in enumerate(PATIENTS)}
PHASES = ("AP", "DP")
SETTINGS = RegionSettings(size=16, slices=1, registration=RegistrationSettings(method="none"))
STUDY = """
feature_sets = ["crops"]
[study]
id = "s"
title = "t"
[cohort]
table = "patients.csv"
[phases.AP]
image = "{patient}.nii.gz"
mask = "{patient}.nii.gz"
[phases.DP]
image = "{patient}.nii.gz"
mask = "{patient}.nii.gz"
[outcome]
kind = "binary"
name = "o"
column = "o"
[splits.fixed]
kind = "column"
column = "cohort"
[define.crops.regions]
size = 16
slices = 1
registration = { method = "none" }
[models.dl_resnet10.network]
epochs = 15
optimiser = "adam"
learning_rate = 2e-3
validation_fraction = 0                 # nothing stops it from learning its patients by heart
augmentation = { rotation_degrees = 0, scaling = 0, shift = 0, flip = false }
device = "cpu"
[models.radiomics_lr]
feature_set = "dl-resnet10"
"""


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Return a store of patients whose regions and labels are noise."""
    written = WrittenStore(tmp_path_factory.mktemp("noise") / "store", STUDY)
    random = np.random.default_rng(11)
    labels = dict(zip(PATIENTS, random.permutation(np.arange(len(PATIENTS)) % 2).tolist(), strict=True))
    own = {"study": "s"}
    written.put_study()
    written.cohort(labels, COHORTS)
    written.put("study_patients", [own | {"patient": patient} for patient in PATIENTS])
    written.put("splits", [own | {"split": "fixed", "kind": "column", "patients": len(PATIENTS)}])
    rows = {
        (patient, phase): random.normal(size=SETTINGS.shape).astype(np.float32)
        for patient in PATIENTS
        for phase in PHASES
    }
    written.regions(rows, SETTINGS, "crops@1")
    return written.store


@pytest.fixture(scope="module")
def embedded(noise: Store) -> Store:
    """Return the store with a network's embeddings, those of its own training patients among them."""
    embed(noise, "dl_resnet10", folds=3, in_training=True, workers=1)
    return noise


def cross_validated_auc(store: Store, *, in_training: bool) -> float:
    """Return what an analyst finds who cross-validates a logistic regression on the training cohort's embeddings."""
    rows = answer(
        Snapshot(store),
        "select e.patient, l.label, list(e.embedding order by e.phase) as phases from embeddings e "
        "join labels l using (patient) join splits s using (patient) "
        f"where s.cohort = 'training' and e.in_training = {in_training} group by all order by e.patient",
    ).to_pylist()
    assert len(rows) == 48
    embeddings = np.array([np.concatenate(row["phases"]) for row in rows])
    labels = np.array([row["label"] for row in rows])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))
    scores = cross_val_predict(model, embeddings, labels, cv=5, method="decision_function")
    return float(auc(labels, scores))


def test_in_training_embeddings_of_noise_predict_it_and_out_of_fold_ones_do_not(embedded: Store) -> None:
    """A cross-validation of embeddings of noise gives an AUC near 1 in training, and .5 out of fold: why the guard."""
    told, free = (cross_validated_auc(embedded, in_training=each) for each in (True, False))
    standard_error = 0.083  # of an AUC of .5 with 24 against 24, Hanley and McNeil 1982
    assert told > 0.9
    assert abs(free - 0.5) < 2 * standard_error


def test_who_is_embedded_by_what(embedded: Store) -> None:
    """Training patients out of fold by three networks, the others by a fourth one; the last one's own marked."""
    rows = answer(
        Snapshot(embedded),
        "select s.cohort, e.in_training, e.fold is not null as out_of_fold, count(distinct e.patient) as patients, "
        "count(distinct e.weights_sha256) as networks, count(*) as n, min(len(e.embedding)) as size "
        "from embeddings e join splits s using (patient) group by all order by all",
    ).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("training", False, True, 48, 3, 96, 128),
        ("training", True, False, 48, 1, 96, 128),
        ("validation", False, False, 16, 1, 32, 128),
    ]
    # The store of this test has no images, which other checks miss.
    broken = {check.name for check in store_verification(embedded).checks if check.findings}
    assert not broken & {"extraction ids", "extractions", "segments", "definitions", "datasets", "models"}


def test_a_model_learns_from_what_is_free_of_labels(embedded: Store) -> None:
    """Trained on the set of embeddings, a model reads the out-of-fold rows, and the holdout suite judges it."""
    (report,) = train(embedded, "s", ["radiomics_lr"])
    assert (report.patients, report.excluded) == (64, 0)
    with pytest.raises(ContractError, match="held out there") as refusal:
        bench(embedded, "s", models=["radiomics_lr"], suite="nested-cv", repeats=1, folds=2, workers=1)
    assert refusal.value.exit_code == 4


def test_in_training_embeddings_alone_are_refused(embedded: Store) -> None:
    """Where the study has the in-training rows only, training is refused with exit code 4 and the reason."""
    told = answer(
        Snapshot(embedded), "select feature_set, extraction_id from embeddings where in_training or fold is null"
    ).to_pylist()
    own = {"study": "s", "feature_set": "dl-resnet10@1"}
    kept = Snapshot(embedded).rows("study_extractions", **own)
    with commit_to(embedded, "in training only") as commit:
        commit.put("study_extractions", [own | {"extraction_id": row["extraction_id"]} for row in told], replacing=own)
    try:
        with pytest.raises(ContractError, match="trained on this patient's label") as refusal:
            train(embedded, "s", ["radiomics_lr"])
        assert refusal.value.exit_code == 4
    finally:
        with commit_to(embedded, "back") as commit:
            commit.put("study_extractions", [{k: row[k] for k in own | {"extraction_id": 0}} for row in kept])


def test_nothing_is_embedded_twice(embedded: Store) -> None:
    """Asked again for the same, embedding makes no commit and says what is there."""
    first: Any = embed(embedded, "dl_resnet10", folds=3, in_training=True, workers=1)
    assert first.commit_id is None
    assert replace(first, commit_id=0).out_of_fold == 48


def test_only_networks_embed(embedded: Store) -> None:
    """A model of features has no embeddings."""
    with pytest.raises(ContractError, match="no network that reads regions alone"):
        embed(embedded, "cr")


def test_a_saved_network_predicts(embedded: Store) -> None:
    """For patients of its validation cohort a network says what the benchmark heard from it, and explains no column."""
    snapshot = Snapshot(embedded)
    row = max(snapshot.rows("models", study="s", model="dl_resnet10"), key=lambda each: each["version"])
    saved, study = stored_model(snapshot, row), parsed_study(STUDY, "study.toml")
    held_out = [patient for patient in PATIENTS if COHORTS[patient] == "validation"]
    found = predictions(snapshot, study, saved, patients=held_out)
    heard = {each.patient: each.probability for each in judged_model(snapshot, row).predictions}
    assert {each.patient: each.probability for each in found.patients} == {p: heard[p] for p in held_out}
    with pytest.raises(ContractError, match="cannot be told column by column"):
        predictions(snapshot, study, saved, patients=held_out, explain=True)


@pytest.mark.parametrize("study", [None, "s"])
def test_embeddings_and_regions_are_exported(embedded: Store, tmp_path: Path, study: str | None) -> None:
    """An export has a file for each set, of embeddings and regions too, with the rows that SQL answers."""
    snapshot = Snapshot(embedded)
    exported = {each.name: each for each in export_snapshot(snapshot, tmp_path / "all", study=study).resources}
    sets = {row["feature_set"]: kind_of(row) for row in answer(snapshot, "from feature_sets").to_pylist()}
    assert {kind.name for kind in sets.values()} == {"embedding", "regions"}
    for feature_set, kind in sets.items():
        asked = f"select count(*) as rows from {kind.view(feature_set)}"
        if kind is EMBEDDING:
            asked += f" where feature_set = '{feature_set}'"
        (expected,) = answer(snapshot, asked).to_pylist()
        assert exported[sql_name(feature_set)].rows == expected["rows"] > 0


def test_a_worker_of_a_cluster_trains_the_same_network(noise: Store) -> None:
    """A fold's embeddings and probabilities by a limited child of a worker are those of a process here, bit for bit."""
    snapshot = Snapshot(noise)
    study = stored_study(snapshot, None)
    labels = split_labels(snapshot, study, "fixed")
    plan = plan_cross_validation(
        snapshot,
        study,
        ["dl_resnet10"],
        labels={"fixed": labels},
        folds={"fixed": repeated_folds(labels, repeats=1, folds=2, seed=0)},
        with_thresholds=False,
        embeds=True,
    )
    task = plan.tasks[0]
    with one_thread_each():
        expected = json.dumps(fitted_task(task))
    assert fit_on_worker(RemoteFit(task, environment())).result == expected
