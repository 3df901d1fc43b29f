"""A study whose patients have two exams and three lesions each: every rule against values worked out by hand.

Exam ``old`` has the intensities of exam ``new`` plus 100. Lesions of 64, 60 and 120 voxels of 1 mm³ have the constant
intensities 10, 20 and 30: their mean is 20, that weighed by volume is (64*10 + 60*20 + 120*30) / 244 = 5440 / 244.
"""

from __future__ import annotations

import re
import shutil

import numpy as np
import polars as pl
import pytest
import SimpleITK as sitk
from builders.study import SmallStudy

from flows.ingest.run import ingest
from flows.look.run import look
from schemas.errors import ContractError
from store.analyst.query import answer
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from zoo.tables.feature_columns import phase_columns
from zoo.tables.inputs import ModelInputs
from zoo.tables.pinned import pin_built_table

BOXES = {
    1: (slice(2, 6), slice(2, 6), slice(2, 6)),
    2: (slice(8, 11), slice(2, 6), slice(10, 15)),
    3: (slice(2, 6), slice(10, 15), slice(10, 16)),
}
VOXELS = {1: 64, 2: 60, 3: 120}
WEIGHTED = 5440 / 244
OTHERS = ("", " lesion 2", " lesion 3")
"""How titles of cases tell lesions: the first one has no name there."""

STUDY = """feature_sets = ["quick"]

[study]
id = "several"
title = "Two exams and three lesions a patient"

[cohort]
table = "patients.csv"
reference_date = "surgery"

[exams]
table = "exams.csv"
date = "scanned"

[lesions]
each = "label"
use = "largest"

[phases.AP]
image = "images/{patient}_{exam}.nii.gz"
mask = "masks/{patient}_{exam}.nii.gz"

[outcome]
kind = "binary"
name = "recurrence"
column = "recurrence"

[splits.fixed]
kind = "column"
column = "cohort"

[define.quick.radiomics]
families = ["shape", "firstorder"]
bin_width = 5
"""
NAMES = ("P1", "P2", "P3")
PATIENTS = "patient,recurrence,cohort,surgery\n" + "".join(
    f"{patient},{number % 2},{'validation' if number == 2 else 'training'},2020-03-10\n"
    for number, patient in enumerate(NAMES)
)
EXAMS = "patient,exam,scanned\n" + "".join(f"{p},new,2020-03-01\n{p},old,2020-01-05\n" for p in NAMES)


@pytest.fixture
def several(tmp_path):
    """Return the study on disk."""
    study = SmallStudy(tmp_path / "study", tmp_path / "store", "several", NAMES, ("AP",))
    for name in ("images", "masks"):
        (study.folder / name).mkdir(parents=True)
    for name, text in (("study.toml", STUDY), ("patients.csv", PATIENTS), ("exams.csv", EXAMS)):
        (study.folder / name).write_text(text)
    for number, patient in enumerate(study.patients):
        for exam, shift in (("new", 0), ("old", 100)):
            # More air or less, so that no two patients have the same image or mask.
            labels = np.zeros((16 + number, 18, 20), np.uint8)
            voxels = np.zeros(labels.shape, np.float32)
            for label, box in BOXES.items():
                labels[box] = label
                voxels[box] = 10 * label + shift
            sitk.WriteImage(sitk.GetImageFromArray(voxels), str(study.folder / f"images/{patient}_{exam}.nii.gz"))
            sitk.WriteImage(sitk.GetImageFromArray(labels), str(study.folder / f"masks/{patient}_{exam}.nii.gz"))
    return study


