"""What a study file declares about a table's text: encoding, numbers, days, header; and what is refused without it."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.study.imported.columns import _parsed
from flows.tables.files import read_table
from schemas.errors import ContractError
from schemas.written.numbers import NumberForm, number_doubt, written_number
from schemas.written.table_form import ENCODINGS, DatedTableForm

SIZES = "patient,Größe\nA1,4\n"


def written(tmp_path, content, name="t.csv", **form):
    """Return the table in a file of this content and form."""
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(file, "study.toml:1", form=DatedTableForm(**form))


def refused(tmp_path, content, **form):
    """Return the error of a table that is not read."""
    with pytest.raises(ContractError) as caught:
        written(tmp_path, content, **form)
    return caught.value


def numbers(table, column="v"):
    """Return a column's numbers, or of a cell that is none the fault."""
    found = []
    for line, row in table.rows():
        try:
            found.append(table.number(line, column, row[column]))
        except ContractError as error:
            found.append(error.message)
    return found


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "iso-8859-15", "cp850", "mac-roman", "utf-16-le"])
def test_a_declared_encoding_is_read_and_noted(tmp_path, encoding):
    """The column is called what its program wrote, and ingest says as what the text was read."""
    table = written(tmp_path, SIZES.encode(encoding), encoding=encoding)
    assert table.frame.columns == ["patient", "Größe"]
    assert table.notes == (f"t.csv: the text is read as {encoding}, as declared",)


def test_each_encoding_is_one_of_pythons(tmp_path):
    """Every name that a study file may give reads what was written in it; in all letters of ASCII are the same."""
    for encoding in ENCODINGS:
        assert written(tmp_path, "patient,a\nA1,4\n".encode(encoding), encoding=encoding).frame.columns[1] == "a"


def test_text_that_is_not_utf_8_is_refused_with_what_it_would_be(tmp_path):
    """The key is named with the cell as it would read, and every name that the key takes; nothing is guessed."""
    error = refused(tmp_path, SIZES.encode("cp1252"))
    assert error.where == f"{tmp_path / 't.csv'}:1"
    assert "encoding = \"cp1252\" would read 'Größe'" in error.message
    assert all(each in error.hint for each in ENCODINGS)
    error = refused(tmp_path, "patient,性别\nA1,男\n".encode("gb18030"))
    assert "encoding = \"gb18030\" would read '性别'" in error.message


@pytest.mark.parametrize(
    ("content", "encoding", "words"),
    [
        (SIZES.encode(), "cp1252", "UTF-8 too, in which it has 'Größe', in cp1252 'GrÃ¶ÃŸe'"),
        (SIZES.encode("utf-8-sig"), "cp1252", "begins with the byte-order mark of UTF-8"),
        (SIZES.encode("utf-16"), "utf-8", "begins with the byte-order mark of UTF-16"),
        (SIZES.encode("utf-16"), "utf-16-be", "begins with the byte-order mark of UTF-16"),
        (b"patient,a\nA1,\x80\n", "latin-1", "byte 0x80 is no letter in latin-1, and '€' in cp1252"),
        (b"patient,a\nA1,\x81\n", "cp1252", "not cp1252: byte 0x81 stands for nothing there"),
        (SIZES.encode("utf-16-le"), None, "NUL bytes"),
    ],
)
def test_a_declared_encoding_that_the_bytes_contradict_is_refused(tmp_path, content, encoding, words):
    """A text that was saved again as UTF-8 would be read as other letters in silence."""
    assert words in refused(tmp_path, content, encoding=encoding).message


def test_utf_16_without_a_mark_is_named_by_the_order_of_its_bytes(tmp_path):
    """The hint has the key; with it the text is read."""
    for encoding in ("utf-16-le", "utf-16-be"):
        content = ("patient\ta\n" + "A1\t4\n" * 9).encode(encoding)
        assert f'encoding = "{encoding}"' in refused(tmp_path, content).hint
        assert written(tmp_path, content, encoding=encoding).frame.columns == ["patient", "a"]


@pytest.mark.parametrize(
    ("cells", "form", "found"),
    [
        ("1.234,5;2,5;7", {"decimal": ",", "thousands": "."}, [1234.5, 2.5, 7]),
        ("1,234.5;2.5;-1,234,567", {"decimal": ".", "thousands": ","}, [1234.5, 2.5, -1234567]),
        ("1,234;2,500;1e-3", {"decimal": ","}, [1.234, 2.5, 0.001]),
        ("1\u202f234,5;1\u00a0000;1 000", {"decimal": ",", "thousands": " "}, [1234.5, 1000, 1000]),
        ("1'234.5;1\u2019000;12", {"decimal": ".", "thousands": "'"}, [1234.5, 1000, 12]),
    ],
)
def test_declared_numbers_are_read(tmp_path, cells, form, found):
    """Decimals and thousands by the marks that the study file gives, and by no others."""
    assert numbers(written(tmp_path, "v\n" + cells.replace(";", "\n") + "\n", "t.tsv", **form)) == found


