"""Models trained with censoring weights: unbiased, on record, and the same where nobody is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from builders.models import train
from builders.store import clinical_rows
from builders.written_store import WrittenStore

from schemas.study.models import ModelSettings
from store.history.snapshot import Snapshot
from zoo.benchmark.controls import label_donors, permuted_labels
from zoo.benchmark.cross_validation import plan_cross_validation, split_labels
from zoo.benchmark.fold_fits import fitted_task
from zoo.benchmark.folds import repeated_folds
from zoo.censoring.follow_up import FollowUp
from zoo.censoring.weights import censoring_weights
from zoo.models.training import plan_training
from zoo.registry import model_spec

HORIZON = 24.0
BINARY = 'kind = "binary"\nname = "o"\ncolumn = "o"\n'
EVENT = 'kind = "time_to_event"\nname = "o"\nevent = "e"\ntime = "t"\nunit = "mo"\nhorizon = 24\n'

Row = dict[str, Any]


def outcomes(random: np.random.Generator, risk: np.ndarray, censoring: float) -> tuple[np.ndarray, np.ndarray]:
    """Return events and times of patients whose log hazard rises with a risk."""
    until_event = random.exponential(90 * np.exp(-risk))
    until_lost = random.exponential(censoring, len(risk))
    return (until_event <= until_lost).astype(int), np.minimum(until_event, until_lost)


def labels_at_the_horizon(events: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Return 1, 0, and -1 for who is lost before."""
    return np.where((events == 1) & (times <= HORIZON), 1, np.where(times >= HORIZON, 0, -1))


@pytest.mark.parametrize("model", ["radiomics_lr", "radiomics_xgb", "radiomics_knn", "cr"])
def test_calibration_in_the_large_on_patients_who_are_all_followed(model: str) -> None:
    """Weighted within .02 of the truth, where complete cases are ten times as far off and more."""
    random = np.random.default_rng(11)
    table = random.normal(size=(1600, 4))
    events, times = outcomes(random, table @ [0.9, 0.5, 0.0, 0.0] - 0.2, censoring=22)
    labels = labels_at_the_horizon(events, times)
    known = np.flatnonzero(labels >= 0)
    fresh = random.normal(size=(20_000, 4))
    # The chance of an event by the horizon, exactly: nobody is lost.
    truth = float((1 - np.exp(-HORIZON / 90 * np.exp(fresh @ [0.9, 0.5, 0.0, 0.0] - 0.2))).mean())
    ends = {str(row): float(times[row]) for row in known}
    followed = FollowUp(ends, tuple(sorted(times[labels < 0].tolist())))
    weights = censoring_weights(followed, list(ends)).of(ends)
    assert (labels < 0).mean() > 0.4
    said = {}
    for name, each in (("complete cases", None), ("weighted", weights)):
        fitted = model_spec(model).build(ModelSettings(), random_state=0)
        fitted.fit(table[known], labels[known], sample_weight=each)
        said[name] = float(fitted.predict_proba(fresh)[:, 1].mean())
    assert abs(said["weighted"] - truth) < 0.02
    assert said["complete cases"] - truth > 0.1