def used(study, exams, lesions):
    """Ingest and refresh under other rules and return what a model reads of the first patient: mean and volume."""
    study.edit('date = "scanned"\n', f'date = "scanned"\nuse = "{exams}"\n')
    study.edit('use = "largest"\n', f'use = "{lesions}"\n')
    report = study.ingest()
    assert report.failures == ()
    study.refresh_without_prefect()
    snapshot = study.snapshot
    stored = stored_study(snapshot, "several")
    columns = phase_columns(snapshot, "several", "quick@1", ["AP"], stored.combination)["AP"]
    assert columns["patient"].to_list() == [*NAMES]
    inputs = ModelInputs("fixed", "quick", ("AP",), (), combination=stored.combination)
    table, dataset = pin_built_table(snapshot, stored, inputs)
    asked = pl.DataFrame(answer(Snapshot(study.store, dataset.commit_id), dataset.sql))
    assert asked.equals(table.frame)
    return columns["AP__original_firstorder_Mean"][0], columns["AP__original_shape_VoxelVolume"][0]


@pytest.mark.parametrize(
    ("exams", "lesions", "mean", "volume"),
    [
        ("nearest", "largest", 30, 120),
        ("last", "largest", 30, 120),
        ("first", "largest", 130, 120),
        ("nearest", "mean", 20, 244 / 3),
        ("nearest", "volume-weighted", WEIGHTED, (64**2 + 60**2 + 120**2) / 244),
        ("nearest", "union", WEIGHTED, 244),
        ("mean", "largest", 80, 120),
        ("mean", "mean", 70, 244 / 3),
        ("mean", "volume-weighted", WEIGHTED + 50, (64**2 + 60**2 + 120**2) / 244),
        ("mean", "union", WEIGHTED + 50, 244),
    ],
)
def test_each_rule_gives_the_value_worked_out_by_hand(several, exams, lesions, mean, volume):
    """Models read what the rule says, and the SQL of the dataset gives the same bits."""
    assert used(several, exams, lesions) == (pytest.approx(mean, rel=1e-6), pytest.approx(volume, rel=1e-6))


@pytest.mark.parametrize(
    ("exams", "lesions", "masks", "primary"),
    [("nearest", "largest", 9, 3), ("nearest", "mean", 9, 9), ("mean", "largest", 18, 6), ("nearest", "union", 12, 3)],
)
def test_every_exam_and_lesion_is_counted(several, exams, lesions, masks, primary):
    """All exams of the table are on record, read ones with all their lesions, and those that models read are marked."""
    several.edit('date = "scanned"\n', f'date = "scanned"\nuse = "{exams}"\n')
    several.edit('use = "largest"\n', f'use = "{lesions}"\n')
    report = several.ingest()
    assert (report.masks, len(several.sql("from exams")), report.failures) == (masks, 6, ())
    assert len(several.sql("from study_masks where is_primary")) == primary
    volumes = several.sql("select lesion, volume_mm3 from masks where patient = 'P1' and exam = 'new' order by lesion")
    named = {row["lesion"]: row["volume_mm3"] for row in volumes}
    assert named.pop("union", 244) == 244
    assert named == {str(label): voxels for label, voxels in VOXELS.items()}


def test_a_second_ingest_reads_nothing_and_changes_nothing(several, monkeypatch):
    """Lesions of a mask that is as it was are known; one that changed is read again, and its other lesions stay."""
    several.edit('use = "largest"\n', 'use = "union"\n')
    several.ingest()
    assert several.ingest().commit_id is None
    file = several.folder / "masks/P1_new.nii.gz"
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(file)))
    labels[labels == 2] = 0
    sitk.WriteImage(sitk.GetImageFromArray(labels), str(file))
    assert several.ingest().failures == ()
    left = several.sql("select lesion, lesion_voxels from masks where patient = 'P1' and exam = 'new' order by lesion")
    assert [tuple(row.values()) for row in left] == [("1", 64), ("3", 120), ("union", 184)]


