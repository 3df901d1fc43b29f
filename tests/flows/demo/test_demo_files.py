"""The demonstration: its files, its groups, what a second call leaves alone, and the whole of it from end to end."""

import json
import re
import signal
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from builders.command_line import radzoo_here, radzoo_run, radzoo_started

import flows.demo
from flows.demo.cohort import INCLUDED, published_cohort, with_excluded
from flows.demo.files import FEWEST_PATIENTS, demo_study
from flows.demo.phantom.liver import PHASES
from flows.imaging.grids import geometry_difference
from flows.imaging.labels import lesion_mask
from flows.imaging.volumes import mask_sha256, read_volume
from flows.ingest.cases.exclusions import flow_steps
from flows.study.checked import checked_study
from schemas.errors import UsageError
from schemas.study.text import parsed_study


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory):
    """Return the folder of a demonstration study of 24 patients with small phantoms."""
    folder = tmp_path_factory.mktemp("demo") / "study"
    demo_study(folder, patients=24, scale=0.3, workers=2)
    return folder


def groups(table):
    """Return how many patients each cohort has with and without early recurrence."""
    return Counter((row["cohort"], row["recurrence_free_months"] <= 24) for row in table.to_dicts())


def test_a_study_of_24_has_the_groups_shares(demo_folder):
    """24 of 165 patients keep the shares of 78, 54, 18 and 15 by the largest remainders: 11, 8, 3 and 2."""
    table = pl.read_csv(demo_folder / "patients.csv")
    assert groups(table) == {
        ("training", True): 11,
        ("training", False): 8,
        ("validation", True): 3,
        ("validation", False): 2,
    }


def test_every_patient_has_an_image_and_mask_a_phase(demo_folder):
    """Each patient has three images, and masks of every reading, all that the study file asks for and no more."""
    study = parsed_study((demo_folder / "study.toml").read_text(), "study.toml")
    assert tuple(study.phases) == PHASES
    table = pl.read_csv(demo_folder / "patients.csv").to_dicts()
    expected = set()
    for row in table:
        for reading in study.readings:
            if reading.where is None or row[reading.where] == "yes":
                for name, phase in study.phases.items():
                    keys = {"patient": row["patient"], "phase": name, "reader": reading.reader}
                    expected |= {phase.image.format(**keys), phase.mask.format(**keys, reading=reading.reading)}
    written = {str(file.relative_to(demo_folder)) for file in demo_folder.rglob("*.nii.gz")}
    assert written == expected
    assert 0 < sum(row["reread"] == "yes" for row in table) < 24


def test_a_mask_lies_on_its_image(demo_folder):
    """Image and mask share their grid, the mask has a lesion, and a second reading is another drawing."""
    table = pl.read_csv(demo_folder / "patients.csv").filter(pl.col("reread") == "yes")
    patient = table["patient"][0]
    for phase in PHASES:
        image = read_volume(demo_folder / "images" / patient / f"{phase}.nii.gz")
        masks = [
            read_volume(demo_folder / "masks" / patient / f"{phase}_{reading}.nii.gz") for reading in ("1_1", "1_2")
        ]
        assert [geometry_difference(image, mask) for mask in masks] == [None, None]
        assert mask_sha256(lesion_mask(masks[0], 1)) != mask_sha256(lesion_mask(masks[1], 1))


def test_a_second_call_writes_nothing(demo_folder):
    """With the settings of before every file keeps its time of change."""
    before = {file: file.stat().st_mtime_ns for file in demo_folder.rglob("*")}
    assert demo_study(demo_folder, patients=24, scale=0.3, workers=2) == demo_folder / "study.toml"
    assert {file: file.stat().st_mtime_ns for file in demo_folder.rglob("*")} == before


def test_a_half_written_study_is_written_again(demo_folder, tmp_path):
    """Without the manifest, which is written last, nothing claims to be complete; the same files come out again."""
    manifest = demo_folder / "phantoms.json"
    assert json.loads(manifest.read_text())["patients"] == 24
    before = {file: file.read_bytes() for file in demo_folder.rglob("*") if file.is_file()}
    manifest.unlink()
    image = next((demo_folder / "images").rglob("AP.nii.gz"))
    image.write_bytes(b"half")
    demo_study(demo_folder, patients=24, scale=0.3, workers=1)
    assert {file: file.read_bytes() for file in demo_folder.rglob("*") if file.is_file()} == before


@pytest.mark.parametrize("patients", [0, FEWEST_PATIENTS - 1, 166])
def test_too_few_or_too_many_patients_are_refused_before_anything_is_written(tmp_path, patients):
    """A cohort outside 24 to 165 patients is a fault of usage (2)."""
    with pytest.raises(UsageError, match=f"between 24 and 165, not {patients}") as error:
        demo_study(tmp_path / "study", patients=patients)
    assert error.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_the_whole_cohort_has_the_published_groups():
    """165 patients: 78 with and 54 without early recurrence in training, 18 and 15 in validation (study-facts 2)."""
    assert groups(published_cohort()) == {
        ("training", True): 78,
        ("training", False): 54,
        ("validation", True): 18,
        ("validation", False): 15,
    }


