"""Every member of the zoo, trained and saved, answers in another process with the very same bits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from zoo.models.contributions import contributions, last_step
from zoo.models.saved import pinned_rows, stored_model
from zoo.registry import model_names, model_spec
from zoo.saving.folders import local_model_folder
from zoo.saving.persist import load_model

ROOT = Path(__file__).parents[3]
LEVELS = {
    "child_pugh": ("A", "B"),
    "vascular_invasion": ("absent", "present"),
    "major_branch_invasion": ("absent", "present"),
    "extrahepatic_spread": ("absent", "present"),
}
# Unit, and the range that values are drawn from.
NUMBERS = {
    "tbil": ("umol/L", 6, 30),
    "alb": ("g/L", 30, 48),
    "neutrophils": ("10*9/L", 2, 8),
    "lymphocytes": ("10*9/L", 0.8, 3),
    "monocytes": ("10*9/L", 0.2, 0.9),
    "platelets": ("10*9/L", 80, 320),
    "ecog_ps": ("1", 0, 2),
    "tumour_number": ("1", 1, 4),
    "diameter_mm": ("mm", 10, 90),
}
WHOLE = ("ecog_ps", "tumour_number")
# Members that read regions are asked in test_saved_networks.py.
MEMBERS = [name for name in model_names() if "regions" not in model_spec(name).inputs]
PREDICT = """
import sys
from pathlib import Path
import numpy as np
from store.home import Store
from store.history.snapshot import Snapshot
from zoo.models.saved import pinned_rows, stored_model
snapshot = Snapshot(Store(Path(sys.argv[1])))
for row in snapshot.rows("models"):
    saved = stored_model(snapshot, row)
    table = pinned_rows(snapshot, row["dataset_id"]).select(saved.inputs.columns)
    np.save(Path(sys.argv[2]) / row["model"], saved.loaded.estimator.predict_proba(table))
"""


@pytest.fixture(scope="module")
def zoo_store(pristine_cohort, tmp_path_factory):
    """Return a store in which every member of the registry that reads no regions was trained on 60 patients."""
    written = pristine_cohort.copied(tmp_path_factory.mktemp("zoo"))
    random = np.random.default_rng(11)
    declared = [f"{name} = {{ levels = {list(levels)} }}".replace("'", '"') for name, levels in LEVELS.items()]
    declared += [f'{name} = {{ unit = "{unit}" }}' for name, (unit, _, _) in NUMBERS.items()]
    written.edit("[outcome]", "\n".join(declared) + "\n\n[outcome]")
    rows = []
    for patient in (f"P{number:02}" for number in range(90)):
        own = {"patient": patient, "observed_at": ""}
        rows += [own | {"variable": name, "level": str(random.choice(levels))} for name, levels in LEVELS.items()]
        for name, (unit, low, high) in NUMBERS.items():
            value = float(random.integers(low, high)) if name in WHOLE else float(random.uniform(low, high))
            rows.append(own | {"variable": name, "value": value, "unit": unit})
    clinical = [{k: v for k, v in row.items() if k != "added_commit"} for row in written.snapshot.rows("clinical")]
    rows += [row | {"unit": "[IU]/mL"} for row in clinical if row["variable"] == "afp"]
    written.put("clinical", rows)
    for model in MEMBERS:
        written.train(model)
    return written


@pytest.fixture(scope="module")
def elsewhere(zoo_store, tmp_path_factory):
    """Return the probabilities that a new interpreter got from the saved models, by model."""
    folder = tmp_path_factory.mktemp("answers")
    subprocess.run([sys.executable, "-c", PREDICT, zoo_store.root, folder], cwd=ROOT, check=True)
    return {file.stem: np.load(file) for file in folder.iterdir()}


def test_every_member_was_trained(elsewhere):
    """No member of the registry that reads columns of numbers is left out of what follows."""
    assert sorted(elsewhere) == sorted(MEMBERS)


@pytest.mark.parametrize("model", MEMBERS)
def test_a_fresh_process_gives_the_same_bits(zoo_store, elsewhere, model):
    """Probabilities of all patients are bit-equal to those of the model fitted here again from the same dataset."""
    snapshot = zoo_store.snapshot
    row = snapshot.row("models", model=model)
    frame = pinned_rows(snapshot, row["dataset_id"])
    columns = stored_model(snapshot, row).inputs.columns
    training = frame.filter(frame["cohort"] == "training")
    estimator = model_spec(model).build(zoo_store.study.settings_of(model), random_state=20260101)
    estimator.fit(training.select(columns), training["label"].to_numpy())
    np.testing.assert_array_equal(elsewhere[model], estimator.predict_proba(frame.select(columns)))


@pytest.mark.parametrize("model", MEMBERS)
def test_every_member_has_importances_a_card_and_contributions(zoo_store, model):
    """Importances are of the columns that the last step sees; the card is that of the folder, section by section."""
    snapshot = zoo_store.snapshot
    row = snapshot.row("models", model=model)
    saved = stored_model(snapshot, row)
    table = pinned_rows(snapshot, row["dataset_id"]).select(saved.inputs.columns)
    step = last_step(saved.loaded.estimator, table, saved.references)
    found = snapshot.rows("importances", model=model)
    assert {each["feature"] for each in found} == set(step.features)
    assert {each["kind"] for each in found} <= {"coefficient", "tree", "permutation_training"}
    assert contributions(step).values.shape == (table.height, len(step.features))
    card = load_model(local_model_folder(zoo_store.store, row), row["sha256"]).card
    titles = [line.removeprefix("## ") for line in card.splitlines() if line.startswith("## ")]
    assert titles == [
        "What it is",
        "Intended use",
        "Inputs",
        "Trained on",
        "How it was selected",
        "What it learned",
        "Threshold",
        "Limitations",
        "Software",
        "Citation",
    ]


@pytest.mark.parametrize("model", ["cr", "radiomics_lr", "radiomics_xgb", "nlr"])
def test_a_card_says_what_the_catalogue_says(zoo_store, model):
    """Dataset, commit, hashes, cohorts, threshold and features stand in the card as they do in the catalogue."""
    snapshot = zoo_store.snapshot
    row = snapshot.row("models", model=model)
    dataset = snapshot.row("datasets", dataset_id=row["dataset_id"])
    card = load_model(local_model_folder(zoo_store.store, row), row["sha256"]).card
    frame = pinned_rows(snapshot, row["dataset_id"])
    assert f"Dataset {dataset['dataset_id']}, sha256 {dataset['sha256']}, read at commit {dataset['commit_id']}" in card
    for cohort in ("training", "validation"):
        labels = frame.filter(frame["cohort"] == cohort)["label"]
        assert f"- {cohort}: {len(labels)} patients, {labels.sum()} with the outcome" in card
    assert f"{row['threshold']!r}: " in card
    assert "Research only" in card
    assert "resubstitution" in card
    learned = card[card.index("## What it learned") : card.index("## Threshold")]
    for feature in {each["feature"] for each in snapshot.rows("importances", model=model)} - {"nlr"}:
        assert feature in learned
    if "radiomics" in model_spec(model).inputs:
        definition = snapshot.row("feature_sets", feature_set="quick@1")["definition_sha256"]
        assert f"quick@1, definition {definition}" in card
        assert "| kept by the LASSO | " in card
