"""Predictions for patients of any study: what is answered, what is converted, what is refused and why."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from hashlib import sha256

import numpy as np
import polars as pl
import pytest
import skops.io
from archives.unpacking import ARCHIVES, unpack
from builders.store import clinical_rows
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from schemas.documents.model_record import ModelManifest
from schemas.errors import ContractError, NotFoundError
from schemas.features.radiomics_settings import RadiomicsSettings
from schemas.features.sets import FeatureSetDefinition
from schemas.study.file import Study
from schemas.study.text import parsed_study
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.home import Store
from zoo.benchmark.holdout import judged_model
from zoo.models.explained import patient_explanation, validation_importances
from zoo.models.prediction import predictions
from zoo.models.saved import exported_model, pinned_rows, stored_model
from zoo.saving.folders import local_model_folder
from zoo.saving.persist import folder_sha256, load_model

MODELS = ("cr", "radiomics_lr")
OTHER = FeatureSetDefinition.of_radiomics(RadiomicsSettings(families=("firstorder",)), {"pyradiomics": "3.0.1"})


@pytest.fixture(scope="module")
def pristine(pristine_cohort, tmp_path_factory):
    """Return a store with a clinical and a radiomics model of study s; tests only read it."""
    written = pristine_cohort.copied(tmp_path_factory.mktemp("trained"))
    patients = [f"P{number:02}" for number in range(90)]
    written.put("study_patients", [{"study": "s", "patient": patient} for patient in patients])
    for model in MODELS:
        written.train(model)
    return written


class Newcomers:
    """Study t: patients N0 to N5, in the store of study s."""

    def __init__(self, written):
        self.written = written
        self.text = written.text.replace('id = "s"', 'id = "t"')
        self.patients = [f"N{number}" for number in range(6)]
        random = np.random.default_rng(9)
        written.put("study_patients", [{"study": "t", "patient": patient} for patient in self.patients])
        self.clinical = {
            patient: {"afp": float(random.choice([20, 900])), "age": 50.0 + number, "sex": "male"}
            for number, patient in enumerate(self.patients)
        }
        columns = [row["feature"] for row in written.snapshot.rows("features", feature_set="quick@1")]
        self.features = {
            (patient, phase): dict(zip(columns, random.normal(size=len(columns)), strict=True))
            for patient in self.patients
            for phase in ("AP", "DP")
        }

    def put_clinical(self, factor=None, **units):
        """Write the clinical values, in other units where these are given with the number of them in one."""
        rows = []
        for patient, values in self.clinical.items():
            given = {
                name: value if isinstance(value, str) else value * (factor or {}).get(name, 1.0)
                for name, value in values.items()
            }
            rows += clinical_rows(patient, given, units)
        self.written.put("clinical", rows)
        return self

    def put_features(self, **options):
        """Write the features of the primary reading."""
        self.written.features(self.features, **({"study": "t"} | options))
        return self

    def edit(self, old, new):
        """Replace a text that stands once in the study file."""
        assert self.text.count(old) == 1
        self.text = self.text.replace(old, new)
        return self

    @property
    def study(self):
        """Return the study."""
        return parsed_study(self.text, "study.toml")

    def saved(self, model):
        """Return the saved model of study s."""
        snapshot = self.written.snapshot
        return stored_model(snapshot, snapshot.row("models", model=model, study="s"))

    def predict(self, model, **options):
        """Return what a model of study s says of the newcomers."""
        return predictions(self.written.snapshot, self.study, self.saved(model), **options)


@pytest.fixture
def newcomers(pristine, tmp_path):
    """Return study t, whose values a test writes, in a copy of the store."""
    return Newcomers(pristine.copied(tmp_path))


def probabilities(found):
    """Return the probability of each patient."""
    return {each.patient: each.probability for each in found.patients}


def test_a_clinical_model_answers_for_new_patients(newcomers):
    """The probability is that of the recalibrated line on the factors as it cuts them, the threshold the frozen one."""
    newcomers.put_clinical()
    found, saved = newcomers.predict("cr"), newcomers.saved("cr")
    model = saved.loaded.estimator
    (effect,) = model.estimator_.multivariable_
    assert effect.factor == "afp>400"
    for each in found.patients:
        high = newcomers.clinical[each.patient]["afp"] > 400
        fitted = model.estimator_.intercept_[0] + effect.coefficient * high
        expected = model.intercept_ + model.slope_ * fitted
        assert logit(each.probability) == pytest.approx(expected)
        assert each.positive == (each.probability >= found.threshold)
        assert (each.cohort, each.reason) == ("new", None)
    assert {each.positive for each in found.patients} == {True, False}
    assert found.threshold == newcomers.written.snapshot.row("models", model="cr", study="s")["threshold"]
    assert (found.study, found.model_study, found.version, found.failed, found.warnings) == ("t", "s", 1, 0, ())


def test_a_radiomics_model_answers_for_new_patients(newcomers):
    """The probability is the estimator's on the features that were written, in the order it was fitted on."""
    newcomers.put_features()
    found, saved = newcomers.predict("radiomics_lr"), newcomers.saved("radiomics_lr")
    for each in found.patients:
        row = {
            f"{phase}__{name}": value
            for phase in ("AP", "DP")
            for name, value in newcomers.features[each.patient, phase].items()
        }
        table = pinned_rows(newcomers.written.snapshot, saved.loaded.metadata["dataset_id"]).head(1)
        table = table.with_columns(**row).select(saved.inputs.columns)
        assert each.probability == pytest.approx(saved.loaded.estimator.predict_proba(table)[0, 1], rel=1e-12)


