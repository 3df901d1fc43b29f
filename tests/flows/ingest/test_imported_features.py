"""Feature tables from elsewhere: read, refused, stored, superseded, read by models, and asked by SQL."""

import csv
import gzip
import io
import json
import lzma
import math
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from builders.command_line import printed
from builders.store import rows_of
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from flows.cli.main import exit_code
from flows.ingest.run import ingest
from schemas.errors import ContractError, NotFoundError
from schemas.study.bookkeeping import bookkeeping_reason
from store.analyst.query import answer
from store.history.snapshot import Snapshot
from store.history.studies import stored_study
from store.home import Store
from zoo.registry import model_spec
from zoo.tables.feature_columns import phase_columns, stored_feature_set
from zoo.tables.inputs import model_inputs
from zoo.tables.model_table import model_table

STUDY = """[study]
id = "{id}"
title = "t"

[cohort]
table = "patients.csv"
{cohort}

[imported.elsewhere]
table = "{table}"
{imported}

[outcome]
kind = "binary"
name = "o"
column = "o"

[splits.fixed]
kind = "column"
column = "cohort"

[models.radiomics_lr]
"""
PATIENTS = "patient,o,cohort\nP1,1,training\nP2,0,training\nP3,1,validation\nP4,0,validation\n"
TABLE = "patient,o,original_firstorder_Mean,x_y\nP1,1,1.5,10\nP2,0,2.5,20\nP3,1,-3,\nP4,0,0.1,40\n"


class ImportedStudy:
    """A study of one imported table."""

    def __init__(self, root, *, imported="", cohort="", study_id="s", table="features.csv"):
        self.folder, self.store_root = root / study_id, root / "store"
        self.folder.mkdir(parents=True)
        text = STUDY.format(id=study_id, imported=imported, cohort=cohort, table=table)
        (self.folder / "study.toml").write_text(text)
        (self.folder / "patients.csv").write_text(PATIENTS)
        self.table = self.folder / table
        self.table.write_text(TABLE)
        self.id = study_id

    def ingest(self, **options):
        """Ingest and return the report."""
        return ingest(self.folder / "study.toml", self.store_root, workers=1, **options)

    def sql(self, query, as_of=None):
        """Return the rows that answer a question."""
        return rows_of(Store(self.store_root), query, as_of)

    def columns(self, *phases):
        """Return what a model reads, by phase."""
        snapshot = Snapshot(Store(self.store_root))
        chosen = stored_feature_set(snapshot, stored_study(snapshot, self.id), "elsewhere")
        return phase_columns(snapshot, self.id, chosen, phases)

    def fault(self):
        """Return where and what an ingest is refused for; nothing may be written."""
        with pytest.raises(ContractError) as caught:
            self.ingest()
        assert not self.store_root.exists()
        return caught.value.where, caught.value.message


@pytest.fixture
def study(tmp_path):
    """Return a study with a small imported table."""
    return ImportedStudy(tmp_path)


def test_a_table_becomes_a_feature_set_with_view_dictionary_and_long_form(study):
    """Rows, names and empty cells are in the wide view, the dictionary and the long view; the outcome is not."""
    report = study.ingest()
    (imported,) = report.imported
    assert (imported.feature_set, imported.features, imported.phases) == ("elsewhere@1", 2, ("table",))
    assert (imported.added, imported.superseded, imported.removed, imported.unchanged) == (4, 0, 0, 0)
    rows = study.sql(
        "select patient, phase, lesion, reader, original_firstorder_Mean as m, x_y from elsewhere order by 1"
    )
    assert [(row["patient"], row["m"], row["x_y"]) for row in rows] == [
        ("P1", 1.5, 10.0),
        ("P2", 2.5, 20.0),
        ("P3", -3.0, None),
        ("P4", 0.1, 40.0),
    ]
    assert {(row["phase"], row["lesion"], row["reader"]) for row in rows} == {("table", "1", "table")}
    # Q4LE is the mean intensity of IBSI-1, doi:10.1148/radiol.2020191145.
    assert study.sql("select feature, family, ibsi_id, unit from features") == [
        {"feature": "original_firstorder_Mean", "family": "firstorder", "ibsi_id": "Q4LE", "unit": "{intensity}"},
        {"feature": "x_y", "family": None, "ibsi_id": None, "unit": ""},
    ]
    assert study.sql("select name, kind, features, extractions from feature_sets") == [
        {"name": "elsewhere", "kind": "imported", "features": 2, "extractions": 4}
    ]
    assert study.sql("select count(*) as n, count(value) as v from radiomics_long") == [{"n": 8, "v": 7}]
    assert (study.store_root / "analyst.duckdb").exists()


