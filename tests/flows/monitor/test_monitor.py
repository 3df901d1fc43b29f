"""What radzoo monitor compares: features, embeddings, outcomes, a model's predictions; and whom it leaves out."""

from __future__ import annotations

import numpy as np
import pytest
from builders.store import clinical_rows, rows_of
from builders.written_cohorts import cohort_with_signal
from builders.written_store import SHAPE, WrittenStore

from flows.monitor.rules import DriftRules
from flows.monitor.run import monitor
from schemas.errors import ContractError, NotFoundError
from schemas.study.text import parsed_study

RULES = DriftRules(alpha=0.01, least_psi=0.2)
NEW = [f"Q{number:02}" for number in range(40)]
FOREIGN = {"split_sha256": None, "fold": None, "in_training": None}


def compared(report, what):
    """Return the comparisons of one thing."""
    return [each for each in report.compared if each.what == what]


def drawn(seed, shift=0.0):
    """Return a patient's features."""
    return dict(zip(SHAPE.columns, np.random.default_rng(seed).normal(size=len(SHAPE.columns)) + shift, strict=True))


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    """Return 90 patients with a trained clinical model: 60 in training, 30 in validation; tests only read it."""
    written = cohort_with_signal(tmp_path_factory.mktemp("monitor") / "store")
    patients = rows_of(written.store, "select distinct patient from masks order by all")
    written.put("study_patients", [{"study": "s", **each} for each in patients])
    written.put_study()
    written.train("cr")
    return written


@pytest.fixture
def cohort(pristine, tmp_path) -> WrittenStore:
    """Return a copy of it."""
    return pristine.copied(tmp_path)


def add_patients(written, *, shift=0.0, afp_of=None):
    """Add forty patients in no cohort, with labels that their AFP tells as the others' does, or as a test says."""
    random = np.random.default_rng(30)
    labels = {patient: number % 2 for number, patient in enumerate(NEW)}
    clinical = []
    for patient, label in labels.items():
        afp = 800.0 if random.random() < 0.15 + 0.65 * label else 50.0
        values = {"afp": afp if afp_of is None else afp_of, "age": 58.0, "sex": "male"}
        clinical += clinical_rows(patient, values, {})
    written.put("study_patients", [{"study": "s", "patient": patient} for patient in NEW])
    written.put("labels", [{"study": "s", "patient": p, "outcome": "o", "label": label} for p, label in labels.items()])
    written.put("clinical", clinical)
    rows = {(p, phase): drawn([n, ord(phase[0])], shift) for n, p in enumerate(NEW) for phase in ("AP", "DP")}
    for patient, label in labels.items():
        rows[patient, "AP"]["original_shape_Elongation"] += 1.5 * label
        rows[patient, "AP"]["original_shape_Flatness"] -= 1.2 * label
    written.features(rows)


def test_new_patients_of_the_same_kind_do_not_drift(cohort):
    """Features, outcome, predictions and calibration: no finding; the model's own patients are no reference."""
    add_patients(cohort)
    found = monitor(cohort.store, feature_set="quick", model="cr", rules=RULES)
    assert found.findings == ()
    assert found.tests == 2 + 2 + 1 + 1 + 1 + 2
    assert [(each.reference, each.current) for each in compared(found, "features")] == [
        ("training", "validation"),
        ("training", "new"),
    ]
    (of_predictions,) = compared(found, "predictions")
    assert (of_predictions.reference, of_predictions.reference_patients) == ("validation", 30)
    assert (of_predictions.current, of_predictions.current_patients) == ("new", 40)
    assert any("60 patients that the model was trained on" in each for each in found.notes)
    assert (found.feature_set, found.model, found.phases) == ("quick@1", "s/cr@1", ("AP", "DP"))


def test_features_that_move_are_found_where_they_moved(cohort):
    """The new patients' features, not those of the validation patients."""
    add_patients(cohort, shift=1.5)
    first, second = compared(monitor(cohort.store, rules=RULES), "features")
    assert (first.current, first.findings) == ("validation", ())
    assert second.current == "new"
    assert len(second.drifting) > 20
    assert second.findings[1].startswith("all features together (AUC ")


