"""Columns of feature tables that are no features: left out by name, or warned of by what they hold."""

import numpy as np
import polars as pl
import pytest

from flows.cli.main import exit_code
from flows.ingest.run import ingest
from flows.study.imported.column_review import identifying_columns, numbering_columns
from schemas.study.bookkeeping import bookkeeping_reason

KNOWN = {
    "as an index of rows": "Unnamed: 0|Unnamed: 0.1|index|__index_level_0__|level_0|...1|row_id|RowNumber",
    "as PyRadiomics's record of its run": "diagnostics_Image-original_Mean|general_info_VoxelNum",
    "as an identifier": "patient_id|PatientID|Patient ID|subject.id|record_id|MRN|StudyInstanceUID|id|case",
    "as personal data": "zip|ZipCode|phone|phone_mobile|birth_year|YearOfBirth|DOB",
    "as the name of an image, a mask or a reader": "Image|Mask|mask_path|Reader|label_channel",
    "as a date or a time": "exam_date|StudyDate|timestamp",
    "as a split of the patients": "fold|cv_fold|split|is_train",
}


@pytest.mark.parametrize(("reason", "columns"), KNOWN.items())
def test_known_bookkeeping_is_told_by_its_name(reason, columns):
    """However a tool spells it, a column that is known to be no feature has its reason."""
    names = columns.split("|")
    assert {column: bookkeeping_reason(column) for column in names} == dict.fromkeys(names, reason)


@pytest.mark.parametrize(
    "column",
    ["original_firstorder_Mean", "wavelet-LLH_glcm_Idn", "age", "Volume", "tumor_number", "candidate", "image_mean",
     "VoxelNum", "update_rate", "T2_a", "original_shape_MeshVolume", "idn", "grade", "test"],
)  # fmt: skip
def test_features_are_not_taken_for_bookkeeping(column):
    """Names of features and of clinical variables have no reason to be left out."""
    assert bookkeeping_reason(column) is None


def test_a_phases_prefix_does_not_hide_bookkeeping():
    """Behind the prefix of a phase's columns the rest of the name counts."""
    assert bookkeeping_reason("ADC:Mask", ["ADC:"]) is not None


def numbering(values, labels):
    """Return why a column of 40 patients looks like numbers of rows, None where it does not."""
    (note, *_) = [*identifying_columns({"x": np.asarray(values, dtype=float)}, np.asarray(labels, dtype=float)), None]
    return note and note.reason


LABELS = [0] * 20 + [1] * 20


def test_numbers_of_rows_are_warned_of():
    """Counting, rising, counting within each class, hospital numbers and a copy of the outcome all have a reason."""
    rng = np.random.default_rng(0)
    assert numbering(rng.permutation(40), LABELS).startswith("counts: every whole number from 0 to 39")
    assert "rise or fall" in numbering(np.arange(40) * 7 + 3, LABELS)
    assert "within each class" in numbering([*range(20), *(15 + 2 * n for n in range(20))], LABELS)
    assert "of 7 digits" in numbering(rng.choice(8_000_000, 40, replace=False) + 1_000_000, LABELS)
    assert "from 100 to" in numbering([100, *(rng.choice(78, 39, replace=False) + 101)], LABELS)
    assert "AUC 1.000" in numbering(np.array(LABELS) * 5 + rng.uniform(size=40), LABELS)
    assert "AUC 1.000" in numbering(-np.array(LABELS) * 5 + rng.uniform(size=40), LABELS)


def test_features_are_not_warned_of():
    """Random features, counts that repeat, yes or no, a constant, and few or missing rows have no warning."""
    rng = np.random.default_rng(1)
    for values in (rng.normal(size=40), rng.poisson(3, 40), rng.integers(0, 2, 40), np.ones(40), [np.nan] * 40):
        assert numbering(values, LABELS) is None
    assert numbering([1, 2, 3, 4], [0, 0, 1, 1]) is None
    many = {f"x{number}": rng.normal(size=40) for number in range(1000)}
    assert identifying_columns(many, np.array(LABELS, dtype=float)) == []
    few = {f"x{number}": rng.normal(size=8) for number in range(1000)}
    assert identifying_columns(few, np.array([0, 0, 0, 0, 1, 1, 1, 1], dtype=float)) == []


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Return a feature table with the columns that programs and hospitals add."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(2)
    pl.DataFrame(
        {
            "": range(40),
            "Unnamed: 0": range(40),
            "ID": [f"P{number:02}" for number in range(40)],
            "label": LABELS,
            "f": rng.normal(size=40),
            "g": rng.normal(size=40),
            "diagnostics_Mask-original_VoxelNum": rng.integers(5, 99, 40),
            "patient_num": [*range(20), *(15 + 2 * number for number in range(20))],
            "zip": rng.integers(10_000, 99_999, 40),
        }
    ).write_csv("t.csv")
    return tmp_path / "t.csv"


def test_a_dry_run_lists_kept_left_out_and_doubtful_columns(table, capsys):
    """Every column is named: features, what is left out and why, and what is kept and looks like a number of rows."""
    command = ["--store", "s", "ingest", "--features", str(table), "--patient", "ID", "--outcome", "label"]
    assert exit_code([*command, "--dry-run"]) == 0
    assert capsys.readouterr().out.splitlines()[1:7] == [
        "t@1: 2 features in table; rows: 40 to be added, 0 superseded, 0 removed, 0 unchanged",
        "t@1: 2 columns are features: f, g",
        "t@1: left out as an index of rows: (column 1, without a name), Unnamed: 0",
        "t@1: left out as PyRadiomics's record of its run: diagnostics_Mask-original_VoxelNum",
        "t@1: left out as an identifier: patient_num",
        "t@1: left out as personal data: zip",
    ]
    assert exit_code(command) == 0
    assert "t@1: left out as personal data: zip" in capsys.readouterr().out


