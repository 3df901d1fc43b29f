"""Pseudonyms put together from several columns: one rule for cohort, clinical and imported tables and for paths."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest
from builders.study import SmallStudy

from flows.study.checked import checked_study
from schemas.errors import ContractError

STUDY = """[study]
id = "s"
title = "t"

[cohort]
table = "patients.csv"
patient = ["site", "id"]

[clinical]
table = "lab.csv"
[clinical.variables.afp]
unit = "[IU]/mL"

[imported.mine]
table = "features.csv"
"""


class Tables:
    """A study of three tables in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.text = STUDY
        self.contents = {
            "patients.csv": "site,id\nBerlin,1\nBerlin,02\nParis,1\n",
            "lab.csv": "id,afp,site\n1,5,Berlin\n1,7,Paris\n",
            "features.csv": "site,id,volume\nBerlin,02,1.5\nBerlin,1,2.5\nParis,1,3.5\n",
        }

    def checked(self):
        """Return what the study says."""
        (self.folder / "study.toml").write_text(self.text)
        for name, content in self.contents.items():
            (self.folder / name).write_text(content)
        return checked_study(self.folder / "study.toml", frozenset, self.folder / "store")

    def refused(self) -> str:
        """Return the faults."""
        with pytest.raises(ContractError) as caught:
            self.checked()
        return str(caught.value)


@pytest.fixture
def tables(tmp_path):
    """Return a study whose tables agree."""
    return Tables(tmp_path)


def test_one_patient_is_the_same_text_in_every_table(tables):
    """Site and number are joined by a dash, in the order of the study file and not of the columns."""
    found = tables.checked()
    assert [each.written for each in found.tables.patients] == ["Berlin-1", "Berlin-02", "Paris-1"]
    assert {row["patient"]: row["value"] for row in found.tables.clinical} == {"Berlin-1": 5, "Paris-1": 7}
    rows = found.imported[0].records
    assert {row.key.patient: row.values for row in rows} == {
        "Berlin-02": {"volume": 1.5},
        "Berlin-1": {"volume": 2.5},
        "Paris-1": {"volume": 3.5},
    }
    assert found.imported[0].columns.kept == ("volume",)


def test_an_imported_table_may_have_the_joined_text_in_one_column(tables):
    """Its own key says so; parts of numbers with decimals are whole numbers as ids are."""
    tables.text += 'patient = "case"\n'
    tables.contents["features.csv"] = "case,volume\nBerlin-1,2.5\nBerlin-02,1\nParis-1,3\n"
    tables.contents["patients.csv"] = "site,id\nBerlin,1\nBerlin,02\nParis,1\n"
    tables.contents["lab.csv"] = "site,id,afp\nBerlin,1.0,5\nParis,1.0,5\n"
    found = tables.checked()
    assert [row["patient"] for row in found.tables.clinical] == ["Berlin-1", "Paris-1"]
    assert len(found.imported[0].records) == 3


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("patients.csv", "site,id\nBerlin,1\n,2\n", "patients.csv:3: column 'site-id': '' is no pseudonym: one of"),
        ("patients.csv", "site,id\nA-1,2\nA,1-2\n", "patients.csv:2: column 'site': 'A-1' has '-', which joins site"),
        ("patients.csv", "site,id\nBerlin,1\nBerlin,1\n", "patient 'Berlin-1' stands here a second time"),
        ("patients.csv", "site,nr\nBerlin,1\n", "study.toml:7: column 'id' is not in patients.csv"),
        ("patients.csv", "site,id,site-id\nBerlin,1,x\n", "has a column 'site-id'"),
        ("lab.csv", "site,id,afp\nRome,1,5\n", "lab.csv:2: column 'site-id': 'Rome-1' is not in the cohort table"),
        ("lab.csv", "id,afp\n1,5\n", "study.toml:10: column 'site' is not in lab.csv"),
        ("features.csv", "site,id,v\nberlin,1,5\n", "'berlin-1' is not in the cohort table, which has 'Berlin-1'"),
        ("features.csv", "id,v\n1,5\n", "column 'site' is not in features.csv"),
    ],
)
def test_faults_name_the_columns_and_the_joined_text(tables, name, content, words):
    """A part that is empty, doubtful or missing is a fault of its line or of its key."""
    tables.contents[name] = content
    assert words in tables.refused()


def test_faults_of_all_tables_are_reported_together(tables):
    """A fault in each of the tables is listed in one error."""
    tables.contents["lab.csv"] = "site,id,afp\nRome,1,5\n"
    tables.contents["features.csv"] = "site,id,v\nRome,1,x\nBerlin,1,2\n"
    message = tables.refused()
    assert all(words in message for words in ("lab.csv:2", "features.csv:2", "'x' is no number"))


def test_paths_have_the_joined_text(small_study: SmallStudy):
    """``{patient}`` is the text that the columns make: images and masks are found by it."""
    plain = small_study.ingest()
    table = small_study.folder / "patients.csv"
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header.replace("patient,", "site,id,"), *(f"S,{row}" for row in rows)]) + "\n")
    small_study.edit('table = "patients.csv"', 'table = "patients.csv"\npatient = ["site", "id"]')
    for file in [*small_study.folder.glob("images/*"), *small_study.folder.glob("masks/*")]:
        file.rename(file.with_name(f"S-{file.name}"))
    report = small_study.ingest(allow_removals=True)
    assert (report.failures, report.masks, report.warnings) == ((), plain.masks, plain.warnings)
    assert {row["patient"] for row in small_study.sql("select patient from patients")} >= {"S-P1", "S-P4"}


def test_a_row_of_units_is_named_where_it_is_no_patient(tables):
    """The key that leaves it aside stands in the fault; a first patient without an id is none."""
    tables.contents["patients.csv"] = "site,id,age\n,,years\nBerlin,1,50\n"
    assert "say first_row = 3 beside 'table' in the study file" in tables.refused()
    tables.contents["patients.csv"] = "site,id,age\n,,60\nBerlin,1,50\n"
    assert "first_row" not in tables.refused()


def test_a_clinical_sheet_of_the_cohorts_workbook_is_checked_for_its_patients(tmp_path):
    """Its rows of strangers are faults like those of another table, and so is its lack of the patients' column."""
    workbook = openpyxl.Workbook()
    workbook.active.title = "Patients"
    for row in (["id"], ["A"]):
        workbook.active.append(row)
    lab = workbook.create_sheet("Lab")
    for row in (["id", "afp"], ["B", 5]):
        lab.append(row)
    workbook.save(tmp_path / "study.xlsx")
    text = '[study]\nid = "s"\ntitle = "t"\n[cohort]\ntable = "study.xlsx"\nsheet = "Patients"\npatient = "id"\n'
    text += '[clinical]\nsheet = "Lab"\n[clinical.variables.afp]\nunit = "[IU]/mL"\n'
    (tmp_path / "study.toml").write_text(text)
    with pytest.raises(ContractError, match=r"study\.xlsx:2: column 'id': 'B' is not in the cohort table"):
        checked_study(tmp_path / "study.toml", frozenset, tmp_path / "store")
    lab["A1"] = "patient"
    workbook.save(tmp_path / "study.xlsx")
    with pytest.raises(ContractError, match=r"study\.toml:9: column 'id' is not in study\.xlsx"):
        checked_study(tmp_path / "study.toml", frozenset, tmp_path / "store")
