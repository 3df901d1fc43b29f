"""A study's tables: every value checked, every fault with its file and line, labels and splits derived."""

import zipfile

import polars as pl
import pytest

from flows.study.tables import study_tables
from schemas.errors import ContractError
from schemas.study.text import parsed_study

STUDY = """[study]
id = "s"
title = "t"

[cohort]
table = "patients.csv"
exam_date = "mri"

[phases.AP]
image = "{patient}.nii.gz"
mask = "{patient}.nii.gz"

[[readings]]
reader = "R1"

[[readings]]
reader = "R2"
where = "reread"

[clinical]
observed_at = "drawn"

[clinical.variables.afp]
unit = "[IU]/mL"
column = "AFP (IU/mL)"

[clinical.variables.sex]
levels = ["female", "male"]

[outcome]
kind = "time_to_event"
name = "recurrence"
event = "event"
time = "months"
unit = "mo"
horizon = 24

[splits.fixed]
kind = "column"
column = "group"
training = "train"
validation = "test"
"""

HEADER = "patient,mri,reread,drawn,AFP (IU/mL),sex,event,months,group"
ROWS = [
    "A1,2020-01-05,yes,2020-01-03,12.5,male,1,10,train",
    "A2,2020-02-05,no,2020-02-03,410,female,0,36,train",
    "A3,2020-03-05,no,,,male,1,24,test",
    "A4,,,2020-04-03,3,,0,24,test",
    "A5,2020-05-05,no,2020-05-03,7,female,0,23.9,train",
    "A6,2020-06-05,no,2020-06-03,7,female,1,24.5,",
]


class Case:
    """A study file and its patient table in a folder."""

    def __init__(self, folder):
        self.folder = folder
        self.text = STUDY
        self.rows = list(ROWS)

    def edit(self, old, new):
        """Replace a text that stands once in the study file."""
        assert self.text.count(old) == 1
        self.text = self.text.replace(old, new)

    def tables(self):
        """Return what the tables say."""
        file = self.folder / "study.toml"
        file.write_text(self.text)
        table = self.folder / "patients.csv"
        if not table.exists():
            table.write_text("\n".join([HEADER, *self.rows]) + "\n")
        return study_tables(parsed_study(self.text, str(file)), self.text, file)

    def refused(self):
        """Return the error of tables that break the contract."""
        with pytest.raises(ContractError) as caught:
            self.tables()
        return caught.value


@pytest.fixture
def case(tmp_path):
    """Return a study without fault."""
    return Case(tmp_path)


def test_patients_have_their_dates_and_readings(case):
    """A patient's exam date is the table's; a reading with 'where' belongs to those with yes."""
    patients = case.tables().patients
    assert [(p.patient, p.exams[0].date) for p in patients[:4:3]] == [("A1", "2020-01-05"), ("A4", None)]
    assert [len(p.readings) for p in patients] == [2, 1, 1, 1, 1, 1]
    assert patients[0].readings[0].reader == "R1"


def test_clinical_values_keep_unit_date_and_raw_number(case):
    """A number stays as it is written, in its unit; an empty cell is no row; a category is a level."""
    rows = {(row["patient"], row["variable"]): row for row in case.tables().clinical}
    assert rows["A1", "afp"] == {
        "patient": "A1",
        "variable": "afp",
        "observed_at": "2020-01-03",
        "unit": "[IU]/mL",
        "level": None,
        "value": 12.5,
    }
    assert (rows["A1", "sex"]["level"], rows["A1", "sex"]["value"]) == ("male", None)
    assert rows["A3", "sex"]["observed_at"] == ""
    assert ("A3", "afp") not in rows
    assert ("A4", "sex") not in rows


def test_labels_come_from_event_time_and_horizon(case):
    """An event up to the horizon is 1, freedom from it up to the horizon or beyond 0, earlier censoring no label."""
    labels = {row["patient"]: (row["label"], row["reason"]) for row in case.tables().labels}
    assert labels == {
        "A1": (1, None),
        "A2": (0, None),
        "A3": (1, None),
        "A4": (0, None),
        "A5": (None, "censored at 23.9 mo, before the horizon of 24 mo"),
        "A6": (0, None),
    }


def test_a_column_split_has_labelled_patients_only(case):
    """A patient without a label or without a cohort is in no cohort of the split."""
    assert case.tables().splits == {
        "fixed": {"A1": "training", "A2": "training", "A3": "validation", "A4": "validation"}
    }


def test_outcomes_keep_event_and_time(case):
    """What was observed is kept beside the label that one horizon makes of it."""
    outcomes = {row["patient"]: (row["event"], row["time"], row["time_unit"]) for row in case.tables().outcomes}
    assert outcomes["A5"] == (0, 23.9, "mo")
    assert outcomes["A6"] == (1, 24.5, "mo")


