"""Patients who have images and are not in the cohort table are named; nobody else is."""

from pathlib import Path

import pytest

from flows.ingest.unlisted_patients import unlisted_patients
from flows.study.patients import CohortPatient
from schemas.study.cohort import Reading
from schemas.study.text import parsed_study


def warnings(folder, files, image="{patient}.nii.gz", mask="{patient}_m.nii.gz", cohort=("A1", "A2"), phases=("T1",)):
    """Return what is said of the files that lie in a folder."""
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    text = '[study]\nid = "s"\ntitle = "t"\n[cohort]\ntable = "p.csv"\n'
    text += "".join(f'[phases.{phase}]\nimage = "{image}"\nmask = "{mask}"\n' for phase in phases)
    patients = [CohortPatient(each, each, None, None, (Reading(),)) for each in cohort]
    return unlisted_patients(parsed_study(text, "study.toml"), Path(folder), patients)


def test_patients_of_the_table_alone_give_no_warning(tmp_path):
    """Images and masks of the cohort's own patients, and files of other names, are no news."""
    assert warnings(tmp_path, ["A1.nii.gz", "A1_m.nii.gz", "A2.nii.gz", "notes.txt", ".hidden.nii.gz"]) == ()
    assert warnings(tmp_path / "nothing", []) == ()


def test_others_are_counted_and_the_first_are_named(tmp_path):
    """Of nine patients who are not in the table five are named; their masks are not taken for images."""
    files = [f"B{number}{end}" for number in range(9) for end in (".nii.gz", "_m.nii.gz")]
    assert warnings(tmp_path, files) == (
        "9 patients have an image of phase T1 and are not in the cohort table: B0, B1, B2, B3, B4 and 4 more",
    )


def test_an_id_that_nearly_agrees_is_named_with_the_tables(tmp_path):
    """Where capitals alone part a file's id from the table's, the warning says which one the table has."""
    assert warnings(tmp_path, ["a1.nii.gz"]) == (
        "1 patient has an image of phase T1 and is not in the cohort table: a1 (the table has A1)",
    )


@pytest.mark.parametrize(
    "image",
    ["images/{patient}/{phase}.nii.gz", "images/{patient}/{patient}_{phase}.nii.gz", "../{phase}/im[1]/{patient}.nii"],
)
def test_patterns_of_every_shape_are_followed(tmp_path, image):
    """Folders a patient, the id twice, a path out of the folder and brackets in a name; phases alike share a line."""
    study = tmp_path / "study"
    study.mkdir()
    files = [image.format(patient=patient, phase=phase) for patient in ("A1", "Z9") for phase in ("T1", "T2")]
    (sentence,) = warnings(study, files, image=image, mask="masks/{patient}_{phase}.nii.gz", phases=("T1", "T2"))
    assert sentence == "1 patient has an image of phase T1, T2 and is not in the cohort table: Z9"


def test_a_pattern_without_a_patient_says_nothing(tmp_path):
    """One image for all names nobody."""
    assert warnings(tmp_path, ["atlas.nii.gz", "x_m.nii.gz"], image="atlas.nii.gz") == ()


def test_a_folder_with_braces_in_its_name_is_a_folder(tmp_path):
    """Braces of the study's own folder are no fields."""
    (tmp_path / "{reading} {x:>9}").mkdir()
    (sentence,) = warnings(tmp_path / "{reading} {x:>9}", ["Z9.nii.gz"])
    assert sentence.endswith("not in the cohort table: Z9")


def test_a_pattern_over_many_folders_looks_at_so_many_entries(tmp_path, monkeypatch):
    """A pattern whose every part is a field ends, however many files there are, and says what it found until then."""
    monkeypatch.setattr("flows.ingest.unlisted_patients._LOOKED_AT", 30)
    files = [f"a{one}/b{two}/Z{one}{two}.nii.gz" for one in range(10) for two in range(10)]
    (sentence,) = warnings(tmp_path, files, image="{reader}/{reading}/{patient}.nii.gz")
    assert int(sentence.split()[0]) < 30