def test_coverage_counts_the_rows_of_an_imported_table(study, capsys):
    """Every patient has a row: four of four; one who leaves the table is missing, and no refresh is offered."""
    study.ingest()
    where = ("--store", str(study.store_root))
    assert exit_code(["features", "coverage", "--json", *where]) == 0
    (row,) = json.loads(capsys.readouterr().out)["rows"]
    assert (row["patients"], row["masks"], row["extractions"], row["missing"]) == (4, 4, 4, 0)
    study.table.write_text(TABLE.replace("P4,0,0.1,40\n", ""))
    study.ingest()
    assert exit_code(["features", "coverage", *where]) == 0
    text = capsys.readouterr().out
    assert text.splitlines()[2].split()[2:7] == ["4", "4", "3", "1", "0"]
    assert "radzoo refresh" not in text


def test_a_phase_that_a_long_table_lacks_is_a_failure_and_missing_as_in_a_wide_one(tmp_path):
    """Long or wide, each patient and phase without a row or value is a failure, and coverage counts it as missing."""
    long = ImportedStudy(tmp_path / "long", imported='phase = "sequence"')
    long.table.write_text("patient,sequence,a\nP1,T1,1\nP1,T2,2\nP2,T1,3\nP3,T1,4\nP3,T2,5\n")
    wide = ImportedStudy(tmp_path / "wide", imported='phases = { T1 = "T1_", T2 = "T2_" }')
    wide.table.write_text("patient,T1_a,T2_a\nP1,1,2\nP2,3,\nP3,4,5\n")
    for study in (long, wide):
        report = study.ingest()
        assert {(row["patient"], row["phase"]) for row in report.failures} == {("P2", "T2"), ("P4", "T1"), ("P4", "T2")}
        query = "select phase, patients, masks, extractions, missing, refused from coverage"
        expected = {"phase": "", "patients": 4, "masks": 8, "extractions": 5, "missing": 3, "refused": 0}
        assert study.sql(query) == [expected]
    assert "no row in features.csv of phase T2" in {row["reason"] for row in long.ingest().failures}


def test_an_unchanged_table_makes_no_commit(study):
    """The same table twice is one commit."""
    assert study.ingest().commit_id == 1
    report = study.ingest()
    assert (report.commit_id, report.imported[0].unchanged, report.imported[0].added) == (None, 4, 0)


def test_a_changed_cell_supersedes_its_row_alone_and_old_commits_still_answer(study):
    """One value changes: one row is new, three stay as they are, and the first commit has the old value."""
    study.ingest()
    before = {row["patient"]: row["extraction_id"] for row in study.sql("select patient, extraction_id from elsewhere")}
    study.table.write_text(TABLE.replace("2.5", "2.75"))
    report = study.ingest()
    imported = report.imported[0]
    assert (imported.feature_set, imported.superseded, imported.unchanged, imported.added) == ("elsewhere@1", 1, 3, 0)
    after = {row["patient"]: row["extraction_id"] for row in study.sql("select patient, extraction_id from elsewhere")}
    assert {patient for patient in after if after[patient] != before[patient]} == {"P2"}
    asked = "select original_firstorder_Mean as m from elsewhere where patient = 'P2'"
    assert study.sql(asked) == [{"m": 2.75}]
    assert study.sql(asked, as_of=1) == [{"m": 2.5}]
    assert study.columns()["table"]["table__original_firstorder_Mean"].to_list() == [1.5, 2.75, -3.0, 0.1]
    study.table.write_text(TABLE)
    assert study.ingest().imported[0].superseded == 1
    assert study.sql(asked) == [{"m": 2.5}]
    assert study.sql("select count(*) as n from elsewhere") == [{"n": 4}]


def test_a_new_column_is_a_new_version_and_the_old_one_stays(study):
    """The columns are the definition: the set gets version 2, which models read; version 1 can still be asked."""
    study.ingest()
    study.table.write_text(
        "\n".join(f"{line},{n}" if n else f"{line},z" for n, line in enumerate(TABLE.split())) + "\n"
    )
    assert study.ingest().imported[0].feature_set == "elsewhere@2"
    assert study.sql("select sum(z) as z from elsewhere") == [{"z": 10.0}]
    assert study.sql("select count(*) as n from elsewhere_v1") == [{"n": 4}]
    assert study.columns()["table"].columns[-1] == "table__z"
    study.table.write_text(TABLE)
    assert study.ingest().imported[0].feature_set == "elsewhere@1"
    assert study.columns()["table"].columns[-1] == "table__x_y"


