"""Which table of a folder is the cohort's, and where its header stands."""

from __future__ import annotations

import pytest
import xlsxwriter
from builders.drafted_studies import PATIENTS, decided, drafted, ingested, write_table, write_volumes

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


def write_titled(file, rows) -> None:
    """Write a table as its ending says, with a title alone in the first row."""
    if file.suffix == ".xlsx":
        with xlsxwriter.Workbook(str(file)) as workbook:
            sheet = workbook.add_worksheet("Export")
            for at, row in enumerate(rows):
                sheet.write_row(at, 0, row)
    else:
        file.write_text("\n".join(",".join(row) for row in rows) + "\n")


@pytest.fixture
def tree(tmp_path):
    """Return a folder of four patients with an image and a mask each."""
    write_volumes(tmp_path / "e", [f"{patient}/T2.nii.gz" for patient in PATIENTS])
    write_volumes(tmp_path / "e", [f"{patient}/T2_mask.nii.gz" for patient in PATIENTS], labels=(1,))
    return tmp_path / "e"


@pytest.mark.parametrize(
    ("name", "above"),
    [
        ("t.xlsx", [["Export vom 3.2.2020"]]),
        ("t.csv", [["Export vom 3.2.2020"]]),
        ("t.csv", [["Export vom 3.2.2020", "", ""], ["", "", ""]]),
        ("t.csv", [["", "Export", ""]]),
    ],
)
def test_titles_above_the_header_are_declared(capsys, tmp_path, tree, name, above):
    """The first full row of names is the header: no title is a column, and no column's name is a patient."""
    rows = [
        ["patient", "recurrence", "sex"],
        *([each, "01"[at % 2], "mf"[at // 2]] for at, each in enumerate(PATIENTS)),
    ]
    write_titled(tree / name, [*above, *rows])
    draft, study = drafted(tmp_path, tree)
    assert (study.cohort.patient, study.cohort.header_row) == ("patient", len(above) + 1)
    assert f"header_row = {len(above) + 1}  # what stands above it is not read" in draft.text
    assert draft.phases[0].without_image == ()
    assert [*study.clinical.variables] == ["sex"]
    assert any("above the header" in note for note in draft.notes)
    assert ingested(capsys, tmp_path, tree)["labelled"] == 4


def test_a_row_that_may_be_the_header_is_left_to_decide(tmp_path, tree):
    """Two words above five columns may be a title; a patient's row below a header without names is none."""
    rows = ["Export,2020,,,", "patient,recurrence,sex,side,grade"]
    rows += [f"{each},{at % 2},{'mf'[at // 2]},left,G{at // 2}" for at, each in enumerate(PATIENTS)]
    (tree / "t.csv").write_text("\n".join(rows) + "\n")
    draft, study = drafted(tmp_path, tree)
    assert study.cohort.header_row == 2
    assert "header_row = 2" in decided(draft.text)
    (tree / "t.csv").write_text("\n".join(["patient,,", *(f"{each},m{each},left{each}" for each in PATIENTS)]) + "\n")
    draft, study = drafted(tmp_path / "again", tree)
    assert (study.cohort.header_row, study.cohort.patient) == (1, "patient")
    assert "header_row = 1" in decided(draft.text)


def test_a_patient_without_images_is_no_header(tmp_path, tree):
    """Below a header that lacks names, a row whose id is written as the folder's are is a patient's, though unknown."""
    other = "".join("9" if each.isdigit() else each for each in PATIENTS[0])
    assert other not in PATIENTS
    rows = ["patient,,,", f"{other},yes,none,female"]
    rows += [f"{each},{'no' if at % 2 else 'yes'},none,male" for at, each in enumerate(PATIENTS)]
    (tree / "t.csv").write_text("\n".join(rows) + "\n")
    draft, study = drafted(tmp_path, tree)
    assert (study.cohort.header_row, study.cohort.patient) == (1, "patient")
    assert "header_row = 1" in decided(draft.text)