def written(folder: Path, *, censoring: float, setting: str = "", models: str = "") -> WrittenStore:
    """Return a store of 150 patients, two in three of whom train, with features and a factor that tell of the event."""
    store = WrittenStore(folder)
    store.edit(BINARY, EVENT + setting)
    if models:
        store.edit("[models.radiomics_lr]\n", models)
    random = np.random.default_rng(12)
    patients = [f"P{number:03}" for number in range(150)]
    values = random.normal(size=(150, 3))
    events, times = outcomes(random, 0.9 * values[:, 0] + 0.9 * values[:, 1], censoring)
    if censoring == np.inf:
        events, times = (times <= HORIZON).astype(int), np.minimum(times, 40.0)
    labels = labels_at_the_horizon(events, times)
    known = {patient: int(label) for patient, label in zip(patients, labels, strict=True) if label >= 0}
    own = {"study": "s"}
    store.put_study()
    store.cohort(known, {p: "validation" if n % 3 == 0 else "training" for n, p in enumerate(known)})
    lost = [
        own | {"patient": p, "outcome": "o", "label": None, "reason": "censored"} for p in patients if p not in known
    ]
    store.put("labels", lost)
    store.put("study_patients", [own | {"patient": patient} for patient in patients])
    store.put("splits", [own | {"split": "fixed", "kind": "column", "patients": len(known)}])
    ends = zip(patients, events.tolist(), times.tolist(), strict=True)
    store.put(
        "outcomes", [{"patient": p, "outcome": "o", "event": e, "time": t, "time_unit": "mo"} for p, e, t in ends]
    )
    rows, clinical = {}, []
    for patient, (first, second, third) in zip(patients, values, strict=True):
        given = {
            "original_shape_Elongation": first,
            "original_shape_Flatness": third,
            "original_shape_Sphericity": second,
        }
        rows |= {(patient, "AP"): given, (patient, "DP"): given}
        said = {
            "afp": float(np.exp(6 + second)),
            "age": float(60 + 8 * first),
            "sex": "male" if third > 0 else "female",
        }
        clinical += clinical_rows(patient, said, {})
    store.put("clinical", clinical)
    store.features(rows)
    return store


WEIGHTS = 'censoring = "weights"\n'
A_VARIANT = '[models.radiomics_lr]\n\n[models.plain]\nbase = "radiomics_lr"\ncensoring = "complete-cases"\n'


@pytest.fixture(scope="module")
def weighed(tmp_path_factory: pytest.TempPathFactory) -> tuple[WrittenStore, dict[str, Row]]:
    """Return a store whose study asks for weights, a variant for none, with the rows of the trained models."""
    store = written(tmp_path_factory.mktemp("weighed") / "store", censoring=22, setting=WEIGHTS, models=A_VARIANT)
    return store, {row["model"]: row for row in train(store.store, store.study, "radiomics_lr", "plain")}


def folder_of(store: WrittenStore, row: Row) -> Path:
    """Return a model's folder."""
    return store.root / str(row["path"])


def test_a_model_says_that_it_was_weighed(weighed: tuple[WrittenStore, dict[str, Row]]) -> None:
    """In the catalogue and on its card: effective number, lowest G, and what of the fit takes no weights."""
    store, rows = weighed
    record = json.loads(rows["radiomics_lr"]["summary"])["censoring"]
    plan = plan_training(store.snapshot, store.study, "radiomics_lr")
    training = plan.table.of_cohort("training")[2].to_list()
    assert plan.censoring is not None
    weights = np.array([plan.censoring.by_patient[patient] for patient in training])
    labels = plan.table.of_cohort("training")[1].to_numpy()
    assert record == {
        "censored": 150 - len(split_labels(store.snapshot, store.study, "fixed")),
        "patients": len(training),
        "effective_patients": pytest.approx(weights.sum() ** 2 / (weights**2).sum()),
        "lowest_g": pytest.approx(1 / weights.max()),
        "rate": pytest.approx(np.average(labels, weights=weights)),
        "complete_case_rate": pytest.approx(labels.mean()),
        "unweighted": ["values put in for missing ones", "the univariable tests of features"],
    }
    assert record["complete_case_rate"] - record["rate"] > 0.1
    card = (folder_of(store, rows["radiomics_lr"]) / "card.md").read_text()
    assert f"Trained with censoring weights: {len(training)} patients" in card
    assert f"are worth {record['effective_patients']:.1f}" in card
    assert "Not weighted: values put in for missing ones, the univariable tests of features" in card
    assert "censoring weights" not in (folder_of(store, rows["plain"]) / "card.md").read_text()
    assert "censoring" not in json.loads(rows["plain"]["summary"])