def test_a_row_that_leaves_the_table_leaves_the_store_and_is_told(study):
    """A patient without a row is a failure with its reason; the row of before is removed."""
    study.ingest()
    study.table.write_text(TABLE.replace("P4,0,0.1,40\n", ""))
    report = study.ingest()
    assert report.imported[0].removed == 1
    assert [(row["patient"], row["reason"]) for row in report.failures] == [("P4", "no row in features.csv")]
    assert study.sql("select count(*) as n from elsewhere") == [{"n": 3}]


def test_a_row_without_any_value_is_a_failure(study):
    """A row of empty cells and markers of missing values is none: the patient is told, not filled in."""
    study.table.write_text(TABLE.replace("P2,0,2.5,20", "P2,0,NA, nan "))
    report = study.ingest()
    assert [(r["patient"], r["phase"], r["reason"]) for r in report.failures] == [
        ("P2", "table", "no cell of features.csv has a value")
    ]


def test_text_columns_are_left_out_and_named_unless_asked_for(tmp_path):
    """A column of nothing but text is no feature, and the report says so; asked for by name it is refused."""
    with_text = "patient,a,version\nP1,1,v1\nP2,2,v1\nP3,3,v1\nP4,4,v1\n"
    study = ImportedStudy(tmp_path)
    study.table.write_text(with_text)
    assert study.ingest().imported[0].left_out == ("version",)
    asked = ImportedStudy(tmp_path / "other", imported='columns = { include = ["a", "version"] }')
    asked.table.write_text(with_text)
    assert asked.fault() == (f"{asked.table}:2", "column 'version': 'v1' is no number (3 more such cells)")


@pytest.mark.parametrize(
    ("table", "imported", "where", "message"),
    [
        (TABLE.replace("20", "2O"), "", ":3", "column 'x_y': '2O' is no number"),
        (TABLE.replace("20", "inf"), "", ":3", "column 'x_y': 'inf' is no finite number"),
        (TABLE.replace("20", "1e999"), "", ":3", "column 'x_y': '1e999' is no number"),
        (TABLE.replace("20", "-"), "", ":3", "column 'x_y': '-' is no number"),
        (TABLE + "P3,1,1,1\n", "", ":6", "column 'patient': 'P3' stands here a second time"),
        (TABLE + "P9,1,1,1\n", "", ":6", "column 'patient': 'P9' is not in the cohort table"),
        (TABLE.replace("x_y", "patient "), "", ":1", "column 'patient' stands twice in the header"),
        (TABLE.replace("x_y", "X"), 'lesion = "X"', ":4", "column 'X': '' is no name of a lesion"),
        (TABLE.replace("x_y", "ORIGINAL_firstorder_Mean"), "", ":1", "column 'ORIGINAL_firstorder_Mean' and column "),
        (
            TABLE.replace("x_y", "Reader"),
            'columns = { include = ["*"], exclude = ["patient", "o"] }',
            ":1",
            "column 'Reader' is the name of a key in SQL",
        ),
        ("patient,o\nP1,1\n", "", "", "no column is a feature"),
        ("patient,a\nP1,1,2\n", "", ":1", "every row has 3 cells and the header 2"),
    ],
)
def test_a_faulty_table_is_refused_with_file_line_and_column(tmp_path, table, imported, where, message):
    """Cells that are no finite numbers, keys that stand twice and names that SQL cannot tell apart are refused."""
    study = ImportedStudy(tmp_path, imported=imported)
    study.table.write_text(table)
    found, said = study.fault()
    assert (found, said[: len(message)]) == (f"{study.table}{where}", message)


@pytest.mark.parametrize(
    ("imported", "message"),
    [
        ('patient = "id"', "column 'id' is not in features.csv; it has patient, o"),
        ('phase = "sequence"', "column 'sequence' is not in features.csv"),
        ('columns = { include = ["o"] }', "column 'o' is a key, the outcome or a split, and no feature"),
        ('columns = { exclude = ["logit_*"] }', "no column of features.csv fits 'logit_*'"),
        ('phases = { A = "A_" }', "no numeric column of features.csv starts with 'A_'"),
    ],
)
def test_a_slip_in_the_study_file_is_refused_where_it_stands(tmp_path, imported, message):
    """A column, pattern or prefix that fits nothing is named with the study file's line."""
    study = ImportedStudy(tmp_path, imported=imported)
    where, said = study.fault()
    assert said.startswith(message)
    assert where == f"{study.folder / 'study.toml'}:11"


