"""Exports, read back by tools that know nothing of radzoo."""

import csv
import json
import math

import polars as pl
import pyarrow.parquet as pq
import pytest
from builders.store import key_of, put_segment, record_of

from schemas.errors import NotFoundError, UsageError
from store.analyst.export import export_snapshot
from store.analyst.query import answer
from store.commits.commit import commit_to
from store.files import file_sha256
from store.history.snapshot import Snapshot

# Doubles whose shortest text needs 17 digits, and the extremes of what a double holds.
AWKWARD = (0.1 + 0.2, 1 / 3, 5e-324, 1.7976931348623157e308, -math.pi * 1e-17, 123456789.12345679)


@pytest.fixture
def two_studies(filled):
    """Return a store in which a second study shares one mask with the first, and has one of its own."""
    shared = key_of("p1")
    keys = [key_of(f"q{number}") for number in range(len(AWKWARD))]
    records = [record_of(key, mean=value) for key, value in zip(keys, AWKWARD, strict=True)]
    with commit_to(filled, "ingest and refresh second") as commit:
        commit.put("studies", [{"study": "second", "title": "S", "definition": "{}"}])
        commit.put("patients", [{"patient": key.patient} for key in keys])
        commit.put("study_patients", [{"study": "second", "patient": key.patient} for key in (shared, *keys)])
        commit.put("exams", [{"patient": key.patient, "exam": key.exam} for key in keys])
        commit.put("study_masks", [{"study": "second", **key._asdict(), "is_primary": 1} for key in (shared, *keys)])
        put_segment(filled, commit, records)
        own = [record_of(shared).extraction_id, *(each.extraction_id for each in records)]
        commit.put(
            "study_extractions",
            [{"study": "second", "feature_set": "two-features@1", "extraction_id": each} for each in own],
        )
    return filled


def test_parquet_files_hold_what_sql_answers(shared_store, tmp_path):
    """Every file, read by pyarrow, has the rows, names and types of the view it is named by."""
    snapshot = Snapshot(shared_store)
    found = export_snapshot(snapshot, tmp_path / "all")
    assert {each.name for each in found.resources} >= {
        *("patients", "exams", "scans", "masks", "clinical", "labels", "splits", "predictions", "leaderboard"),
        *("comparisons", "features", "two_features_v1"),
    }
    for each in found.resources:
        table = pq.read_table(tmp_path / "all" / each.path)
        expected = answer(snapshot, f"from {each.name}")
        assert table.schema.names == expected.schema.names, each.name
        assert table.schema.types == expected.schema.types, each.name
        assert sorted(map(repr, table.to_pylist())) == sorted(map(repr, expected.to_pylist())), each.name
        assert each.rows == table.num_rows
    assert "wavelet-LLH_glcm_Idm" in pq.read_schema(tmp_path / "all" / "two_features_v1.parquet").names


def test_csv_keeps_every_digit(two_studies, tmp_path):
    """Floats read back from CSV, by Python's own reader and by polars, are the same doubles."""
    export_snapshot(Snapshot(two_studies), tmp_path / "csv", format="csv")
    file = tmp_path / "csv" / "two_features_v1.csv"
    with file.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["original_firstorder_Mean"]) for row in rows if row["patient"].startswith("q")] == list(AWKWARD)
    assert json.loads(rows[0]["grey_levels"]) == {"original": 60, "wavelet-LLH": 41}
    frame = pl.read_csv(file).filter(pl.col("patient").str.starts_with("q"))
    # polars' own reader of numbers may be one unit in the last place off at the ends of the range.
    assert frame["original_firstorder_Mean"].to_list() == pytest.approx(AWKWARD, rel=1e-15, abs=5e-324)


def test_csv_tells_a_missing_value_from_an_empty_text(filled, tmp_path):
    """A failure at ingest concerns no feature set, an empty text; its mask has no reason, no value."""
    with commit_to(filled, "a failure") as commit:
        key = {"patient": "p1", "exam": "baseline", "phase": "AP", "lesion": "1", "reader": "R1", "reading": 1}
        commit.put("failures", [{"stage": "ingest", "study": "er", "feature_set": "", "feature": ""} | key])
    export_snapshot(Snapshot(filled), tmp_path / "csv", format="csv")
    lines = (tmp_path / "csv" / "failures.csv").read_text().splitlines()
    assert '"ingest","er","p1","baseline","AP","1","R1",1,"","",,4,,' in lines


