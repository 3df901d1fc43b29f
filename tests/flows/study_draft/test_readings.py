"""Masks that were drawn again, of whatever few patients, are readings, and the table may say of whom."""

from __future__ import annotations

import numpy as np
import pytest
from builders.dicom.written import write_segmentation, write_series
from builders.drafted_studies import PATIENTS, decided, drafted, ingested, write_table, write_volumes

from flows.study_draft.masks import masks_by_reading, readings_beside

MANY = tuple(f"HCC-{number:03}" for number in range(1, 10))
AGAIN = MANY[2:4]
"""Fewer than a quarter."""


def masks_of(ending: str) -> list[str]:
    """Return the paths of a mask a patient, of whom few were drawn again by the same reader and by another."""
    first = [f"masks/{patient}/AP_1_1{ending}" for patient in MANY]
    return [*first, *(f"masks/{patient}/AP_{which}{ending}" for patient in AGAIN for which in ("1_2", "2_1"))]


def table(columns: str, row) -> str:
    """Return a table of patients; ``row`` makes the cells of one."""
    return "\n".join([f"patient,{columns}", *(f"{each},{row(each)}" for each in MANY)]) + "\n"


def test_two_numbers_in_the_names_of_masks_are_reader_and_reading(capsys, tmp_path):
    """Of whom there are further readings a column says exactly, which is no variable; ingest takes the draft."""
    write_volumes(tmp_path / "e", [f"images/{patient}/AP.nii.gz" for patient in MANY])
    write_volumes(tmp_path / "e", masks_of(".nii.gz"), labels=(1,))
    rows = table(
        "recurrence,reread,hbv", lambda each: f"{MANY.index(each) % 2},{'ny'[each in AGAIN]},{'ny'[each < MANY[5]]}"
    )
    (tmp_path / "e" / "patients.csv").write_text(rows)
    draft, study = drafted(tmp_path, tmp_path / "e")
    assert study.phases["AP"].mask == "../e/masks/{patient}/AP_{reader}_{reading}.nii.gz"
    assert [(each.reader, each.reading, each.where) for each in study.readings] == [
        ("1", 1, None),
        ("1", 2, "reread"),
        ("2", 1, "reread"),
    ]
    assert [*study.clinical.variables] == ["hbv"]
    assert "the first number is taken for the reader" in draft.text
    assert '# Left out, as they say whose masks were drawn again: "reread"' in draft.text
    assert draft.readings[1] == "reading 2 of reader 1: 2 patients, those with a yes in reread"
    assert draft.aside == {}
    assert ingested(capsys, tmp_path, tmp_path / "e")["masks"] == len(MANY) + 2 * len(AGAIN)


def test_who_has_a_reading_is_left_to_decide_where_no_column_says_it(tmp_path):
    """A column that says yes of one patient more is none, nor is an outcome's."""
    write_volumes(tmp_path / "e", [f"images/{patient}/AP.nii.gz" for patient in MANY])
    write_volumes(tmp_path / "e", masks_of(".nii.gz"), labels=(1,))
    rows = table("recurrence,reread", lambda each: f"{int(each in AGAIN)},{'ny'[each in MANY[2:5]]}")
    (tmp_path / "e" / "patients.csv").write_text(rows)
    draft, study = drafted(tmp_path, tmp_path / "e")
    assert [each.where for each in study.readings] == [None, None, None]
    assert decided(draft.text).count('# where = ""') == 2
    assert study.outcome.column == "recurrence"
    assert [*study.clinical.variables] == ["reread"]


def test_segmentations_that_were_drawn_again_are_readings(tmp_path):
    """The same names as DICOM, with a second set of masks of all patients: that one is counted and named."""
    voxels = np.random.default_rng(1).integers(0, 500, (4, 12, 10)).astype(np.int16)
    cube = np.zeros((4, 12, 10, 1), np.uint8)
    cube[1:3, 3:8, 3:8] = 1
    for patient in MANY[:6]:
        series = write_series(tmp_path / "e" / "images" / patient / "AP", voxels)
        for which in ("1_1", "1_2", "2_1") if patient == MANY[2] else ("1_1",):
            write_segmentation(tmp_path / "e" / "masks" / patient / f"AP_{which}.dcm", series, cube)
        write_segmentation(tmp_path / "e" / "others" / patient / "AP.dcm", series, cube)
    draft, study = drafted(tmp_path, tmp_path / "e")
    assert study.phases["AP"].mask == "../e/masks/{patient}/AP_{reader}_{reading}.dcm"
    assert [(each.reader, each.reading) for each in study.readings] == [("1", 1), ("1", 2), ("2", 1)]
    assert draft.aside == {"masks beside those that are taken": tuple(f"others/{each}/AP.dcm" for each in MANY[:6])}
    assert "# to decide: or others/{patient}" in draft.text