@pytest.mark.parametrize("model", MODELS)
def test_patients_of_the_models_own_study_get_the_benchmarks_probabilities(pristine, model):
    """For the model's own patients the answer is that of the pinned dataset, and the cohort says who was trained on."""
    snapshot = pristine.snapshot
    row = snapshot.row("models", model=model, study="s")
    found = predictions(snapshot, pristine.study, stored_model(snapshot, row), include_training=True)
    judged = {(each.patient, each.cohort): each.probability for each in judged_model(snapshot, row).predictions}
    assert {(each.patient, each.cohort): each.probability for each in found.patients} == pytest.approx(judged)


@pytest.mark.parametrize("model", MODELS)
def test_a_patient_of_the_training_cohort_is_refused(pristine, model):
    """Without being asked to, a model does not answer for those it was fitted to; for others of its study it does."""
    snapshot = pristine.snapshot
    saved = stored_model(snapshot, snapshot.row("models", model=model, study="s"))
    with pytest.raises(ContractError, match=r"trained on 60 of these patients \(P00, P01") as error:
        predictions(snapshot, pristine.study, saved)
    assert error.value.exit_code == 4
    assert "--include-training" in error.value.hint
    with pytest.raises(ContractError, match=r"trained on 1 of these patients \(P59\)"):
        predictions(snapshot, pristine.study, saved, patients=["P59", "P60"])
    (answered,) = predictions(snapshot, pristine.study, saved, patients=["P60"]).patients
    assert answered.cohort == "validation"
    assert answered.probability is not None


def test_units_of_the_same_quantity_are_converted(newcomers):
    """AFP per litre and age in months give the probabilities of AFP per millilitre and age in years."""
    newcomers.put_clinical()
    expected = probabilities(newcomers.predict("cr"))
    newcomers.put_clinical({"afp": 1000.0, "age": 12.0}, afp="[IU]/L", age="mo")
    newcomers.edit('afp = { unit = "[IU]/mL" }', 'afp = { unit = "[IU]/L" }')
    newcomers.edit('age = { unit = "a" }', 'age = { unit = "mo" }')
    assert probabilities(newcomers.predict("cr")) == pytest.approx(expected, rel=1e-12)


REFUSED_VARIABLES = {
    "no such variable": ('age = { unit = "a" }\n', "", "factor 'age' reads this variable"),
    "a category": ('age = { unit = "a" }', 'age = { levels = ["old", "young"] }', "reads a number, the study has a"),
    "no such level": ('["female", "male"]', '["F", "M"]', "asks for the level 'male'"),
}


@pytest.mark.parametrize("fault", REFUSED_VARIABLES)
def test_a_study_whose_variables_are_other_things_is_refused(newcomers, fault):
    """A variable that is missing, of another kind or with other levels refuses the study, by the variable's name."""
    old, new, message = REFUSED_VARIABLES[fault]
    newcomers.put_clinical()
    newcomers.text = newcomers.text[: newcomers.text.index("[models.cr]")]
    newcomers.edit(old, new)
    with pytest.raises(ContractError, match=message) as error:
        newcomers.predict("cr")
    assert error.value.exit_code == 4
    assert "study 't', variable" in error.value.where


