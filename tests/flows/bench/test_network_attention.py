"""A network's example patients: rows that bench keeps, pictures that models explain writes, the report's figures."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pytest
from builders.cohorts import bright_study
from builders.models import train

from flows.bench.run import bench
from flows.report.page import write_report
from store.analyst.query import answer
from store.history.snapshot import Snapshot
from store.history.studies import stored_study

MODELS = """
[define.crops.regions]
size = 16
registration.method = "none"

[models.cr]
factors = [{ variable = "sex", equals = "male" }]

[models.dl_resnet10.network]
epochs = 2
batch_size = 8
optimiser = "adam"
learning_rate = 1e-3
validation_fraction = 0
device = "cpu"
threads = 1
"""


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Return a study of 24 patients with a clinical model and a small network, trained and judged."""
    study = bright_study(tmp_path_factory.mktemp("networked"), "networked", '["crops"]', MODELS)
    study.ingest()
    study.refresh_without_prefect()
    train(study.store, stored_study(study.snapshot, "networked"))
    bench(study.store, "networked")
    return study


@pytest.fixture
def ask(judged, capsys):
    """Return a function that runs ``radzoo`` on the store: exit code, stdout, stderr."""
    return partial(judged.ask, capsys)


def test_bench_keeps_the_maps_of_three_held_out_patients(judged):
    """A row for each phase of the surest right and the most wrong patients, once a version of the network."""
    rows = judged.sql("select a.*, p.probability as judged from attention a join predictions p using (model, patient)")
    assert {row["model"] for row in rows} == {"dl_resnet10"}
    assert {row["cohort"] for row in rows} == {"validation"}
    patients = {row["patient"] for row in rows}
    assert len(patients) == 3
    assert len(rows) == 6
    for row in rows:
        assert row["probability"] == pytest.approx(row["judged"])
        assert row["feature_set"] == "crops@1"
        assert 0 <= row["energy_inside"] + row["energy_margin"] <= 1 + 1e-9
        assert 0 <= row["insertion_auc"] <= 1
        assert 0 <= row["deletion_auc"] <= 1
        assert np.array(json.loads(row["map"])).shape == (2, 2)
    held_out = judged.sql("from predictions where model = 'dl_resnet10' and cohort = 'validation'")
    surest = max((row for row in held_out if row["label"] == 1), key=lambda row: row["probability"])
    assert surest["patient"] in patients
    assert bench(judged.store, "networked").commit_id is None


def test_explain_writes_a_picture_for_each_patient(ask, judged, tmp_path):
    """Numbers of each phase and one picture a patient; what bench keeps of a patient is what explain finds."""
    (example,) = judged.sql("select min(patient) as patient from attention")
    asked = ["--patient", example["patient"], "--patient", "N01", "--out", tmp_path / "maps"]
    code, out, _ = ask("--json", "models", "explain", "dl_resnet10", *asked)
    assert code == 0
    found = json.loads(out)["attention"]
    assert [each["patient"] for each in found] == [example["patient"], "N01"]
    assert [each["cohort"] for each in found] == ["validation", "training"]
    for each in found:
        assert [phase["phase"] for phase in each["phases"]] == ["AP", "DP"]
        assert each["file"] == str(tmp_path / "maps" / f"{each['patient']}.png")
        assert (tmp_path / "maps" / f"{each['patient']}.png").read_bytes().startswith(b"\x89PNG")
    kept = judged.sql(f"from attention where patient = '{example['patient']}' order by phase")
    for phase, row in zip(found[0]["phases"], kept, strict=True):
        assert phase == pytest.approx({name: row[name] for name in phase})
    code, out, _ = ask("models", "explain", "dl_resnet10", "--patient", "N01", "--picture", "svg", "--out", tmp_path)
    assert code == 0
    assert "N01 (training, label 1): probability" in out
    assert "<svg" in (tmp_path / "N01.svg").read_text()


def test_a_network_is_shown_with_what_it_reads_and_how_it_was_trained(ask, judged):
    """Card, show and the list of datasets name the regions with their version; card and show the training."""
    _, card, _ = ask("models", "card", "dl_resnet10")
    definition = judged.snapshot.row("feature_sets", feature_set="crops@1")["definition_sha256"]
    assert f"- Regions crops@1, definition {definition}" in card
    assert "3 slices of 16 x 16 pixels" in card
    assert "stage" not in card
    _, shown, _ = ask("models", "show", "dl_resnet10")
    assert "reads crops@1 in AP, DP\nsplit " in shown
    for text in (card, shown):
        assert "ResNet-10, " in text
        assert "Epochs: 2 run of at most 2, the weights of epoch 2 kept" in text
        assert "Early stopping: none, all 16 training patients moved the weights" in text
        assert "Device: cpu" in text
    _, listed, _ = ask("--json", "datasets", "list")
    assert {row["holds"] for row in json.loads(listed)} == {"1 factor", "crops@1 in AP, DP"}


def test_explain_without_a_patient_shows_the_examples(ask):
    """The rows that bench kept, with what the numbers mean."""
    code, out, _ = ask("models", "explain", "dl_resnet10")
    assert code == 0
    assert out.count("\n") >= 8
    assert "insertion_auc is high" in out
    assert len(json.loads(ask("--json", "models", "explain", "dl_resnet10")[1])["attention"]) == 6


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["dl_resnet10", "--patient", "nobody"], 3, "not in the dataset"),
        (["dl_resnet10", "--out", "maps"], 2, "whose pictures"),
        (["cr", "--patient", "N01", "--out", "maps"], 2, "is no network"),
        (["cr", "--patient", "N01", "--patient", "N02"], 2, "is no network"),
    ],
)
def test_what_cannot_be_explained_is_said(ask, arguments, code, said):
    """A patient outside the dataset is not found; pictures of a model without a network have no meaning."""
    found, _, error = ask("models", "explain", *arguments)
    assert found == code
    assert said in error


def test_the_report_shows_the_examples_with_numbers_of_the_sql(judged, tmp_path):
    """Three figures with two pictures a phase, and a table whose cells the shown SQL gives; the same bytes again."""
    page = write_report(judged.store, "networked", tmp_path / "report.html").read_text()
    section = page[page.index("Where dl_resnet10 looks") :]
    assert section.count('<figure class="maps">') == 3
    assert section.count("<image ") == 3 * 2 * 2
    assert "inside: within the tumour, deeper than that band" in section
    rows = answer(
        Snapshot(judged.store), "from attention order by label desc, probability desc, patient, phase"
    ).to_pylist()
    for row in rows:
        assert f'<td class="n">{row["insertion_auc"]:.3f}</td>' in section
        assert f'<th scope="row">{row["patient"]}</th><td>{row["phase"]}</td>' in section
    assert page == write_report(judged.store, "networked", tmp_path / "again.html").read_text()
