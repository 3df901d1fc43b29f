"""Which table of a folder is the cohort's, and where its header stands."""

from __future__ import annotations

import pytest
from builders.drafted_studies import PATIENTS, drafted, write_table, write_volumes

MANY = tuple(f"STS_{number:03}" for number in range(2, 10))


@pytest.mark.parametrize("patterns", [("{}/T1.nii.gz", "{}/T1_mask.nii.gz"), ("mr/{}_a.nii.gz", "mr/{}_mask.nii.gz")])
@pytest.mark.parametrize("there", [1, 3])
def test_a_table_may_have_many_more_patients_than_the_folder(tmp_path, patterns, there):
    """All that there are stand in it: it is the cohort's, and how many have images is said."""
    image, mask = patterns
    write_volumes(tmp_path / "e", [image.replace("{}", patient) for patient in MANY[:there]])
    write_volumes(tmp_path / "e", [mask.replace("{}", patient) for patient in MANY[:there]], labels=(1,))
    write_table(tmp_path / "e" / "outcome.csv", MANY)
    draft, study = drafted(tmp_path, tmp_path / "e")
    assert (draft.table, draft.patients, study.cohort.patient) == ("outcome.csv", MANY[:there], "patient")
    have = "1 of 8 patients of outcome.csv has images" if there == 1 else "3 of 8 patients of outcome.csv have images"
    assert have in draft.notes
    assert draft.phases[0].without_image == MANY[there:]


def test_an_id_that_is_there_by_chance_makes_no_table_the_cohorts(tmp_path):
    """A plain number stands in many names; one patient of four is not the folder's."""
    write_volumes(tmp_path / "e", [f"{patient}/visit_1/ct.nii.gz" for patient in PATIENTS])
    write_volumes(tmp_path / "e", [f"{patient}/visit_1/ct_mask.nii.gz" for patient in PATIENTS], labels=(1,))
    write_table(tmp_path / "e" / "scanners.csv", list("12345"), "id")
    write_table(tmp_path / "e" / "others.csv", [*PATIENTS[:1], "P77", "P78", "P79"])
    draft, _ = drafted(tmp_path, tmp_path / "e")
    assert draft.table is None
    assert draft.aside["tables without the patients' ids"] == ("others.csv", "scanners.csv")
