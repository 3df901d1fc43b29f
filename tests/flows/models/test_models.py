"""The verbs of trained models: list, show, card, export, explain, predict."""

from __future__ import annotations

import csv
import json
import shutil

import pyarrow.parquet as pq
import pytest
from builders.study import SmallStudy

from flows.bench.run import bench
from flows.train.run import train
from schemas.errors import NotFoundError, UsageError
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.home import Store
from zoo.saving.named_model import model_row

MODELS = ("cr", "radiomics_knn", "radiomics_lr")
VALIDATION = [f"T{number:02}" for number in range(40, 60)]


@pytest.fixture
def own_store(trained_study, tmp_path):
    """Return a copy of the store, to be changed."""
    return shutil.copytree(trained_study.store_root, tmp_path / "store")


def marked(root, model, mark):
    """Put a mark on a model, as erasing a patient does."""
    store = Store(root)
    row = {name: value for name, value in Snapshot(store).row("models", model=model).items() if name != "added_commit"}
    with commit_to(store, "mark") as commit:
        commit.put("models", [row | {"mark": mark}])


def test_list_has_every_version_and_its_validation_auc(ask, trained_study):
    """The list is that of the catalogue, the AUC that of the leaderboard."""
    code, out, _ = ask("--json", "models", "list", "--study", "tried")
    listed = json.loads(out)
    assert code == 0
    assert [(row["model"], row["version"], row["study"], row["mark"]) for row in listed] == [
        (model, 1, "tried", None) for model in MODELS
    ]
    aucs = {row["model"]: row["auc"] for row in trained_study.sql("from leaderboard where cohort = 'validation'")}
    assert {row["model"]: row["validation_auc"] for row in listed} == aucs
    _, text, _ = ask("models", "list")
    assert text.splitlines()[0].split() == [
        "model",
        "version",
        "study",
        "base",
        "dataset",
        "trained_at",
        "validation",
        "AUC",
        "stale",
        "mark",
    ]
    assert {(row["is_stale"], tuple(row["stale_because"])) for row in listed} == {(False, ())}
    assert ask("models", "list", "--study", "other")[0] == 3


def test_show_has_features_parameters_and_figures(ask, trained_study):
    """What a model learned and how it did, as the catalogue has them."""
    code, out, _ = ask("--json", "models", "show", "radiomics_knn@1")
    shown = json.loads(out)
    assert code == 0
    assert (shown["study"], shown["version"], shown["mark"]) == ("tried", 1, None)
    assert list(shown["summary"]["parameters"]) == ["n_neighbors"]
    assert {row["cohort"] for row in shown["metrics"]} == {"training", "validation"}
    assert (
        shown["dataset"]["sha256"] == trained_study.sql("select sha256 from datasets where columns > 10")[0]["sha256"]
    )
    _, text, _ = ask("models", "show", "radiomics_knn")
    assert "n_neighbors = " in text
    assert "reads quick@1 in AP\nsplit " in text
    assert "kept by the LASSO\nLASSO: C = " in text
    (note,) = shown["summary"]["notes"]
    assert "events per variable, fewer than 10" in note
    assert f"\nnote: {note}\n" in text
    assert f"\n- {note}\n" in ask("models", "card", "radiomics_knn")[1]
    assert shown["summary"]["features"][0]["feature"] in text
    _, text, _ = ask("models", "show", "cr")
    assert "odds_ratio" in text
    assert "afp>400" in text


def test_card_is_the_folders_card(ask, trained_study):
    """The card on stdout is the file, byte for byte."""
    code, out, _ = ask("models", "card", "tried/cr@1")
    (row,) = trained_study.sql("from models where model = 'cr'")
    assert code == 0
    assert out == (trained_study.store_root / row["path"] / "card.md").read_text()
    assert json.loads(ask("--json", "models", "card", "cr")[1])["card"] == out


def test_names_that_are_not_there(ask, trained_study):
    """A model, version or study that does not exist is not found; a text that is no name is a fault of usage."""
    for name, step in (("zz", " models list"), ("cr@7", "one of: cr@1"), ("elsewhere/cr", "one of: tried")):
        code, _, err = ask("models", "show", name)
        assert code == 3, name
        assert step in err.splitlines()[-1]
    assert ask("models", "show", "cr@zero")[0] == 2
    with pytest.raises(UsageError, match="is no model"):
        model_row(trained_study.snapshot, "@2")