@pytest.mark.parametrize(
    ("cell", "form", "words"),
    [
        ("1,234", {}, 'decimal = ",", or decimal = "." and thousands = ","'),
        ("1.234,5", {}, 'decimal = "," and thousands = "."'),
        ("1,234.5", {}, 'decimal = "." and thousands = ","'),
        ("1.234.567", {}, 'decimal = "," and thousands = "."'),
        ("1 234,5", {}, 'decimal = "," and thousands = " "'),
        ("1'234.5", {}, 'decimal = "." and thousands = "\'"'),
        ("1.234", {"decimal": ","}, 'the study file says decimal = "," for this table; where a digit group'),
        ("0.123", {"decimal": ",", "thousands": "."}, 'says decimal = "," and thousands = "."'),
        ("12.34", {"decimal": ",", "thousands": "."}, 'says decimal = "," and thousands = "."'),
        ("1234.567,5", {"decimal": ",", "thousands": "."}, "is no number"),
        ("1,5", {"decimal": "."}, 'says decimal = "."'),
        ("inf", {"decimal": ","}, "is no finite number"),
        ("\u0661", {"decimal": ","}, "is no number"),
    ],
)
def test_a_number_in_another_form_is_refused_with_the_key(tmp_path, cell, form, words):
    """What would be a number under other marks is named with the keys that declare them."""
    (message,) = numbers(written(tmp_path, f"v\n{cell}\n", "t.tsv", **form))
    assert words in message


FORMS = [(decimal, mark) for decimal in ".," for mark in (None, ".", ",", " ", "'") if mark != decimal]


@given(st.floats(-1e12, 1e12), st.sampled_from(FORMS), st.integers(0, 6))
def test_a_number_comes_back_as_it_was_written(value, marks, places):
    """Whatever the marks, one reader and the other give the number that Python's own formatting wrote."""
    decimal, thousands = marks
    text = f"{value:,.{places}f}".replace(",", "T").replace(".", decimal).replace("T", thousands or "")
    form = NumberForm(decimal, thousands, is_declared=True)
    assert written_number(text, form) == float(f"{value:.{places}f}")
    assert _parsed(pl.Series([text]), form)[0] == written_number(text, form)


@given(st.text("0123456789.,' +-e\u202f", max_size=12), st.sampled_from(FORMS))
def test_columns_and_single_cells_are_read_alike(cell, marks):
    """No text is a number in a table of features and none elsewhere."""
    form = NumberForm(*marks, is_declared=True)
    try:
        alone = written_number(cell.strip(), form)
    except ValueError:
        alone = None
        number_doubt(cell.strip(), form)
    assert _parsed(pl.Series([cell.strip()], dtype=pl.String), form)[0] == alone


def days(tmp_path, cells, **form):
    """Return the days of a column, or of a cell that is none the fault."""
    table = written(tmp_path, "d\n" + "\n".join(cells) + "\n", "t.tsv", **form)
    found = []
    for line, row in table.rows():
        try:
            found.append(table.date(line, "d", row))
        except ContractError as error:
            found.append(f"{error.where}: {error.message}")
    return found


@pytest.mark.parametrize(
    ("order", "cell"),
    [
        ("DD.MM.YYYY", "03.02.2020"),
        ("DD.MM.YYYY", "3. 2. 2020"),
        ("DD/MM/YYYY", "3/2/2020"),
        ("MM/DD/YYYY", "02/03/2020"),
        ("MM/DD/YYYY", "2/3/2020 12:00:00 AM"),
        ("DD-MM-YYYY", "03-02-2020 00:00"),
        ("YYYY/MM/DD", "2020/02/03"),
        ("DD.MM.YYYY", "2020-02-03"),
        ("MM/DD/YYYY", "20200203"),
    ],
)
def test_days_are_read_in_the_declared_order(tmp_path, order, cell):
    """Day and month by the order that the study file gives; ISO 8601, which leaves no doubt, beside it."""
    assert days(tmp_path, [cell], dates=order) == ["2020-02-03"]


@pytest.mark.parametrize(
    ("cell", "order", "words"),
    [
        ("13/13/2020", "MM/DD/YYYY", "is no date (MM/DD/YYYY): the calendar has no such day"),
        ("31/12/2020", "MM/DD/YYYY", "the calendar has no such day"),
        ("31.12.2020", "MM/DD/YYYY", 'looks like DD.MM.YYYY, and the study file says dates = "MM/DD/YYYY"'),
        ("31.12.20", "DD.MM.YYYY", "its year has two digits; write all four"),
        ("31.12.2020 14:30", "DD.MM.YYYY", "it has a time of day"),
        ("1/2/2020", None, 'dates = "DD/MM/YYYY" or dates = "MM/DD/YYYY"'),
        ("31/2/2020", None, "the calendar has no such day, whichever part is the month"),
        ("13/2/2020", None, "it looks like DD/MM/YYYY; where days are written so, say it beside 'table'"),
    ],
)
def test_a_day_in_another_order_is_refused_with_the_key(tmp_path, cell, order, words):
    """A cell that could be a day in some order is named with it; one that is in no calendar is never turned round."""
    (message,) = days(tmp_path, [cell], dates=order)
    assert words in message
    assert message.startswith(f"{tmp_path / 't.tsv'}:2: column 'd': '{cell}' is no date")


