"""Patients who lack a phase: left out and counted, or kept with what they have, by every verb."""

from __future__ import annotations

import json

import numpy as np
import pytest
from builders.cohorts import bright_study
from builders.command_line import printed

from flows.bench.run import bench
from flows.refresh.run import refresh

pytestmark = pytest.mark.slow

MODELS = """
[models.radiomics_lr]

[models.kept]
base = "radiomics_lr"
missing_phases = "impute"
"""
LACKING = {"DP": ("N03", "N06", "N20"), "AP": ("N20", "N11")}


@pytest.fixture(scope="module")
def study(tmp_path_factory, prefect_server):
    """Return a judged study of 24 patients: three lack a phase, N20 both."""
    study = bright_study(tmp_path_factory.mktemp("lacking"), "lacking", '["quick"]', MODELS)
    for phase, patients in LACKING.items():
        for patient in patients:
            study.mask_file(patient, phase).unlink()
            study.image_file(patient, phase).unlink()
    study.ingest()
    study.stage_every_set()
    refresh(study.store, "lacking", workers=1)
    bench(study.store, "lacking")
    bench(study.store, "lacking", suite="nested-cv", repeats=1, folds=3, workers=1)
    return study


def test_who_is_judged_is_counted_in_both_suites(study):
    """The default leaves out whoever lacks a phase; the other model only who lacks all."""
    rows = study.sql("select suite, model, sum(n) as n from leaderboard group by all")
    assert {(row["suite"], row["model"]): row["n"] for row in rows} == {
        ("holdout", "radiomics_lr"): 20,
        ("holdout", "kept"): 23,
        ("nested-cv", "radiomics_lr"): 20,
        ("nested-cv", "kept"): 23,
    }


def test_those_left_out_are_named(study):
    """The models' summaries say who is left out, and for what."""
    rows = study.sql("select model, summary -> 'excluded' as excluded from models")
    excluded = {row["model"]: json.loads(row["excluded"]) for row in rows}
    assert excluded["kept"] == {"N20": "no quick in any phase"}
    assert excluded["radiomics_lr"] == dict.fromkeys(("N03", "N06"), "no quick in DP") | dict.fromkeys(
        ("N11", "N20"), "no quick in AP"
    )


def test_it_predicts_for_patients_who_lack_a_phase(study, capsys, tmp_path):
    """From the store and from an exported folder, the probabilities are those that the leaderboard stands on."""
    judged = {
        row["patient"]: row["probability"]
        for row in study.sql("from predictions where suite = 'holdout' and model = 'kept'")
    }
    code, out, _ = study.ask(capsys, "--json", "predict", "kept", "--include-training")
    found = {row["patient"]: row for row in json.loads(out)["patients"]}
    assert code == 5
    told = {name: row["probability"] for name, row in found.items()}
    assert {name: value for name, value in told.items() if value is not None} == pytest.approx(judged)
    assert {"N03", "N06", "N11"} <= judged.keys()
    assert "any phase" in found["N20"]["reason"]
    assert study.ask(capsys, "models", "export", "kept", tmp_path / "kept")[0] == 0
    _, out, _ = study.ask(capsys, "--json", "predict", "--model-folder", tmp_path / "kept", "--include-training")
    assert {row["patient"]: row["probability"] for row in json.loads(out)["patients"]} == told


TABLE = """[study]
id = "named"
title = "t"

[cohort]
table = "table.csv"

[imported.elsewhere]
table = "table.csv"
phases = { A = "A_", B = "B_" }

[outcome]
kind = "binary"
name = "o"
column = "o"

[splits.fixed]
kind = "column"
column = "cohort"

[models.radiomics_lr]
"""


@pytest.fixture
def named(tmp_path):
    """Write a study of a table with a feature called as the column that says who lacks a phase; return its file."""
    random = np.random.default_rng(4)
    lines = ["patient,o,cohort,A_x,A_phase_missing,B_x"]
    for number in range(24):
        values = ",".join(f"{value:.3f}" for value in random.normal(number % 2, 1, 3))
        lines.append(f"P{number:02},{number % 2},{'training' if number < 16 else 'validation'},{values}")
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "study.toml").write_text(TABLE)
    return tmp_path / "study.toml"


def test_a_feature_of_that_name_is_a_feature_where_nothing_is_imputed(named, capsys, prefect_server):
    """Only a model that imputes phases gives the name another meaning."""
    store = ("--store", named.parent / "store")
    for words in (("ingest", named), ("bench",)):
        assert printed(capsys, *store, *words)[0] == 0
    code, out, _ = printed(capsys, *store, "--json", "predict", "radiomics_lr", "--include-training")
    assert (code, len(json.loads(out)["patients"])) == (0, 24)


def test_a_feature_of_that_name_is_refused_where_phases_are_imputed(named, capsys, prefect_server):
    """Two meanings of one column would train one model and ask another."""
    named.write_text(TABLE + 'missing_phases = "impute"\n')
    store = ("--store", named.parent / "store")
    assert printed(capsys, *store, "ingest", named)[0] == 0
    code, _, err = printed(capsys, *store, "train")
    assert code != 0
    assert "'A__phase_missing'" in err
    assert "exclude" in err
