"""Faults of study files as the command line tells them: files that cannot be read, names that nobody defines."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.cli.main import exit_code
from flows.study.model_faults import known_models
from schemas.features.sets import BUILT_IN
from zoo.registry import model_names

STUDY = """feature_sets = ["quick"]
[study]
id = "s"
title = "t"
[cohort]
table = "patients.csv"
[phases.T1]
image = "{patient}.nii.gz"
mask = "{patient}_m.nii.gz"
[define.quick]
radiomics = { families = ["shape"], bin_width = 5 }
[models.radiomics_lr]
"""


SETS, OWN, MODEL = '["quick"]', "[define.quick]", "[models.radiomics_lr]"
LABORATORY = '[clinical]\ntable = "lab.csv"\n[clinical.variables.afp]\nunit = "[IU]/mL"'


@pytest.fixture
def folder(tmp_path):
    """Return a folder with a study whose only fault is that nobody has an image."""
    (tmp_path / "study.toml").write_text(STUDY)
    (tmp_path / "patients.csv").write_text("patient,mri\nA,2020-01-01\nB,\n")
    return tmp_path


def refused(capsys, folder, *arguments):
    """Run ingest, which must be refused, and return the exit code and the error as JSON gives it."""
    capsys.readouterr()
    code = exit_code(["--json", "--store", str(folder / "store"), "ingest", *map(str, arguments)])
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    error = json.loads(captured.err[captured.err.index("{") :])
    assert error["hint"]
    assert error["exit_code"] == code
    assert not (folder / "store").exists()
    return code, error


def edit(folder, old, new):
    """Replace a text of the study file."""
    text = (folder / "study.toml").read_text()
    assert old in text
    (folder / "study.toml").write_text(text.replace(old, new))


def test_the_names_that_ingest_knows_are_those_of_the_zoo():
    """The list that is had without the libraries of learning is the registry's."""
    assert known_models() == sorted(model_names())


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        (MODEL, "[models.radiomics_rl]", 12, "the zoo has no model 'radiomics_rl'; nearest: radiomics_lr"),
        (SETS, '["quik"]', 1, "feature_sets names feature set 'quik', which nobody defines; nearest: quick"),
        (SETS, '["hcc-cemri@7"]', 1, "'hcc-cemri@7', a version that is not built in; there is hcc-cemri@1"),
        (MODEL, f'{MODEL}\nfeature_set = "quck"', 13, "model 'radiomics_lr' reads feature set 'quck'"),
        (
            MODEL,
            f'{MODEL}\n[monitor]\nfeature_set = "quick2"',
            14,
            "[monitor] compares feature set 'quick2', which nobody",
        ),
        (OWN, f"[define.hcc-cemri]\nradiomics = {{}}\n{OWN}", 10, "takes the name of a built-in feature set"),
    ],
)
def test_a_name_that_nobody_defines_is_refused_at_ingest(folder, capsys, old, new, line, message):
    """Unknown models, feature sets and versions of built-in ones are refused with their line and the nearest names."""
    edit(folder, old, new)
    code, error = refused(capsys, folder, folder / "study.toml")
    assert (code, error["where"]) == (4, f"{folder / 'study.toml'}:{line}")
    assert message in error["message"]


def test_every_built_in_feature_set_is_known(folder, capsys):
    """Each built-in set may be asked for, with its version or without."""
    names = [*BUILT_IN, *(f"{name}@{version}" for name, versions in BUILT_IN.items() for version in versions)]
    edit(folder, '["quick"]', json.dumps(names))
    _, error = refused(capsys, folder, folder / "study.toml")
    assert "no patient has the image" in error["message"]


def test_faults_of_the_file_and_of_its_tables_are_reported_together(folder, capsys):
    """An unknown key, an unknown model, a missing column and bad cells are one error, each with its own place."""
    edit(folder, 'title = "t"', 'titel = "t"')
    edit(folder, MODEL, f"[models.nosuch]\n{LABORATORY}")
    edit(folder, 'table = "patients.csv"', 'table = "patients.csv"\nexam_date = "mri"\nreference_date = "op"')
    (folder / "patients.csv").write_text("patient,mri\nA,01.02.2020\na,2020-01-01\n")
    code, error = refused(capsys, folder, folder / "study.toml")
    assert code == 4
    assert [(Path(fault["where"]).name, fault["message"][:30]) for fault in error["faults"]] == [
        ("study.toml:4", "study.titel: unknown key; nearest: title"[:30]),
        ("study.toml:14", "the zoo has no model 'nosuch'"),
        ("study.toml:8", "column 'op' is not in patients.csv"[:30]),
        ("patients.csv:2", "column 'mri': '01.02.2020' is no date"[:30]),
        ("patients.csv:3", "column 'patient': 'a' and 'A' are"[:30]),
        ("study.toml:16", f"file '{folder / 'lab.csv'}'"[:30]),
    ]


def test_the_templates_texts_are_refused_as_unfilled(tmp_path, capsys):
    """What init wrote and nobody replaced is named line by line; a study that has its own title may keep the names."""
    assert exit_code(["init", str(tmp_path)]) == 0
    _, error = refused(capsys, tmp_path, tmp_path / "study.toml")
    lines = (tmp_path / "study.toml").read_text().splitlines()
    unfilled = {fault["where"]: fault["message"] for fault in error["faults"] if "template's text" in fault["message"]}
    assert [lines[int(where.rpartition(":")[2]) - 1].split(" = ")[0] for where in unfilled] == [
        "title",
        "question",
        "name",
    ]
    assert f'id = "{tmp_path.name.replace("_", "-")}"' in lines, "the folder's name is the study's id"
    edit(tmp_path, "What this study is called", "Mine")
    edit(tmp_path, "What it asks", "Why?")
    _, error = refused(capsys, tmp_path, tmp_path / "study.toml")
    assert f"file '{tmp_path / 'patients.csv'}' is missing" in error["message"]


