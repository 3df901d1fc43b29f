"""Awkward names and values on their whole way: record, segment, view, answer."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from builders.store import key_of, put_features, put_segment
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import AWKWARD_COLUMNS, AWKWARD_FLOATS, bits, finite_floats

from schemas.errors import ContractError
from schemas.keys import MaskKey
from store.analyst.publish import publish_snapshot
from store.analyst.query import answer, snapshot_connection
from store.analyst.view_parts import quoted_name
from store.commits.commit import commit_to
from store.compaction.compact import compact_feature_set
from store.erasure.erase import erase_patient
from store.files import DataFolder
from store.history.runs import record_run
from store.history.snapshot import Snapshot
from store.home import Store
from store.rows.segments import EMBEDDING_COLUMNS, KEY_COLUMNS, EmbeddingRecord, write_embeddings
from store.rows.staging import ExtractionRecord

KEY = key_of("p1")
HASH = "5" * 64
RESERVED = {*KEY_COLUMNS, "grey_levels", "zero_fraction"}

ends = st.sampled_from(["", "_y", "_x", "_1", ":1", '"', "'", " "])
column_names = st.builds(
    lambda stem, end: stem + end,
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=63)
    | st.integers(1, 63).map("f".__mul__)
    | st.sampled_from(AWKWARD_COLUMNS),
    ends,
).filter(lambda name: name.lower() not in RESERVED)
# SQL does not tell upper from lower case in names.
name_lists = st.lists(column_names, min_size=1, max_size=6, unique_by=str.casefold)


def record_of(key: MaskKey, values: dict[str, float | None]) -> ExtractionRecord:
    """Return a finished extraction of the one mask of a store."""
    details = {"grey_levels": {"original": 60}, "zero_fraction": {"original": 0.0}}
    return ExtractionRecord("e" * 64, key, "1" * 64, "2" * 64, values, details=details)


def stored(store: Store, values: dict[str, float | None]) -> None:
    """Commit one row of a feature set with these columns."""
    with commit_to(store, "awkward") as commit:
        put_features(commit, "awkward@1", tuple(values))
        put_segment(store, commit, [record_of(KEY, values)], "awkward@1", tuple(values))


@settings(max_examples=15, deadline=None)
@given(name_lists, st.data())
def test_any_name_and_value_comes_back(names, data):
    """Whatever a column is called, the view has it under that name and the answer has its value to the last bit."""
    values = {name: data.draw(st.none() | finite_floats) for name in names}
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store", create=True)
        stored(store, values)
        table = answer(Snapshot(store), "from awkward")
        assert table.column_names[-len(names) :] == names
        (row,) = table.to_pylist()
        assert {name: bits(row[name]) for name in names} == {name: bits(value) for name, value in values.items()}
        named = ", ".join(f"{quoted_name(name)} as c{at}" for at, name in enumerate(names))
        (asked,) = answer(Snapshot(store), f"select {named} from awkward_v1").to_pylist()
        assert [bits(value) for value in asked.values()] == [bits(value) for value in values.values()]
        long = answer(Snapshot(store), "select feature, value from radiomics_long").to_pylist()
        assert {each["feature"]: bits(each["value"]) for each in long} == {n: bits(v) for n, v in values.items()}
        store.engine.dispose()


@pytest.mark.parametrize("columns", [3111, 9000])
def test_thousands_of_columns_come_back(store, columns):
    """A set of three phases' features, and one of three times as many, is one wide row, bit for bit."""
    draw = np.random.default_rng(columns)
    numbers = draw.choice([*AWKWARD_FLOATS, *draw.standard_normal(50)], columns)
    values = {f"wavelet-LLH_glcm_Feature{at}_y": float(number) for at, number in enumerate(numbers)}
    stored(store, values)
    table = answer(Snapshot(store), "from awkward")
    assert table.column_names[-columns:] == list(values)
    assert b"".join(bits(table[name][0].as_py()) for name in values) == numbers.tobytes()


embeddings = hnp.arrays(np.float32, 2048, elements=st.floats(width=32, allow_nan=False), fill=st.just(np.float32(0.1)))


def embedding_of(number: int, numbers, **seen) -> EmbeddingRecord:
    """Return an embedding of one of the masks of a store."""
    key = KEY._replace(phase=f"T{number}")
    return EmbeddingRecord(f"{number:064}", key, f"{number:064}", HASH, numbers, "resnet18", HASH, **seen)


