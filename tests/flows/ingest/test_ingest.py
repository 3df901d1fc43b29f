"""Ingest: one commit or none, nothing written on a fault, failures that leave when corrected, studies that share."""

import json
import os

import pytest
import SimpleITK as sitk

from flows.cli.main import exit_code
from flows.ingest.run import ingest
from schemas.errors import ContractError


def failures(study):
    """Return the failures of a store."""
    return study.sql("select stage, patient, phase, reason from failures order by all")


def test_an_ingest_is_one_commit_of_all_rows(small_study):
    """The report counts what the catalogue holds, and the catalogue has one commit for it."""
    report = small_study.ingest()
    assert (report.commit_id, report.patients, report.labelled, report.events) == (1, 4, 4, 2)
    assert (report.scans, report.masks, report.failures) == (8, 8, ())
    counts = {
        table: len(small_study.snapshot.rows(table))
        for table in ("patients", "exams", "scans", "masks", "clinical", "labels", "split_members", "variables")
    }
    assert counts == {
        "patients": 4,
        "exams": 4,
        "scans": 8,
        "masks": 8,
        "clinical": 3 + 4,
        "labels": 4,
        "split_members": 4,
        "variables": 2,
    }
    assert small_study.sql("select commit_id, message from commits") == [{"commit_id": 1, "message": "ingest small"}]
    (study,) = small_study.sql("select patients, labelled, events, file from studies")
    assert study == {"patients": 4, "labelled": 4, "events": 2, "file": str(small_study.file)}


def test_an_unchanged_study_makes_no_commit_and_opens_no_image(small_study):
    """A second ingest changes nothing and reads no file again, though none can be read any more."""
    small_study.ingest()
    for folder in ("images", "masks"):
        for file in (small_study.folder / folder).iterdir():
            stat = file.stat()
            file.write_bytes(b"x" * stat.st_size)
            os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    report = small_study.ingest()
    assert (report.commit_id, report.added, report.changed, report.removed) == (None, 0, 0, 0)
    assert report.failures == ()
    assert len(small_study.sql("from commits")) == 1


def test_a_touched_file_is_read_again_and_keeps_its_row(small_study):
    """A file with a new time and the old content leaves the mask's row, and with it what was computed, as it is."""
    small_study.ingest()
    before = small_study.snapshot.rows("masks")
    os.utime(small_study.image_file("P1"))
    assert small_study.ingest().failures == ()
    assert small_study.snapshot.rows("masks") == before


def test_a_run_is_recorded_with_its_end(small_study):
    """Each ingest leaves a run with its status, the versions that ran and what came of it."""
    small_study.ingest()
    (run,) = small_study.sql("select flow, study, status, summary, versions from runs")
    assert (run["flow"], run["study"], run["status"]) == ("ingest", "small", "done")
    assert json.loads(run["summary"]) == {"masks": 8, "failed": 0, "changed": 0}
    assert json.loads(run["versions"])["pyradiomics-bhklab"] == "3.1.4"


def test_a_failure_is_listed_and_the_verb_leaves_with_five(small_study, capsys):
    """One patient's missing image is told on stdout with its reason, the rest is ingested, exit code 5."""
    small_study.image_file("P2", "DP").unlink()
    code = exit_code(["--store", str(small_study.store_root), "ingest", str(small_study.file)])
    assert code == 5
    assert "failed: P2 DP R1.1: image images/P2_DP.nii.gz: file is missing" in capsys.readouterr().out
    assert failures(small_study) == [
        {"stage": "ingest", "patient": "P2", "phase": "DP", "reason": "image images/P2_DP.nii.gz: file is missing"}
    ]
    assert small_study.sql("select count(*) n from masks") == [{"n": 7}]


def test_a_corrected_cause_takes_its_failure_away_and_only_that_row_is_computed(small_study):
    """After the cause is corrected the failure leaves, and a refresh computes that row alone."""
    small_study.write_mask("P2", "DP", mask=small_study.mask("P2", "DP", label=0))
    assert len(small_study.ingest().failures) == 1
    first = small_study.refresh_without_prefect()
    assert (first.reused, first.failed, first.refused) == (7, 0, 1)
    small_study.write_mask("P2", "DP")
    assert small_study.ingest().failures == ()
    assert failures(small_study) == []
    plan = small_study.plan()
    assert [(each.key.patient, each.key.phase) for each in plan.missing] == [("P2", "DP")]
    assert len(plan.unchanged) == 7