def test_a_unit_of_another_quantity_is_refused(newcomers):
    """A model that was trained on millimetres does not read years."""
    newcomers.put_clinical()
    saved = newcomers.saved("cr")
    variables = {**saved.inputs.variables, "age": {"kind": "number", "unit": "mm", "levels": None}}
    saved = replace(saved, inputs=replace(saved.inputs, variables=variables))
    with pytest.raises(ContractError, match="age is in 'a', which cannot be expressed in mm"):
        predictions(newcomers.written.snapshot, newcomers.study, saved)


def test_patients_without_inputs_are_listed_with_the_reason(newcomers):
    """Who lacks a value or a row gets no probability and the reason; the others are answered."""
    del newcomers.clinical["N1"]["afp"]
    newcomers.clinical["N2"]["sex"] = "unknown"
    newcomers.put_clinical()
    found = newcomers.predict("cr")
    reasons = {each.patient: each.reason for each in found.patients if each.probability is None}
    assert reasons == {"N1": "no value of afp", "N2": "sex is 'unknown', which the model's study did not have"}
    assert found.failed == 2

    del newcomers.features["N0", "DP"]
    newcomers.features["N4", "AP"] = dict.fromkeys(newcomers.features["N4", "AP"])
    newcomers.put_features()
    mask = {
        "study": "t",
        "patient": "N0",
        "exam": "baseline",
        "phase": "DP",
        "lesion": "1",
        "reader": "R1",
        "reading": 1,
    }
    newcomers.written.put("failures", [mask | {"stage": "ingest", "feature_set": "", "feature": "", "reason": "empty"}])
    found = newcomers.predict("radiomics_lr")
    reasons = {each.patient: each.reason for each in found.patients if each.probability is None}
    assert reasons == {"N0": "no quick@1 in DP: empty", "N4": "no value of any feature in AP"}


def test_a_single_missing_feature_is_imputed(newcomers):
    """A feature that could not be computed takes the training median, as the model does it."""
    name = "original_shape_Elongation"
    newcomers.features["N0", "AP"][name] = None
    newcomers.put_features()
    found = probabilities(newcomers.predict("radiomics_lr", patients=["N0"]))
    imputer = newcomers.saved("radiomics_lr").loaded.estimator.estimator_["impute"]
    at = list(imputer.feature_names_in_).index(f"AP__{name}")
    newcomers.features["N0", "AP"][name] = float(imputer.statistics_[at])
    again = Newcomers.put_features(newcomers, feature_set="quick@1")
    masks = again.written.snapshot.rows("study_masks", study="t")
    newest = {row["patient"] for row in masks}
    assert newest == set(newcomers.patients)
    assert found == pytest.approx(probabilities(newcomers.predict("radiomics_lr", patients=["N0"])))


def test_features_of_another_definition_are_refused(newcomers):
    """A study that has the same name with another definition is refused, with both definitions."""
    newcomers.features = {key: {} for key in newcomers.features}
    newcomers.put_features(feature_set="quick@2", definition=OTHER)
    rows = newcomers.written.snapshot.rows("study_masks", study="t")
    newcomers.written.put(
        "study_extractions",
        [{"study": "t", "feature_set": "quick@2", "extraction_id": f"x{n}"} for n, _ in enumerate(rows)],
    )
    with pytest.raises(ContractError, match="other numbers") as error:
        newcomers.predict("radiomics_lr")
    hashes = {
        row["feature_set"]: row["definition_sha256"][:12] for row in newcomers.written.snapshot.rows("feature_sets")
    }
    assert f"the model reads quick@1 (definition {hashes['quick@1']})" in error.value.message
    assert f"the study has quick@2 (definition {hashes['quick@2']})" in error.value.message
    assert "radzoo refresh --study t" in error.value.hint


def test_the_same_definition_under_another_number_is_read(newcomers):
    """What counts is the definition, not the name and number it has in this store."""
    newcomers.put_features()
    expected = probabilities(newcomers.predict("radiomics_lr"))
    saved = newcomers.saved("radiomics_lr")
    renamed = replace(saved, inputs=replace(saved.inputs, feature_set="elsewhere@7"))
    found = predictions(newcomers.written.snapshot, newcomers.study, renamed)
    assert probabilities(found) == expected