def test_a_model_that_two_studies_have_is_asked_for_by_study(own_store):
    """Where two studies have a model, its bare name is refused with the names that tell them apart."""
    store = Store(own_store)
    row = {name: value for name, value in Snapshot(store).row("models", model="cr").items() if name != "added_commit"}
    with commit_to(store, "another study's model") as commit:
        commit.put("models", [row | {"study": "other", "version": 2}])
    snapshot = Snapshot(store)
    with pytest.raises(NotFoundError, match="which study's 'cr'") as error:
        model_row(snapshot, "cr")
    assert error.value.hint == "one of: other/cr, tried/cr"
    assert model_row(snapshot, "other/cr")["version"] == 2
    assert model_row(snapshot, "cr", "tried")["version"] == 1


def test_explain_lists_importances_by_kind(ask, trained_study):
    """The importances are the view's, permutation on validation patients among them."""
    code, out, _ = ask("--json", "models", "explain", "radiomics_lr")
    shown = json.loads(out)["importances"]
    assert code == 0
    stored = trained_study.sql(
        "select kind, feature, value, lower, upper from importances where model = 'radiomics_lr'"
    )
    assert shown == stored
    assert {row["kind"] for row in shown} == {"coefficient", "permutation", "permutation_training"}
    _, text, _ = ask("models", "explain", "radiomics_lr")
    assert "which flatters" in text


@pytest.mark.parametrize(
    ("model", "kind"), [("cr", "linear"), ("radiomics_lr", "linear"), ("radiomics_knn", "occlusion")]
)
def test_explain_one_patient(ask, trained_study, model, kind):
    """A patient's probability is the benchmark's, with contributions of the kind that the model allows."""
    code, out, _ = ask("--json", "models", "explain", model, "--patient", "T41")
    found = json.loads(out)
    (stored,) = trained_study.sql(f"from predictions where model = '{model}' and patient = 'T41'")
    assert code == 0
    assert (found["cohort"], found["kind"]) == ("validation", kind)
    assert found["probability"] == pytest.approx(stored["probability"], rel=1e-12)
    _, text, _ = ask("models", "explain", model, "--patient", "T41")
    assert f"{kind}: " in text
    assert ask("models", "explain", model, "--patient", "nobody")[0] == 3


def test_predict_refuses_the_training_patients_of_its_own_study(ask):
    """Asked for the whole study, a model does not answer for those it was trained on unless told to."""
    code, _, err = ask("predict", "cr", "--study", "tried")
    assert code == 4
    assert "trained on 40 of these patients" in err
    assert "--include-training" in err
    code, out, _ = ask("--json", "predict", "cr", "--study", "tried", "--include-training")
    patients = json.loads(out)["patients"]
    assert code == 0
    assert [row["cohort"] for row in patients] == ["training"] * 40 + ["validation"] * 20


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json"])
def test_predict_writes_what_it_says(ask, trained_study, tmp_path, suffix):
    """A file of any kind holds each patient's probability as the benchmark stored it, and the contributions."""
    file = tmp_path / f"out.{suffix}"
    wanted = [argument for patient in VALIDATION for argument in ("--patient", patient)]
    code, out, _ = ask("predict", "radiomics_lr", *wanted, "--explain", "--out", file)
    assert code == 0
    assert out.startswith("20 patients in ")
    if suffix == "csv":
        rows = list(csv.DictReader(file.read_text().splitlines()))
        assert {name for name in rows[0] if name.startswith("contribution:")} > {"contribution:baseline"}
    elif suffix == "parquet":
        table = pq.read_table(file)
        rows = table.to_pylist()
        assert json.loads(table.schema.metadata[b"radzoo"])["model"] == "radiomics_lr"
    else:
        rows = json.loads(file.read_text())["patients"]
    stored = trained_study.sql(
        "select patient, probability from predictions where model = 'radiomics_lr' and cohort = 'validation' "
        "order by patient"
    )
    found = [{"patient": row["patient"], "probability": float(row["probability"])} for row in rows]
    assert found == [{**row, "probability": pytest.approx(row["probability"], rel=1e-12)} for row in stored]


def test_predict_refuses_a_file_it_cannot_write(ask, tmp_path):
    """A kind of file that is not known, a folder that is not there, a folder itself: usage, before any work."""
    for out in (tmp_path / "out.xlsx", tmp_path / "nowhere" / "out.csv"):
        assert ask("predict", "cr", "--out", out)[0] == 2
    (tmp_path / "folder.csv").mkdir()
    assert ask("predict", "cr", "--out", tmp_path / "folder.csv")[0] == 2
    assert ask("predict", "--study", "tried")[0] == 2