def test_a_mask_that_breaks_later_leaves_the_study_and_the_wide_view(small_study):
    """A mask that was computed and is gone now is a failure, and its features are no longer shown."""
    small_study.ingest()
    small_study.refresh_without_prefect()
    small_study.mask_file("P1").unlink()
    assert len(small_study.ingest().failures) == 1
    assert small_study.sql("select count(*) n from quick where patient = 'P1'") == [{"n": 1}]
    assert small_study.plan().is_current


def test_reading_again_finds_what_size_and_time_hide(small_study, capsys):
    """A file that was overwritten within its size and time is unchanged to ingest, and read with --read-again."""
    file = small_study.image_file("P1").with_suffix("")
    small_study.edit("images/{patient}_AP.nii.gz", "images/{patient}_AP.nii")
    for patient in small_study.patients:
        sitk.WriteImage(small_study.image(patient), str(file.with_name(f"{patient}_AP.nii")))
    small_study.ingest()
    stat = file.stat()
    sitk.WriteImage(small_study.image("P1", seed=5), str(file))
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert small_study.ingest().commit_id is None
    arguments = ["--store", str(small_study.store_root), "ingest", str(small_study.file), "--read-again"]
    assert exit_code(arguments) == 0
    # The image's row and its mask's row, which names the image's content; nothing of the other patients.
    assert "0 rows added, 3 superseded, 0 removed" in capsys.readouterr().out
    assert small_study.ingest().commit_id is None


def test_the_tolerances_are_recorded_with_the_run(small_study):
    """Who reads the store later finds within which rounding masks were accepted."""
    small_study.edit("bin_width = 25", "bin_width = 25\ngeometry_tolerance = 0.01")
    small_study.ingest()
    (run,) = small_study.sql("select parameters from runs")
    recorded = json.loads(run["parameters"])
    assert (recorded["label_rounding"], recorded["geometry_tolerance"]) == (1e-3, 0.01)


@pytest.mark.parametrize("patients", [("P1",), ("P1", "P2", "P3", "P4")])
def test_a_label_that_no_mask_has_is_one_fault(small_study, patients, capsys):
    """A label absent from every mask of a phase is refused with line and labels; nothing is stored."""
    small_study.keep(*patients)
    for patient in patients:
        small_study.write_mask(patient, "DP", mask=small_study.mask(patient, "DP", label=4))
    assert exit_code(["--store", str(small_study.store_root), "ingest", str(small_study.file)]) == 4
    told = capsys.readouterr().err
    line = small_study.line_of('mask = "masks/{patient}_DP.nii.gz"')
    assert f"{small_study.file.resolve()}:{line}: no mask of phase 'DP' has label 1; label" in told
    assert told.count("DP") == 2
    assert f"in its {'mask' if len(patients) == 1 else '4 masks'}: 4" in told
    assert "correct label under [phases.DP]" in told
    assert not small_study.store_root.exists()


def test_a_label_that_one_mask_has_is_not_a_fault_of_the_study(small_study):
    """Where one patient's mask has the label, now or from an earlier ingest, the others are failures of their own."""
    for patient in ("P1", "P2", "P3"):
        small_study.write_mask(patient, mask=small_study.mask(patient, label=2))
    assert {row["patient"] for row in small_study.ingest().failures} == {"P1", "P2", "P3"}
    assert {row["patient"] for row in small_study.ingest().failures} == {"P1", "P2", "P3"}


CONTRACT_FAULTS = {
    "unknown key": ("[phases.AP]", 'prefx = "B-"\n\n[phases.AP]', "prefx", "cohort.prefx: unknown key"),
    "misspelt key": ('table = "patients.csv"', 'tabel = "patients.csv"', "tabel", "cohort.tabel: unknown key"),
    "missing key": ('table = "patients.csv"', "", "[cohort]", "cohort.table: is missing"),
    "unknown table": ("[splits.fixed]", "[split.fixed]", "[split.fixed]", "unknown key"),
    "bad unit": ('unit = "[IU]/mL"', 'unit = "IU per mL"', "IU per mL", "is not a UCUM unit"),
    "unit of another quantity": ('unit = "[IU]/mL"', 'unit = "mm"', 'unit = "mm"', "measures no"),
    "no TOML": ('id = "small"', 'id = "small', 'id = "small', "not valid TOML"),
    "bad setting": ("bin_width = 25", "bin_width = 0", "bin_width = 0", "greater than 0"),
    "unknown family": ('["shape", "firstorder"]', '["shape", "colour"]', '"colour"', "define.quick.radiomics"),
    "image pattern": ("images/{patient}_DP", "images/{patient}_XX", "images/{patient}_XX", "no patient has the image"),
    "mask pattern": ("masks/{patient}_DP", "masks/{patient}_XX", "masks/{patient}_XX", "no patient has the mask"),
    "unknown field": ("images/{patient}_DP", "images/{pateint}_DP", "{pateint}", "unknown field"),
    "missing table": ('table = "patients.csv"', 'table = "people.csv"', "people.csv", "is missing"),
    "missing column": ('column = "recurrence"', 'column = "relapse"', "relapse", "column 'relapse'"),
}