def test_an_outcome_that_is_not_given_is_no_label(case):
    """Without event or time there is no label, and the reason says so."""
    case.rows[5] = "A6,2020-06-05,no,2020-06-03,7,female,,24.5,"
    assert case.tables().labels[5] == {
        "study": "s",
        "patient": "A6",
        "outcome": "recurrence",
        "label": None,
        "reason": "event or time is not given",
    }


CELL_FAULTS = {
    "a word for a number": ("A1", "12.5", "high", "'high' is no number"),
    "nan": ("A1", "12.5", "nan", "no finite number"),
    "infinite": ("A1", "12.5", "inf", "no finite number"),
    "out of range": ("A1", "12.5", "-3", "outside 0 to"),
    "unknown level": ("A1", "male", "m", "'m' is none of female, male"),
    "no date": ("A1", "2020-01-03", "03.01.2020", "is no date"),
    "impossible date": ("A2", "2020-02-05", "2020-02-30", "is no date"),
    "neither yes nor no": ("A1", "yes", "perhaps", "neither yes nor no"),
    "event neither yes nor no": ("A1", ",1,", ",2,", "neither yes nor no"),
    "time is no number": ("A1", ",10,", ",ten,", "'ten' is no number"),
    "time is nan": ("A1", ",10,", ",nan,", "no finite number"),
    "negative time": ("A1", ",10,", ",-10,", "before the start"),
    "unknown cohort": ("A1", "train", "validation", "neither 'train' nor 'test'"),
    "no pseudonym": ("A1", "A1", "Jane Doe", "'Jane Doe' is no pseudonym"),
    "empty pseudonym": ("A1", "A1", "", "'' is no pseudonym"),
    "twice": ("A2", "A2", "A1", "'A1' stands here a second time"),
}


@pytest.mark.parametrize(("patient", "old", "new", "message"), CELL_FAULTS.values(), ids=CELL_FAULTS.keys())
def test_a_faulty_cell_is_named_by_file_and_line(case, patient, old, new, message):
    """Each kind of bad cell is refused with the table's file, its line and what is wrong."""
    position = next(i for i, row in enumerate(case.rows) if row.startswith(patient))
    assert case.rows[position].count(old) == 1
    case.rows[position] = case.rows[position].replace(old, new)
    error = case.refused()
    assert error.where == f"{case.folder / 'patients.csv'}:{position + 2}"
    assert message in error.message
    assert error.exit_code == 4


def test_an_empty_pseudonym_is_refused_with_a_prefix_too(case):
    """A prefix makes no pseudonym out of an empty cell."""
    case.edit('table = "patients.csv"', 'table = "patients.csv"\nprefix = "S-"')
    case.rows[2] = case.rows[2].replace("A3", "")
    assert "is no pseudonym" in case.refused().message


def test_a_prefix_makes_the_stored_pseudonym_and_leaves_the_written_one(case):
    """The store knows the prefixed pseudonym, path patterns the written one, in every table alike."""
    case.edit('table = "patients.csv"', 'table = "patients.csv"\nprefix = "S-"')
    tables = case.tables()
    assert (tables.patients[0].patient, tables.patients[0].written) == ("S-A1", "A1")
    assert tables.clinical[0]["patient"] == tables.labels[0]["patient"] == "S-A1"
    assert set(tables.splits["fixed"]) == {"S-A1", "S-A2", "S-A3", "S-A4"}


COLUMN_FAULTS = {
    "exam date": ('exam_date = "mri"', 'exam_date = "scan"', "column 'scan' is not in patients.csv"),
    "reading": ('where = "reread"', 'where = "again"', "column 'again'"),
    "variable": ('column = "AFP (IU/mL)"', 'column = "AFP"', "column 'AFP'"),
    "reference date": ('exam_date = "mri"', 'reference_date = "op"', "column 'op'"),
    "clinical date": ('observed_at = "drawn"', 'observed_at = "taken"', "column 'taken'"),
    "event": ('event = "event"', 'event = "relapse"', "column 'relapse'"),
    "time": ('time = "months"', 'time = "days"', "column 'days'"),
    "split": ('column = "group"', 'column = "cohort"', "column 'cohort'"),
    "table": ('table = "patients.csv"', 'table = "people.csv"', "people.csv' is missing"),
}


@pytest.mark.parametrize(("old", "new", "message"), COLUMN_FAULTS.values(), ids=COLUMN_FAULTS.keys())
def test_a_column_or_table_that_is_not_there_is_named_by_the_line_that_asks_for_it(case, old, new, message):
    """A wrong name in the study file is refused on the line it is written on."""
    case.edit(old, new)
    error = case.refused()
    assert message in error.message
    line = next(number for number, text in enumerate(case.text.splitlines(), start=1) if new in text)
    assert error.where == f"{case.folder / 'study.toml'}:{line}"
    assert error.exit_code == 4