def test_titles_above_the_header_are_left_aside_as_declared(tmp_path):
    """Lines above header_row and between it and first_row are noted, and rows keep their lines."""
    text = 'Study of 2020\n"a title\nof two lines"\npatient;v\n;mm\n\nA1;4\nA2;x\n'
    table = written(tmp_path, text, header_row=4, first_row=7)
    assert table.frame.to_dict(as_series=False) == {"patient": ["A1", "A2"], "v": ["4", "x"]}
    assert [line for line, _ in table.rows()] == [7, 8]
    assert table.notes[:2] == (
        't.csv: rows 1 to 3 above the header are not read: Study of 2020 / "a title / of two lines"',
        "t.csv: rows 5 to 6 between header and first row are not read: ;mm / (blank)",
    )
    table = written(tmp_path, "sep=;\n\npatient;v\nA1;4\n", header_row=3)
    assert [line for line, _ in table.rows()] == [4]


@pytest.mark.parametrize(
    ("text", "form", "words"),
    [
        ("\npatient,v\nA1,4\n", {}, "header_row = 2"),
        (",\n;;\npatient,v\nA1,4\n", {}, "header_row = 3"),
        ("Study\npatient,v\nA1,4\nA2,5\n", {}, "header_row = 2"),
        ("Study,of,2020\nx\npatient,v\nA1,4\nA2,5\n", {}, "header_row = 3"),
        ("patient,v\nA1,4\n", {"header_row": 7}, "header_row is 7, and the last line is 2"),
        ("patient,v\nA1,4\n", {"first_row": 7}, "first_row is 7, and the last line is 2"),
        ('"patient\nid",v\nA1,4\n', {"first_row": 2}, "first_row is 2, and the header ends on line 2"),
        ("sep=,\npatient,v\nA1,4\n", {"header_row": 1}, "it names the separator"),
    ],
)
def test_a_header_that_is_not_where_it_should_be_is_refused_with_its_line(tmp_path, text, form, words):
    """A blank or shorter first line is no header: the line that could be one is named, and none is taken unasked."""
    error = refused(tmp_path, text, **form)
    assert words in f"{error.message} {error.hint}"


def test_a_missing_column_that_stands_in_a_row_is_a_header_further_down(tmp_path):
    """The fault of the column says on which line its name is, whatever separates that line's cells."""
    for text in ("Study,of 2020\npatient,v\nA1,4\n", "Study of 2020\npatient;v\nA1;4\n"):
        with pytest.raises(ContractError, match="line 2 has it: where that is the header, say header_row = 2"):
            written(tmp_path, text).require("patient", "study.toml:6")


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("Export vom 3.2.2020,\npatient,outcome\nA1,4\n", "2"),
        ("Export vom 3.2.2020;;\n;;\npatient;v;w\nA1;4;\n", "3"),
        (",Export,\npatient,v,w\nA1,4,5\n", "2"),
        ("patient,,\nA1,4,5\nA2,3,1\n", None),
    ],
)
def test_a_title_in_the_place_of_the_header_is_refused(tmp_path, text, row):
    """Its line would be the names, and the names a patient: the row that has them is said, if there is one."""
    error = refused(tmp_path, text)
    assert "row 1 names one of" in error.message
    assert ("header_row" in error.hint) is (row is not None)
    assert row is None or f"say header_row = {row} beside table" in error.hint
    assert "give every column a name" in error.hint
    assert len(written(tmp_path, text, header_row=1).frame.columns) > 1


@pytest.mark.parametrize("text", [",v\nA1,4\n", "patient,v,\nA1,4,x\n", "patient,,\nA1,,\nA2,,\n", "v\n4\n"])
def test_a_header_that_lacks_a_name_is_no_title(tmp_path, text):
    """Names of rows have none, a remark may have none, and columns without cells need none."""
    assert written(tmp_path, text).frame.height


def test_keys_of_texts_are_refused_for_tables_that_say_it_themselves(tmp_path):
    """Parquet has numbers and one header: what would change nothing is not taken in silence."""
    pl.DataFrame({"patient": ["A1"]}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(ContractError, match=r"is Parquet.*encoding and decimal is of text tables"):
        read_table(tmp_path / "t.parquet", "x", form=DatedTableForm(encoding="cp1252", decimal=","))