def refused(study, capsys, exit_with=4):
    """Ingest by the command line, which must refuse; return the error as JSON gives it."""
    capsys.readouterr()
    code = exit_code(["--json", "--store", str(study.store_root), "ingest", str(study.file)])
    printed = capsys.readouterr()
    assert printed.out == ""
    error = json.loads(printed.err[printed.err.index("{\n") :])
    assert code == error["exit_code"] == exit_with
    assert error["hint"]
    return error


@pytest.mark.parametrize(("old", "new", "line", "message"), CONTRACT_FAULTS.values(), ids=CONTRACT_FAULTS.keys())
def test_a_fault_of_the_study_file_is_named_and_nothing_is_written(small_study, capsys, old, new, line, message):
    """Each fault leaves with 4, names the study file's line, and leaves no store behind."""
    small_study.edit(old, new)
    error = refused(small_study, capsys)
    assert message in f"{error['where']} {error['message']}"
    assert error["where"] == f"{small_study.file}:{small_study.line_of(line)}"
    assert not small_study.store_root.exists()


def test_a_bad_value_in_a_table_is_named_and_nothing_is_written(small_study, capsys):
    """A value out of its range is named by the table's line, and no store is made."""
    small_study.edit("420", "-420", file="patients.csv")
    error = refused(small_study, capsys)
    assert error["where"] == f"{small_study.folder / 'patients.csv'}:3"
    assert "'afp'" in error["message"]
    assert not small_study.store_root.exists()


def test_a_study_file_that_is_no_text_or_not_there_is_refused(small_study, capsys):
    """A file in another encoding breaks the contract; a path without a file is not found."""
    small_study.file.write_bytes("title = 'Zürich'".encode("latin-1"))
    assert "not UTF-8" in refused(small_study, capsys)["message"]
    small_study.file.unlink()
    assert "the study file is missing" in refused(small_study, capsys, exit_with=3)["message"]
    assert not small_study.store_root.exists()


def test_a_fault_in_a_known_study_leaves_the_store_as_it_was(small_study, capsys):
    """A refused ingest changes no row of a store that exists, and adds no commit."""
    small_study.ingest()
    before = {table: small_study.snapshot.rows(table) for table in ("masks", "clinical", "studies")}
    small_study.edit("420", "1e9", file="patients.csv")
    small_study.edit('modality = "MR"\n\n[clinical', 'modality = "CT"\n\n[clinical')
    refused(small_study, capsys)
    assert {table: small_study.snapshot.rows(table) for table in before} == before
    assert len(small_study.sql("from commits")) == 1


def test_a_dry_run_checks_everything_and_writes_nothing(small_study):
    """A dry run reports what it would find; where there was no store, there is none afterwards."""
    small_study.mask_file("P1").unlink()
    report = small_study.ingest(dry_run=True)
    assert (report.commit_id, report.masks, len(report.failures)) == (None, 7, 1)
    assert not small_study.store_root.exists()
    small_study.write_mask("P1")
    small_study.ingest()
    small_study.edit("420", "430", file="patients.csv")
    small_study.ingest(dry_run=True)
    assert small_study.sql("select max(value) v from clinical") == [{"v": 420.0}]


def test_an_empty_folder_may_become_a_store(small_study):
    """A folder that exists and holds no store yet is taken, and a dry run leaves it empty."""
    small_study.store_root.mkdir()
    small_study.ingest(dry_run=True)
    assert list(small_study.store_root.iterdir()) == []
    assert small_study.ingest().commit_id == 1


def test_a_patient_who_leaves_the_table_leaves_the_study(small_study):
    """A patient who is no longer in the table has no row in the study's tables; old commits still know."""
    small_study.ingest()
    table = small_study.folder / "patients.csv"
    table.write_text(table.read_text().replace("P4,0,validation,,male\n", "P5,0,validation,,male\n"))
    for phase in small_study.phases:
        small_study.write_image("P5", phase)
        small_study.write_mask("P5", phase)
    report = small_study.ingest()
    assert report.removed > 0
    for view in ("patients", "labels", "splits", "study_masks"):
        patients = {row["patient"] for row in small_study.sql(f"select patient from {view}")}
        assert patients == {"P1", "P2", "P3", "P5"}, view
    before = small_study.run_json("sql", "select patient from patients order by all", "--as-of", "1")
    assert before == (0, [{"patient": p} for p in small_study.patients])