def test_a_phase_that_the_study_lacks_is_refused(newcomers):
    """A model of two phases does not answer from one."""
    newcomers.features = {key: values for key, values in newcomers.features.items() if key[1] == "AP"}
    newcomers.put_features()
    with pytest.raises(ContractError, match="reads phase 'DP', of which the study has no quick@1"):
        newcomers.predict("radiomics_lr")


def test_a_column_that_the_feature_set_lacks_is_refused(newcomers):
    """A column that the model reads and the store does not know is named."""
    newcomers.put_features()
    saved = newcomers.saved("radiomics_lr")
    inputs = replace(saved.inputs, columns=(*saved.inputs.columns, "AP__original_shape_Novel"))
    with pytest.raises(
        ContractError, match="lacks 1 of the columns that the model reads, the first: original_shape_No"
    ):
        predictions(newcomers.written.snapshot, newcomers.study, replace(saved, inputs=inputs))


def test_an_unknown_patient_is_not_found(newcomers):
    """A patient whom the study does not have is named."""
    newcomers.put_clinical()
    with pytest.raises(NotFoundError, match="study 't' has no patient 'P61'"):
        newcomers.predict("cr", patients=["N0", "P61"])


@pytest.mark.parametrize("model", MODELS)
def test_contributions_give_the_probability(newcomers, model):
    """With the baseline, what each feature contributes adds up to the patient's log odds, the largest first."""
    newcomers.put_clinical()
    newcomers.put_features()
    found = newcomers.predict(model, explain=True)
    assert (found.contribution_kind, found.contribution_unit) == ("linear", "log odds")
    for each in found.patients:
        assert sum(each.contributions.values()) == pytest.approx(logit(each.probability))
        sizes = [abs(value) for name, value in each.contributions.items() if name != "baseline"]
        assert sizes == sorted(sizes, reverse=True)


def test_a_marked_model_warns(newcomers):
    """Later events of a model are said with every answer."""
    newcomers.put_clinical()
    row = newcomers.written.snapshot.row("models", model="cr", study="s")
    row = {name: value for name, value in row.items() if name != "added_commit"}
    newcomers.written.put("models", [row | {"mark": "trained on a patient who was erased"}])
    assert newcomers.predict("cr").warnings == ("cr@1 of study 's' is marked: trained on a patient who was erased",)


def test_a_patient_of_the_dataset_is_explained(pristine):
    """The explanation of a patient is of the pinned values; a patient who is not in the dataset is not found."""
    snapshot = pristine.snapshot
    row = snapshot.row("models", model="cr", study="s")
    found = patient_explanation(snapshot, row, "P61")
    assert (found["cohort"], found["kind"]) == ("validation", "linear")
    assert sum(found["contributions"].values()) == pytest.approx(logit(found["probability"]))
    with pytest.raises(NotFoundError, match="not in the dataset of cr@1"):
        patient_explanation(snapshot, row, "N1")


def test_validation_importances_are_counted_once(pristine, tmp_path):
    """The planted features lose AUC on the validation cohort; what the store has is not counted again."""
    written = pristine.copied(tmp_path)
    row = written.snapshot.row("models", model="radiomics_lr", study="s")
    found = validation_importances(written.snapshot, row)
    ranked = sorted(found, key=lambda each: -each["value"])
    planted = {"AP__original_shape_Elongation", "AP__original_shape_Flatness"}
    assert {each["feature"] for each in ranked[:2]} == planted
    written.put("importances", found)
    with commit_to(written.store, "again") as commit:
        commit.put("importances", validation_importances(written.snapshot, row))
    assert commit.landed_id is None
    kinds = {each["kind"] for each in written.snapshot.rows("importances", model="radiomics_lr")}
    assert kinds == {"coefficient", "permutation", "permutation_training"}


