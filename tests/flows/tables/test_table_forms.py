"""Tables in other forms: separators, decimal commas, encodings, kinds of file, ids and dates as programs write them."""

import datetime as dt
from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.study.tables import study_tables
from flows.tables.files import read_table
from flows.tables.patient_ids import with_ids
from schemas.errors import ContractError
from schemas.study.text import parsed_study
from schemas.written.levels import level_of, whole_number_text
from schemas.written.table_form import TableForm

PLAIN = "patient,afp,note\nA1,1.5,x\nA2,20,y\n"


def written(tmp_path, content, name="t.csv"):
    """Return the table in a file of this content."""
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_table(file, "study.toml:1")


def cells(table):
    """Return a table's cells by column."""
    return table.frame.to_dict(as_series=False)


@pytest.mark.parametrize(("separator", "word"), [(";", "';'"), ("\t", "tabs"), ("|", "'|'")])
def test_another_separator_is_recognised_and_noted(tmp_path, separator, word):
    """A .csv file with semicolons, tabs or bars is read as the one with commas, and a note says so."""
    table = written(tmp_path, PLAIN.replace(",", separator))
    assert cells(table) == cells(written(tmp_path, PLAIN, "plain.csv"))
    assert table.notes == (f"t.csv: cells are separated by {word}",)


def test_a_line_that_names_the_separator_is_no_header(tmp_path):
    """Excel's first line sep=; is obeyed, and the lines of faults are those of the file."""
    table = written(tmp_path, "sep=;\n" + PLAIN.replace(",", ";"))
    assert table.frame.columns == ["patient", "afp", "note"]
    assert [line for line, _ in table.rows()] == [3, 4]


def test_commas_in_text_are_no_separators(tmp_path):
    """A header and rows with semicolons are read by them though cells hold commas, and a comma file by commas."""
    table = written(tmp_path, "patient;note, free\nA1;a, b, c\nA2;d\n")
    assert cells(table) == {"patient": ["A1", "A2"], "note, free": ["a, b, c", "d"]}
    table = written(tmp_path, 'patient,note\nA1,"a; b"\nA2,c;d;e\n')
    assert (cells(table)["note"], table.notes) == (["a; b", "c;d;e"], ())


@pytest.mark.parametrize(
    "text",
    [PLAIN.replace(",", ";").replace(".", ","), 'patient,afp,note\nA1,"1,5",x\nA2,20,y\n'],
    ids=["semicolons", "quoted"],
)
def test_decimal_commas_are_read_as_points_and_noted(tmp_path, text):
    """Numbers with decimal commas are the numbers, with a note; text keeps its commas."""
    table = written(tmp_path, text)
    assert [table.number(line, "afp", row["afp"]) for line, row in table.rows()] == [1.5, 20.0]
    assert table.notes[-1] == "t.csv: decimal commas are read as decimal points"


@pytest.mark.parametrize(
    ("text", "cell", "words"),
    [
        ("patient;a\nA1;1,234\nA2;5\n", "1,234", "may separate decimals or thousands"),
        ("patient;a;b\nA1;1,5;0.5\nA2;2,5;1.5\n", "1,5", "other numbers of the table have points"),
        ("patient;a\nA1;1,5\nA2;1.234,5\n", "1.234,5", "is no number"),
    ],
    ids=["thousands", "mixed", "both in a cell"],
)
def test_a_doubtful_comma_is_refused_with_the_doubt(tmp_path, text, cell, words):
    """What may be a decimal comma or not is never guessed."""
    table = written(tmp_path, text)
    with pytest.raises(ContractError, match=words):
        table.number(2, "a", cell)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_tells_the_encoding(tmp_path, encoding):
    """Text with a mark is read by it; nothing of the mark stays in the first column's name."""
    table = written(tmp_path, PLAIN.replace("x", "Größe").encode(encoding))
    assert cells(table) == {"patient": ["A1", "A2"], "afp": ["1.5", "20"], "note": ["Größe", "y"]}


