"""Stability of features over repeated readings, as data in the store."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from builders.store import put_features, put_segment

from flows.train.stability import keep_stability
from schemas.errors import ContractError
from schemas.keys import MaskKey
from schemas.study.file import Study
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.home import Store
from store.rows.reader import feature_table
from store.rows.staging import ExtractionRecord
from zoo.benchmark.cross_validation import CrossValidation, plan_cross_validation, split_labels
from zoo.benchmark.folds import Fold, repeated_folds
from zoo.models.training import plan_training
from zoo.tables.feature_columns import agreeing_columns
from zoo.tables.stability import repeated_readings, stability_is_current, stability_rows
from zoo.tables.stable_columns import passes, stable_columns

# Shrout PE, Fleiss JL, Psychol Bull 1979;86:420, table 2: six subjects, four judges; ICC(2,1) = .29 (R psych .289764).
JUDGED = [(9, 2, 5, 8), (6, 1, 3, 2), (8, 4, 6, 8), (7, 1, 2, 6), (10, 5, 6, 9), (6, 2, 4, 7)]
ICC_2_1 = 0.289764
FEATURES = ("judged", "steady")
READINGS = [("J1", 1), ("J2", 1), ("J3", 1), ("J4", 1), ("J1", 2)]


@pytest.fixture
def study() -> Study:
    """Give a study of one phase whose tumours four readers drew, the first of them twice."""
    readings = [{"reader": reader, "reading": reading} for reader, reading in READINGS]
    return Study.model_validate(
        {
            "study": {"id": "agreement", "title": "t"},
            "cohort": {"table": "t.csv"},
            "phases": {"AP": {"image": "i", "mask": "m"}},
            "readings": readings,
            "feature_sets": ["rated@1"],
        }
    )


@pytest.fixture
def snapshot(tmp_path: Path, study: Study) -> Snapshot:
    """Give a store with the judges' table as one feature, and a validation patient whom nobody agrees on."""
    store = Store(tmp_path / "store", create=True)
    ratings = {f"P{number}": judges for number, judges in enumerate(JUDGED, start=1)} | {"V1": (0, 1000, -1000, 5)}
    records = []
    for patient, judges in ratings.items():
        values = {(f"J{judge}", 1): float(value) for judge, value in enumerate(judges, start=1)}
        values["J1", 2] = values["J1", 1]
        for (reader, reading), value in values.items():
            key = MaskKey(patient, "baseline", "AP", "1", reader, reading)
            mask = f"mask {key}"
            steady = float(patient[1:]) if patient.startswith("P") else 0.0
            records.append(
                ExtractionRecord(
                    extraction_id=f"id {key}",
                    key=key,
                    image_sha256=patient,
                    mask_sha256=mask,
                    values={"judged": value, "steady": steady},
                    details={"grey_levels": {"original": 9}, "zero_fraction": {"original": 0.0}},
                )
            )
    with commit_to(store, "ratings") as commit:
        own = {"study": study.id, "feature_set": "rated@1"}
        put_features(commit, "rated@1", FEATURES)
        put_segment(store, commit, records, "rated@1", FEATURES)
        commit.put(
            "study_masks",
            [{"study": study.id, "is_primary": int(i % 5 == 0)} | r.key._asdict() for i, r in enumerate(records)],
        )
        commit.put("study_extractions", [own | {"extraction_id": r.extraction_id} for r in records])
        cohorts = {p: "training" if p.startswith("P") else "validation" for p in ratings}
        members = [{"study": study.id, "split": "main", "patient": p, "cohort": c} for p, c in cohorts.items()]
        commit.put("split_members", members)
    return Snapshot(store)


def test_readers_are_compared_as_shrout_and_fleiss_do(snapshot: Snapshot, study: Study) -> None:
    """Between readers, the ICC of the judges' table is the published ICC(2,1), over training patients only."""
    rows = {(row["kind"], row["feature"]): row for row in stability_rows(snapshot, study, "main", "rated@1")}
    assert rows["inter", "judged"]["icc"] == pytest.approx(ICC_2_1, abs=1e-6)
    assert rows["inter", "judged"]["patients"] == 6
    assert rows["inter", "judged"]["lower"] < ICC_2_1 < rows["inter", "judged"]["upper"]