def test_rows_by_phase_stand_side_by_side_for_models(tmp_path):
    """A table with a row per patient and phase is read as PHASE__feature; who lacks a phase is not in that one."""
    study = ImportedStudy(tmp_path, imported='phase = "sequence"')
    rows = [
        f"{patient},{phase},{patient[1]}{number}"
        for patient in ("P1", "P2", "P3", "P4")
        for number, phase in ((1, "T1"), (2, "T2"))
    ]
    study.table.write_text("\n".join(["patient,sequence,a", *rows[:-1]]) + "\n")
    assert study.ingest().imported[0].phases == ("T1", "T2")
    columns = study.columns()
    assert {phase: frame["patient"].len() for phase, frame in columns.items()} == {"T1": 4, "T2": 3}
    assert columns["T2"].rows() == [("P1", 12.0), ("P2", 22.0), ("P3", 32.0)]
    with pytest.raises(ContractError, match="has no phase 'DWI'; it has T1, T2"):
        study.columns("DWI")


def test_phases_in_prefixed_columns_become_rows(tmp_path):
    """Columns ``ADC_x`` and ``T2_x`` are feature x of two phases; a feature that one phase lacks is NULL there."""
    study = ImportedStudy(tmp_path, imported='phases = { ADC = "ADC_", T2 = "T2_" }')
    study.table.write_text("patient,ADC_a,ADC_b,T2_a,age\nP1,1,2,3,50\nP2,4,5,6,60\nP3,7,8,9,70\nP4,1,1,1,80\n")
    study.ingest()
    assert study.sql("select phase, a, b from elsewhere where patient = 'P1' order by phase") == [
        {"phase": "ADC", "a": 1.0, "b": 2.0},
        {"phase": "T2", "a": 3.0, "b": None},
    ]
    assert [row["feature"] for row in study.sql("select feature from features")] == ["a", "b"]


def test_several_lesions_are_stored_and_models_say_that_they_read_one(tmp_path):
    """Each lesion is a row that SQL shows; a model, which reads one row a patient and phase, refuses to choose."""
    study = ImportedStudy(tmp_path, imported='lesion = "tumour"')
    study.table.write_text("patient,tumour,a\nP1,L1,1\nP1,L2,2\nP2,L1,3\nP3,L1,4\nP4,L1,5\n")
    study.ingest()
    assert study.sql("select lesion, a from elsewhere where patient = 'P1' order by 1") == [
        {"lesion": "L1", "a": 1.0},
        {"lesion": "L2", "a": 2.0},
    ]
    with pytest.raises(ContractError, match="patient 'P1' has several lesions"):
        study.columns()


def test_two_studies_share_equal_rows_and_a_rival_table_is_refused(tmp_path):
    """A second study with the same rows adds none; one with other values under the same keys is told to part."""
    first = ImportedStudy(tmp_path)
    first.ingest()
    second = ImportedStudy(tmp_path, study_id="second")
    assert second.ingest().imported[0].added == 4
    assert second.sql("select count(*) as n from elsewhere") == [{"n": 4}]
    second.table.write_text(TABLE.replace("2.5", "9"))
    with pytest.raises(ContractError, match="study 's' has other values of 'elsewhere' for patient 'P2'"):
        second.ingest()
    assert second.sql("select max(original_firstorder_Mean) as m from elsewhere") == [{"m": 2.5}]


def test_a_correction_of_a_shared_file_reaches_both_studies(tmp_path):
    """Where two studies read one file, a corrected cell supersedes the row of both, and the report says so."""
    first = ImportedStudy(tmp_path)
    first.ingest()
    second = ImportedStudy(tmp_path, study_id="second", table="../s/features.csv")
    second.ingest()
    first.table.write_text(TABLE.replace("2.5", "9"))
    (imported,) = second.ingest().imported
    assert imported.corrected_in == ("s",)
    assert first.columns()["table"].equals(second.columns()["table"])
    assert second.columns()["table"]["table__original_firstorder_Mean"].to_list() == [1.5, 9.0, -3.0, 0.1]
    assert first.ingest().commit_id is None


def test_a_set_that_the_study_no_longer_names_is_no_longer_its_own(study):
    """Models of a study read only the tables that its file names now; what was stored can still be asked."""
    study.ingest()
    file = study.folder / "study.toml"
    file.write_text(file.read_text().replace("imported.elsewhere", "imported.other"))
    study.ingest()
    snapshot = Snapshot(Store(study.store_root))
    assert stored_feature_set(snapshot, stored_study(snapshot, "s"), "other") == "other@1"
    with pytest.raises(NotFoundError):
        stored_feature_set(snapshot, stored_study(snapshot, "s"), "elsewhere")
    assert study.sql("select count(*) as n from elsewhere") == [{"n": 4}]