def test_a_model_with_weights_is_another_than_one_without(weighed: tuple[WrittenStore, dict[str, Row]]) -> None:
    """Other hashes and other probabilities; the variant without is the model of a study that never heard of weights."""
    store, rows = weighed
    without = written(store.root.parent / "without", censoring=22)
    (plain,) = train(without.store, without.study, "radiomics_lr")
    hashes = {rows["radiomics_lr"]["training_sha256"], plain["training_sha256"]}
    assert len(hashes) == 2
    assert rows["plain"]["training_sha256"] == plain["training_sha256"]
    estimators = [(folder_of(store, rows[name]) / "estimator.skops").read_bytes() for name in ("radiomics_lr", "plain")]
    own = (folder_of(without, plain) / "estimator.skops").read_bytes()
    assert estimators[1] == own != estimators[0]


def test_follow_up_that_changes_is_another_training(
    weighed: tuple[WrittenStore, dict[str, Row]], tmp_path: Path
) -> None:
    """Of a patient who never had a label: the weighed model is out of date, the other is not."""
    store = weighed[0].copied(tmp_path)
    known = split_labels(store.snapshot, store.study, "fixed")
    lost = next(row for row in store.snapshot.rows("outcomes") if row["patient"] not in known and row["time"] > 3)
    one = {"patient": lost["patient"], "outcome": "o"}
    store.put("outcomes", [lost | {"time": 1.0}], replacing=one)
    found = {
        name: plan_training(store.snapshot, store.study, name).current_version for name in ("radiomics_lr", "plain")
    }
    assert found == {"radiomics_lr": None, "plain": 1}


def test_where_nobody_is_lost_weights_change_no_bit(tmp_path: Path) -> None:
    """The estimators' files are the same; the record says that weights were asked for."""
    stores = [written(tmp_path / name, censoring=np.inf, setting=each) for name, each in (("a", WEIGHTS), ("b", ""))]
    rows = [train(each.store, each.study) for each in stores]
    for with_weights, without in zip(*rows, strict=True):
        contents = [
            (folder_of(of, row) / "estimator.skops").read_bytes()
            for of, row in zip(stores, (with_weights, without), strict=True)
        ]
        assert contents[0] == contents[1]
        assert with_weights["threshold"] == without["threshold"]
        assert with_weights["training_sha256"] != without["training_sha256"]
        assert json.loads(with_weights["summary"])["censoring"]["censored"] == 0
        card = (folder_of(stores[0], with_weights) / "card.md").read_text()
        assert "asked for, and nobody was censored before the horizon" in card


def test_a_fold_is_weighed_by_its_own_training_patients(weighed: tuple[WrittenStore, dict[str, Row]]) -> None:
    """Models that ask and those that do not in one task; no follow-up of who is judged comes with it."""
    store, _ = weighed
    snapshot, study = Snapshot(store.store), store.study
    labels = split_labels(snapshot, study, "fixed")
    folds = repeated_folds(labels, repeats=1, folds=2, seed=1)
    options: dict[str, Any] = {"labels": {"fixed": labels}, "folds": {"fixed": folds}, "with_thresholds": True}
    planned = plan_cross_validation(snapshot, study, ["radiomics_lr", "plain"], **options)
    task = planned.tasks[0]
    assert task.weights.keys() == set(folds[0].training)
    assert task.weighted == {"radiomics_lr"}
    found = fitted_task(task)
    said = {model: np.mean(list(found[model]["probabilities"].values())) for model in found}
    assert said["plain"] - said["radiomics_lr"] > 0.05
    alone = plan_cross_validation(snapshot, study, ["plain"], **options).tasks[0]
    assert (alone.weights, alone.weighted) == ({}, frozenset())
    assert fitted_task(alone)["plain"] == found["plain"]
    donors = label_donors(labels, {}, seed=3)
    permuted = {"fixed": permuted_labels(labels, {}, seed=3)}
    control = plan_cross_validation(
        snapshot, study, ["radiomics_lr"], **options | {"labels": permuted}, donors={"fixed": donors}
    ).tasks[0]
    # Who is free of the event at the horizon weighs most: by the label that the control gives.
    heaviest = {patient for patient, weight in control.weights.items() if weight == max(control.weights.values())}
    assert heaviest == {patient for patient in folds[0].training if permuted["fixed"][patient] == 0}