def test_a_reader_is_compared_with_himself_apart(snapshot: Snapshot, study: Study) -> None:
    """Within the first reader, whose second reading equals the first, every feature agrees fully."""
    rows = [row for row in stability_rows(snapshot, study, "main", "rated@1") if row["kind"] == "intra"]
    assert {row["feature"]: row["icc"] for row in rows} == pytest.approx({"judged": 1.0, "steady": 1.0})


def test_a_feature_is_kept_where_every_kind_agrees(snapshot: Snapshot, study: Study) -> None:
    """Columns are kept by their lowest ICC: the judged one fails between readers, the steady one passes."""
    store = snapshot.store
    with commit_to(store, "stability") as commit:
        commit.put("stability", stability_rows(snapshot, study, "main", "rated@1"))
    after = Snapshot(store)
    assert agreeing_columns(after, study.id, "main", "rated@1", 0.9) == {"AP__steady"}
    assert agreeing_columns(after, study.id, "main", "rated@1", 0.25) == {"AP__steady", "AP__judged"}
    assert agreeing_columns(after, study.id, "main", "rated@1", 0.25, "lower") == {"AP__steady"}


def test_without_repeated_readings_a_minimum_is_refused(snapshot: Snapshot, study: Study) -> None:
    """A minimum ICC without any ICC in the store is a contract error, not an empty or a full selection."""
    with pytest.raises(ContractError, match="no repeated readings"):
        agreeing_columns(snapshot, study.id, "main", "rated@1", 0.9)


def test_too_few_patients_give_no_icc(snapshot: Snapshot, study: Study) -> None:
    """A split with fewer than five training patients has no stability rows."""
    store = snapshot.store
    with commit_to(store, "small split") as commit:
        members = [{"study": study.id, "split": "tiny", "patient": f"P{n}", "cohort": "training"} for n in range(1, 5)]
        commit.put("split_members", members)
    assert stability_rows(Snapshot(store), study, "tiny", "rated@1") == []


def test_agreement_among_some_patients_is_that_of_a_split_of_them(snapshot: Snapshot, study: Study) -> None:
    """Readings are read once; among any patients they give the ICC that a split of just these would be given."""
    five = [f"P{n}" for n in range(2, 7)]
    store = snapshot.store
    with commit_to(store, "another split") as commit:
        members = [{"study": study.id, "split": "five", "patient": p, "cohort": "training"} for p in five]
        commit.put("split_members", members)
    expected = [
        (row["kind"], row["feature"], row["icc"]) for row in stability_rows(Snapshot(store), study, "five", "rated@1")
    ]
    readings = repeated_readings(snapshot, study, "rated@1")
    found = [
        (ratings.kind, feature, icc)
        for ratings, _, estimate in readings.agreement(set(five))
        for feature, icc in zip(readings.features, estimate.value, strict=True)
    ]
    assert found == expected
    assert readings.stable_columns({f"P{n}" for n in range(1, 7)}, 0.9) == {"AP__steady"}


def test_too_few_patients_of_a_fold_are_refused(snapshot: Snapshot, study: Study) -> None:
    """A fold in which fewer than five training patients were read again cannot tell which columns are stable."""
    with pytest.raises(ContractError, match=r"of 4 training .* fewer than 5 .*: 4 \(intra, AP\), 4 \(inter, AP\)"):
        repeated_readings(snapshot, study, "rated@1").stable_columns({f"P{n}" for n in range(1, 5)}, 0.9)


def test_a_kind_of_too_few_patients_is_not_passed_over(snapshot: Snapshot, study: Study) -> None:
    """With four patients read by every reader, columns are not kept by the first reader's agreement alone."""
    everyone = {f"P{n}" for n in range(1, 7)}
    assert repeated_readings(snapshot, study, "rated@1").stable_columns(everyone, 0.9) == {"AP__steady"}
    store = snapshot.store
    with commit_to(store, "the fourth reader leaves two patients out") as commit:
        for patient in ("P5", "P6"):
            commit.put("study_masks", [], replacing={"study": study.id, "patient": patient, "reader": "J4"})
    fewer = Snapshot(store)
    readings = repeated_readings(fewer, study, "rated@1")
    with pytest.raises(ContractError, match=r"of 6 training patients fewer than 5 .*: 4 \(inter, AP\)\n") as caught:
        readings.stable_columns(everyone, 0.9)
    assert "minimum_icc" in str(caught.value.hint)