def test_a_studys_export_is_that_study_alone(two_studies, tmp_path):
    """No other study's patients, masks or results are in it; what both use is."""
    export_snapshot(Snapshot(two_studies), tmp_path / "second", study="second")

    def column(name, of="patient"):
        return set(pq.read_table(tmp_path / "second" / f"{name}.parquet")[of].to_pylist())

    own = {"p1", *(f"q{number}" for number in range(len(AWKWARD)))}
    assert column("patients") == column("two_features_v1") == column("masks") == own
    assert column("two_features_v1", "phase") == {"AP"}
    assert column("studies", "study") == {"second"}
    assert column("exams") == own
    assert column("predictions") == column("leaderboard", "study") == set()
    assert column("features", "feature_set") == {"two-features@1"}


def test_an_export_of_then_is_what_was_true_then(two_studies, tmp_path):
    """Rows of later commits are not in an export as of an earlier one."""
    found = export_snapshot(Snapshot(two_studies, 2), tmp_path / "then")
    assert found.commit_id == 2
    assert pq.read_table(tmp_path / "then" / "studies.parquet")["study"].to_pylist() == ["er"]
    assert pq.read_table(tmp_path / "then" / "leaderboard.parquet").num_rows == 0
    assert pq.read_table(tmp_path / "then" / "two_features_v1.parquet").num_rows == 6
    assert json.loads((tmp_path / "then" / "datapackage.json").read_text())["version"] == "2"


@pytest.mark.parametrize("format_", ["parquet", "csv"])
def test_the_package_describes_every_file_and_column(shared_store, tmp_path, format_):
    """datapackage.json has each file's hash and rows, and type, unit and description of its columns."""
    export_snapshot(Snapshot(shared_store), tmp_path / "out", format=format_)
    package = json.loads((tmp_path / "out" / "datapackage.json").read_text())
    files = {each["path"]: each for each in package["resources"]}
    assert {file.name for file in (tmp_path / "out").iterdir()} == {*files, "datapackage.json", "README.md"}
    for path, each in files.items():
        assert each["hash"] == f"sha256:{file_sha256(tmp_path / 'out' / path)}"
        assert each["bytes"] == (tmp_path / "out" / path).stat().st_size
    wide = {field["name"]: field for field in files[f"two_features_v1.{format_}"]["schema"]["fields"]}
    mean = wide["original_firstorder_Mean"]
    assert (mean["type"], mean["unit"]) == ("number", "1")
    assert mean["description"] == "IBSI Q4LE: what original_firstorder_Mean measures"
    assert wide["grey_levels"]["type"] == "object"
    assert wide["patient"] == {"name": "patient", "type": "string", "description": "pseudonym"}
    masks = {field["name"]: field for field in files[f"masks.{format_}"]["schema"]["fields"]}
    assert (masks["volume_mm3"]["unit"], masks["volume_mm3"]["type"]) == ("mm3", "number")
    assert (masks["reading"]["type"], masks["source"]["description"]) == (
        "integer",
        "file the mask was read from; after 'resampled:' where it is brought to the image's grid; of DICOM and of "
        "several lesions as JSON; NULL where [privacy] keeps paths out",
    )
    # Frictionless: a resource's name has lower case, digits and . _ - only.
    assert all(set(each["name"]) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-") for each in package["resources"])
    text = (tmp_path / "out" / "README.md").read_text()
    assert "commit 3" in text
    assert "Research data, not for clinical use" in text
    assert all(f"| {path} | {each['rows']} |" in text for path, each in files.items())


def test_equal_snapshots_give_equal_files(shared_store, tmp_path):
    """Two exports of one commit are the same, byte for byte."""
    for name in ("one", "two"):
        export_snapshot(Snapshot(shared_store), tmp_path / name, study="er")
    names = sorted(file.name for file in (tmp_path / "one").iterdir())
    assert [(tmp_path / "one" / name).read_bytes() for name in names] == [
        (tmp_path / "two" / name).read_bytes() for name in names
    ]


def test_an_export_goes_to_a_new_or_empty_folder_only(shared_store, tmp_path):
    """What lies in a folder is never mixed with an export; an empty folder is taken."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="something here"):
        export_snapshot(Snapshot(shared_store), tmp_path / "full")
    (tmp_path / "empty").mkdir()
    export_snapshot(Snapshot(shared_store), tmp_path / "empty")
    assert (tmp_path / "empty" / "datapackage.json").exists()


def test_an_unknown_study_leaves_nothing(shared_store, tmp_path):
    """An export that cannot be made makes no folder."""
    with pytest.raises(NotFoundError, match="there is no study 'nobody'"):
        export_snapshot(Snapshot(shared_store), tmp_path / "out", study="nobody")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_store_exports_empty_tables(store, tmp_path):
    """The files have their columns and no rows."""
    found = export_snapshot(Snapshot(store), tmp_path / "out", format="csv")
    assert found.commit_id == 0
    assert all(each.rows == 0 and each.fields for each in found.resources)
