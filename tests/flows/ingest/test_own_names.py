"""Names of users' columns and factors beside the program's own: read again under their names, or refused."""

import duckdb
import polars as pl
import pytest

from flows.ingest.run import ingest
from schemas.errors import ContractError
from store.analyst.publish import publish_snapshot
from store.analyst.query import answer
from store.history.snapshot import Snapshot
from store.home import Store

STUDY = """[study]
id = "s"
title = "t"

[cohort]
table = "patients.csv"

[imported.elsewhere]
table = "features.parquet"
columns = {include = ["*"], exclude = ["o"]}

[clinical.variables.label]
unit = "1"
column = "c"

[outcome]
kind = "binary"
name = "o"
column = "o"

[splits.fixed]
kind = "column"
column = "cohort"

[models.cr]
factors = [{variable = "label", name = "FACTOR"}]
"""
PATIENTS = "patient,o,cohort,c\nP1,1,training,1\nP2,0,training,2\nP3,1,validation,3\nP4,0,validation,4\n"

OWN = (
    "segment_file",
    "Segment_File_",
    "filename",
    "file_row_number",
    "file_index",
    "feature",
    "value",
    "is_primary",
    "feature_set",
    "added_commit",
    "segment_id",
    "cohort_",
    "s",
    "e",
    "select",
    'a"b',
    "it's",
    "a.b",
    "Volume\n(mm3)",
    "é",
    "e\u0301",
    "\u202eabc",
    "a\x1bb",
    "*",
    r"\0",
    "$study",
    "--",
    "x" * 65_000,
)
"""What our own queries, tables or SQL itself call something."""


def write_study(folder, columns, factor="f"):
    """Write a study with a table of these columns and return its file."""
    folder.mkdir()
    (folder / "study.toml").write_text(STUDY.replace("FACTOR", factor))
    (folder / "patients.csv").write_text(PATIENTS)
    values = {name: [at + 0.5, at + 1.5, at + 2.5, None] for at, name in enumerate(columns)}
    pl.DataFrame({"patient": ["P1", "P2", "P3", "P4"], "o": [1, 0, 1, 0]} | values).write_parquet(
        folder / "features.parquet"
    )
    return folder / "study.toml"


def test_a_column_may_have_any_name_that_our_queries_use(tmp_path):
    """Each comes back under its name with its values: wide, long, among the rows models read, and published."""
    store = tmp_path / "store"
    ingest(write_study(tmp_path / "s", OWN), store, workers=1)
    snapshot = Snapshot(Store(store))
    with duckdb.connect(str(publish_snapshot(snapshot)), read_only=True) as client:
        for ask in (lambda query: answer(snapshot, query), lambda query: client.sql(query).to_arrow_table()):
            rows = ask("from elsewhere_v1 where patient = 'P2'").to_pylist()
            assert {name: rows[0][name] for name in OWN} == {name: at + 1.5 for at, name in enumerate(OWN)}
            long = ask("select feature, value from radiomics_long where patient = 'P1'").to_pylist()
            assert {each["feature"]: each["value"] for each in long} == {name: at + 0.5 for at, name in enumerate(OWN)}
            assert ask("from elsewhere_primary").num_rows == len(rows) * 3


def test_a_store_that_has_a_column_of_our_own_name_already_is_read(tmp_path):
    """What an older release committed, and could not lay out itself, is in the views."""
    ingest(write_study(tmp_path / "s", ["segment_file", "segment_file_"]), tmp_path / "store", workers=1)
    question = "select segment_file, segment_file_ from elsewhere order by patient"
    assert answer(Snapshot(Store(tmp_path / "store")), question).to_pylist()[0] == {
        "segment_file": 0.5,
        "segment_file_": 1.5,
    }


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["Patient_", "EXTRACTION_ID"], "is the name of a key"),
        (["Image_SHA256"], "is the name of a key"),
        (["a", "A"], "are one name"),
        (["k", "\u212a"], "are one name"),
        (["a\0b"], "NUL"),
    ],
)
def test_a_column_that_sql_cannot_tell_from_another_is_refused(tmp_path, columns, message):
    """The table's line is named, and nothing is written."""
    with pytest.raises(ContractError, match=message) as refused:
        ingest(write_study(tmp_path / "s", columns), tmp_path / "store", workers=1)
    assert refused.value.where == f"{tmp_path / 's' / 'features.parquet'}:1"
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("factor", ["patient", "Label", "cohort"])
def test_a_factor_may_not_be_called_as_a_key_of_tables_for_models(tmp_path, factor):
    """It is refused with its line: a join would give it another name, or lose it."""
    with pytest.raises(ContractError, match=f"called '{factor}'") as refused:
        ingest(write_study(tmp_path / "s", ["x"], factor), tmp_path / "store", workers=1)
    assert ":26" in refused.value.where
