"""``radzoo init --from`` on the command line: what it prints and writes, and what it refuses."""

from __future__ import annotations

import json
import shlex
import subprocess

import pytest
import xlsxwriter
from builders.command_line import printed
from builders.drafted_studies import PATIENTS, write_table, write_volumes

from schemas.study.text import parsed_study


@pytest.fixture
def tree(tmp_path):
    """Return a folder of four patients with an image and a mask each."""
    root = tmp_path / "export"
    write_volumes(root, [f"{patient}/T2.nii.gz" for patient in PATIENTS])
    write_volumes(root, [f"{patient}/T2_seg.nii.gz" for patient in PATIENTS[:-1]], labels=(1,))
    (root / "scan.xls").write_bytes(b"PK\x03\x04")
    (root / ".hidden").write_text("")
    (root / "P1" / "._T2.nii.gz").write_text("")
    return root


def test_it_says_what_it_found_what_it_left_and_what_comes_next(capsys, tmp_path, tree):
    """Phases with counts, who lacks a mask, files left aside by kind with an example, the command for the ids."""
    file = tmp_path / "my study" / "study.toml"
    code, out, _ = printed(capsys, "init", file.parent, "--from", tree)
    assert code == 0
    table = shlex.quote(str(file.parent / "patients.csv"))
    assert out.splitlines() == [
        f"wrote {file}",
        "recognised: 4 patients, 1 phase",
        "  T2: 4 patients, 3 with a mask",
        "    image {patient}/T2.nii.gz",
        "    mask {patient}/T2_seg.nii.gz",
        "    without a mask: P11",
        "table: none has the ids that stand in the paths",
        "left aside: workbooks: save the sheet as CSV (1), such as scan.xls",
        f"to decide: 4 lines marked `# to decide` in {file}",
        f"next: printf '%s\\n' patient P1 P10 P11 P2 > {table}, add the outcome's column, then radzoo ingest {file}",
    ]
    command = out.splitlines()[-1].removeprefix("next: ").partition(", add")[0]
    subprocess.run(["bash", "-c", command], check=True)
    assert (file.parent / "patients.csv").read_text() == "patient\nP1\nP10\nP11\nP2\n"
    assert sorted(each.name for each in file.parent.iterdir()) == ["patients.csv", "study.toml"]
    code, out, _ = printed(capsys, "--store", tmp_path / "store", "ingest", file)
    assert (code, "4 patients (0 labelled, 0 events), 4 scans, 3 masks" in out) == (5, True)


def test_a_dry_run_prints_the_file_and_writes_nothing(capsys, tmp_path, tree):
    """The study file alone is on stdout, and what was recognised on stderr."""
    code, out, err = printed(capsys, "init", tmp_path / "new", "--from", tree, "--dry-run")
    assert (code, (tmp_path / "new").exists()) == (0, False)
    assert list(parsed_study(out, "study.toml").phases) == ["T2"]
    assert "recognised: 4 patients, 1 phase" in err
    assert "nothing was written" in err


def test_the_answer_as_json_has_the_patients_and_the_files(capsys, tmp_path, tree):
    """Ids, phases and files left aside are there in full."""
    write_table(tree / "list.csv")
    code, out, _ = printed(capsys, "--json", "init", tmp_path / "new", "--from", tree)
    answer = json.loads(out)
    assert (code, answer["study_file"]) == (0, str(tmp_path / "new" / "study.toml"))
    assert (answer["table"], answer["patients"]) == ("list.csv", sorted(PATIENTS))
    assert answer["phases"][0]["without_mask"] == ["P11"]
    assert answer["aside"] == {"workbooks: save the sheet as CSV": ["scan.xls"]}


def test_many_ids_come_from_the_json_answer(capsys, tmp_path):
    """Where a command with all ids would be long, the one that is named writes the same table."""
    ids = [f"P{number:03}" for number in range(30)]
    write_volumes(tmp_path / "e", [f"{patient}/ct.nrrd" for patient in ids])
    _, out, _ = printed(capsys, "init", tmp_path / "s", "--from", tmp_path / "e")
    command = out.splitlines()[-1].removeprefix("next: ").partition(", add")[0]
    asked, _, made = command.partition(" | ")
    _, answer, _ = printed(capsys, *shlex.split(asked)[1:])
    subprocess.run(["bash", "-c", made], input=answer, text=True, check=True)
    assert (tmp_path / "s" / "patients.csv").read_text().split() == ["patient", *ids]