def test_predictions_and_their_calibration_drift(cohort):
    """Where the laboratory reports a high AFP for everybody, the model predicts alike for all, and too high."""
    add_patients(cohort, afp_of=900.0)
    found = monitor(cohort.store, model="cr", rules=RULES)
    assert found.feature_set is None
    assert compared(found, "features") == []
    (of_predictions,) = compared(found, "predictions")
    assert of_predictions.findings == ("predictions",)
    assert of_predictions.result.current_mean > of_predictions.result.reference_mean
    (of_calibration,) = compared(found, "calibration")
    assert of_calibration.result.current_intercept.value < 0
    assert of_calibration.result.slope_p is None
    assert of_calibration.result.reason == "all probabilities are equal"


def test_an_outcome_that_becomes_rare_is_found(cohort):
    """Two of forty patients have label 1, of the training patients about half."""
    add_patients(cohort)
    rare = [{"study": "s", "patient": p, "outcome": "o", "label": int(n < 2)} for n, p in enumerate(NEW)]
    cohort.put("labels", rare)
    found = monitor(cohort.store, rules=RULES)
    assert found.findings == ("the rate of label 1",)
    of_new = next(each for each in compared(found, "outcome") if each.current == "new")
    assert (of_new.result.current_events, of_new.result.current_labelled) == (2, 40)


def test_a_model_has_nothing_to_compare_without_a_second_group(pristine, capsys):
    """Besides its training patients there are the validation patients alone, and that is said."""
    found = monitor(pristine.store, model="cr", rules=RULES)
    assert compared(found, "predictions") == []
    assert any("one group of patients" in each for each in found.notes)


def test_a_model_whose_training_patients_are_unknown_is_refused(cohort):
    """Without its dataset nobody can tell whose answers are resubstitution."""
    cohort.put("datasets", [], replacing={"study": "s"})
    with pytest.raises(ContractError, match="whom it learnt from is unknown") as error:
        monitor(cohort.store, model="cr", by="sex", rules=RULES)
    assert error.value.hint.startswith("radzoo train cr --study s")


def test_predictions_by_a_variable_are_of_patients_outside_training(pristine):
    """Men and women among the thirty validation patients, or the reason why they are too few."""
    found = monitor(pristine.store, model="cr", by="sex", rules=RULES)
    (of_predictions,) = compared(found, "predictions")
    sides = of_predictions.reference_patients + of_predictions.current_patients
    assert sides == 30
    assert {of_predictions.reference, of_predictions.current} == {"male", "female"}


def test_a_small_group_is_not_compared(cohort, capsys):
    """Nine patients of a group: said, without a number, and without a test that others would pay for."""
    for patient in NEW[:9]:
        cohort.put("study_patients", [{"study": "s", "patient": patient}])
    cohort.features({(p, "AP"): drawn(n, 9.0) for n, p in enumerate(NEW[:9])})
    found = monitor(cohort.store, rules=RULES)
    of_new = next(each for each in compared(found, "features") if each.current == "new")
    assert (of_new.result, of_new.current_patients) == (None, 9)
    assert of_new.reason == "fewer than 10 patients in a group"
    assert found.tests == 3


def test_a_person_counts_once(cohort):
    """Of two pseudonyms with the same image the second is in no group."""
    add_patients(cohort)
    masks = cohort.snapshot.rows("masks", patient="P00", phase="AP")
    own = {name: masks[0][name] for name in ("exam", "phase", "lesion", "reader", "reading")}
    content = {name: masks[0][name] for name in ("image_sha256", "mask_sha256", "mask_label")}
    cohort.put("masks", [own | content | {"patient": "Q00"}])
    found = monitor(cohort.store, rules=RULES)
    of_new = next(each for each in compared(found, "features") if each.current == "new")
    assert of_new.current_patients == 39
    assert any("1 pseudonyms of persons" in each for each in found.notes)


