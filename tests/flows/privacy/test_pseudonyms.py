"""Ids become pseudonyms by a key or a map, in one store as in another, and who is known by the id can be erased."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pytest
from builders.study import SmallStudy

from flows.privacy.places import StudyPlaces, places_of
from flows.privacy.reasons import plain_reason
from flows.scans.reader import ImageReader
from schemas.errors import ContractError, NotFoundError, UsageError
from schemas.privacy.keyed import day_shift, key_fingerprint, keyed_pseudonym
from store.erasure.erase import planned_erasure

HASH = '\n[privacy]\npseudonyms = "hash"\nkey = "../radzoo.key"\n'
MAP = '\n[privacy]\npseudonyms = "map"\nmap = "../ids.csv"\ndates = "keep"\n'


def with_privacy(study: SmallStudy, text: str = HASH) -> SmallStudy:
    """Add a table to a study file."""
    study.file.write_text(study.file.read_text() + text)
    return study


def key_of(study: SmallStudy) -> bytes:
    """Return the key beside a study's folder."""
    return bytes.fromhex((study.folder.parent / "radzoo.key").read_text())


def write_map(study: SmallStudy, text: str, mode: int = 0o600) -> None:
    """Write the map beside a study's folder."""
    file = study.folder.parent / "ids.csv"
    file.write_text(text)
    file.chmod(mode)


@pytest.fixture
def keyed(small_study: SmallStudy) -> SmallStudy:
    """Return a study with ``[privacy]`` that is ingested."""
    with_privacy(small_study).ingest()
    return small_study


def test_the_key_is_made_once_for_this_account_alone_and_never_said(small_study, capsys):
    """Of 32 random bytes, mode 0600; a dry run makes none; no output of the ingest has its digits."""
    with_privacy(small_study)
    file = small_study.folder.parent / "radzoo.key"
    code, out, _ = small_study.ask(capsys, "ingest", small_study.file, "--dry-run")
    assert (code, file.exists(), small_study.store_root.exists()) == (0, False, False)
    assert "radzoo.key would be made" in out
    code, out, err = small_study.ask(capsys, "--json", "ingest", small_study.file)
    assert code == 0
    assert "radzoo.key was made" in out
    digits = file.read_text().strip()
    assert (file.stat().st_mode & 0o777, len(bytes.fromhex(digits))) == (0o600, 32)
    assert digits not in out + err
    assert small_study.ingest().commit_id is None
    assert file.read_text().strip() == digits


def test_every_table_knows_the_patients_by_their_pseudonyms(keyed):
    """Labels, values, splits, scans and masks are those of the patients that the tables mean."""
    key = key_of(keyed)
    names = {keyed_pseudonym(key, each): each for each in keyed.patients}
    rows = keyed.sql("select patient, label from labels")
    assert {names[row["patient"]]: row["label"] for row in rows} == {"P1": 1, "P2": 0, "P3": 1, "P4": 0}
    rows = keyed.sql("select patient, value from clinical where variable = 'afp'")
    assert {names[row["patient"]]: row["value"] for row in rows} == {"P1": 12.0, "P2": 420.0, "P3": 8.5}
    rows = keyed.snapshot.rows("split_members")
    assert sorted(names[row["patient"]] for row in rows if row["cohort"] == "training") == ["P1", "P2"]
    assert {row["source"] for row in keyed.sql("from masks")} == {None}
    assert {row["file"] for row in keyed.sql("from studies")} == {None}


def test_one_key_gives_one_pseudonym_in_two_studies(keyed):
    """A patient of both is one patient of the store, and images are not read as another's."""
    second = with_privacy(keyed.another())
    second.ingest()
    rows = keyed.sql("select study, patient from patients")
    assert len(rows) == 8
    assert len({row["patient"] for row in rows}) == 4


def test_refresh_reads_what_ingest_wrote_down_and_says_where_it_lacks_it(keyed, monkeypatch, tmp_path):
    """On a machine without it the command that brings it is named; after that nothing is written but the places."""
    monkeypatch.setenv("RADZOO_STATE", str(tmp_path / "other"))
    assert keyed.plan().missing
    with pytest.raises(ContractError, match=r"8|16") as caught:
        keyed.refresh()
    assert "radzoo ingest STUDY.toml brings them" in (caught.value.hint or "")
    assert keyed.ingest().commit_id is None
    assert all(each.image_source for each in keyed.plan().missing)
    assert places_of(keyed.store, "small") is not None


def test_what_is_unchanged_is_not_read_again(keyed, monkeypatch):
    """Size and time of change are known as well as without ``[privacy]``."""
    monkeypatch.setattr(ImageReader, "scan", None)
    assert keyed.ingest().commit_id is None