def test_what_cannot_be_drafted_is_refused(capsys, tmp_path, tree):
    """A folder that is missing, empty, a file or without images, a study file that is there, --dry-run alone."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("")
    write_table(tmp_path / "tables" / "a.csv")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "study.toml").write_text("")
    write_volumes(tmp_path / "names only", ["Müller.nii.gz", "Özil.nii.gz"])
    new = tmp_path / "new"
    for arguments, expected, words in (
        ((new, "--from", tmp_path / "none"), 3, "the folder is missing"),
        ((new, "--from", tmp_path / "empty"), 4, "is empty: it has no files"),
        ((new, "--from", tree / "scan.xls"), 2, "is a file, not a folder"),
        ((new, "--from", tmp_path / "texts"), 4, "has no images: 1 file of other kinds"),
        ((new, "--from", tmp_path / "tables"), 4, "has no images"),
        ((new, "--from", tmp_path / "names only"), 4, "no pattern of paths was found"),
        ((tmp_path / "old", "--from", tree), 2, "there is a study file already"),
        ((new, "--dry-run"), 2, "--dry-run belongs to --from"),
    ):
        code, out, err = printed(capsys, "--json", "init", *arguments)
        fault = json.loads(err[err.index("{") :])
        assert (code, out, fault["exit_code"]) == (expected, "", expected)
        assert words in fault["message"], fault
        assert fault["hint"]
    assert not new.exists()


def test_a_study_beside_or_inside_its_images_has_paths_that_lead_there(capsys, tmp_path, tree):
    """Paths are relative to the file, through links to where it really lies."""
    (tmp_path / "link").symlink_to(tmp_path)
    for folder, start in ((tree, ""), (tree / "study", "../"), (tmp_path / "link" / "x" / "y", "../../export/")):
        code, _, _ = printed(capsys, "init", folder, "--from", tree)
        study = parsed_study((folder / "study.toml").read_text(), "study.toml")
        assert (code, study.phases["T2"].image) == (0, f"{start}{{patient}}/T2.nii.gz")


def test_links_and_folders_that_cannot_be_read_are_said(capsys, tmp_path, tree):
    """A link to a folder is not followed, and that is said; a link to a file is a file."""
    (tree / "again").symlink_to(tree)
    (tree / "P1" / "T1.nii.gz").symlink_to(tree / "P1" / "T2.nii.gz")
    _, out, _ = printed(capsys, "init", tmp_path / "new", "--from", tree)
    assert "note: a link to a folder was not followed" in out
    assert "left aside: volumes whose name few patients have (1), such as P1/T1.nii.gz" in out


@pytest.mark.parametrize("sheets", [(), ("Legend",)])
def test_a_sheet_of_a_workbook_is_the_cohorts_table(capsys, tmp_path, tree, sheets):
    """The sheet with the patients becomes the cohort, and is named where there are others."""
    with xlsxwriter.Workbook(str(tree / "patients.xlsx")) as workbook:
        for name in sheets:
            workbook.add_worksheet(name).write_column(0, 0, ["column", "meaning"])
        sheet = workbook.add_worksheet("Clinical")
        for at, patient in enumerate(PATIENTS, start=1):
            sheet.write_row(at, 0, [patient, at % 2])
        sheet.write_row(0, 0, ["id", "recurrence"])
    code, out, _ = printed(capsys, "init", tmp_path / "new", "--from", tree)
    assert (code, "table: patients.xlsx" in out) == (0, True)
    study = parsed_study((tmp_path / "new" / "study.toml").read_text(), "study.toml")
    assert (study.cohort.patient, study.outcome.column) == ("id", "recurrence")
    assert study.cohort.sheet == ("Clinical" if sheets else None)
    assert printed(capsys, "--store", tmp_path / "store", "ingest", tmp_path / "new" / "study.toml")[0] == 5