def put_embeddings(store: Store, feature_set: str, size: int, records) -> None:
    """Commit rows of an embedding set, with their masks."""
    name, _, version = feature_set.partition("@")
    own = {"feature_set": feature_set}
    with commit_to(store, "embed") as commit:
        commit.put("feature_sets", [own | {"name": name, "version": int(version), "kind": "embedding", "features": 1}])
        commit.put("features", [own | {"position": 0, "feature": "embedding"}])
        segment = write_embeddings(store.segments, feature_set, size, records)
        commit.put("segments", [vars(segment)])
        sums = [{"image_sha256": each.image_sha256, "mask_sha256": each.mask_sha256} for each in records]
        own |= {"segment_id": segment.segment_id}
        rows = [own | {"extraction_id": r.extraction_id} | hashes for r, hashes in zip(records, sums, strict=True)]
        commit.put("extractions", rows)
        commit.put("masks", [r.key._asdict() | hashes for r, hashes in zip(records, sums, strict=True)])


@settings(max_examples=10, deadline=None)
@given(st.lists(embeddings, min_size=1, max_size=3), st.booleans())
def test_embeddings_come_back_bit_for_bit(arrays, in_training):
    """2048 32-bit floats of each row are one column, equal to the last bit, with keys and what the network had seen."""
    seen = {"split_sha256": HASH, "fold": 3, "in_training": in_training}
    records = [embedding_of(number, array, **seen) for number, array in enumerate(arrays)]
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store", create=True)
        put_embeddings(store, "resnet@1", 2048, records)
        (path,) = store.segments.paths()
        assert pq.read_schema(store.segments.local(path)).field("embedding").type == pa.list_(pa.float32(), 2048)
        table = answer(Snapshot(store), "from embeddings order by phase")
        for row, record in zip(table.to_pylist(), records, strict=True):
            assert MaskKey.of(row) == record.key
            assert {name: row[name] for name in EMBEDDING_COLUMNS} == {
                name: getattr(record, name) for name in EMBEDDING_COLUMNS
            }
            assert (row["feature_set"], row["extraction_id"]) == ("resnet@1", record.extraction_id)
            assert np.asarray(row["embedding"], np.float32).tobytes() == record.embedding.tobytes()
        assert table.schema.field("embedding").type == pa.list_(pa.float32())
        store.engine.dispose()


def test_embeddings_of_different_sizes_are_one_view(filled):
    """Sets of any size stand below one another, published too; radiomics has nothing of them."""
    put_embeddings(filled, "small@1", 3, [embedding_of(1, [0.5, -0.0, 3e38])])
    put_embeddings(filled, "large@1", 4, [embedding_of(2, [1.0, 2.0, 3.0, 4.0], fold=0, in_training=False)])
    query = "select feature_set, phase, fold, in_training, embedding from embeddings order by all"
    rows = answer(Snapshot(filled), query).to_pylist()
    assert [list(row.values())[:4] for row in rows] == [["large@1", "T2", 0, False], ["small@1", "T1", None, None]]
    assert [len(row["embedding"]) for row in rows] == [4, 3]
    with snapshot_connection(Snapshot(filled)) as own:
        assert own.sql("select count(*) from radiomics_long where feature_set <> 'two-features@1'").fetchall() == [(0,)]
    with duckdb.connect(str(publish_snapshot(Snapshot(filled))), read_only=True) as client:
        assert client.sql(query).to_arrow_table().to_pylist() == rows
        comment = client.sql(
            "select comment from duckdb_columns() where table_name = 'embeddings' and column_name = 'in_training'"
        )
        assert comment.fetchall() == [("whether it was trained on this patient: then the embedding carries the label",)]


def test_embeddings_outlive_compaction_and_erasure(store):
    """Merged into one file, and without an erased patient, embeddings are what they were."""
    numbers = np.random.default_rng(4).standard_normal((2, 2048)).astype(np.float32)
    for number, row in enumerate(numbers):
        put_embeddings(store, "resnet@1", 2048, [embedding_of(number, row, fold=number)])
    other = embedding_of(2, np.zeros(2048, np.float32))
    put_embeddings(store, "resnet@1", 2048, [replace(other, key=other.key._replace(patient="p2"))])
    with record_run(store, "compact", None, {}) as run:
        assert compact_feature_set(store, "resnet@1", run=run).files_after == 1
    erase_patient(store, "p2")
    (segment,) = Snapshot(store).rows("segments")
    schema = pq.read_schema(store.segments.local(segment["path"]))
    assert schema.field("embedding").type == pa.list_(pa.float32(), 2048)
    rows = answer(Snapshot(store), "select patient, fold, embedding from embeddings order by phase").to_pylist()
    assert [(row["patient"], row["fold"]) for row in rows] == [("p1", 0), ("p1", 1)]
    assert np.array([row["embedding"] for row in rows], np.float32).tobytes() == numbers.tobytes()


def test_an_embedding_of_another_size_is_refused(tmp_path):
    """A row that is not of its set's size makes no segment."""
    with pytest.raises(ContractError, match=r"an embedding of resnet@1 has 2 numbers, not 3") as refused:
        write_embeddings(DataFolder(tmp_path), "resnet@1", 3, [embedding_of(1, [0.0, 1.0])])
    assert refused.value.where == "p1/baseline/T1/1/R1.1"
    assert list(tmp_path.rglob("*.parquet")) == []