def test_include_takes_what_is_known_as_bookkeeping_with_a_warning(table):
    """A column that the study file includes by name is a feature, and the ingest says what it is known as."""
    assert exit_code(["--store", "s", "ingest", "--features", str(table), "--patient", "ID", "--outcome", "label"]) == 0
    file = table.parent / "t" / "study.toml"
    file.write_text(file.read_text().replace("[outcome]", 'columns = { include = ["f", "zip"] }\n[outcome]', 1))
    review = ingest(file, table.parent / "s", dry_run=True).columns["t"]
    assert review.kept == ("f", "zip")
    assert ("zip", "is included, and is known as personal data") in [(n.column, n.reason) for n in review.warned]
    assert "patient_num" in review.excluded


def test_dates_of_parquet_are_no_features(tmp_path, monkeypatch, capsys):
    """A column of days is left out as such, not as text."""
    monkeypatch.chdir(tmp_path)
    frame = pl.DataFrame(
        {"ID": [f"P{n}" for n in range(20)], "label": [0, 1] * 10, "f": [n * 0.37 % 1 for n in range(20)]}
    )
    frame.with_columns(mri=pl.lit("2020-01-01").str.to_datetime()).write_parquet("d.parquet")
    command = [
        "--store",
        "s",
        "ingest",
        "--features",
        "d.parquet",
        "--patient",
        "ID",
        "--outcome",
        "label",
        "--dry-run",
    ]
    assert exit_code(command) == 0
    assert "d@1: left out as a date or a time: mri" in capsys.readouterr().out


NUMBERED = {
    "as running numbers": np.random.default_rng(3).permutation(40) + 100,
    "as dates": np.random.default_rng(4).choice([20240131, 20231224, 19991201, 20240229], 40),
    "as times: whole numbers that read as seconds": 1_700_000_000 + np.random.default_rng(5).integers(0, 10**7, 40),
    "as times: whole numbers that read as milli": 1_700_000_000_000 + np.random.default_rng(6).integers(0, 10**9, 40),
    "as years": np.random.default_rng(7).integers(1930, 1999, 40),
    "as an identifier: whole numbers of 4 digits that rise": 1_000 + np.arange(40) * 31 + np.arange(40) % 3,
    "as an identifier: whole numbers of 8 digits": np.random.default_rng(8).choice(9 * 10**7, 40, replace=False)
    + 10**7,
}


@pytest.mark.parametrize(("reason", "values"), NUMBERED.items())
def test_what_a_column_holds_tells_that_it_is_no_feature(reason, values):
    """Running numbers, days, times, years and hospital numbers are known under any name but a feature's."""
    (note,) = numbering_columns({"x": values.astype(float)})
    assert note.reason.startswith(reason)
    assert numbering_columns({"original_shape_VoxelVolume": values.astype(float)}) == []
    assert numbering_columns({"x": np.where(np.arange(40) < 15, np.nan, values)}) == []
    assert numbering_columns({"x": values[:19].astype(float)}) == []


def test_counts_ages_and_volumes_in_whole_numbers_stay():
    """Whole numbers as measurements have them are no identifiers, sorted by size or not."""
    rng = np.random.default_rng(9)
    volumes = np.unique(np.round(np.exp(rng.normal(9, 1.2, 60)))).astype(float)
    kept = {
        "age": rng.integers(20, 90, 60),
        "lesions": rng.integers(1, 9, 60),
        "volume of sorted lesions": volumes,
        "platelets": rng.integers(40, 600, 60) * 1000,
        "mean HU": rng.integers(-200, 1200, 60),
        "Hounsfield units, all of one size": rng.integers(1000, 3000, 60),
        "grade": rng.integers(1, 4, 60),
        "constant": np.full(60, 2000),
        "score": rng.integers(0, 100, 60),
        "negative": -np.arange(60) * 7,
    }
    assert numbering_columns({name: np.asarray(values, dtype=float) for name, values in kept.items()}) == []


HEADINGS = {
    "as an identifier": "patientMRN|pat_mrn|medicalRecordNumber|socialSecurityNo|InsuranceNo|Versicherungsnummer|"
    "Fall-Nr.|PatNr|Patientennummer|accessionNo|seriesUID|numero_dossier|Numéro patient|NHC|"
    "住院号|病案号|患者编号|身份证号|診察券番号|환자번호",
    "as personal data": "patientZip|PLZ|Postleitzahl|code_postal|código postal|homePhone|Telefonnummer|birthYear|"
    "Geburtsjahr|"
    "année de naissance|fecha_nacimiento|geboortejaar|email|Nachname|prénom|姓名|出生日期|邮编|手机号|生年月日",
    "as a date or a time": "unix_time|StudyDate|time_stamp|Aufnahmedatum|入院日期",
    "as an index of rows": "row_number|rowNumber|lfd_nr|serial_number",
}


@pytest.mark.parametrize(("reason", "columns"), HEADINGS.items())
def test_headings_of_hospitals_are_known(reason, columns):
    """Capitals within a word, what stands before, accents and other languages change nothing."""
    names = columns.split("|")
    assert {column: bookkeeping_reason(column) for column in names} == dict.fromkeys(names, reason)


@pytest.mark.parametrize(
    "column",
    ["Geburtsgewicht", "birth_weight", "lesion_number", "number_of_tumors", "PatientWeight", "patient_age", "CAP",
     "telomere_length", "echo_time", "platelets", "phonation", "年龄", "体积", "Größe_ml", "line_length", "SUVmax"],
)  # fmt: skip
def test_measurements_with_like_names_are_features(column):
    """A word that also stands in an identifier's heading makes none."""
    assert bookkeeping_reason(column) is None