def test_predict_for_another_study_lists_who_has_no_inputs(ask, own_store, tmp_path):
    """New patients of a study in the same store are answered; one without a value is listed, with exit code 5."""
    other = SmallStudy(tmp_path / "newer", own_store, "newer", ("Q1", "Q2"), ("AP",)).write()
    text = other.file.read_text()
    start, end = text.index("[phases.DP]"), text.index("[clinical.variables.afp]")
    text = text[:start] + text[end:]
    other.file.write_text(text[: text.index("[splits.fixed]")] + text[text.index("[define.") :])
    (other.folder / "patients.csv").write_text(
        "patient,recurrence,cohort,afp,sex\nQ1,1,training,500,male\nQ2,0,training,,male\n"
    )
    other.store_root = own_store
    other.ingest()
    code, out, _ = ask("--json", "predict", "tried/cr", "--study", "newer", store=own_store)
    found = json.loads(out)["patients"]
    assert code == 5
    assert [(row["patient"], row["cohort"], row["reason"]) for row in found] == [
        ("Q1", "new", None),
        ("Q2", "new", "no value of afp"),
    ]
    assert 0 < found[0]["probability"] < 1
    # Nothing was computed yet of the features that the radiomics model reads.
    code, _, err = ask("predict", "tried/radiomics_lr", "--study", "newer", store=own_store)
    assert code == 4
    assert " refresh --study newer" in err
    other.stage()
    other.refresh()
    code, out, _ = ask("--json", "predict", "tried/radiomics_lr", "--study", "newer", store=own_store)
    assert code == 0
    assert [row["positive"] is not None for row in json.loads(out)["patients"]] == [True, True]


def test_a_mark_is_shown_everywhere(ask, own_store):
    """A marked model says so in the list, when shown, before its card, in an explanation, and when it predicts."""
    mark = "trained on a patient who was erased"
    marked(own_store, "cr", mark)
    assert mark in ask("models", "list", store=own_store)[1]
    assert f"marked: {mark}" in ask("models", "show", "cr", store=own_store)[1]
    assert ask("models", "card", "cr", store=own_store)[1].startswith(f"> Marked: {mark}\n\n# cr of study tried\n")
    assert f"marked: {mark}" in ask("models", "explain", "cr", store=own_store)[1]
    code, _, err = ask("predict", "cr", "--patient", "T50", store=own_store)
    assert code == 0
    assert f"warning: cr@1 of study 'tried' is marked: {mark}" in err


@pytest.mark.parametrize("file", ["estimator.skops", "model.json", "card.md"])
def test_a_tampered_model_is_refused(ask, own_store, tmp_path, file):
    """One byte more in any file of the folder: it is neither applied, shown nor exported, exit code 4."""
    path = Snapshot(Store(own_store)).row("models", model="cr")["path"]
    with (own_store / path / file).open("ab") as stream:
        stream.write(b" ")
    for arguments in (
        ("predict", "cr", "--patient", "T50"),
        ("models", "card", "cr"),
        ("models", "export", "cr", tmp_path / "x"),
    ):
        code, _, err = ask(*arguments, store=own_store)
        assert code == 4, arguments
        assert "changed after they were saved" in err
    assert not (tmp_path / "x").exists()


def test_an_exported_model_predicts_and_is_checked(ask, tmp_path):
    """An exported folder answers as the store's model does; a changed one is refused with exit code 4."""
    folder = tmp_path / "cr-model"
    code, out, _ = ask("--json", "models", "export", "cr", folder)
    done = json.loads(out)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert code == 0
    assert done["sha256"] == manifest["sha256"]
    assert (
        set(manifest["files"])
        == {"estimator.skops", "model.json", "card.md"}
        == {file.name for file in folder.iterdir()} - {"manifest.json"}
    )
    asked = ("--json", "predict", "--model-folder", folder, "--patient", "T50", "--patient", "T51")
    code, out, _ = ask(*asked)
    assert code == 0
    assert json.loads(out) == json.loads(ask("--json", "predict", "cr", "--patient", "T50", "--patient", "T51")[1])
    assert ask("models", "export", "cr", folder)[0] == 2
    card = folder / "card.md"
    card.write_text(card.read_text().replace("Research only", "For every use"))
    code, _, err = ask(*asked)
    assert code == 4
    assert "changed after they were saved" in err


def test_training_and_judging_again_changes_nothing(own_store):
    """With the same inputs both models are unchanged, and a second benchmark makes no commit."""
    store = Store(own_store)
    before = Snapshot(store).commit_id
    assert [(report.model, report.trained) for report in train(store, "tried")] == [
        ("cr", False),
        ("radiomics_lr", False),
        ("radiomics_knn", False),
    ]
    assert bench(store, "tried").commit_id is None
    assert Snapshot(store).commit_id == before