def test_a_second_readers_folder_of_few_patients_is_a_reading(tmp_path):
    """Segmentations in a folder a reader, and those of nobody else's kind are counted, never dropped."""
    voxels = np.random.default_rng(1).integers(0, 500, (4, 12, 10)).astype(np.int16)
    cube = np.zeros((4, 12, 10, 1), np.uint8)
    cube[1:3, 3:8, 3:8] = 1
    for number, patient in enumerate(MANY[:6]):
        series = write_series(tmp_path / "e" / "images" / patient / "AP", voxels)
        write_segmentation(tmp_path / "e" / "reader1" / patient / "seg.dcm", series, cube)
        if number < 2:
            write_segmentation(tmp_path / "e" / "reader2" / patient / "seg.dcm", series, cube)
        if number == 5:
            write_segmentation(tmp_path / "e" / "trial" / patient / "seg.dcm", series, cube)
    write_table(tmp_path / "e" / "patients.csv", MANY[:6])
    draft, study = drafted(tmp_path, tmp_path / "e")
    assert study.phases["AP"].mask == "../e/{reader}/{patient}"
    assert draft.readings[1].startswith("reading 1 of reader2; without a mask: HCC-003")
    assert [paths for kind, paths in draft.aside.items() if "masks" in kind] == [("trial/HCC-006/seg.dcm",)]


def test_masks_that_are_not_taken_are_counted(tmp_path):
    """Of two structures one is written, and the files of the other are left aside with an example."""
    write_volumes(tmp_path / "e", [f"{patient}/ct.nii.gz" for patient in PATIENTS])
    write_volumes(
        tmp_path / "e", [f"{p}/{what}_mask.nii.gz" for p in PATIENTS for what in ("liver", "hcc")], labels=(1,)
    )
    draft, study = drafted(tmp_path, tmp_path / "e")
    assert study.phases["ct"].mask == "../e/{patient}/hcc_mask.nii.gz"
    assert draft.aside["masks beside those that are taken"] == tuple(sorted(f"{p}/liver_mask.nii.gz" for p in PATIENTS))


@pytest.mark.parametrize(
    ("names", "pattern", "readings"),
    [
        (("T1_1_1", "T1_1_2", "T1_2_1"), "T1_{reader}_{reading}", [("1", 1), ("1", 2), ("2", 1)]),
        (("AP_R1_1", "AP_R1_2", "AP_R2_1"), "AP_{reader}_{reading}", [("R1", 1), ("R1", 2), ("R2", 1)]),
        (("reader1/reading1", "reader1/reading2"), "reader1/reading{reading}", [("R1", 1), ("R1", 2)]),
        (
            ("reader1/reading1", "reader1/reading2", "reader2/reading1"),
            "{reader}/reading{reading}",
            [("reader1", 1), ("reader1", 2), ("reader2", 1)],
        ),
    ],
)
def test_reader_and_reading_stand_side_by_side(names, pattern, readings):
    """Two numbers, a reader's name with a number behind it, or a folder each."""
    (found,) = masks_by_reading({f"{{patient}}/{each}.nrrd": {"P1": f"P1/{each}.nrrd"} for each in names})
    assert (found.pattern, [*found.files]) == (f"{{patient}}/{pattern}.nrrd", readings)


@pytest.mark.parametrize(
    "names", [("2020-1-1", "2020-1-2"), ("m_1_2", "m_2_2"), ("m_1_1", "n_1_2"), ("m_11_0001", "m_12_0001")]
)
def test_numbers_that_are_no_readings_stay_in_the_names(names):
    """Dates, readers without a first reading, and masks that differ in more than that."""
    found = masks_by_reading({f"{{patient}}/{each}.nrrd": {"P1": f"P1/{each}.nrrd"} for each in names})
    assert len(found) == 2


def test_a_reading_beside_a_mask_is_one_of_it():
    """An image that few patients have is no reading of a mask."""
    masks, rare = ["{patient}/roi_a.nii"], ["{patient}/roi_b.nii", "{patient}/ct_b.nii"]
    assert readings_beside(masks, {each: {} for each in rare}) == {"{patient}/roi_b.nii"}