def test_the_flow_is_the_published_one(tmp_path):
    """290 screened; 5, 3, 4 and 113 excluded in this order; 165 left, the same 165 as without them (study-facts 1)."""
    cohort = published_cohort().with_columns(reread=pl.lit("no"))
    with_excluded(cohort).write_csv(tmp_path / "patients.csv")
    parts = (Path(flows.demo.__file__).with_name(name) for name in ("study.toml", "networks.toml"))
    (tmp_path / "study.toml").write_text("".join(each.read_text() for each in parts))
    checked = checked_study(tmp_path / "study.toml", set, tmp_path / "store")
    steps = flow_steps(checked.study, checked.tables)
    assert [(each.before, each.excluded, each.left) for each in steps] == [
        (290, 5, 285),
        (285, 3, 282),
        (282, 4, 278),
        (278, 113, 165),
    ]
    assert [each.patient for each in checked.tables.patients] == cohort["patient"].to_list()


def test_a_part_of_the_cohort_has_nobody_excluded():
    """Beside 24 patients the 125 who were excluded would say nothing: all of them are included."""
    part = published_cohort().head(24)
    assert with_excluded(part)["screening"].to_list() == [INCLUDED] * 24


ALIKE = (
    *("radiomics_svm", "radiomics_knn", "radiomics_mlp", "cnlc", "erasl_pre", "plr", "lmr"),
    *("dl_resnet18.network", "dl_resnet34.network"),
)
"""Models that differ from one that stays in their classifier, formula or depth alone, which tests/zoo has."""


def quick_models(study_file):
    """Write few epochs and small regions into the demonstration's study, and leave out models that are like others."""
    text = study_file.read_text()
    for alike in ALIKE:
        before, _, after = text.partition(f"[models.{alike}]\n")
        assert after
        text = before + after[after.index("\n[") + 1 :]
    for setting, fewer in (("epochs = 30", "epochs = 2"), ("size = 64", "size = 32")):
        assert setting in text
        text = text.replace(setting, fewer)
    study_file.write_text(text)
    return text


@pytest.mark.slow
def test_the_demonstration_runs_from_end_to_end(tmp_path, monkeypatch):
    """``radzoo demo`` goes from phantoms to report with no server set; a second call computes and trains nothing.

    Interrupted once its files are there, it goes on with them: networks of two epochs do what those of thirty do.
    """
    words = ("demo", "--patients", "24", "--workers", "2")
    study_file = tmp_path / "demo" / "study" / "study.toml"
    with radzoo_started(*words, cwd=tmp_path) as begun:
        assert any(line.startswith("step 2 of 5") for line in begun.stderr)
        begun.send_signal(signal.SIGINT)
        begun.stderr.read()
    assert begun.returncode == 130
    text = quick_models(study_file)
    done = radzoo_run(*words, cwd=tmp_path, timeout_s=600)
    assert done.returncode == 0, done.stderr
    assert study_file.read_text() == text
    # Late fusion's network on all patients is the model ResNet-10, which was trained before it.
    assert re.search(r"^late_fusion: epoch 2 of 2, .*; taken over, trained before$", done.stderr, re.M)
    counts = re.findall(r"computed (\d+), reused (\d+), failed (\d+), unchanged (\d+)", done.stdout)
    masks = len(list((tmp_path / "demo" / "study" / "masks").rglob("*.nii.gz")))
    regions = 3 * 24  # of the first reading alone
    assert counts == [(str(masks), "0", "0", "0"), (str(regions), "0", "0", "0")]
    models = parsed_study(text, "study.toml").models
    tabular = {"cr", "radiomics_lr", "radiomics_xgb", "rcr", "bclc", "nlr"}
    assert set(models) == tabular | {"dl_resnet10", "dlrcr", "late_fusion"}
    for model in models:
        for cohort in ("training", "validation"):
            line = rf"^{model} +{cohort} +\d+ \(\d+ events\) +[01]\.\d{{3}} \([01]\.\d{{3}}-[01]\.\d{{3}}\)"
            assert re.search(line, done.stdout, re.M)
    shown = dict(re.findall(r"^(report|analyst\.duckdb|study file) +(\S+)$", done.stdout, re.M))
    assert set(shown) == {"report", "analyst.duckdb", "study file"}
    for path in shown.values():
        assert (tmp_path / path).is_file()
    page = (tmp_path / shown["report"]).read_text()
    assert "radiomics_lr" in page
    assert "<html" in page
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]

    command = re.search(r'^next +\S*radzoo (--store \S+) sql "(.+)"$', done.stdout, re.M)
    # What computes nothing is asked in this process, which has loaded the libraries.
    monkeypatch.chdir(tmp_path)
    answer = radzoo_here(*command[1].split(), "sql", command[2], "--format", "csv")
    assert len(answer.stdout.splitlines()) == 1 + 2 * len(models)

    again = radzoo_here("--json", *words)
    assert again.returncode == 0
    report = json.loads(again.stdout)
    assert report["ingested"]["commit_id"] is None
    for refreshed, expected in zip(report["refreshed"], (masks, regions), strict=True):
        assert [refreshed[name] for name in ("computed", "reused", "failed", "unchanged")] == [0, 0, 0, expected]
    assert {each["model"]: each["trained"] for each in report["benched"]["trained"]} == dict.fromkeys(models, False)
    assert report["benched"]["commit_id"] is None
    assert Path(report["report"]).name == "index.html"