UNREADABLE = {
    "more cells than columns": (
        b"patient,group\nA1,train\nA2,train,extra\n",
        ":3",
        "the row has 3 cells, the header 2",
    ),
    "fewer cells than columns": (b"patient,group\nA1\nA2,test\nA3\n", ":2", "the row has 1 cell, the header 2 (1 more"),
    "row names without a name": (b"a,b\nA1,1,2\nA2,1,2\n", ":1", "every row has 3 cells and the header 2"),
    "not UTF-8": (
        b"patient,group\nA1,caf\xe9\n",
        ":2",
        "not UTF-8 text: byte 0xe9; encoding = ",
    ),
    "empty": (b"", "", "the file is empty"),
    "blank": (b"\n \n", "", "the file is empty"),
    "only a header": (b"patient,group\n", ":1", "the table has no rows, only a header"),
    "open quote": (b'patient,group\n"A1,train\nA2,test\n', ":2", "a cell's quote is not closed"),
    "NUL": (b"patient,group\nA1,tr\0in\n", ":2", "the file has NUL bytes"),
    "column twice": (b"patient,a,a\nA1,1,2\n", ":1", "column 'a' stands twice in the header"),
    "old Excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "", "'patients.csv' is an Excel workbook (.xls)"),
    "SPSS": (b"$FL2@(#) SPSS DATA FILE" + b"\0" * 600, "", "'patients.csv' is an SPSS file (.sav)"),
    "web page": (b"<html><table><tr><td>A1</td></tr></table></html>", "", "'patients.csv' is an HTML page"),
    "damaged gzip": (b"\x1f\x8b\x08\x00abc", "", "'patients.csv' is damaged or cut off"),
    "damaged Parquet": (b"PAR1abc", "", "'patients.csv' is damaged Parquet"),
}


@pytest.mark.parametrize(("content", "line", "message"), UNREADABLE.values(), ids=UNREADABLE.keys())
def test_a_file_that_is_no_table_is_named_for_what_it_is(case, content, line, message):
    """A broken table is the user's to correct (exit code 4): its line where it has one, and what it is."""
    (case.folder / "patients.csv").write_bytes(content)
    error = case.refused()
    assert error.exit_code == 4
    assert error.where == f"{case.folder / 'patients.csv'}{line}"
    assert error.message.startswith(message)
    assert error.hint


@pytest.mark.parametrize(
    ("member", "what"),
    [
        ("xl/workbook.bin", "an Excel workbook (.xlsb)"),
        ("word/document.xml", "a Word document (.docx)"),
        ("x.csv", "a zip archive"),
    ],
)
def test_a_workbook_is_named_with_what_to_save(case, member, what):
    """An Excel workbook under any name is named, and the next step is to save its table."""
    with zipfile.ZipFile(case.folder / "patients.csv", "w") as archive:
        archive.writestr(member, "")
    error = case.refused()
    assert error.message == f"'patients.csv' is {what}, not a table"
    assert "save its table as CSV" in error.hint


def test_a_table_without_rows_is_refused(case):
    """A cohort of nobody is refused."""
    case.rows = []
    assert "no rows" in case.refused().message


def test_a_blank_line_is_seen_and_counted(case):
    """A blank line among the patients is named, and does not shift the lines after it."""
    case.rows.insert(2, "")
    assert case.refused().where.endswith("patients.csv:4")


@pytest.mark.parametrize("line_break", ["\n", "\r\n"], ids=["unix", "windows"])
def test_a_quoted_line_break_does_not_shift_the_lines_of_faults(case, line_break):
    """A cell over several lines makes its own row longer, and the faults after it are still on their lines."""
    lines = [
        f"{HEADER},note",
        f'{ROWS[0]},"first line',
        "",
        'third, with a ""quote"""',
        f'{ROWS[1]},"one line"',
        f"{ROWS[2]},",
        f"{ROWS[3].replace(',3,', ',high,')},plain",
    ]
    (case.folder / "patients.csv").write_bytes(line_break.join([*lines, ""]).encode())
    error = case.refused()
    assert "'high' is no number" in error.message
    assert error.where == f"{case.folder / 'patients.csv'}:{len(lines)}"


@pytest.mark.parametrize("kind", ["tsv", "parquet"])
def test_other_kinds_of_table_say_the_same(case, kind):
    """A tab-separated and a Parquet table give what the CSV gives, numbers and dates typed or not."""
    expected = case.tables()
    frame = pl.read_csv(case.folder / "patients.csv", try_parse_dates=True)
    if kind == "tsv":
        frame.write_csv(case.folder / "patients.tsv", separator="\t")
    else:
        frame.write_parquet(case.folder / "patients.parquet")
    case.edit('table = "patients.csv"', f'table = "patients.{kind}"')
    assert case.tables() == expected