def test_a_corrected_value_supersedes_and_the_old_commit_keeps_the_old_one(small_study):
    """A correction is one superseded row, known since its own commit; a snapshot of before is unchanged."""
    small_study.ingest()
    (first,) = small_study.sql("select recorded_at from clinical where patient = 'P2' and variable = 'afp'")
    small_study.edit("420", "402", file="patients.csv")
    report = small_study.ingest()
    assert (report.added, report.changed, report.removed) == (0, 1, 0)
    (now,) = small_study.sql("select value, recorded_at from clinical where patient = 'P2' and variable = 'afp'")
    assert now["value"] == 402.0
    assert now["recorded_at"] > first["recorded_at"]
    query = "select value from clinical where patient = 'P2' and variable = 'afp'"
    assert small_study.run_json("sql", query, "--as-of", "1") == (0, [{"value": 420.0}])


def test_an_emptied_cell_takes_its_value_back(small_study):
    """A value that the table no longer gives is no longer live: a model would read it otherwise."""
    small_study.ingest()
    small_study.edit("420", "", file="patients.csv")
    assert small_study.ingest().removed == 1
    assert small_study.sql("select patient from clinical where variable = 'afp' order by all") == [
        {"patient": "P1"},
        {"patient": "P3"},
    ]


def test_a_second_study_may_use_the_same_patients_and_images(small_study):
    """Two studies of one cohort share patients, scans and masks; each keeps its own labels."""
    small_study.ingest()
    other = small_study.another()
    assert other.ingest().failures == ()
    assert len(small_study.sql("from masks")) == 8
    assert len(small_study.sql("from patients")) == 16 / 2
    assert small_study.sql("select study, count(*) n from labels group by all order by all") == [
        {"study": "second", "n": 4},
        {"study": "small", "n": 4},
    ]


def test_a_pseudonym_of_another_person_is_refused(small_study):
    """A second study whose P1 has another image is refused, until it has a prefix of its own."""
    small_study.ingest()
    other = small_study.another()
    other.write_image("P1", seed=9)
    with pytest.raises(ContractError, match="another study has patient 'P1' with another AP image") as error:
        other.ingest()
    assert "prefix" in error.value.hint
    assert small_study.sql("select distinct study from patients") == [{"study": "small"}]
    other.edit('table = "patients.csv"', 'table = "patients.csv"\nprefix = "B-"')
    assert other.ingest().failures == ()
    assert small_study.sql("select count(distinct image_sha256) n from scans where phase = 'AP'") == [{"n": 5}]


def test_another_studys_mask_is_not_overwritten(small_study):
    """A second study that drew the same lesion otherwise needs a reader of its own; the first keeps its masks."""
    small_study.ingest()
    before = small_study.snapshot.rows("masks")
    other = small_study.another()
    other.write_mask("P1", mask=other.mask("P1", grow=1))
    with pytest.raises(ContractError, match="another mask of patient 'P1', AP, by reader 'R1', reading 1") as error:
        other.ingest()
    assert "[[readings]]" in error.value.hint
    assert small_study.snapshot.rows("masks") == before
    other.edit("[cohort]", '[[readings]]\nreader = "R9"\n\n[cohort]')
    assert other.ingest().failures == ()
    assert small_study.sql("select reader, count(*) n from masks group by all order by all") == [
        {"reader": "R1", "n": 8},
        {"reader": "R9", "n": 8},
    ]


def test_an_image_that_two_studies_share_may_be_corrected(small_study, tmp_path):
    """A new export of a file that two studies read is a correction for both, not another person's image."""
    small_study.ingest()
    second_file = small_study.folder / "second.toml"
    second_file.write_text(small_study.file.read_text().replace('id = "small"', 'id = "second"'))
    ingest(second_file, small_study.store_root, workers=1)
    small_study.write_image("P1", seed=5)
    assert small_study.ingest().failures == ()
    assert ingest(second_file, small_study.store_root, workers=1).failures == ()


def test_a_masks_file_is_read_again_for_a_changed_image(small_study):
    """A new image of the same patient changes what the mask's row refers to, and nothing else."""
    small_study.ingest()
    before = {(r["patient"], r["phase"]): r["image_sha256"] for r in small_study.snapshot.rows("masks")}
    small_study.write_image("P1", seed=5)
    small_study.ingest()
    after = {(r["patient"], r["phase"]): r["image_sha256"] for r in small_study.snapshot.rows("masks")}
    assert {key for key in after if after[key] != before[key]} == {("P1", "AP")}