def test_parquet_and_gzip_are_known_by_their_content(tmp_path):
    """A Parquet file under another name is read, of any types, and text under Parquet's name is refused as none."""
    pl.DataFrame({"patient": ["A1"], "n": [1]}).write_parquet(tmp_path / "t.csv")
    assert cells(read_table(tmp_path / "t.csv", "x")) == {"patient": ["A1"], "n": ["1"]}
    lasted = pl.DataFrame({"patient": ["A1"], "lasted": [timedelta(minutes=3)], "parts": [[1, 2]]})
    lasted.write_parquet(tmp_path / "lasted.parquet")
    assert cells(read_table(tmp_path / "lasted.parquet", "x"))["lasted"] == ["PT3M"]
    with pytest.raises(ContractError, match="is not Parquet, whatever its name says"):
        written(tmp_path, PLAIN, "t.parquet")


@given(st.lists(st.lists(st.text("ab,;\t|\"' \n\r1.5", max_size=6), min_size=2, max_size=2), min_size=1, max_size=6))
def test_what_the_standard_library_writes_is_read_back(tmp_path_factory, rows):
    """Cells with separators, quotes and line breaks come back as they were, on the lines they were written on."""
    import csv

    file = tmp_path_factory.mktemp("t") / "t.csv"
    with file.open("w", newline="") as stream:
        csv.writer(stream).writerows([["first", "second"], *rows])
    table = read_table(file, "x")
    assert [[each or "" for each in row] for row in table.frame.rows()] == rows


def study_of(tmp_path, cohort, lab="patient,v\nA,1\n"):
    """Return what the tables of a study say."""
    text = '[study]\nid = "s"\ntitle = "t"\n[cohort]\ntable = "cohort.csv"\nexam_date = "mri"\n'
    text += '[clinical]\ntable = "lab.csv"\n[clinical.variables.v]\nunit = "1"\n'
    for name, content in (("cohort.csv", cohort), ("lab.csv", lab)):
        if isinstance(content, pl.DataFrame):
            content.write_parquet(tmp_path / name)
        else:
            (tmp_path / name).write_text(content)
    return study_tables(parsed_study(text, "study.toml"), text, tmp_path / "study.toml")


def test_one_id_as_text_number_and_float_is_one_patient(tmp_path):
    """1 in CSV, 1.0 in CSV of a column with gaps, 1 and 1.0 in Parquet, and blanks at the ends are the same id."""
    days = [dt.date(2020, 1, 1)] * 2
    for ids in (["1", "2"], [1, 2], [1.0, 2.0], ["1.0 ", " 2.0"]):
        for lab in ("patient,v\n 1.0,5\n2.0 ,6\n", pl.DataFrame({"patient": [1.0, 2.0], "v": [5, 6]})):
            tables = study_of(tmp_path, pl.DataFrame({"patient": ids, "mri": days}), lab)
            assert [each.written for each in tables.patients] == ["1", "2"]
            assert [row["patient"] for row in tables.clinical] == ["1", "2"]


def test_leading_zeros_are_kept(tmp_path):
    """An id of text keeps its zeros."""
    tables = study_of(tmp_path, "patient,mri\n007,\n010,\n", "patient,v\n007,1\n")
    assert [each.written for each in tables.patients] == ["007", "010"]