def test_places_must_not_lie_in_the_store(small_study, monkeypatch):
    """A folder of the user's below the store's is refused before anything is written."""
    with_privacy(small_study)
    monkeypatch.setenv("RADZOO_STATE", str(small_study.store_root / "state"))
    with pytest.raises(ContractError, match="lies in the store"):
        small_study.ingest()
    assert not small_study.store_root.exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda file, _: file.chmod(0o640), "other accounts may read"),
        (lambda file, _: file.write_text("12" * 31), "64 hexadecimal digits"),
        (lambda file, _: file.write_text("secretsecret" * 6), "64 hexadecimal digits"),
        (lambda file, _: file.write_bytes(b""), "64 hexadecimal digits"),
        (lambda file, study: file.rename(study.store_root / "radzoo.key"), "store's folder"),
        (lambda file, study: _link(file, study.store_root / "there.key"), "store's folder"),
    ],
)
def test_a_key_that_is_no_secret_or_none_is_refused(keyed, spoil: Callable[[Path, SmallStudy], object], message):
    """Others may read it, it lies in the store (through a link, too), or it is none: its digits are not repeated."""
    file = keyed.folder.parent / "radzoo.key"
    spoil(file, keyed)
    if not file.exists():
        keyed.edit('key = "../radzoo.key"', 'key = "../store/radzoo.key"')
    with pytest.raises(ContractError, match=message) as caught:
        keyed.ingest()
    assert "1212" not in str(caught.value)
    assert "secretsecret" not in str(caught.value)


def _link(file: Path, target: Path) -> None:
    shutil.move(file, target)
    file.symlink_to(target)


def test_another_key_is_refused_for_all_patients_would_be_others(keyed):
    """A lost key is not made anew, and another one is accepted only where that is said."""
    file = keyed.folder.parent / "radzoo.key"
    former = file.read_text()
    file.unlink()
    with pytest.raises(ContractError, match="there is no key"):
        keyed.ingest()
    assert not file.exists()
    file.write_text("ab" * 32 + "\n")
    file.chmod(0o600)
    with pytest.raises(ContractError, match="the key is another one"):
        keyed.ingest()
    assert keyed.ingest(allow_removals=True).patients == 4
    assert {row["patient"] for row in keyed.sql("from patients")} == {
        keyed_pseudonym(b"\xab" * 32, each) for each in keyed.patients
    }
    assert former not in keyed.file.read_text()


def test_what_is_on_record_has_the_keys_fingerprint_and_no_path(keyed):
    """Of the key only what tells whether another is the same."""
    (row,) = keyed.snapshot.rows("studies")
    recorded = json.loads(row["definition"])
    assert recorded["privacy"]["key"] == f"fingerprint:{key_fingerprint(key_of(keyed))}"
    assert (recorded["cohort"]["table"], recorded["phases"]["AP"]["image"]) == ("not-kept", "not-kept/{patient}")
    (run,) = keyed.sql("select parameters from runs")
    assert "study.toml" not in run["parameters"]


def test_ids_that_are_in_a_store_stay_there_and_so_it_is_refused(small_study):
    """Former commits have them: pseudonyms begin in a store of their own."""
    small_study.ingest()
    with_privacy(small_study)
    with pytest.raises(ContractError, match="its ids stay in former commits"):
        small_study.ingest()
    assert not (small_study.folder.parent / "radzoo.key").exists()


