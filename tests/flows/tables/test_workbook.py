"""Excel workbooks: the cells of the meant sheet, to the last digit, and no cell that looks filled left out."""

from __future__ import annotations

import datetime as dt
import zipfile
from io import BytesIO
from pathlib import Path

import openpyxl
import pytest
import xlsxwriter
from builders.study import SmallStudy

from flows.tables.files import read_table
from flows.tables.workbook_parts import has_formulas
from schemas.errors import ContractError
from schemas.written.table_form import TableForm

ROWS = [
    ["patient", "recurrence", "cohort", "afp", "sex"],
    ["P1", 1, "training", 12, "male"],
    ["P2", 0, "training", 420, "female"],
    ["P3", 1, "validation", 8.5, "female"],
    ["P4", 0, "validation", None, "male"],
]


def write(file: Path, sheets: dict[str, list[list[object]]], *, hidden: tuple[str, ...] = ()) -> Path:
    """Write a workbook by XlsxWriter, which stores a value with every formula."""
    with xlsxwriter.Workbook(str(file), {"default_date_format": "dd.mm.yyyy"}) as workbook:
        for name, rows in sheets.items():
            sheet = workbook.add_worksheet(name)
            for at, row in enumerate(rows):
                sheet.write_row(at, 0, row)
            if name in hidden:
                sheet.hide()
    return file


def rows_of(file: Path, sheet: str | None = None) -> list[dict[str, str]]:
    """Return a sheet's rows as a study reads them."""
    return [row for _, row in read_table(file, "study.toml:5", form=TableForm(sheet=sheet)).rows()]


def test_cells_are_what_the_workbook_holds(tmp_path):
    """Ids keep their zeros, numbers all their digits, days come as ISO 8601 has them, whatever the format shows."""
    # A workbook knows no time zones.
    day, moment = (dt.datetime.fromisoformat(text) for text in ("2020-03-01", "2020-03-01T14:30"))
    table = [["id", "x", "day", "moment", "is"], ["007", 1 / 3, day, moment, True], ["8", 3.0, None, None, False]]
    file = write(tmp_path / "a.xlsx", {"Data": table})
    assert rows_of(file) == [
        {"id": "007", "x": "0.3333333333333333", "day": "2020-03-01", "moment": "2020-03-01 14:30:00", "is": "TRUE"},
        {"id": "8", "x": "3", "day": "", "moment": "", "is": "FALSE"},
    ]


def test_empty_rows_and_columns_are_left_aside_and_lines_are_excels(tmp_path):
    """A table that begins further down and to the right is found, and a fault names the row that Excel shows."""
    table = [[], [], ["", "id", "x"], [], ["", "A", 1], [], ["", "B", "many"]]
    read = read_table(write(tmp_path / "a.xlsx", {"Data": table}), "study.toml:5")
    assert [line for line, _ in read.rows()] == [5, 7]
    with pytest.raises(ContractError, match="'many' is no number") as error:
        read.number(7, "x", "many")
    assert error.value.where == f"{tmp_path / 'a.xlsx'}:7"


def test_the_sheet_that_is_meant_is_told(tmp_path):
    """Of one that is shown and not empty none need be named; of several the message lists them."""
    one = write(tmp_path / "one.xlsx", {"Data": ROWS, "Empty": [], "Lists": [["a"]]}, hidden=("Lists",))
    assert [row["patient"] for row in rows_of(one)] == ["P1", "P2", "P3", "P4"]
    two = write(tmp_path / "two.xlsx", {"Patients": ROWS, "Labs": [["patient", "alt"], ["P1", 30]]})
    with pytest.raises(ContractError, match="has 2 sheets: 'Patients', 'Labs'") as error:
        rows_of(two)
    assert 'sheet = "NAME"' in error.value.hint
    assert rows_of(two, "Labs") == [{"patient": "P1", "alt": "30"}]
    with pytest.raises(ContractError, match="has no sheet 'labs'; it has 'Patients', 'Labs'"):
        rows_of(two, "labs")


def test_merged_cells_are_refused_with_their_place(tmp_path):
    """Of merged cells all but the first are empty: a header over two columns, or an id over two rows."""
    file = tmp_path / "a.xlsx"
    workbook = openpyxl.Workbook()
    for row in (["id", "Size", None], [None, "mm", "ml"], ["A", 1, 2]):
        workbook.active.append(row)
    workbook.active.merge_cells("B1:C1")
    workbook.save(file)
    with pytest.raises(ContractError, match="cells are merged: B1:C1"):
        rows_of(file)


