"""A package of somebody else's adds a classifier and a network: trained, judged, explained, predicted as others are."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial

import pytest
from builders.cohorts import bright_study
from builders.example_package import installed_example, on_the_path
from builders.models import train

from flows.bench.run import bench
from flows.refresh.run import refresh
from store.history.studies import stored_study
from zoo.benchmark.cross_validation import plan_cross_validation, split_labels
from zoo.benchmark.fold_fits import fitted_task
from zoo.benchmark.folds import repeated_folds
from zoo.benchmark.nested_cv import judged_out_of_fold

MODELS = """
[define.crops.regions]
size = 16
registration.method = "none"

[models.cr]
factors = [{ variable = "sex", equals = "male" }]

[models.naive_bayes]

[models.bayes_ap]
base = "naive_bayes"
phases = ["AP"]

[models.tiny_densenet.network]
epochs = 2
batch_size = 8
optimiser = "adam"
learning_rate = 1e-3
device = "cpu"
threads = 1
"""
ADDED = ("naive_bayes", "bayes_ap", "tiny_densenet")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Return the folder in which the example package is installed, found by this process as long as these tests run."""
    folder = installed_example(tmp_path_factory.mktemp("example"))
    with on_the_path(folder):
        yield folder


@pytest.fixture(scope="module")
def judged(tmp_path_factory, site):
    """Return a study of 24 patients whose models are the package's, and the clinical one, trained and judged."""
    study = bright_study(tmp_path_factory.mktemp("added"), "added", '["quick", "crops"]', MODELS)
    study.ingest()
    # Both sets are computed in this process, as by a run that ends before its commit: Prefect does not start.
    study.stage_every_set()
    refresh(study.store, "added", workers=1)
    train(study.store, stored_study(study.snapshot, "added"))
    bench(study.store, "added")
    return study


@pytest.fixture
def ask(judged, capsys):
    """Return a function that runs ``radzoo`` on the store: exit code, stdout, stderr."""
    return partial(judged.ask, capsys)


def test_both_stand_in_the_leaderboard(judged):
    """The package's classifier, a variant of it and its network are judged beside radzoo's own model."""
    rows = judged.sql("select model, auc from leaderboard where suite = 'holdout' and cohort = 'validation'")
    assert {row["model"] for row in rows} == {"cr", *ADDED}
    assert all(0 <= row["auc"] <= 1 for row in rows)
    # The lesions of one label are brighter: who reads them tells the labels apart.
    assert next(row["auc"] for row in rows if row["model"] == "naive_bayes") > 0.9


def test_they_are_judged_out_of_fold_too(judged):
    """Each fold fits them on its own patients; a network's threshold comes from the patients that it set aside."""
    study, snapshot = stored_study(judged.snapshot, "added"), judged.snapshot
    (split,) = study.splits
    labels = split_labels(snapshot, study, split)
    folds = repeated_folds(labels, repeats=1, folds=2, seed=1)
    planned = plan_cross_validation(snapshot, study, ADDED, labels={split: labels}, folds={split: folds})
    results = {task.key: fitted_task(task) for task in planned.tasks}
    for model in ADDED:
        found = judged_out_of_fold("added", model, 1, planned, results)
        assert (found.leaderboard.n, found.leaderboard.model) == (24, model)
    assert planned.networks == {"tiny_densenet"}


def test_the_record_names_the_package_and_its_version(judged):
    """Version and package decide the model's hash, and stand in its record, its card and its row."""
    for row in judged.sql("select model, path, versions from models where model != 'cr'"):
        record = json.loads((judged.store_root / row["path"] / "model.json").read_text())
        member = "tiny_densenet" if row["model"] == "tiny_densenet" else "naive_bayes"
        assert record["metadata"]["package"] == {"name": "radzoo-example", "version": "0.1.0", "member": member}
        assert record["libraries"]["radzoo-example"] == json.loads(row["versions"])["radzoo-example"] == "0.1.0"


def test_they_are_explained_as_far_as_they_can_be(ask):
    """A classifier without coefficients is asked with each column shuffled or at its mean; a network has maps."""
    code, out, _ = ask("--json", "models", "explain", "naive_bayes")
    rows = json.loads(out)["importances"]
    assert (code, {row["kind"] for row in rows}) == (0, {"permutation", "permutation_training"})
    assert {row["feature"] for row in rows} > {"sex=male"}
    code, out, _ = ask("--json", "predict", "naive_bayes", "--patient", "N20", "--explain")
    (patient,) = json.loads(out)["patients"]
    assert (code, "sex=male" in patient["contributions"]) == (0, True)
    code, out, _ = ask("--json", "models", "explain", "tiny_densenet", "--patient", "N20")
    (explained,) = json.loads(out)["attention"]
    assert (code, [phase["phase"] for phase in explained["phases"]]) == (0, ["AP", "DP"])


def test_they_predict_here_and_from_an_exported_folder(ask, tmp_path):
    """An exported model answers in its own process with the package's types, and says what it said in its store."""
    for model in ("naive_bayes", "tiny_densenet"):
        code, out, _ = ask("--json", "predict", model, "--patient", "N21")
        (here,) = json.loads(out)["patients"]
        assert code == 0
        assert ask("models", "export", model, tmp_path / model)[0] == 0
        code, out, _ = ask(
            "--json", "predict", "--model-folder", tmp_path / model, "--study", "added", "--patient", "N21"
        )
        (there,) = json.loads(out)["patients"]
        assert (code, there["probability"]) == (0, pytest.approx(here["probability"], abs=1e-6))


WITHOUT = """
import sys
from flows.cli.main import exit_code
sys.path = [each for each in sys.path if each != sys.argv[1]]
for arguments in (["models", "list"], ["predict", "naive_bayes", "--patient", "N21"],
                  ["predict", "tiny_densenet", "--patient", "N21"], ["models", "explain", "bayes_ap"],
                  ["predict", "cr", "--patient", "N21"]):
    print(exit_code(["--store", sys.argv[2], *arguments]), flush=True)
print([name for name in sys.modules if name.startswith("radzoo_example")])
"""


def test_without_the_package_its_models_are_refused_by_its_name_and_the_others_go_on(judged, site):
    """The package, its version and the command that installs it are named; lists and other models need it not."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, str(site), str(judged.store_root)], capture_output=True, text=True, check=True
    )
    assert [line for line in done.stdout.splitlines() if line.isdigit()] == ["0", "4", "4", "4", "0"]
    assert done.stdout.splitlines()[-1] == "[]"
    assert done.stderr.count("the model needs the package radzoo-example 0.1.0, which adds") == 3
    assert done.stderr.count("pip install radzoo-example==0.1.0") == 3


def test_lists_and_help_import_nothing_of_the_package(judged, site):
    """`radzoo --help` and `models list` leave the package alone; `models zoo` reads its description and no more."""
    code = (
        "import sys; from flows.cli.main import exit_code; exit_code(['--help']); "
        "exit_code(['--store', sys.argv[1], 'models', 'list']); "
        "own = lambda: sorted(name for name in sys.modules if name.startswith('radzoo_example')); first = own(); "
        "exit_code(['models', 'zoo']); print(first, own(), 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(judged.store_root)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[] ['radzoo_example', 'radzoo_example.members'] False"
    assert "tiny_densenet" in done.stdout