def test_a_map_gives_the_pseudonyms(small_study):
    """An id is a row of the table; one that lacks is named by the line alone."""
    write_map(small_study, "id,pseudonym\nP1,A-1\nP2,A-2\nP3,A-3\nP4,A-4\n")
    with_privacy(small_study, MAP).ingest()
    assert {row["patient"] for row in small_study.sql("from patients")} == {"A-1", "A-2", "A-3", "A-4"}
    write_map(small_study, "id,pseudonym\nP1,A-1\nP2,A-2\nP3,A-3\n")
    with pytest.raises(ContractError, match="the map has no pseudonym of this id") as caught:
        small_study.ingest()
    assert (caught.value.where or "").endswith("patients.csv:5")
    assert "P4" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "mode", "message"),
    [
        ("id,pseudonym\nP1,A-1\nP1,A-2\n", 0o600, "this id stands here a second time"),
        ("id,pseudonym\nP1,A-1\nP2,A-1\n", 0o600, "it stands on line 2 too: two ids have it"),
        ("id,pseudonym\nP1,P2\nP2,A-1\n", 0o600, "it is an id of this table"),
        ("id,pseudonym\nP1,Doe Jane\n", 0o600, "it is none"),
        ("id,name\nP1,A-1\n", 0o600, "column 'pseudonym' is not in ids.csv"),
        ("id,pseudonym\nP1,A-1\n", 0o644, "other accounts may read"),
    ],
)
def test_a_map_that_tells_or_confuses_patients_is_refused(small_study, text, mode, message):
    """Two of one id, two of one pseudonym, a pseudonym that is an id, no pseudonym, no column, readable by others."""
    write_map(small_study, text, mode)
    with pytest.raises(ContractError) as caught:
        with_privacy(small_study, MAP).ingest()
    assert message in str(caught.value)
    assert "Doe Jane" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("P1,1,training,1,male", "the patient of line 2 stands here a second time"),
        ("p1,1,training,1,male", "this id and that of another row are probably one patient"),
        ("Jane Doe,1,training,1,male", "this id has characters that no id has"),
        ("4.2E+10,1,training,1,male", "this id is no pseudonym: a program has shortened a long number"),
    ],
)
def test_faults_of_ids_name_the_line_and_not_the_id(small_study, row, message):
    """Messages go to a terminal, and a served run's into logs."""
    with_privacy(small_study)
    table = small_study.folder / "patients.csv"
    table.write_text(f"{table.read_text()}{row}\n")
    with pytest.raises(ContractError) as caught:
        small_study.ingest()
    assert message in caught.value.message
    assert "patients.csv:6" in str(caught.value)
    assert row.partition(",")[0] not in str(caught.value)


def test_no_message_of_an_ingest_names_an_id(small_study, capsys):
    """Not of patients without a row, of declared persons, or of a phase that nobody has."""
    with_privacy(small_study)
    small_study.edit("P4,0,validation,,male\n", "", file="patients.csv")
    code, out, err = small_study.ask(capsys, "ingest", small_study.file)
    assert code == 0
    assert "1 patient has an image of phase AP, DP and is not in the cohort table" in out
    small_study.edit('image = "images/{patient}_AP.nii.gz"', 'image = "images/{patient}_XX.nii.gz"')
    code, more, fault = small_study.ask(capsys, "ingest", small_study.file)
    assert code == 4
    assert "no patient has the image 'images/{patient}_XX.nii.gz'" in fault
    small_study.edit("[cohort]", '[cohort]\nsame_person = [["P1", "Q1"]]')
    _, _, unknown = small_study.ask(capsys, "ingest", small_study.file)
    assert "same_person names somebody whom the cohort table does not have" in unknown
    assert not any(each in out + err + more + fault + unknown for each in ("P1", "P2", "P3", "P4", "Q1"))


def test_declared_persons_may_be_named_by_id_or_by_pseudonym(keyed):
    """Both are on record as pseudonyms, which drawn splits and folds keep together."""
    key = key_of(keyed)
    two, four = (keyed_pseudonym(key, each) for each in ("P2", "P4"))
    keyed.edit("[cohort]", f'[cohort]\nsame_person = [["P2", "{four}"]]')
    keyed.ingest()
    (row,) = keyed.snapshot.rows("studies")
    assert json.loads(row["definition"])["cohort"]["same_person"] == [[two, four]]


def test_dates_of_one_patient_move_alike_in_all_studies_of_a_key(small_study):
    """By the days that the key gives; a second study with dates as they are would tell them, and is refused."""
    dated = "patient,recurrence,cohort,afp,sex,exam\n" + "".join(
        f"P{number},{number % 2},{'training' if number < 3 else 'validation'},1,male,2020-03-01\n"
        for number in range(1, 5)
    )
    (small_study.folder / "patients.csv").write_text(dated)
    small_study.edit("[cohort]", '[cohort]\nexam_date = "exam"')
    with_privacy(small_study).ingest()
    key = key_of(small_study)
    expected = {
        keyed_pseudonym(key, each): date(2020, 3, 1) - timedelta(days=day_shift(key, each))
        for each in small_study.patients
    }
    assert {row["patient"]: row["acquired_on"] for row in small_study.sql("from exams")} == expected
    second = with_privacy(small_study.another(), f'{HASH}dates = "keep"\n')
    with pytest.raises(ContractError, match="their difference tells by how many days"):
        second.ingest()