def with_own_table(case, rows):
    """Give a study a clinical table of its own."""
    case.edit("[clinical]\n", '[clinical]\ntable = "lab.csv"\n')
    (case.folder / "lab.csv").write_text("\n".join(["patient,drawn,AFP (IU/mL),sex", *rows]) + "\n")


def test_a_clinical_table_may_have_several_dates_of_a_patient(case):
    """Repeated draws are separate values, each with its date."""
    with_own_table(case, ["A1,2020-01-01,5,male", "A1,2020-01-09,6,male", "A2,2020-01-01,7,"])
    values = [(r["patient"], r["observed_at"], r["value"]) for r in case.tables().clinical if r["variable"] == "afp"]
    assert values == [("A1", "2020-01-01", 5.0), ("A1", "2020-01-09", 6.0), ("A2", "2020-01-01", 7.0)]


@pytest.mark.parametrize(
    ("row", "message"),
    [("A1,2020-01-01,9,male", "a second row for 'A1' of the same date"), ("B9,2020-01-01,5,male", "not in the cohort")],
    ids=["twice", "stranger"],
)
def test_a_clinical_row_must_be_of_one_known_patient_and_date(case, row, message):
    """Two rows of one patient and date, and a row of a stranger, are refused with their line."""
    with_own_table(case, ["A1,2020-01-01,5,male", row])
    error = case.refused()
    assert message in error.message
    assert error.where.endswith("lab.csv:3")


DRAWN = 'kind = "stratified"\nvalidation_fraction = 0.25\nseed = 3'
BY_COLUMN = 'kind = "column"\ncolumn = "group"\ntraining = "train"\nvalidation = "test"'


def test_a_drawn_split_keeps_the_classes_shares_and_its_draw(case):
    """A stratified split has the asked share of each class, and is the same every time for one seed."""
    case.rows = [f"N{i:02},,no,,5,male,{int(i < 16)},{6 if i < 16 else 30}," for i in range(40)]
    case.edit(BY_COLUMN, DRAWN)
    tables = case.tables()
    split = tables.splits["fixed"]
    labels = {row["patient"]: row["label"] for row in tables.labels}
    validation = [patient for patient, cohort in split.items() if cohort == "validation"]
    assert len(split) == 40
    assert (len(validation), sum(labels[p] for p in validation)) == (10, 4)
    assert case.tables().splits["fixed"] == split
    case.edit("seed = 3", "seed = 4")
    assert case.tables().splits["fixed"] != split


@pytest.mark.parametrize("rows", [ROWS[:1], ROWS[:2], [*ROWS[:2], ROWS[4]]], ids=["one", "one of each", "no label"])
def test_too_few_patients_to_draw_from_break_the_contract(case, rows):
    """A split by label of a handful of patients is refused at its place in the study file."""
    case.rows = rows
    case.edit(BY_COLUMN, DRAWN)
    error = case.refused()
    assert "too few" in error.message
    assert error.where.endswith(f"study.toml:{case.text.splitlines().index('[splits.fixed]') + 1}")


def test_a_split_without_an_outcome_is_refused(case):
    """Nobody has a label, so nobody can be split by it."""
    start = case.text.index("[outcome]")
    case.text = case.text[:start] + "[splits.fixed]\n" + DRAWN + "\n"
    assert "labelled patients: 0" in case.refused().message


def test_a_training_cohort_of_one_class_is_refused(case):
    """A split whose training cohort has one class cannot be trained on."""
    case.rows[1] = case.rows[1].replace("train", "test")
    error = case.refused()
    assert error.message.startswith("the training cohort has no labelled patient with label ")
    assert "fixed" in error.where


def test_a_binary_outcome_has_declared_values_only(case):
    """Another value than the two declared ones is refused; an empty cell is no label."""
    start, end = case.text.index("[outcome]"), case.text.index("[splits")
    outcome = '[outcome]\nkind = "binary"\nname = "r"\ncolumn = "event"\npositive = "1"\nnegative = "0"\n\n'
    case.text = case.text[:start] + outcome + case.text[end:]
    case.rows[4] = "A5,2020-05-05,no,2020-05-03,7,female,,23.9,"
    assert [row["label"] for row in case.tables().labels] == [1, 0, 1, 0, None, 1]
    (case.folder / "patients.csv").unlink()
    case.rows[4] = "A5,2020-05-05,no,2020-05-03,7,female,yes,23.9,"
    error = case.refused()
    assert "'yes' is neither '1' nor '0'" in error.message
    assert error.where.endswith("patients.csv:6")