def test_every_pattern_that_fits_nobody_is_named_with_the_path_tried(folder, capsys):
    """Image and mask are two faults, each with the first path tried and the nearest file."""
    (folder / "A1.nii.gz").touch()
    _, error = refused(capsys, folder, folder / "study.toml")
    assert [fault["message"] for fault in error["faults"]] == [
        f"no patient has the image '{{patient}}.nii.gz': '{folder / 'A.nii.gz'}' is missing; nearest: A1.nii.gz",
        f"no patient has the mask '{{patient}}_m.nii.gz': '{folder / 'A_m.nii.gz'}' is missing",
    ]


def test_a_byte_order_mark_and_windows_line_breaks_are_accepted(folder, capsys):
    """A study file that an editor saved with a mark is read; UTF-16 is named as such."""
    (folder / "study.toml").write_bytes(b"\xef\xbb\xbf" + STUDY.replace("\n", "\r\n").encode())
    assert "no patient has the image" in refused(capsys, folder, folder / "study.toml")[1]["message"]
    (folder / "study.toml").write_bytes(STUDY.encode("utf-16"))
    assert refused(capsys, folder, folder / "study.toml")[1]["message"].startswith("UTF-16 text")


def broken_places(folder):
    """Return paths that cannot be read as a file, with the exit code of one that a command names and its words."""
    (folder / "loop").symlink_to("loop")
    (folder / "lost").symlink_to("nowhere")
    (folder / "dir").mkdir()
    os.mkfifo(folder / "pipe")
    return {
        folder / "loop": (4, "is a link that leads back to itself"),
        folder / "lost": (3, "is a link to 'nowhere', which is missing"),
        folder / "dir": (4, "is a folder, not a file"),
        folder / "pipe": (4, "it is a pipe or a device"),
        folder / ("x" * 300): (4, "has a name that is too long for its file system (300 bytes)"),
        folder / "patients.csv" / "x": (3, f"'{folder / 'patients.csv'}' is a file, not a folder"),
        folder / "none" / "x": (3, f"there is no folder '{folder / 'none'}'"),
        folder / "pateints.csv": (3, "is missing; nearest: patients.csv"),
    }


def test_a_study_file_that_cannot_be_read_is_named_for_what_it_is(folder, capsys):
    """Link loops, folders, pipes, long names: one true sentence each, and an exit code."""
    for place, (code, words) in broken_places(folder).items():
        found, error = refused(capsys, folder, place)
        assert (found, words in error["message"]) == (code, True), error


def test_a_table_that_cannot_be_read_is_named_for_what_it_is(folder, capsys):
    """The same for a table of the study file, on the line that names it, and for one of an option."""
    for place, (code, words) in broken_places(folder).items():
        (folder / "study.toml").write_text(STUDY.replace('"patients.csv"', json.dumps(str(place))))
        found, error = refused(capsys, folder, folder / "study.toml")
        assert (found, words in error["message"]) == (4, True), error
        assert error["where"] == f"{folder / 'study.toml'}:6"
        found, error = refused(capsys, folder, "--features", place, "--patient", "i", "--outcome", "o", "--id", "t")
        assert (found, words in error["message"], error["where"]) == (code, True, "--features"), error
    (folder / "study.toml").write_text(STUDY.replace('"patients.csv"', '"a\\u0000b.csv"'))
    assert "(NUL)" in refused(capsys, folder, folder / "study.toml")[1]["message"]


# The libraries may lie where only root may read: they are loaded before the rights go.
AS_NOBODY = """
import os, sys
from flows.cli.main import exit_code
exit_code(["--store", "/none", "ingest", sys.argv[1]])
sys.stderr.flush()
print("---", file=sys.stderr, flush=True)
os.setgroups([]); os.setgid(65534); os.setuid(65534)
sys.exit(exit_code(sys.argv[2:]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up its rights")
def test_without_permission_the_sentence_speaks_of_permission(folder):
    """Who may not read a file is told so, not that it is missing or to save it as UTF-8; so is who may not write."""
    # pytest's folders are their user's own.
    for each in (folder, *list(folder.parents)[:3]):
        each.chmod(each.stat().st_mode | 0o055)

    def as_nobody(*arguments):
        run = [
            sys.executable,
            "-c",
            AS_NOBODY,
            str(folder / "study.toml"),
            "--store",
            # Elsewhere: where neither may be entered, the store is met first.
            str(folder.with_name(f"{folder.name}-store")),
            *map(str, arguments),
        ]
        done = subprocess.run(run, capture_output=True, text=True, check=False, cwd="/")
        assert "Traceback" not in done.stderr
        return done.returncode, done.stderr.partition("---")[2]

    (folder / "patients.csv").chmod(0o600)
    code, error = as_nobody("ingest", folder / "study.toml")
    assert (code, "patients.csv' cannot be read: user" in error, "has no permission" in error) == (4, True, True), error
    (folder / "study.toml").chmod(0o600)
    code, error = as_nobody("ingest", folder / "study.toml")
    assert (code, "the study file cannot be read: user" in error, "UTF-8" in error) == (4, True, False), error
    code, error = as_nobody("init", folder / "new")
    assert (code, f"may not write in '{folder}'" in error) == (2, True), error
    folder.chmod(0o700)
    code, error = as_nobody("ingest", folder / "study.toml")
    assert (code, f"may not enter the folder '{folder}'" in error) == (4, True), error