@pytest.fixture(scope="module")
def ids_of_plain(tmp_path_factory):
    """Return the identities of the rows of the table as comma-separated text."""
    return ids_of(ImportedStudy(tmp_path_factory.mktemp("plain")))


def ids_of(study):
    """Ingest a study and return the identities of its rows."""
    study.ingest()
    return [row["id"] for row in study.sql("select extraction_id as id from catalogue.study_extractions order by 1")]


@pytest.mark.parametrize("suffix", [".tsv", ".csv.gz", ".gz", ".csv.xz", ".parquet"])
def test_every_form_of_a_table_gives_the_same_rows(tmp_path, ids_of_plain, suffix):
    """Tabs, gzip, xz and Parquet hold what the comma-separated text holds."""
    other = ImportedStudy(tmp_path, study_id="other", table=f"features{suffix}")
    frame = pl.read_csv(io.StringIO(TABLE))
    if suffix == ".parquet":
        frame.write_parquet(other.table)
    elif suffix == ".tsv":
        frame.write_csv(other.table, separator="\t")
    else:
        pack = lzma.compress if suffix.endswith("xz") else gzip.compress
        other.table.write_bytes(pack(TABLE.encode()))
    assert ids_of(other) == ids_of_plain
    assert len(ids_of_plain) == 4


def test_a_cohort_whose_patients_have_several_rows(tmp_path):
    """One long table is cohort and features at once; rows of one patient must agree on the outcome."""
    study = ImportedStudy(tmp_path, imported='phase = "sequence"', cohort="repeated = true", table="patients.csv")
    long = "patient,sequence,o,cohort,a\n" + "".join(
        f"P{n},{phase},{n % 2},{'training' if n < 3 else 'validation'},{n}\n"
        for n in range(1, 5)
        for phase in ("T1", "T2")
    )
    study.table.write_text(long)
    assert study.ingest().patients == 4
    assert study.columns()["T2"]["T2__a"].to_list() == [1.0, 2.0, 3.0, 4.0]
    study.table.write_text(long.replace("P3,T2,1", "P3,T2,0"))
    with pytest.raises(ContractError, match="column 'o': '0' here, '1' on line 6, patient 'P3' both times"):
        study.ingest()


# What is left: no capital twin, no key of the store, no name that stands twice, no blanks at the ends.
_names = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1, max_size=70
).filter(lambda name: name == name.strip())
_odd = [
    "a_y",
    "value",
    "feature",
    'q"uote',
    "per cent %",
    "a.b",
    "*",
    "select",
    "x" * 65,
    "$study",
    "a__b",
    "Größe",
    "a,b",
]
_taken = {
    "patient",
    "exam",
    "phase",
    "lesion",
    "reader",
    "reading",
    "extraction_id",
    "image_sha256",
    "mask_sha256",
    "o",
    "cohort",
}
_numbers = st.floats(allow_nan=False, allow_infinity=False)


# Few stores of many columns each: a name and a value are read back alike in either.
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    columns=st.lists(_names, min_size=8, max_size=24, unique_by=str.lower),
    values=st.lists(_numbers, min_size=96, max_size=96),
)
@example(columns=_odd[:7], values=[5e-324, -0.0, 0.1, 1.7976931348623157e308, math.pi, 1e-7] * 5)
@example(columns=_odd[7:], values=[2.0**-1074, 2.0**53 + 2, -1 / 3, 1e22, 9007199254740993.0, 0.0] * 4)
def test_names_and_values_come_back_as_they_were(tmp_path_factory, columns, values):
    """Any column name and any float is read back from view, long view and model columns, to the last bit."""
    columns = [name for name in columns if name.lower() not in _taken and bookkeeping_reason(name) is None]
    if not columns:
        return
    study = ImportedStudy(tmp_path_factory.mktemp("odd"))
    rows = [[float(value) for value in values[n::4][: len(columns)]] for n in range(4)]
    columns = columns[: min(map(len, rows))]
    rows = [row[: len(columns)] for row in rows]
    with study.table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["patient", *columns])
        writer.writerows([f"P{n}", *map(repr, row)] for n, row in enumerate(rows, start=1))
    study.ingest()
    assert [row["feature"] for row in study.sql("select feature from features")] == columns
    wide = study.sql("select * from elsewhere order by patient")
    assert list(wide[0])[8:] == columns
    bits = [np.array(row).tobytes() for row in rows]
    assert [np.array([row[name] for name in columns]).tobytes() for row in wide] == bits
    model = study.columns()["table"]
    assert model.columns == ["patient", *(f"table__{name}" for name in columns)]
    assert [np.array(row[1:]).tobytes() for row in model.rows()] == bits
    long = {(row["patient"], row["feature"]): row["value"] for row in study.sql("from radiomics_long")}
    assert [np.array([long[f"P{n}", name] for name in columns]).tobytes() for n in range(1, 5)] == bits