def test_a_model_of_the_first_format_gets_its_units_from_the_catalogue(newcomers):
    """A folder without definitions and units is read as its study meant it then: the answers are the same."""
    newcomers.put_clinical()
    newcomers.put_features()
    written = newcomers.written
    expected = {model: newcomers.predict(model, explain=True) for model in MODELS}
    for model in MODELS:
        row = written.snapshot.row("models", model=model, study="s")
        folder = local_model_folder(written.store, row)
        record = json.loads((folder / "model.json").read_text())
        kept = ("study", "model", "columns", "threshold", "dataset_id", "training_sha256")
        record |= {"format": 1, "metadata": {name: record["metadata"][name] for name in kept}}
        (folder / "model.json").write_text(json.dumps(record))
        (folder / "card.md").unlink()
        contents = {file.name: file.read_bytes() for file in folder.iterdir()}
        row = {name: value for name, value in row.items() if name != "added_commit"}
        written.put("models", [row | {"sha256": folder_sha256(contents)}])
    # The study as the catalogue had it when the dataset was read; today it says otherwise.
    dataset = written.snapshot.rows("datasets")
    definition = {"study": "s", "definition": written.study.model_dump_json()}
    written.put("studies", [definition | {"title": "t"}])
    commit_id = written.snapshot.commit_id
    written.put(
        "datasets", [{**{k: v for k, v in r.items() if k != "added_commit"}, "commit_id": commit_id} for r in dataset]
    )
    changed = written.study.model_dump_json().replace('"[IU]/mL"', '"ug/L"')
    written.put("studies", [{"study": "s", "definition": changed, "title": "t"}])
    for model in MODELS:
        assert newcomers.saved(model).loaded.card is None
        again = newcomers.predict(model, explain=True)
        assert again.patients == expected[model].patients


@pytest.mark.parametrize("file", ARCHIVES.values(), ids=list(ARCHIVES))
def test_models_of_an_old_store_answer_as_they_did(file, tmp_path):
    """In a store of each earlier format, each model gives its own validation patients the stored probabilities."""
    unpack(file, tmp_path)
    store = Store(tmp_path / "store")
    # Values were corrected afterwards.
    judged = max(each["added_commit"] for each in Snapshot(store).rows("predictions"))
    snapshot = Snapshot(store, judged)
    rows = snapshot.rows("models")
    assert rows
    for row in rows:
        study = Study.model_validate_json(snapshot.row("studies", study=row["study"])["definition"])
        stored = {
            each["patient"]: each["probability"]
            for each in snapshot.rows("predictions", model=row["model"], cohort="validation")
        }
        assert stored, row["model"]
        found = predictions(snapshot, study, stored_model(snapshot, row), patients=sorted(stored))
        assert probabilities(found) == pytest.approx(stored, rel=1e-9), row["model"]


def exported_copy(written, folder, model="cr"):
    """Return a folder outside the store with a model's files and a manifest."""
    row = written.snapshot.row("models", model=model, study="s")
    shutil.copytree(local_model_folder(written.store, row), folder)
    files = {file.name: sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}
    manifest = ModelManifest(study="s", model=model, version=1, sha256=row["sha256"], files=files)
    (folder / "manifest.json").write_text(json.dumps(manifest.sealed()))
    return folder


def test_an_exported_model_answers_as_in_its_store(newcomers, tmp_path):
    """From a folder outside the store come the same answers; who was trained on is known by the dataset."""
    newcomers.put_clinical()
    folder = exported_copy(newcomers.written, tmp_path / "out")
    saved = exported_model(newcomers.written.snapshot, folder)
    found = predictions(newcomers.written.snapshot, newcomers.study, saved)
    assert found == newcomers.predict("cr")
    with pytest.raises(ContractError, match="resubstitution"):
        predictions(newcomers.written.snapshot, newcomers.written.study, saved, patients=["P00"])


def test_elsewhere_an_exported_model_says_that_it_cannot_know_its_patients(newcomers, tmp_path):
    """In a store without the model's dataset each cohort is unknown, and a warning says so."""
    folder = exported_copy(newcomers.written, tmp_path / "out")
    elsewhere = replace(newcomers.written, root=tmp_path / "elsewhere")
    other = Newcomers(elsewhere_with_features(elsewhere)).put_clinical()
    found = predictions(elsewhere.snapshot, other.study, exported_model(elsewhere.snapshot, folder))
    assert {each.cohort for each in found.patients} == {"unknown"}
    assert found.failed == 0
    (warning,) = found.warnings
    assert "whether a patient was trained on is unknown" in warning


def elsewhere_with_features(written):
    """Return a new store that has one patient's features, so that the feature set is known there."""
    written.features({("E1", "AP"): {}, ("E1", "DP"): {}}, study=None)
    return written


