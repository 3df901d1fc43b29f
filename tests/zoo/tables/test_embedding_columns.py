"""Embeddings as columns of a model: what is free of the patients' labels is read, what is not is refused."""

from __future__ import annotations

import numpy as np
import polars as pl
import pyarrow.parquet as pq
import pytest

from schemas.errors import ContractError
from store.analyst.query import answer
from zoo.benchmark.cross_validation import plan_cross_validation
from zoo.benchmark.folds import Fold, repeated_folds
from zoo.tables.embedding_columns import embedding_columns, split_hash
from zoo.tables.pinned import pin_built_table

PATIENTS = [f"P{number:02}" for number in range(20)]
COHORTS = {patient: "training" if number < 14 else "validation" for number, patient in enumerate(PATIENTS)}
LABELS = {patient: number % 2 for number, patient in enumerate(PATIENTS)}
FOREIGN = {"split_sha256": None, "fold": None, "in_training": None}


@pytest.fixture
def twenty(written_store):
    """Return a store of 20 labelled patients and a study whose model reads embeddings."""
    written_store.edit("[models.radiomics_lr]\n", '[models.radiomics_lr]\nfeature_set = "net"\n')
    written_store.cohort(LABELS, COHORTS)
    written_store.put_study()
    return written_store


def embedded(written, seen, *, shift=0.0):
    """Return an embedding of each patient and phase, with what its network had seen of the patient."""
    drawn = np.random.default_rng(4).normal(size=(len(PATIENTS), 2, 3)).astype(np.float32) + np.float32(shift)
    return [
        (patient, phase, drawn[n, p].tolist(), seen(patient))
        for n, patient in enumerate(PATIENTS)
        for p, phase in enumerate(("AP", "DP"))
    ]


def trained_for(split):
    """Return what networks of two folds and a last one have seen: of a patient, never its own."""

    def seen(patient):
        fold = PATIENTS.index(patient) % 2 if COHORTS[patient] == "training" else None
        return {"split_sha256": split, "fold": fold, "in_training": False}

    return seen


def in_training_of(split):
    """Return what one network has seen that was trained on the training cohort."""
    return lambda patient: {"split_sha256": split, "fold": None, "in_training": COHORTS[patient] == "training"}


def table(written):
    """Return the table of the study's model."""
    return written.table(written.inputs("radiomics_lr"))


def test_out_of_fold_embeddings_are_columns(twenty):
    """The numbers of a network that did not see the patient are read, 32-bit floats as they are."""
    rows = embedded(twenty, trained_for(split_hash(twenty.snapshot, "s", "fixed")))
    twenty.embeddings(rows)
    found = table(twenty)
    assert found.columns == [f"{phase}__embedding_{n:04}" for phase in ("AP", "DP") for n in range(3)]
    of_patient = {(patient, phase): numbers for patient, phase, numbers, _ in rows}
    assert found.frame.row(4)[3:] == (*of_patient["P04", "AP"], *of_patient["P04", "DP"])


def test_in_training_embeddings_are_refused(twenty):
    """Where a network was trained on a patient and nothing else is there, training is refused with the reason."""
    twenty.embeddings(embedded(twenty, in_training_of(split_hash(twenty.snapshot, "s", "fixed"))))
    with pytest.raises(ContractError, match=r"14 patients.*trained on this patient's label") as refusal:
        table(twenty)
    assert refusal.value.exit_code == 4
    assert "radzoo embed" in refusal.value.hint


def test_in_training_embeddings_beside_others_are_not_read(twenty):
    """In-training rows may be in the store to be looked at; a model reads the out-of-fold ones."""
    split = split_hash(twenty.snapshot, "s", "fixed")
    wanted = embedded(twenty, trained_for(split))
    told = [row for row in embedded(twenty, in_training_of(split), shift=9.0) if COHORTS[row[0]] == "training"]
    twenty.embeddings([*told, *wanted])
    assert table(twenty).of_cohort("training")[0].to_numpy().max() < 6.0


def test_embeddings_for_another_split_are_refused(twenty):
    """Out of fold in one split says nothing in another one."""
    twenty.embeddings(embedded(twenty, trained_for("0" * 64)))
    with pytest.raises(ContractError, match="trained for another split"):
        table(twenty)


def test_embeddings_of_networks_that_saw_no_label_are_read(twenty):
    """A network from elsewhere needs no folds."""
    twenty.embeddings(embedded(twenty, lambda patient: FOREIGN))
    assert table(twenty).frame.height == 20
    found = embedding_columns(twenty.snapshot, "s", "net@1", ["AP"], "fixed")
    assert found["AP"].shape == (20, 4)


@pytest.mark.parametrize("trained", [True, False])
def test_the_honest_suite_takes_only_networks_that_saw_no_label(twenty, trained):
    """In folds of its own a cross-validation holds out patients whom a trained network has seen."""
    split = split_hash(twenty.snapshot, "s", "fixed")
    twenty.embeddings(embedded(twenty, trained_for(split) if trained else (lambda patient: FOREIGN)))
    labels = {"fixed": LABELS}

    def planned(folds):
        return plan_cross_validation(
            twenty.snapshot,
            twenty.study,
            ["radiomics_lr"],
            labels=labels,
            folds={"fixed": folds},
            with_thresholds=False,
        )

    honest = repeated_folds(LABELS, repeats=1, folds=2, seed=1)
    if trained:
        with pytest.raises(ContractError, match="held out there"):
            planned(honest)
    else:
        assert len(planned(honest).tasks) == 2
    of = {cohort: tuple(p for p in PATIENTS if COHORTS[p] == cohort) for cohort in ("training", "validation")}
    assert len(planned([Fold(0, 0, of["training"], of["validation"])]).tasks) == 1


def test_a_pinned_table_of_embeddings_is_asked_for_in_sql(twenty):
    """The dataset's SQL gives the file's rows, columns and bits."""
    split = split_hash(twenty.snapshot, "s", "fixed")
    told = [row for row in embedded(twenty, in_training_of(split), shift=9.0) if COHORTS[row[0]] == "training"]
    twenty.embeddings([*told, *embedded(twenty, trained_for(split))])
    own = {"study": "s"}
    twenty.put("study_patients", [own | {"patient": patient} for patient in PATIENTS])
    twenty.put("splits", [own | {"split": "fixed", "kind": "column", "patients": len(PATIENTS)}])
    inputs = twenty.inputs("radiomics_lr")
    found, dataset = pin_built_table(twenty.snapshot, twenty.study, inputs)
    file = pl.DataFrame(pq.read_table(twenty.store.files.local(dataset.path)))
    asked = pl.DataFrame(answer(twenty.snapshot, dataset.sql))
    assert file.equals(found.frame)
    assert asked.columns == file.columns
    assert asked.equals(file)
