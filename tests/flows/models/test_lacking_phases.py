"""Patients who lack a phase: left out and counted, or kept with what they have, by every verb."""

from __future__ import annotations

import json

import pytest
from builders.cohorts import bright_study

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
    assert study.run("ingest", str(study.file)).returncode in (0, 5)
    assert study.run("refresh").returncode in (0, 5)
    for suite in ("holdout", "nested-cv"):
        done = study.run("bench", "--suite", suite)
        assert done.returncode == 0, done.stderr
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


def test_it_predicts_for_patients_who_lack_a_phase(study, tmp_path):
    """From the store and from an exported folder, the probabilities are those that the leaderboard stands on."""
    judged = {
        row["patient"]: row["probability"]
        for row in study.sql("from predictions where suite = 'holdout' and model = 'kept'")
    }
    code, told = study.run_json("predict", "kept", "--include-training")
    assert code in (0, 5)
    found = {row["patient"]: row for row in told["patients"]}
    assert {name: row["probability"] for name, row in found.items() if row["probability"] is not None} == pytest.approx(
        judged
    )
    assert {"N03", "N06", "N11"} <= judged.keys()
    assert "any phase" in found["N20"]["reason"]
    exported = study.run("models", "export", "kept", str(tmp_path / "kept"))
    assert exported.returncode == 0, exported.stderr
    code, alone = study.run_json("predict", "--model-folder", str(tmp_path / "kept"), "--include-training")
    assert {row["patient"]: row["probability"] for row in alone["patients"]} == {
        name: row["probability"] for name, row in found.items()
    }