SMALL = "id,label,a,b_y,note\n" + "".join(f"p{n},{'yes' if n % 2 else 'no'},{n / 4},{n * n},x\n" for n in range(1, 41))


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Return a feature table in the working directory."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "Small table.csv"
    file.write_text(SMALL)
    return file


def test_a_table_alone_is_ingested_under_a_study_file_that_is_written_for_it(table, capsys):
    """``ingest --features`` writes ID/study.toml and ingests it; a second run finds nothing to do."""
    command = ("ingest", "--features", table, "--patient", "id", "--outcome", "label", "--positive", "yes")
    code, out, _ = printed(capsys, "--store", "store", *command)
    assert code == 0
    assert re.sub(r"[0-9]+ rows added", "N rows added", out) == (
        "wrote Small-table/study.toml\n"
        "Small-table: 40 patients (40 labelled, 20 events), 0 scans, 0 masks\n"
        "small-table@1: 2 features in table; rows: 40 added, 0 superseded, 0 removed, 0 unchanged\n"
        "small-table@1: left out as text: note\n"
        "warning: small-table@1: column 'b_y' holds whole numbers that rise or fall from row to row, as running "
        "numbers do; exclude it unless it is a feature\n"
        "commit 1: N rows added, 0 superseded, 0 removed\n"
        "next: radzoo --store store bench --study Small-table\n"
    )
    code, out, _ = printed(capsys, "--store", "store", *command)
    assert (code, out.splitlines()[-1]) == (0, "unchanged: no commit was needed")
    code, out, _ = printed(capsys, "--store", "store", "ingest", "Small-table/study.toml")
    assert (code, out.splitlines()[-1]) == (0, "unchanged: no commit was needed")
    code, out, _ = printed(
        capsys, "--store", "store", "sql", "select sum(b_y) as s from small_table", "--format", "csv"
    )
    assert (code, out.split()) == (0, ['"s"', "22140"])


def test_a_dry_run_of_a_table_takes_no_folder_away(table, capsys):
    """The study file that a plan needs is gone afterwards, a folder that was there before is not."""
    command = ("ingest", "--features", table, "--patient", "id", "--outcome", "label", "--positive", "yes", "--dry-run")
    for was_there in (False, True):
        assert printed(capsys, "--store", "store", *command)[0] == 0
        assert (table.parent / "Small-table").exists() is was_there
        (table.parent / "Small-table").mkdir(exist_ok=True)


def test_a_table_alone_can_be_trained_on(table, prefect_server, monkeypatch, capsys):
    """The study that is written for a table has a split and models, and a model of it can be trained and judged."""
    monkeypatch.setenv("PREFECT_API_URL", prefect_server)
    options = ("--patient", "id", "--outcome", "label", "--positive", "yes", "--models", "radiomics_lr", "--id", "t")
    assert printed(capsys, "--store", "store", "ingest", "--features", table, *options)[0] == 0
    code, out, err = printed(capsys, "--store", "store", "--json", "bench", "--study", "t")
    assert code == 0, err
    board = {row["cohort"]: row["n"] for row in json.loads(out)["leaderboard"]}
    assert board == {"training": 32, "validation": 8}


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--patient", "pid"), 4, "error: --patient: column 'pid' is not in Small table.csv; it has id, "),
        (("--outcome", "lable"), 4, "error: --outcome: column 'lable' is not in Small table.csv"),
        (("--positive", "1"), 4, "error: --positive: column 'label' has no '1'; it has 'yes', 'no'"),
        (("--outcome", "a", "--positive", "3"), 4, "error: --negative: column 'a' has '0.25', '0.5', '0.75'"),
        (("--models", "radiomics_rl"), 3, "error: the zoo has no model 'radiomics_rl'; nearest: radiomics_"),
        (("--drop", "logit"), 4, "error: small/study.toml"),
        (("--id", "a b"), 2, "error: --id: 'a b' is no study id"),
        (("study.toml",), 2, "error: give a study file, or a table with --features"),
    ],
)
def test_a_slip_on_the_command_line_writes_nothing(table, capsys, tmp_path, options, code, message):
    """A wrong column, level, model, pattern or id is told, and leaves neither a study file nor a store."""
    table = table.rename(tmp_path / "small.csv") if "--drop" in options else table
    given = {"--patient": "id", "--outcome": "label", "--positive": "yes"}
    given |= dict(zip(options[::2], options[1::2], strict=False))
    rest = options if len(options) == 1 else ()
    found, _, err = printed(
        capsys,
        "--store",
        "store",
        "ingest",
        *rest,
        "--features",
        table,
        *(each for pair in given.items() for each in pair),
    )
    assert found == code
    assert message.removeprefix("error: ").removeprefix("small/") in err
    assert sorted(each.name for each in tmp_path.iterdir()) == [table.name]


