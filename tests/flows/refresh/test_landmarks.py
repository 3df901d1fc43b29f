"""Standard scales from the study file to the store: learnt from training patients alone, pinned in the definition."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK as sitk

from flows.extract.radiomics import extract
from flows.refresh.landmarks import PERCENTILES, learnt_landmarks
from schemas.errors import ContractError, NotFoundError, UsageError
from store.history.studies import stored_study
from store.rows.reader import feature_table

TRAINING = ("P1", "P2")


@pytest.fixture
def study(small_study):
    """Return the small study whose set is to standardize, read in."""
    small_study.edit("bin_width = 25\n", "bin_width = 5\nstandardize = true\n")
    small_study.ingest()
    return small_study


def learn(study, **options):
    """Return what the study's training patients teach."""
    return learnt_landmarks(study.store, study.study_id, "quick", workers=1, **options)


def by_hand(study, phase):
    """Return the standard scale by numpy, from the training patients' files."""
    rows = []
    for patient in TRAINING:
        found = np.percentile(sitk.GetArrayFromImage(study.image(patient, phase)), PERCENTILES)
        rows.append(100 * (found - found[0]) / (found[-1] - found[0]))
    return np.mean(rows, axis=0)


def test_landmarks_are_learnt_from_training_patients_alone(study):
    """They are numpy's of the two training patients' files, and say so; another validation image changes nothing."""
    found = learn(study)
    assert [each.phase for each in found.landmarks] == ["AP", "DP"]
    for each in found.landmarks:
        np.testing.assert_allclose(each.values, by_hand(study, each.phase), rtol=1e-12)
        assert (each.study, each.split, each.patients) == ("small", "fixed", 2)
        assert each.split_sha256 == study.snapshot.row("splits", study="small", split="fixed")["sha256"]
    study.write_image("P3", seed=9)
    study.ingest()
    assert learn(study) == found
    study.write_image("P1", seed=9)
    study.ingest()
    again = learn(study, phases=("AP",))
    assert [each.phase for each in again.landmarks] == ["AP"]
    assert again.landmarks[0].values != found.landmarks[0].values


def test_what_the_verb_prints_is_the_end_of_the_study_file(study, capsys):
    """Without landmarks a refresh names the verb; what it prints is appended; values are those of extract.

    The landmarks are in the definition: with another value it is another version.
    """
    code, _, err = study.ask(capsys, "refresh")
    assert code == 4
    assert "feature set 'quick' standardizes intensities and has no landmarks of phase AP, DP" in err
    assert "features landmarks quick --study small learns them from training patients" in err
    code, out, err = study.ask(capsys, "features", "landmarks", "quick", "--workers", 1)
    assert code == 0
    assert "AP: learnt from 2 training patients of split 'fixed' of small" in err
    study.file.write_text(study.file.read_text() + out)
    study.ingest()
    settings = stored_study(study.snapshot, "small").define["quick"].radiomics
    assert settings.landmarks == learn(study).landmarks
    report = study.refresh_without_prefect()
    assert (report.feature_set, report.failed) == ("quick@1", 0)
    for patient, phase in (("P1", "AP"), ("P4", "DP")):
        expected = extract(study.image(patient, phase), study.mask(patient, phase), settings, phase=phase).values
        (row,) = study.sql(f"from quick where patient = '{patient}' and phase = '{phase}'")
        assert {name: row[name] for name in expected} == pytest.approx(expected, rel=1e-12)
    definition = json.loads(study.snapshot.row("feature_sets", feature_set="quick@1")["definition"])
    assert definition["settings"]["landmarks"][0]["values"] == list(settings.landmarks[0].values)
    code, out, _ = study.ask(capsys, "features", "describe", "quick")
    assert "landmark-standardisation" in out
    assert "AP, learnt from 2 training patients of split 'fixed' of study 'small'" in out
    study.file.write_text(study.file.read_text().replace("100.0]", "101.0]", 1))
    study.ingest()
    assert study.plan().bound.feature_set == "quick@2"


def test_one_image_under_two_phases_has_a_row_of_each_scale(study, capsys):
    """The phase decides the scale: the same image and mask have two extractions, and each phase reads its own."""
    image, mask = study.image("P4", "AP"), study.mask("P4", "AP")
    study.write_image("P4", "DP", image=image)
    study.write_mask("P4", "DP", mask=mask)
    study.ingest()
    _, out, _ = study.ask(capsys, "features", "landmarks", "quick")
    study.file.write_text(study.file.read_text() + out)
    study.ingest()
    study.refresh_without_prefect()
    settings = stored_study(study.snapshot, "small").define["quick"].radiomics
    mean = "original_firstorder_Mean"
    expected = {phase: extract(image, mask, settings, phase=phase).values[mean] for phase in ("AP", "DP")}
    assert expected["AP"] != pytest.approx(expected["DP"], rel=1e-6)
    asked = f"select phase, {mean} as m from quick where patient = 'P4'"
    assert {row["phase"]: row["m"] for row in study.sql(asked)} == pytest.approx(expected)
    assert study.sql("select count(*) as n from quick")[0]["n"] == 8
    for options in ({}, {"study": "small"}, {"study": "small", "primary": True}):
        rows = feature_table(study.snapshot, "quick@1", columns=[mean], **options).to_pylist()
        assert len(rows) == 8
        assert {r["phase"]: r[mean] for r in rows if r["patient"] == "P4"} == pytest.approx(expected)
    assert {row["extractions"] for row in study.sql("from coverage")} == {4}
    assert study.ask(capsys, "store", "verify")[0] == 0


def test_an_image_that_cannot_teach_is_left_out_and_named(study, capsys):
    """The others teach, exit code 5 says that one was left out; without any there are no landmarks."""
    constant = study.image("P1") * 0 + 7
    study.write_image("P1", image=constant)
    study.ingest()
    code, out, err = study.ask(capsys, "features", "landmarks", "quick", "--phase", "AP")
    assert code == 5
    assert "left out: P1 AP: percentiles 1 and 10 of the image are one intensity, 7" in err
    assert "patients = 1" in out
    study.write_image("P2", image=constant)
    study.ingest()
    with pytest.raises(ContractError, match="no training patient of split 'fixed' has a usable image of phase 'AP'"):
        learn(study)


def test_what_cannot_be_learnt_is_refused_with_the_next_step(study):
    """A set that nobody defines, a phase or split that the study lacks, and a set that standardizes nothing."""
    with pytest.raises(NotFoundError, match="defines no radiomics set 'mr'"):
        learnt_landmarks(study.store, "small", "mr")
    with pytest.raises(NotFoundError, match="no phase 'PVP'"):
        learn(study, phases=("PVP",))
    with pytest.raises(UsageError, match="no split 'other'"):
        learn(study, split="other")
    study.edit("standardize = true", "normalize = true")
    study.ingest()
    with pytest.raises(UsageError, match="brings nothing to a standard scale"):
        learn(study)