@pytest.mark.parametrize(
    ("cohort", "lab", "words"),
    [
        ("007", "7", "'7' is not in the cohort table, which has '007': they differ in leading zeros only"),
        ("P1", "p1", "'p1' is not in the cohort table, which has 'P1': they differ in capitals only"),
        ("P1", "P 1", "'P 1' is not in the cohort table, which has 'P1': they differ in blanks only"),
        ("P1", "p 01", "they differ in capitals, blanks and leading zeros only"),
        ("HCC-012", "HCC-021", "'HCC-021' is not in the cohort table; nearest: HCC-012"),
        ("P1\np1", "P1", "'p1' and 'P1' are probably one patient: they differ in capitals only"),
        ("P1\nP01", "P1", "'P01' and 'P1' are probably one patient: they differ in leading zeros only"),
        ("P1\nP1", "P1", "patient 'P1' stands here a second time"),
        ("Jane Doe", "P1", "'Jane Doe' is no pseudonym: it has a space (U+0020)"),
        ("P1\u200b", "P1", "it has a zero width space (U+200B)"),
        ('"1,23E+11"', "P1", "a program has shortened a long number"),
    ],
)
def test_ids_that_nearly_agree_are_named_with_what_parts_them(tmp_path, cohort, lab, words):
    """Between two tables, or within one, ids that differ in little are a fault that says in what."""
    lines = "".join(f"{each},\n" for each in cohort.split("\n"))
    with pytest.raises(ContractError) as caught:
        study_of(tmp_path, f"patient,mri\n{lines}", f"patient,v\n{lab},1\n")
    assert words in caught.value.message


def test_ids_that_floating_point_cannot_hold_are_refused(tmp_path):
    """A column of floating-point numbers beyond 2**53, or of halves, holds no ids."""
    pl.DataFrame({"patient": [1.0, 2.0**60], "mri": [None, None]}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(ContractError, match="a program has shortened a long number"):
        with_ids(read_table(tmp_path / "t.parquet", "x"), "patient")
    for bad in (1.5, 2.0**60):
        pl.DataFrame({"patient": [1.0, bad]}).write_parquet(tmp_path / "t.parquet")
        with pytest.raises(ContractError, match="is no id: ids are text, or whole numbers"):
            with_ids(read_table(tmp_path / "t.parquet", "x", as_text=False), "patient")


def test_dates_of_parquet_and_text_with_midnight_are_days(tmp_path):
    """A column of timestamps at midnight gives the dates that a column of days gives."""
    moments = [dt.datetime(2020, 1, 1), None, dt.datetime(2020, 2, 29)]  # noqa: DTZ001  (as tables hold them)
    frame = pl.DataFrame({"patient": ["A", "B", "C"], "mri": moments})
    for cohort in (frame, frame.with_columns(pl.col("mri").dt.replace_time_zone("UTC")), frame.write_csv()):
        tables = study_of(tmp_path, cohort)
        assert [each.exams[0].date for each in tables.patients] == ["2020-01-01", None, "2020-02-29"]


@given(st.integers(-(10**12), 10**12), st.sampled_from([".0", ".00", ""]))
def test_a_whole_number_stands_for_itself_however_it_is_written(number, decimals):
    """1.0 is the level 1, and 1 the level 1.0; 007 and 1.5 stay as they are."""
    assert whole_number_text(f"{number}{decimals}") == str(number)
    assert level_of(f"{number}{decimals}", [str(number)]) == str(number)
    assert level_of(str(number), [f"{number}.0"]) == f"{number}.0"
    assert level_of(f"0{number}.5", [str(number)]) is None


def test_points_before_three_digits_beside_decimal_commas_are_no_decimals_in_silence(tmp_path):
    """A German table whose platelets are 2.864, that is 2864, is refused until the study file says what points are."""
    file = tmp_path / "german.csv"
    file.write_text("id;platelets;size\nP1;2.864;1,65\nP2;2.130;2,5\n")
    with pytest.raises(ContractError, match="column 'size' has decimal commas and column 'platelets' points") as caught:
        read_table(file, "study.toml:1")
    assert 'decimal = "," and thousands = "."' in str(caught.value.hint)
    declared = read_table(file, "study.toml:1", form=TableForm(decimal=",", thousands="."))
    assert declared.number(2, "platelets", "2.864") == 2864.0
    file.write_text("id;platelets;size\nP1;2.8;1,65\nP2;2.130;2,5\n")
    assert read_table(file, "study.toml:1").number(2, "platelets", "2.8") == 2.8