def test_a_phase_that_too_few_were_read_in_is_refused(cohort_of_90: Any) -> None:
    """A model that reads a phase of four readers' pairs is neither trained nor cross-validated; one of the other is."""
    written = cohort_of_90
    written.edit("[define.quick", '[[readings]]\nreader = "R1"\n\n[[readings]]\nreader = "R2"\n\n[define.quick')
    written.edit("[models.radiomics_lr]", "[models.radiomics_lr]\nminimum_icc = 0.9")
    number = {"AP": 20, "DP": 4}
    read = feature_table(written.snapshot, "quick@1", study="s", primary=True).to_pylist()
    columns = [row["feature"] for row in written.snapshot.rows("features", feature_set="quick@1")]
    again = {
        (row["patient"], row["phase"], "R2"): {name: row[name] for name in columns}
        for row in read
        # The last ones are validation patients, who do not count.
        if int(row["patient"][1:]) < number[row["phase"]] or int(row["patient"][1:]) >= 60
    }
    written.features(again, primary=False)
    keep_stability(written.store, written.study, [("fixed", "quick")])
    labels = split_labels(written.snapshot, written.study, "fixed")
    folds = repeated_folds(labels, repeats=1, folds=3, seed=1)

    def planned(of: list[Fold]) -> CrossValidation:
        return plan_cross_validation(
            written.snapshot, written.study, ["radiomics_lr"], labels={"fixed": labels}, folds={"fixed": of}
        )

    with pytest.raises(ContractError, match=r"of 60 training patients fewer than 5 .*: 4 \(inter, DP\)\n") as caught:
        plan_training(written.snapshot, written.study, "radiomics_lr")
    assert caught.value.where == "study 's', split 'fixed'"
    few = replace(folds[0], training=tuple(p for p in labels if p < "P60"))
    with pytest.raises(ContractError, match=r"of 60 training patients fewer than 5 .*: 4 \(inter, DP\)\n"):
        planned([few])
    written.edit("minimum_icc = 0.9", 'minimum_icc = 0.9\nphases = ["AP"]')
    kept = list(plan_training(written.snapshot, written.study, "radiomics_lr").table.columns)
    assert kept == [f"AP__{name}" for name in columns]
    assert len(planned(folds).tasks) == 3


@pytest.mark.parametrize(("bound", "kept"), [("estimate", {"AP__high", "AP__wide"}), ("lower", {"AP__high"})])
def test_columns_at_or_above_the_minimum_are_stable(bound: Any, kept: set[str]) -> None:
    """The minimum itself passes, by estimate or by the interval's lower end; a feature without an ICC does not."""
    agreement = {"high": (0.95, 0.9), "wide": (0.9, 0.7), "low": (0.89, 0.8), "constant": (None, None)}
    rows = [{"phase": "AP", "feature": name, "icc": icc, "lower": low} for name, (icc, low) in agreement.items()]
    assert stable_columns(rows, 0.9, bound) == kept
    assert [passes(row, 0.9, bound) for row in rows] == [f"AP__{name}" in kept for name in agreement]


def test_the_lower_bound_counts_in_every_fold(snapshot: Snapshot, study: Study) -> None:
    """Among a fold's patients the judged feature passes .25 by its estimate of .29 and not by its lower bound."""
    readings, everyone = repeated_readings(snapshot, study, "rated@1"), {f"P{n}" for n in range(1, 7)}
    assert readings.stable_columns(everyone, 0.25) == {"AP__steady", "AP__judged"}
    assert readings.stable_columns(everyone, 0.25, "lower") == {"AP__steady"}


def test_agreement_is_current_until_something_that_decides_it_changes(snapshot: Snapshot, study: Study) -> None:
    """It is not before it was committed, it is after, and no longer once a patient has left the training cohort."""
    store = snapshot.store
    assert not stability_is_current(snapshot, study, "main", "rated@1")
    with commit_to(store, "stability") as commit:
        commit.put("stability", stability_rows(snapshot, study, "main", "rated@1"))
    assert stability_is_current(Snapshot(store), study, "main", "rated@1")
    with commit_to(store, "an unrelated patient") as commit:
        commit.put("patients", [{"patient": "X"}])
    assert stability_is_current(Snapshot(store), study, "main", "rated@1")
    with commit_to(store, "another cohort") as commit:
        moved = {"study": study.id, "split": "main", "patient": "P6", "cohort": "validation"}
        commit.put("split_members", [moved])
    assert not stability_is_current(Snapshot(store), study, "main", "rated@1")