def test_a_patient_who_is_known_by_the_id_is_erased_and_forgotten_here(keyed, capsys):
    """By the study file or the key, also where the table has the patient no longer; places of the files go, too."""
    key_file = keyed.folder.parent / "radzoo.key"
    pseudonym = keyed_pseudonym(key_of(keyed), "P2")
    code, out, _ = keyed.ask(capsys, "store", "erase", "--id", "P2", "--study-file", keyed.file, "--yes")
    assert code == 0
    assert "erased, receipt" in out
    assert pseudonym not in {row["patient"] for row in keyed.sql("from patients")}
    places = places_of(keyed.store, "small") or StudyPlaces("")
    assert len(places.scans) == 6
    assert pseudonym not in {key[0] for key in places.scans}
    keyed.edit("P1,1,training,12,male\n", "", file="patients.csv")
    code, out, _ = keyed.ask(capsys, "store", "erase", "--id", "P1", "--key", key_file, "--yes")
    assert code == 0
    assert {row["patient"] for row in keyed.sql("from patients")} == {
        keyed_pseudonym(key_of(keyed), each) for each in ("P3", "P4")
    }


def test_an_id_that_nobody_has_and_a_key_that_nothing_used_are_told(keyed, capsys, tmp_path):
    """A wrong key would erase nobody, and silently."""
    code, _, err = keyed.ask(capsys, "store", "erase", "--id", "P9", "--study-file", keyed.file, "--yes")
    assert (code, "the store has no patient" in err) == (NotFoundError.exit_code, True)
    other = tmp_path / "other.key"
    other.write_text("cd" * 32)
    other.chmod(0o600)
    code, _, err = keyed.ask(capsys, "store", "erase", "--id", "P1", "--key", other, "--yes")
    assert (code, "no study whose pseudonyms this key made" in err) == (NotFoundError.exit_code, True)
    code, _, err = keyed.ask(capsys, "store", "erase", "--id", "P1", "--yes")
    assert (code, "--id needs --study-file" in err) == (UsageError.exit_code, True)
    code, _, err = keyed.ask(capsys, "store", "erase", "P1", "--id", "P1", "--yes")
    assert code == UsageError.exit_code
    assert planned_erasure(keyed.store, keyed_pseudonym(key_of(keyed), "P1")).rows["patients"] == 1


def test_reasons_keep_numbers_and_lose_words_of_others():
    """Quotations within quotations, too; apostrophes of radzoo's own sentences stay."""
    said = "data file 'O'Brien's scan.raw' is missing, which its header names"
    assert plain_reason(said) == "data file '...' is missing, which its header names"
    said = "other geometry: spacing (1, 1, 2) against the image's (1, 1, 3)"
    assert plain_reason(said) == said
    assert plain_reason("P1.img is missing", [Path("a/P1.hdr")]) == "its file is missing"
    assert plain_reason("12 slices", [Path("a/12")]) == "12 slices"


def test_nothing_changes_without_the_table(ready_study):
    """No file of the user's is written for other studies, and paths are in the store as before."""
    assert places_of(ready_study.store, "small") is None
    assert all(row["source"].startswith(str(ready_study.folder)) for row in ready_study.sql("from scans"))
    assert os.environ["RADZOO_STATE"]


def test_an_exams_name_that_has_a_date_becomes_a_keyed_one(small_study):
    """Path patterns use the table's name all the same, and dates of listed exams move, too."""
    text = small_study.file.read_text().replace("{patient}_", "{patient}_{exam}_")
    small_study.file.write_text(text[: text.index("[phases.DP]")] + text[text.index("[clinical") :])
    small_study.edit("[phases.AP]", '[exams]\ntable = "exams.csv"\ndate = "day"\nuse = "mean"\n\n[phases.AP]')
    small_study.edit("[cohort]", '[cohort]\nreference_date = "surgery"')
    table = small_study.folder / "patients.csv"
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([f"{header},surgery", *(f"{row},2031-06-01" for row in rows)]) + "\n")
    lines = ["patient,exam,day"]
    for patient in small_study.patients:
        for exam, day in (("baseline", "2031-05-01"), ("20310517", "2031-05-17")):
            lines.append(f"{patient},{exam},{day}")
            for file in (small_study.image_file(patient), small_study.mask_file(patient)):
                shutil.copy(file, file.with_name(f"{patient}_{exam}_AP.nii.gz"))
    (small_study.folder / "exams.csv").write_text("\n".join(lines) + "\n")
    report = with_privacy(small_study).ingest()
    assert (report.scans, report.failures) == (8, ())
    key = key_of(small_study)
    dates = {(row["patient"], row["exam"]): row["acquired_on"] for row in small_study.sql("from exams")}
    for patient in small_study.patients:
        pseudonym, moved = keyed_pseudonym(key, patient), timedelta(days=day_shift(key, patient))
        hidden = f"exam-{keyed_pseudonym(key, f'{patient}/20310517')}"
        assert dates[pseudonym, "baseline"] == date(2031, 5, 1) - moved
        assert dates[pseudonym, hidden] == date(2031, 5, 17) - moved
    assert len(dates) == 8