def test_studies_are_compared_with_the_one_that_is_asked_about(cohort):
    """Another study with rows of the same feature set, whose features moved; a patient of both counts in the first."""
    other = parsed_study(cohort.text.replace('id = "s"', 'id = "t"'), "study.toml")
    cohort.put("studies", [{"study": "t", "definition": other.model_dump_json()}])
    cohort.put("study_patients", [{"study": "t", "patient": patient} for patient in [*NEW, "P00"]])
    cohort.features({(p, ph): drawn([n, 3], 2.0) for n, p in enumerate(NEW) for ph in ("AP", "DP")}, study="t")
    of_set = {row["patient"]: row for row in rows_of(cohort.store, "select patient, extraction_id from quick_v1")}
    cohort.put(
        "study_extractions",
        [{"study": "t", "feature_set": "quick@1", "extraction_id": of_set[p]["extraction_id"]} for p in NEW],
    )
    found = monitor(cohort.store, "s", by="study", rules=RULES)
    (of_features,) = compared(found, "features")
    assert (of_features.reference, of_features.current) == ("s", "t")
    assert (of_features.reference_patients, of_features.current_patients) == (90, 40)
    assert of_features.findings
    cohort.put("study_extractions", [], replacing={"study": "t"})
    with pytest.raises(NotFoundError, match="no other study"):
        monitor(cohort.store, "s", by="study", rules=RULES)


def test_embeddings_of_a_foreign_network_are_compared(cohort):
    """Their numbers are columns as features are."""
    random = np.random.default_rng(8)
    patients = [f"P{number:02}" for number in range(90)]
    cohort.embeddings(
        [(p, "AP", (random.normal(size=4) + 2 * (n >= 60)).tolist(), FOREIGN) for n, p in enumerate(patients)]
    )
    found = monitor(cohort.store, feature_set="net", rules=RULES)
    (of_features,) = compared(found, "features")
    assert {each.feature for each in of_features.drifting} == {f"AP__embedding_000{n}" for n in range(4)}


def test_embeddings_that_networks_of_folds_made_are_no_reference(cohort):
    """Training patients' are of the folds' networks, the others' of the last one: only these are compared."""
    from zoo.tables.embedding_columns import split_hash

    add_patients(cohort)
    random, split = np.random.default_rng(8), split_hash(cohort.snapshot, "s", "fixed")
    training = [f"P{number:02}" for number in range(60)]
    rows = []
    for patient in [*training, *(f"P{number:02}" for number in range(60, 90)), *NEW]:
        fold = 0 if patient in training else None
        seen = {"split_sha256": split, "fold": fold, "in_training": False}
        rows.append((patient, "AP", (random.normal(size=4) + 5 * (patient in training)).tolist(), seen))
    cohort.embeddings(rows)
    found = monitor(cohort.store, feature_set="net", by="cohort", reference="validation", rules=RULES)
    sizes = {each.current: each.current_patients for each in compared(found, "features")}
    assert sizes == {"new": 40, "training": 0}
    assert found.findings == ()
    assert any("60 training patients" in each for each in found.notes)


def test_as_of_an_earlier_commit(cohort):
    """What came later is not looked at."""
    before = cohort.snapshot.commit_id
    add_patients(cohort, shift=3.0)
    assert monitor(cohort.store, rules=RULES).findings
    found = monitor(cohort.store, rules=RULES, as_of=before)
    assert found.commit_id == before
    assert found.findings == ()


def test_what_is_not_there_is_said(pristine):
    """A study, a feature set, a model, a split and a way to compare that the store does not have."""
    for asked, message in (
        ({"study": "zz"}, "no study 'zz'"),
        ({"feature_set": "zz"}, "'zz' has not been computed"),
        ({"model": "zz"}, "no trained model 'zz'"),
        ({"split": "zz"}, "no split 'zz'"),
        ({"by": "zz"}, "no clinical variable 'zz'"),
        ({"by": "scanner"}, "no patient's scanner is known"),
        ({"reference": "zz"}, "no cohort 'zz'"),
        ({"by": "study"}, "no other study"),
    ):
        with pytest.raises(NotFoundError, match=message):
            monitor(pristine.store, **({"study": "s"} | asked), rules=RULES)
    with pytest.raises(ContractError, match="'age' is a number"):
        monitor(pristine.store, by="age", rules=RULES)