@pytest.mark.parametrize("name", ["estimator.skops", "model.json", "card.md", "manifest.json", "more.txt"])
def test_a_changed_exported_folder_is_refused(newcomers, tmp_path, name):
    """A file that is not what the manifest says, a manifest that is none, or one file more: not loaded."""
    folder = exported_copy(newcomers.written, tmp_path / "out")
    with (folder / name).open("ab") as file:
        file.write(b"\n}")
    with pytest.raises(ContractError) as error:
        exported_model(newcomers.written.snapshot, folder)
    assert error.value.exit_code == 4


def test_a_foreign_type_is_refused_whatever_the_manifest_says(newcomers, tmp_path):
    """A folder whose hash is right but whose estimator would call the operating system is not loaded, exit code 4."""
    folder = exported_copy(newcomers.written, tmp_path / "out")
    pipeline = make_pipeline(FunctionTransformer(None), LogisticRegression()).fit([[0.0], [1.0]], [0, 1])
    pipeline[0].func = os.system
    skops.io.dump(pipeline, folder / "estimator.skops")
    names = ("estimator.skops", "model.json", "card.md")
    digest = folder_sha256({name: (folder / name).read_bytes() for name in names})
    (folder / "manifest.json").write_text(json.dumps({"sha256": digest}))
    with pytest.raises(ContractError, match=r"not on the allow-list: posix\.system") as error:
        exported_model(newcomers.written.snapshot, folder)
    assert error.value.exit_code == 4


def test_a_folder_without_a_manifest_is_no_exported_model(tmp_path, pristine):
    """A folder of anything else is not found."""
    with pytest.raises(NotFoundError, match="no exported model here"):
        exported_model(pristine.snapshot, tmp_path)


def test_no_patient_stands_in_a_folder_that_may_leave_the_store(pristine):
    """Neither card nor record of a model names a patient."""
    for row in pristine.snapshot.rows("models"):
        folder = local_model_folder(pristine.store, row)
        for name in ("card.md", "model.json"):
            text = (folder / name).read_text()
            assert not [
                f"P{number:02}" for number in range(90) if f'"P{number:02}"' in text or f" P{number:02} " in text
            ]
        assert load_model(folder, row["sha256"]).card.startswith(f"# {row['model']} of study s\n")


def test_a_harmonised_model_answers_for_the_batches_it_knows(cohort_of_90, tmp_path):
    """The batch is read by its level, whatever its place in the study's list; a patient of another batch gets none."""
    cohort_of_90.edit("[outcome]", 'scanner = { levels = ["a", "b", "c"] }\n\n[outcome]')
    cohort_of_90.edit("[models.radiomics_lr]\n", '[models.radiomics_lr]\nharmonise = "scanner"\n')
    own = [f"P{number:02}" for number in range(90)]
    row = {"variable": "scanner", "observed_at": ""}
    cohort_of_90.put("clinical", [row | {"patient": p, "level": "ab"[n % 2]} for n, p in enumerate(own)])
    cohort_of_90.train("radiomics_lr")
    newcomers = Newcomers(cohort_of_90).put_features()
    newcomers.edit('["a", "b", "c"]', '["c", "b", "a"]')
    levels = dict(zip(newcomers.patients, "abcaba", strict=True))
    cohort_of_90.put("clinical", [row | {"patient": p, "level": level} for p, level in levels.items()])
    found = newcomers.predict("radiomics_lr", explain=True)
    saved = newcomers.saved("radiomics_lr")
    reasons = {each.patient: each.reason for each in found.patients if each.reason}
    assert reasons == {"N2": "no training patient was of this batch, scanner = 2"}
    for each in found.patients:
        if each.reason is None:
            table = {
                f"{phase}__{name}": [value]
                for phase in ("AP", "DP")
                for name, value in newcomers.features[each.patient, phase].items()
            } | {"batch=scanner": [{"a": 0.0, "b": 1.0}[levels[each.patient]]]}
            expected = saved.loaded.estimator.predict_proba(pl.DataFrame(table).select(saved.inputs.columns))[0, 1]
            assert each.probability == pytest.approx(expected, rel=1e-12)
            assert sum(each.contributions.values()) == pytest.approx(logit(each.probability))