def test_a_formula_that_nobody_calculated_is_refused(tmp_path):
    """A program may write formulas without values: they would be missing. Calculated ones are read, errors too."""
    file = tmp_path / "a.xlsx"
    workbook = openpyxl.Workbook()
    for row in (["id", "double"], ["A", "=2*3"]):
        workbook.active.append(row)
    workbook.save(file)
    with pytest.raises(ContractError, match="cell B2 is a formula that no program has calculated"):
        rows_of(file)
    with xlsxwriter.Workbook(str(file)) as written:
        sheet = written.add_worksheet("S")
        sheet.write_row(0, 0, ["id", "double", "odd"])
        sheet.write_string(1, 0, "A")
        sheet.write_formula(1, 1, "=2*3", None, 6)
        sheet.write_formula(1, 2, "=1/0", None, "#DIV/0!")
    assert rows_of(file) == [{"id": "A", "double": "6", "odd": "#DIV/0!"}]


def test_a_formula_whose_text_is_empty_was_calculated(tmp_path):
    """Excel writes it as a text of no letters: an empty cell."""
    file = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(file)) as workbook:
        sheet = workbook.add_worksheet("S")
        sheet.write_row(0, 0, ["id", "a"])
        sheet.write_string(1, 0, "A")
        sheet.write_formula(1, 1, '=IF(A1="","x","")', None, "")
    parts = zipfile.ZipFile(BytesIO(file.read_bytes()))
    with zipfile.ZipFile(file, "w") as written:
        for name in parts.namelist():
            written.writestr(name, parts.read(name).replace(b'<c r="B2">', b'<c r="B2" t="str">'))
    assert rows_of(file) == [{"id": "A", "a": ""}]


def test_formats_beyond_the_table_count_for_nothing(tmp_path):
    """A format in the last row of the sheet makes no table of a million rows."""
    file = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(file)) as workbook:
        sheet = workbook.add_worksheet("S")
        for at, row in enumerate(ROWS):
            sheet.write_row(at, 0, row)
        sheet.write_blank(1_048_575, 16_383, None, workbook.add_format({"bold": True}))
        sheet.set_row(2, None, None, {"hidden": True})
    table = read_table(file, "study.toml:5")
    assert table.frame.shape == (4, 5)
    assert table.notes == ("a.xlsx: sheet 'S' is read; 1 of its rows are hidden in Excel, and read",)


def test_a_workbook_whose_only_sheet_is_hidden_says_so(tmp_path):
    """It can be named."""
    file = write(tmp_path / "a.xlsx", {"Empty": [], "Data": ROWS}, hidden=("Data",))
    with pytest.raises(ContractError, match="no sheet with cells that is shown; hidden: 'Data'"):
        rows_of(file)
    assert len(rows_of(file, "Data")) == 4


@pytest.mark.parametrize("cut", [400, 3000])
def test_a_damaged_workbook_is_refused(tmp_path, cut):
    """One that is cut off is no workbook, and says so."""
    file = write(tmp_path / "a.xlsx", {"Data": ROWS})
    file.write_bytes(file.read_bytes()[:cut])
    with pytest.raises(ContractError, match="damaged"):
        rows_of(file)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    """What a workbook says it unpacks to is compared with what a table may have."""
    monkeypatch.setenv("RADZOO_TABLE_MB", "1")
    file = write(tmp_path / "a.xlsx", {"Data": [["id", "x"], *([f"P{n}", n / 7] for n in range(40_000))]})
    with pytest.raises(ContractError, match="a table has at most 1 MB"):
        rows_of(file)


def test_a_sheet_of_text_is_refused(tmp_path):
    """``sheet`` belongs to workbooks."""
    (tmp_path / "a.csv").write_text("id\nA\n")
    with pytest.raises(ContractError, match="is no workbook, and has no sheet 'Data'"):
        rows_of(tmp_path / "a.csv", "Data")


def test_a_study_of_a_workbook_is_that_of_its_tables(small_study: SmallStudy, tmp_path):
    """Patients and clinical values on two sheets give what the CSV table gives."""
    small_study.ingest()
    expected = [small_study.sql(f"from {view} order by all") for view in VIEWS]
    patients = [row[:3] for row in ROWS]
    labs = [[row[0], *row[3:]] for row in ROWS]
    write(small_study.folder / "study.xlsx", {"Patients": patients, "Labs": labs})
    small_study.edit('table = "patients.csv"', 'table = "study.xlsx"\nsheet = "Patients"')
    small_study.edit("[clinical.variables.afp]", '[clinical]\nsheet = "Labs"\n\n[clinical.variables.afp]')
    twin = SmallStudy(small_study.folder, tmp_path / "twin")
    report = twin.ingest()
    assert report.notes == (
        "study.xlsx: sheet 'Patients' is read, and not 'Labs'",
        "study.xlsx: sheet 'Labs' is read, and not 'Patients'",
    )
    assert [twin.sql(f"from {view} order by all") for view in VIEWS] == expected


VIEWS = ("patients", "(select * exclude (recorded_at) from clinical)", "labels")


def test_a_workbook_in_memory_is_told_from_other_archives():
    """The content decides, not the name."""
    from flows.tables.workbook import is_workbook

    content = BytesIO()
    openpyxl.Workbook().save(content)
    assert is_workbook(content.getvalue())
    assert not is_workbook(b"PK\x03\x04 and nothing")