def test_one_level_may_stand_against_all_others_whatever_the_column_is_called(table, capsys):
    """The sentence about three levels offers '*'; a column whose name begins with a digit names an outcome too."""
    rows = [f"P{n},{n % 3},{n * 0.37 % 1}" for n in range(12)]
    table.with_name("u.csv").write_text("\n".join(["id,5y,f", *rows]))
    asked = ("--store", "store", "ingest", "--features", "u.csv", "--patient", "id", "--outcome", "5y")
    code, _, err = printed(capsys, *asked)
    assert code == 4
    assert "--negative '*' for all of them" in err
    assert printed(capsys, *asked, "--negative", "*")[0] == 0
    labels = Snapshot(Store(Path("store"))).rows("labels", outcome="outcome_5y")
    assert sorted((int(each["patient"][1:]) % 3 == 1, each["label"]) for each in labels) == (
        [(False, 0)] * 8 + [(True, 1)] * 4
    )


def test_a_cell_without_a_value_is_not_every_other_level(table, capsys):
    """NA and an empty cell mean no value among features, and so they do in an outcome whose other levels are all 0."""
    rows = [f"P{n},{('local', 'distant', 'NA', '')[n % 4]},{n * 0.37 % 1}" for n in range(24)]
    table.with_name("u.csv").write_text("\n".join(["id,site,f", *rows]))
    asked = ("--patient", "id", "--outcome", "site", "--positive", "local", "--negative", "*")
    assert printed(capsys, "--store", "store", "ingest", "--features", "u.csv", *asked)[0] == 0
    labels = Snapshot(Store(Path("store"))).rows("labels", outcome="site")
    assert sorted(each["label"] for each in labels if each["label"] is not None) == [0] * 6 + [1] * 6


def test_an_outcome_of_floating_point_numbers_has_the_levels_that_are_named(table, capsys):
    """Parquet's 1.0 and 0.0 are the levels 1 and 0, with --positive left out, and the ids 1.0 the patients 1."""
    frame = pl.DataFrame(
        {"id": [float(n) for n in range(20)], "y": [0.0, 1.0] * 10, "f": [n * 0.37 % 1 for n in range(20)]}
    )
    frame.write_parquet(table.with_name("p.parquet"))
    code, out, err = printed(
        capsys, "--store", "store", "ingest", "--features", "p.parquet", "--patient", "id", "--outcome", "y"
    )
    assert (code, "20 patients (20 labelled, 10 events)" in out) == (0, True), err
    _, out, _ = printed(capsys, "--store", "store", "sql", "select min(patient) p from patients", "--format", "csv")
    assert out.split() == ['"p"', '"0"']


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["yes"] * 3 + ["no"] * 2, "5 labelled patients, 3 with label 1 and 2 with label 0, are too few to be split"),
        (["yes"] + ["no"] * 20, "21 labelled patients, 1 with label 1 and 20 with label 0, are too few to be split"),
        (["yes"] * 8, "column 'y' has no value but 'yes': no patient has label 0"),
    ],
)
def test_a_table_of_too_few_patients_is_named_and_not_the_study_file_it_would_make(tmp_path, capsys, labels, words):
    """What cannot be split by label is said of the table; no study file is left that a hint could mean."""
    table = tmp_path / "few.csv"
    table.write_text("id,y,f\n" + "".join(f"P{n},{y},{n * 0.37 % 1}\n" for n, y in enumerate(labels)))
    code, _, err = printed(
        capsys,
        "--store",
        "store",
        "ingest",
        "--features",
        table,
        "--patient",
        "id",
        "--outcome",
        "y",
        "--positive",
        "yes",
    )
    assert (code, words in err, "study.toml" in err) == (4, True, False)
    assert sorted(each.name for each in tmp_path.iterdir()) == [table.name]


