"""A study of broken inputs, one a patient: each costs its own row with its reason, and everything else goes on."""

from __future__ import annotations

import pytest
from attacks.made.broken_inputs import CASES, SOUND, write_study
from builders.command_line import printed
from builders.store import rows_of

from flows.ingest.run import ingest
from store.home import Store

PHASES = ("MR", "CT")
MUST_WORK = [name for name, case in CASES.items() if not case.phase]


@pytest.fixture(scope="module")
def study_and_store(tmp_path_factory):
    """Return the study's file and the store that it was ingested into."""
    root = tmp_path_factory.mktemp("broken")
    file = write_study(root)
    ingest(file, root / "store", workers=2)
    return file, root / "store"


@pytest.fixture(scope="module")
def reasons(study_and_store):
    """Return the reasons in the store by patient and phase."""
    rows = rows_of(Store(study_and_store[1]), "from failures")
    found = {(row["patient"], row["phase"]): row["reason"] for row in rows}
    assert len(rows) == len(found)
    return found


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.phase])
def test_a_broken_input_has_its_reason(study_and_store, reasons, name):
    """The row names the file below the study and says what is wrong in words, no library's, and no header's."""
    case = CASES[name]
    reason = reasons[name, case.phase]
    assert case.words in reason
    assert reason.startswith((f"image Aufnahmen/{name}/", f"mask Aufnahmen/{name}/"))
    assert not any(words in reason for words in ("ends in a", "Error", "SECRET", str(study_and_store[0].parent)))


def test_nothing_broken_is_taken_and_nothing_sound_is_lost(study_and_store, reasons):
    """Failures are those of the broken inputs; all else is a mask, the patient's other phase too."""
    lost = {(name, case.phase) for name, case in CASES.items() if case.phase}
    assert len(lost) >= 45
    assert set(reasons) == lost
    masks = {(row["patient"], row["phase"]) for row in rows_of(Store(study_and_store[1]), "from masks")}
    assert masks == {(name, phase) for name in (*SOUND, *CASES) for phase in PHASES} - lost
    assert {(name, phase) for name in (*SOUND, *MUST_WORK) for phase in PHASES} <= masks


def test_unusual_inputs_are_read_as_what_they_are(study_and_store):
    """Bytes the other way round and JPEG-LS give the voxels of the plain file: its measures."""
    rows = rows_of(Store(study_and_store[1]), "select patient, phase, lowest, highest, distinct_values from quality")
    of = {(row.pop("patient"), row.pop("phase")): row for row in rows}
    assert of["image-big-endian", "MR"] == of["image-big-endian", "CT"]
    for name in ("series-big-endian", "series-jpeg-ls"):
        assert of[name, "CT"] == of[name, "MR"]


def test_a_second_ingest_finds_the_same(study_and_store, capsys):
    """Nothing changes, each fault is printed with its patient, and the exit code says that there are failures."""
    file, store = study_and_store
    code, out, _ = printed(capsys, "--store", store, "ingest", file)
    assert code == 5
    assert "unchanged: no commit was needed" in out
    printed_of = {tuple(line.split()[1:3]) for line in out.splitlines() if line.startswith("failed: ")}
    assert printed_of == {(name, case.phase) for name, case in CASES.items() if case.phase}