def merged_workbook(file: Path) -> Path:
    """Write a workbook with a title, a header of two merged rows, a row of units, and a column of texts."""
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    rows = [
        ["Cohort of 2020", None, None],
        ["id", "Size", None],
        [None, "length", "volume"],
        [None, "mm", "ml"],
        ["A", 12.5, "1.234,5"],
        ["B", 8, "2,5"],
    ]
    for row in rows:
        sheet.append(row)
    for cells in ("A1:C1", "A2:A3", "B2:C2"):
        sheet.merge_cells(cells)
    workbook.save(file)
    return file


def test_a_header_of_two_rows_is_read_as_declared(tmp_path):
    """Titles above it are left aside, a name that is merged over both rows is one, and its units are no patient."""
    file = merged_workbook(tmp_path / "a.xlsx")
    with pytest.raises(ContractError, match="cells are merged: A1:C1, A2:A3, B2:C2") as error:
        rows_of(file)
    assert "where row 3 has the names of the columns, say header_row = 3 beside table" in error.value.hint
    form = TableForm(header_row=3, first_row=5, decimal=",", thousands=".")
    table = read_table(file, "study.toml:5", form=form)
    assert table.frame.to_dict(as_series=False) == {
        "id": ["A", "B"],
        "length": ["12,5", "8"],
        "volume": ["1.234,5", "2,5"],
    }
    assert [table.number(line, "length", row["length"]) for line, row in table.rows()] == [12.5, 8]
    assert [table.number(line, "volume", row["volume"]) for line, row in table.rows()] == [1234.5, 2.5]
    assert [line for line, _ in table.rows()] == [5, 6]
    assert table.notes[1:] == (
        "a.xlsx: rows 1 to 2 above the header are not read: Cohort of 2020 / id, Size",
        "a.xlsx: row 4 between header and first row is not read: mm, ml",
    )


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"header_row": 2}, "cells are merged: A2:A3, B2:C2"),
        ({"header_row": 7}, "header_row is 7, and row 7 has no filled cell"),
        ({"header_row": 3, "first_row": 9}, "first_row is 9, and the last row with a filled cell is row 6"),
    ],
)
def test_a_row_that_is_no_header_is_refused(tmp_path, form, words):
    """A title over two columns names none of them, and a row that is not there names nothing."""
    with pytest.raises(ContractError, match=words):
        read_table(merged_workbook(tmp_path / "a.xlsx"), "study.toml:5", form=TableForm(**form))


def test_an_encoding_is_refused_for_a_workbook(tmp_path):
    """Its text has one."""
    file = write(tmp_path / "a.xlsx", {"Data": ROWS})
    with pytest.raises(ContractError, match="is a workbook, which has its own: encoding is of text tables"):
        read_table(file, "study.toml:5", form=TableForm(encoding="cp1252"))


def test_a_chart_sheet_holds_no_cells_with_a_chart_or_without(tmp_path):
    """It is passed over, and the sheet behind it is read: openpyxl fails on one without a chart."""
    file = tmp_path / "a.xlsx"
    workbook = openpyxl.Workbook()
    workbook.create_chartsheet("Curve", 0)
    for row in ROWS:
        workbook.active.append(row) if workbook.active.title != "Curve" else workbook["Sheet"].append(row)
    workbook.save(file)
    assert [row["patient"] for row in rows_of(file)] == ["P1", "P2", "P3", "P4"]
    with xlsxwriter.Workbook(str(file)) as written:
        sheet = written.add_worksheet("S")
        for at, each in enumerate(ROWS):
            sheet.write_row(at, 0, each)
        chart = written.add_chart({"type": "line"})
        chart.add_series({"values": "=S!$D$2:$D$4"})
        written.add_chartsheet("Curve").set_chart(chart)
    assert [row["patient"] for row in rows_of(file)] == ["P1", "P2", "P3", "P4"]


def test_a_sheet_is_parsed_again_only_where_a_workbook_has_formulas(tmp_path):
    """Formulas are seen in the XML, whatever the prefix of its elements and the name of its part; words are none."""
    file = tmp_path / "a.xlsx"
    assert not has_formulas(write(file, {"Data": [*ROWS, ["<f>", "<f/>"]]}).read_bytes())
    with xlsxwriter.Workbook(str(file)) as workbook:
        workbook.add_worksheet("S").write_formula(0, 0, "=1+1", None, 2)
    assert has_formulas(file.read_bytes())
    parts = zipfile.ZipFile(BytesIO(file.read_bytes()))
    with zipfile.ZipFile(file, "w") as written:
        for name in parts.namelist():
            content = parts.read(name)
            written.writestr(name, content.replace(b"<f>", b"<x:f>" + b" " * 2_000_000).replace(b"</f>", b"</x:f>"))
    assert has_formulas(file.read_bytes())