def test_connected_parts_are_lesions_from_the_largest_on(several):
    """One label for all lesions: its parts are told apart, specks below the smallest volume are none."""
    for file in (several.folder / "masks").iterdir():
        labels = sitk.GetArrayFromImage(sitk.ReadImage(str(file)))
        labels[labels > 0] = 1
        labels[0, 0, 0] = 1
        sitk.WriteImage(sitk.GetImageFromArray(labels), str(file))
    several.edit('each = "label"\nuse = "largest"\n', 'each = "component"\nminimum_mm3 = 5\nuse = "union"\n')
    assert several.ingest().failures == ()
    found = several.sql("select lesion, lesion_voxels from masks where patient = 'P2' and exam = 'new' order by lesion")
    assert [tuple(row.values()) for row in found] == [("1", 120), ("2", 64), ("3", 60), ("union", 244)]
    several.refresh_without_prefect()
    means = several.sql(
        "select lesion, original_firstorder_Mean as mean from quick where patient = 'P2' order by lesion"
    )
    assert [round(row["mean"], 4) for row in means] == [30, 10, 20, round(WEIGHTED, 4)]


@pytest.fixture
def named(several):
    """Return the study with a mask file for each lesion; the second patient lacks lesion B."""
    for file in list((several.folder / "masks").iterdir()):
        labels = sitk.GetArrayFromImage(sitk.ReadImage(str(file)))
        for label, name in ((1, "A"), (2, "B"), (3, "C")):
            if not (name == "B" and file.name.startswith("P2")):
                lesion = sitk.GetImageFromArray((labels == label).astype(np.uint8))
                sitk.WriteImage(lesion, str(file.with_name(file.name.replace(".nii.gz", f"_{name}.nii.gz"))))
        file.unlink()
    several.edit('mask = "masks/{patient}_{exam}.nii.gz"', 'mask = "masks/{patient}_{exam}_{lesion}.nii.gz"')
    several.edit('each = "label"', 'each = ["A", "B", "C"]')
    return several


def test_lesions_with_files_of_their_own_have_their_names(named):
    """A patient need not have every lesion; the common mask is that of the files that are there."""
    named.edit('use = "largest"\n', 'use = "union"\n')
    assert named.ingest().failures == ()
    found = named.sql("select patient, lesion, lesion_voxels from masks where exam = 'new' order by all")
    assert [tuple(row.values()) for row in found] == [
        *[("P1", "A", 64), ("P1", "B", 60), ("P1", "C", 120), ("P1", "union", 244)],
        *[("P2", "A", 64), ("P2", "C", 120), ("P2", "union", 184)],
        *[("P3", "A", 64), ("P3", "B", 60), ("P3", "C", 120), ("P3", "union", 244)],
    ]
    named.refresh_without_prefect()
    volumes = named.sql("select original_shape_VoxelVolume as volume from quick where lesion = 'union' order by volume")
    assert [row["volume"] for row in volumes] == [184, 244, 244]


def test_a_patient_without_any_lesion_and_a_lesion_of_one_phase_are_failures(named):
    """What is missing is named: no mask at all, and a lesion that another phase has."""
    named.edit(
        "[outcome]",
        '[phases.PVP]\nimage = "images/{patient}_{exam}.nii.gz"\n'
        'mask = "masks/late/{patient}_{exam}_{lesion}.nii.gz"\n\n[outcome]',
    )
    late = named.folder / "masks/late"
    late.mkdir()
    for name in ("A", "C"):
        shutil.copy(named.folder / f"masks/P1_new_{name}.nii.gz", late)
    reasons = {(row["patient"], row["phase"], row["lesion"]): row["reason"] for row in named.ingest().failures}
    assert reasons == {
        ("P1", "PVP", "B"): "lesion B is drawn in another phase of the exam, and has no mask in this one",
        ("P2", "PVP", "A"): "mask masks/late/P2_new_A.nii.gz: there is none, nor of another lesion",
        ("P3", "PVP", "A"): "mask masks/late/P3_new_A.nii.gz: there is none, nor of another lesion",
    }


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            "P1,old,2020-01-05",
            "P1,old,2020-03-01",
            "exams 'new' and 'old' are of one date, 2020-03-01, and the study reads one: leave the others out of the "
            "table",
        ),
        (
            "P1,new,2020-03-01\nP1,old,2020-01-05\n",
            "P1,new,2020-03-11\nP1,old,2020-03-12\n",
            "none of 2 exams can be used: new: exam of 2020-03-11 is 1 day after surgery (2020-03-10); old: exam of "
            "2020-03-12 is 2 days after surgery (2020-03-10)",
        ),
        ("P1,new,2020-03-01\nP1,old,2020-01-05\n", "", "the table of exams has none of this patient"),
        (
            "P1,old,2020-01-05",
            "P1,old,",
            "no date in column 'scanned': it cannot be compared with the patient's other exams",
        ),
    ],
)
def test_an_exam_that_cannot_be_chosen_is_a_failure(several, old, new, reason):
    """Two exams of one date, none before the reference date, none at all, one without a date: the patient's own row."""
    several.edit(old, new, file="exams.csv")
    assert [(row["patient"], row["reason"]) for row in several.ingest().failures] == [("P1", reason)]