def test_phases_that_differ_in_capitals_only_are_refused(tmp_path):
    """Two spellings of a phase would be two images of which models read one each."""
    study = ImportedStudy(tmp_path, imported='phase = "sequence"')
    study.table.write_text("patient,sequence,a\nP1,T1,1\nP2,t1,2\nP3,T1,3\nP4,T1,4\n")
    with pytest.raises(ContractError, match="'t1' and 'T1' are probably one phase"):
        study.ingest()


def test_two_wrong_options_are_told_together(table, capsys):
    """Of two columns that are not there both are named."""
    code, _, err = printed(
        capsys, "--store", "store", "ingest", "--features", table, "--patient", "pid", "--outcome", "lable"
    )
    assert (code, "--patient: column 'pid'" in err, "nearest: label" in err) == (4, True, True)


def test_options_of_a_table_need_a_table(table, capsys):
    """``--outcome`` beside a study file has no meaning, and neither has an ingest of nothing."""
    assert printed(capsys, "--store", "store", "ingest", "study.toml", "--outcome", "x")[0] == 2
    assert printed(capsys, "--store", "store", "ingest")[0] == 2
    assert printed(capsys, "--store", "store", "ingest", "--features", table)[0] == 2


def test_another_study_file_is_not_overwritten(table, capsys, tmp_path):
    """A study file that says something else stays as it is."""
    command = ("ingest", "--features", table, "--patient", "id", "--outcome", "label", "--positive", "yes", "--id", "t")
    assert printed(capsys, "--store", "store", *command)[0] == 0
    file = tmp_path / "t" / "study.toml"
    file.write_text(file.read_text().replace("seed = 0", "seed = 1"))
    code, _, err = printed(capsys, "--store", "store", *command)
    assert (code, "there is another study file of this name" in err) == (2, True)
    assert "seed = 1" in file.read_text()


def test_a_published_table_of_three_images_is_read_whole(shared_data, tmp_path, monkeypatch, capsys):
    """Song2020's 264 columns are 88 of three phases of 260 patients, as its SOURCE.txt counts; two are no features."""
    monkeypatch.chdir(tmp_path)
    file = shared_data("radiomics_tables") / "Song2020.gz"
    code, out, _ = printed(
        capsys, "--store", "store", "--json", "ingest", "--features", file, "--patient", "ID", "--outcome", "Target",
        "--phases", "ADC", "DWI", "T2",
    )  # fmt: skip
    report = json.loads(out)
    assert (code, report["patients"], report["events"]) == (0, 260, 127)
    assert report["imported"][0]["features"] == 86
    assert set(report["imported"][0]["left_out"]) == {
        f"{phase}_general_info_{name}Num" for phase in ("ADC", "DWI", "T2") for name in ("Volume", "Voxel")
    }
    assert report["imported"][0]["added"] == 780
    rows = answer(Snapshot(Store(tmp_path / "store")), "select phase, patient, * from song2020").to_pylist()
    with gzip.open(file, "rt") as stream:
        written = {row["ID"]: row for row in csv.DictReader(stream)}
    for row in rows[::97]:
        name = f"{row['phase']}_original_firstorder_Entropy"
        assert row["original_firstorder_Entropy"] == float(written[row["patient"]][name])


def test_the_example_of_messy_clinical_data_is_read(shared_data, tmp_path):
    """The HCC Survival example reads its 165 patients and its 102 survivors, as the data's SOURCE.txt counts them."""
    lines = (shared_data("uci_hcc_survival") / "hcc-data.txt").read_text().splitlines()
    table = [f"patient,{lines[0]}", *(f"H{number:03d},{line}" for number, line in enumerate(lines[1:], start=1))]
    (tmp_path / "patients.csv").write_text("\n".join(table) + "\n")
    example = Path(__file__).parents[3] / "docs" / "examples" / "hcc-survival" / "study.toml"
    (tmp_path / "study.toml").write_text(example.read_text())
    report = ingest(tmp_path / "study.toml", tmp_path / "store", workers=1)
    assert (report.patients, report.labelled - report.events, report.failures) == (165, 102, ())
    snapshot = Snapshot(Store(tmp_path / "store"))
    study = stored_study(snapshot, None)
    table = model_table(snapshot, study, model_inputs(study, model_spec("cr")))
    assert table.excluded == {}
    assert table.frame.height == 165
    # hcc-description.txt: 12.12 % of the diameters are missing.
    assert table.frame["diameter"].null_count() == round(0.1212 * 165)
