"""What a study file leaves to decide is counted and named when it is ingested."""

from __future__ import annotations

import pytest
from builders.command_line import printed
from builders.drafted_studies import PATIENTS, write_table, write_volumes

from flows.study_draft.undecided import undecided_lines, undecided_notes


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('title = "export"  # to decide: what the study is called', {1: "title"}),
        ('# unit = ""  # to decide: its unit', {1: "unit"}),
        ("[models.x]  # to decide: which", {1: "[models.x]"}),
        ("# to decide: the outcome", {1: ""}),
        ('title = "a # to decide b"', {}),
        ("title = ' # to decide'  # decided", {}),
        ("# `to decide`; search for it.", {}),
        ('question = "what to do?"', {}),
    ],
)
def test_a_mark_is_a_comment(line, found):
    """It stands behind a value, or before what is commented out; in a text it is a word."""
    assert undecided_lines(line) == found


def test_the_note_names_the_lines():
    """All of few, the first of many."""
    assert undecided_notes("x = 1\ny = 2\n") == ()
    assert undecided_notes("x = 1  # to decide") == (
        "1 line of the study file is still marked `# to decide`, and read as it stands: 1 (x)",
    )
    (note,) = undecided_notes("x = 1  # to decide\n" * 25)
    assert note.startswith("25 lines of the study file are still marked")
    assert note.endswith("20 (x) and 5 more")


def test_ingest_says_what_a_draft_left_to_decide(capsys, tmp_path):
    """A title that nobody chose is taken, and said; once the marks are gone so is the note."""
    write_volumes(tmp_path / "e", [f"{patient}/T2.nii.gz" for patient in PATIENTS])
    write_volumes(tmp_path / "e", [f"{patient}/T2_seg.nii.gz" for patient in PATIENTS], labels=(1,))
    write_table(tmp_path / "e" / "patients.csv")
    file = tmp_path / "s" / "study.toml"
    _, drafted, _ = printed(capsys, "init", file.parent, "--from", tmp_path / "e")
    code, out, _ = printed(capsys, "--store", tmp_path / "store", "ingest", file)
    (note,) = [line for line in out.splitlines() if "# to decide" in line]
    number = note.split()[1]
    assert code == 0
    assert note.startswith("note: ")
    assert "(title), " in note
    assert "(question)" in note
    assert f"to decide: {number} lines marked" in drafted
    file.write_text(file.read_text().replace("# to decide", "# decided"))
    code, out, _ = printed(capsys, "--store", tmp_path / "store", "ingest", file)
    assert (code, "to decide" in out) == (0, False)