def test_without_a_rule_several_lesions_are_refused_by_models(several):
    """A model reads one row a patient and phase: where exams are averaged and the rule is not asked for, it says so."""
    several.edit('date = "scanned"\n', 'date = "scanned"\nuse = "mean"\n')
    several.ingest()
    several.refresh_without_prefect()
    with pytest.raises(ContractError, match="patient 'P1' has several lesions or exams in phase 'AP'"):
        phase_columns(several.snapshot, "several", "quick@1", ["AP"])


def test_another_studys_rule_takes_no_lesion_from_this_one(several):
    """A study that reads one label of the same masks leaves every lesion of this one, whoever was ingested last."""
    several.edit('use = "largest"\n', 'use = "mean"\n')
    several.ingest()
    other = several.folder / "other.toml"
    lesions = '[lesions]\neach = "label"\nuse = "mean"\n'
    text = several.file.read_text()
    assert lesions in text
    other.write_text(text.replace(lesions, "").replace('id = "several"', 'id = "other"'))
    ingest(other, several.store_root, workers=1)
    assert several.ingest().failures == ()
    assert len(several.sql("from study_masks where study = 'several' and is_primary")) == 9


@pytest.mark.parametrize("what", ["image", "extraction"])
def test_an_average_is_of_all_lesions_or_none(several, what):
    """A patient of whom one exam cannot be read, or one lesion not computed, has no average of those that are left."""
    several.edit('date = "scanned"\n', 'date = "scanned"\nuse = "mean"\n')
    several.edit('use = "largest"\n', 'use = "mean"\n')
    if what == "image":
        (several.folder / "images/P1_old.nii.gz").unlink()
    several.ingest()
    several.refresh_without_prefect()
    if what == "extraction":
        lost = several.sql("select extraction_id from quick where patient = 'P1' and exam = 'old' and lesion = '2'")
        gone = [row for row in several.snapshot.rows("extractions") if row["extraction_id"] == lost[0]["extraction_id"]]
        keys = [{name: row[name] for name in ("feature_set", "extraction_id")} for row in gone]
        with commit_to(several.store, "lose an extraction") as commit:
            commit.remove("study_extractions", [{"study": "several", **key} for key in keys])
            commit.remove("extractions", keys)
    columns = phase_columns(several.snapshot, "several", "quick@1", ["AP"], "mean")["AP"]
    assert columns["patient"].to_list() == ["P2", "P3"]


def test_looking_shows_every_exam_and_lesion_that_models_read(several):
    """Of the largest alone the others of its image are counted; of averages each exam and lesion is a case."""
    several.ingest()
    report = look(several.store, None, workers=1)
    assert (report.scans, report.further_lesions) == (3, 6)
    assert 'id="P1 lesion 3"' in report.page.read_text()
    several.edit('date = "scanned"\n', 'date = "scanned"\nuse = "mean"\n')
    several.edit('use = "largest"\n', 'use = "mean"\n')
    several.ingest()
    report = look(several.store, None, workers=1)
    assert (report.scans, report.further_lesions) == (18, 0)
    page = report.page.read_text()
    shown = {f"{patient} {exam}{lesion}" for patient in NAMES for exam in ("new", "old") for lesion in OTHERS}
    assert set(re.findall(r'<section class="[^"]*" id="([^"]*)"', page)) == shown
