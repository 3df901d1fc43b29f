"""What is gone at once: an ingest that would retire much of a study stops, and says how many, of what, and where."""

import pytest

from flows.ingest.removals import Removal
from schemas.errors import ContractError


def refusal(study, **options):
    """Return what is said of an ingest that is refused, after seeing that the store is as before."""
    before = study.snapshot.commit_id
    with pytest.raises(ContractError) as error:
        study.ingest(**options)
    assert study.snapshot.commit_id == before
    assert error.value.exit_code == 4
    assert error.value.where == str(study.file)
    assert f"radzoo ingest {study.file} --allow-removals" in error.value.hint
    return error.value.message


def masks(study):
    """Return how many masks the study has in the store."""
    return len(study.snapshot.rows("study_masks", study=study.study_id))


def test_a_folder_that_vanishes_retires_no_row(small_study):
    """A folder of masks that is not there stops an ingest, which names the folder; back again, all is as it was."""
    small_study.edit('"masks/{patient}_DP.nii.gz"', '"drawn/{patient}/DP.nii.gz"')
    for patient in small_study.patients:
        (small_study.folder / "drawn" / patient).mkdir(parents=True)
        small_study.mask_file(patient, "DP").rename(small_study.folder / "drawn" / patient / "DP.nii.gz")
    small_study.ingest()
    for patient in ("P1", "P2"):
        (small_study.folder / "drawn" / patient).rename(small_study.folder / f"away-{patient}")
    message = refusal(small_study)
    assert message.startswith("more than 20% of what the study has would be removed: ")
    assert "2 of 8 masks (25%): P1 DP R1.1, P2 DP R1.1; " in message
    assert f"2 files are missing from the folder {small_study.folder / 'drawn'}" in message
    refusal(small_study, dry_run=True)
    for patient in ("P1", "P2"):
        (small_study.folder / f"away-{patient}").rename(small_study.folder / "drawn" / patient)
    assert small_study.ingest().commit_id is None


def test_images_that_vanish_are_named_by_their_folder(small_study):
    """Without its images a study has no masks either: the folder that is gone, or empty, is that of the images."""
    small_study.edit('"images/{patient}_DP.nii.gz"', '"later/{patient}.nii.gz"')
    (small_study.folder / "later").mkdir()
    for patient in small_study.patients:
        small_study.image_file(patient, "DP").rename(small_study.folder / "later" / f"{patient}.nii.gz")
    small_study.ingest()
    files = sorted((small_study.folder / "later").iterdir())
    for file in files[:3]:
        file.unlink()
    message = refusal(small_study)
    assert "3 of 8 masks (38%)" in message
    assert f"3 files are missing from the folder {small_study.folder / 'later'}" in message


def test_what_is_meant_to_go_goes_with_allow_removals(small_study, capsys):
    """--allow-removals takes the rows out, in one commit; nothing is asked for a second time."""
    small_study.ingest()
    for phase in ("AP", "DP"):
        small_study.mask_file("P1", phase).unlink()
    done = small_study.run("ingest", str(small_study.file))
    assert (done.returncode, done.stdout) == (4, "")
    assert "--allow-removals; nothing was written" in done.stderr
    small_study.ingest(allow_removals=True)
    assert masks(small_study) == 6
    assert small_study.ingest().commit_id is None


@pytest.mark.parametrize(("share", "is_refused"), [("0.2", True), ("0.25", False), ("0", True), ("1", False)])
def test_the_share_is_a_setting_of_the_study(small_study, share, is_refused):
    """[cohort] max_removed_share says how much may go in one ingest; exactly that much may."""
    small_study.edit('table = "patients.csv"', f'table = "patients.csv"\nmax_removed_share = {share}')
    small_study.ingest()
    for phase in ("AP", "DP"):
        small_study.mask_file("P1", phase).unlink()
    if is_refused:
        refusal(small_study)
    else:
        small_study.ingest()
        assert masks(small_study) == 6


def test_a_single_row_may_go_whatever_its_share(small_study):
    """One mask, one patient and one value of four are corrections."""
    small_study.edit('table = "patients.csv"', 'table = "patients.csv"\nmax_removed_share = 0')
    small_study.ingest()
    small_study.mask_file("P1").unlink()
    small_study.edit("12,male", ",male", file="patients.csv")
    small_study.ingest()
    small_study.keep("P1", "P2", "P3")
    small_study.ingest()
    assert masks(small_study) == 5


def test_a_table_that_lost_patients_stops_an_ingest(small_study):
    """Patients who left the table are counted as patients, and their masks and values not once more."""
    small_study.ingest()
    small_study.keep("P3", "P4")
    message = refusal(small_study)
    assert f"2 of 4 patients (50%): P1, P2; see {small_study.folder / 'patients.csv'}" in message
    assert "masks" not in message
    assert "values" not in message


def test_values_and_labels_that_were_emptied_stop_an_ingest(small_study):
    """A column that lost its cells is named, a variable and the outcome each for itself."""
    small_study.keep(*small_study.patients)  # without its split, which refuses a patient who lost the label
    small_study.ingest()
    table = small_study.folder / "patients.csv"
    table.write_text(table.read_text().replace("12,male", ",male").replace("420,female", ",female"))
    message = refusal(small_study)
    assert "2 of 3 values of afp (67%): P1, P2" in message
    assert "sex" not in message
    table.write_text(table.read_text().replace("P3,1,", "P3,,").replace("P4,0,", "P4,,"))
    assert "2 of 4 labels (50%): P3, P4" in refusal(small_study)


def test_what_the_study_file_no_longer_asks_for_goes_without_asking(small_study):
    """A phase and a variable that were taken out of the study file were taken out on purpose."""
    small_study.ingest()
    text = small_study.file.read_text()
    start, end = text.index("[phases.DP]"), text.index("[clinical.variables.sex]")
    small_study.file.write_text(text[:start] + text[end:])
    small_study.ingest()
    assert masks(small_study) == 4


def test_rows_that_an_imported_table_lost_stop_an_ingest(small_study):
    """An imported table that was cut short is named with the patients who are missing; changed values are not."""
    table = small_study.folder / "features.csv"
    rows = ["patient,f1,f2", "P1,1,2", "P2,3,5", "P3,4,4", "P4,9,1"]
    table.write_text("\n".join(rows) + "\n")
    text = small_study.file.read_text()
    small_study.file.write_text(text + '\n[imported.elsewhere]\ntable = "features.csv"\n')
    small_study.ingest()
    table.write_text("\n".join([*rows[:3], "P3,8,8", "P4,7,7"]) + "\n")
    small_study.ingest()
    table.write_text("\n".join(rows[:3]) + "\n")
    assert f"2 of 4 rows of elsewhere (50%): P3, P4; see {table}" in refusal(small_study)


def test_the_message_names_the_first_rows_and_counts_the_others():
    """However many rows would go, three are named."""
    removal = Removal("masks", tuple(f"P{number}" for number in range(9)), 30, "the folder /data is not there")
    assert str(removal) == "9 of 30 masks (30%): P0, P1, P2 and 6 more; the folder /data is not there"
