"""Segments: values bit for bit, names by content, and files that are whole or not there."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
import tempfile
from dataclasses import replace
from itertools import accumulate
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders.store import COLUMNS, key_of, record_of
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import AWKWARD_COLUMNS, AWKWARD_FLOATS, bits, extraction_records

from schemas.keys import MaskKey
from store.files import DataFolder, file_sha256
from store.rows.segments import KEY_COLUMNS, ROWS_PER_GROUP, _numbers_together, store_segment, write_segment

records = st.lists(extraction_records(), min_size=1, max_size=3, unique_by=lambda record: record.key)


@settings(max_examples=25, deadline=None)
@given(records)
def test_values_read_back_bit_for_bit(records):
    """Every key and value is in the file, sorted by key, under any column name, for Arrow and for DuckDB."""
    with tempfile.TemporaryDirectory() as name:
        segment = write_segment(DataFolder(Path(name)), "awkward@1", AWKWARD_COLUMNS, records)
        file = Path(name) / segment.path
        table = pq.read_table(file)
        with duckdb.connect() as connection:
            by_duckdb = connection.sql("from read_parquet($file)", params={"file": str(file)}).fetchall()
    ordered = sorted(records, key=lambda record: record.key)
    assert table.column_names[: len(KEY_COLUMNS)] == list(KEY_COLUMNS)
    assert table.column_names[-len(AWKWARD_COLUMNS) :] == list(AWKWARD_COLUMNS)
    assert [MaskKey.of(row) for row in table.to_pylist()] == [record.key for record in ordered]
    assert table["extraction_id"].to_pylist() == [record.extraction_id for record in ordered]
    assert table["grey_levels"].to_pylist() == [record.details["grey_levels"] for record in ordered]
    expected = [[bits(record.values[column]) for column in AWKWARD_COLUMNS] for record in ordered]
    assert [[bits(row[column]) for column in AWKWARD_COLUMNS] for row in table.to_pylist()] == expected
    assert [[bits(value) for value in row[-len(AWKWARD_COLUMNS) :]] for row in by_duckdb] == expected


WITHOUT_PANDAS = """
import sys
from pathlib import Path
from builders.store import COLUMNS, key_of, record_of
from store.files import DataFolder
from store.rows.segments import write_segment
write_segment(DataFolder(Path(sys.argv[1])), "a@1", COLUMNS, [record_of(key_of("p1"))])
assert "pandas" not in sys.modules
"""


def test_writing_loads_no_pandas(tmp_path):
    """It takes longer to load than a segment to write; `pyarrow.array` loads it to look at a list."""
    path = os.pathsep.join(("tests", *filter(None, [os.environ.get("PYTHONPATH")])))
    command = [sys.executable, "-c", WITHOUT_PANDAS, str(tmp_path)]
    subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": path}, cwd=Path(__file__).parents[3])


def test_details_are_what_arrow_makes_of_them(tmp_path):
    """Names in the order in which they are met, whole numbers apart from others, NULL where a record lacks one."""
    groups = [{}, {"original": 3, "LLH": 4}, {"LLH": 7, "HHH": 1}, {"original": 2}]
    details = [{"levels": each, "share": {name: n / 4 for name, n in each.items()}} for each in groups]
    keyed = [replace(record_of(key_of(f"p{at}")), details=each) for at, each in enumerate(details)]
    table = pq.read_table(tmp_path / write_segment(DataFolder(tmp_path), "a@1", COLUMNS, keyed[1:]).path)
    for name in ("levels", "share"):
        expected = pa.array([each[name] for each in details[1:]])
        assert table[name].type == expected.type
        assert table[name].to_pylist() == expected.to_pylist()
    assert _numbers_together([{}, {}]).to_pylist() == [{}, {}]


@settings(max_examples=12, deadline=None)
@given(records, st.randoms())
def test_the_same_records_are_the_same_segment(records, random):
    """The name is a hash of the content: neither the order of records nor another folder changes it."""
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        segment = write_segment(DataFolder(Path(first)), "awkward@1", AWKWARD_COLUMNS, records)
        random.shuffle(records)
        assert write_segment(DataFolder(Path(second)), "awkward@1", AWKWARD_COLUMNS, records) == segment
        assert write_segment(DataFolder(Path(first)), "awkward@1", AWKWARD_COLUMNS, records) == segment
        assert [each.name for each in Path(first).rglob("*.*")] == [f"{segment.segment_id}.parquet"]


@settings(max_examples=25, deadline=None)
@given(extraction_records(), st.data())
def test_another_value_is_another_segment(record, data):
    """A change of one value, be it the sign of zero, gives another name."""
    column = data.draw(st.sampled_from(AWKWARD_COLUMNS))
    other = data.draw(st.sampled_from([*AWKWARD_FLOATS, None]).filter(lambda v: bits(v) != bits(record.values[column])))
    changed = type(record)(**{**vars(record), "values": {**record.values, column: other}})
    with tempfile.TemporaryDirectory() as name:
        ids = {
            write_segment(DataFolder(Path(name)), "a@1", AWKWARD_COLUMNS, [each]).segment_id
            for each in (record, changed)
        }
    assert len(ids) == 2


def test_a_segment_tells_about_its_file(tmp_path, shared_store):
    """Hash, rows, bytes and path are those of the file, which lies in the folder of its feature set."""
    keys = [MaskKey(patient, "e", "AP", "1", "R1", 1) for patient in ("b", "a")]
    columns = ("original_firstorder_Mean", "wavelet-LLH_glcm_Idm")
    segment = write_segment(DataFolder(tmp_path), "two-features@3", columns, [record_of(key) for key in keys])
    file = tmp_path / segment.path
    content = file.read_bytes()
    assert segment.sha256 == file_sha256(file) == hashlib.sha256(content).hexdigest()
    assert segment.segment_id == segment.sha256[:20]
    assert (segment.rows, segment.bytes) == (2, len(content))
    assert segment.path == f"two_features_v3/{segment.segment_id}.parquet"
    assert pq.read_schema(file).field(columns[0]).type == pa.float64()


def test_a_column_of_none_is_a_column_of_numbers(tmp_path):
    """A feature that no extraction could compute keeps its type, so that segments can be read side by side."""
    record = record_of(MaskKey("a", "e", "AP", "1", "R1", 1), mean=None)
    segment = write_segment(DataFolder(tmp_path), "a@1", tuple(record.values), [record])
    assert pq.read_schema(tmp_path / segment.path).field("original_firstorder_Mean").type == pa.float64()


def test_a_record_without_all_columns_is_refused(tmp_path):
    """A record that lacks a column of its set makes no segment."""
    record = record_of(MaskKey("a", "e", "AP", "1", "R1", 1))
    with pytest.raises(KeyError, match="missing"):
        write_segment(DataFolder(tmp_path), "a@1", (*record.values, "missing"), [record])
    assert list(tmp_path.rglob("*.parquet")) == []


def test_a_killed_writer_leaves_no_segment(tmp_path, monkeypatch):
    """A process that ends while it writes leaves no file under a segment's name."""
    record = record_of(MaskKey("a", "e", "AP", "1", "R1", 1))

    def killed(_descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        write_segment(DataFolder(tmp_path), "a@1", tuple(record.values), [record])
    assert [file.suffix for file in tmp_path.rglob("*.*")] == [".partial"]
    monkeypatch.undo()
    segment = write_segment(DataFolder(tmp_path), "a@1", tuple(record.values), [record])
    assert list(DataFolder(tmp_path).paths()) == [segment.path]
    assert stat.S_ISREG((tmp_path / segment.path).stat().st_mode)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 3 * ROWS_PER_GROUP), min_size=1, max_size=6))
def test_row_groups_end_where_readers_part(tmp_path_factory, read_together):
    """All rows are there in order, and who wants many rows reads few others."""
    folder = DataFolder(tmp_path_factory.mktemp("segments"))
    rows = pa.table({"extraction_id": pa.array(range(sum(read_together))).cast(pa.string())})
    segment = store_segment(folder, "f@1", rows, read_together=read_together)
    file = pq.ParquetFile(folder.local(segment.path))
    assert file.read() == rows
    sizes = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
    assert max(sizes) <= 1.5 * ROWS_PER_GROUP
    begins, ends = list(accumulate([0, *sizes])), list(accumulate(sizes))
    for start, own in zip(accumulate([0, *read_together]), read_together, strict=False):
        read = sum(size for size, b, e in zip(sizes, begins, ends, strict=False) if b < start + own and e > start)
        assert own < 256 or read < own + 256
