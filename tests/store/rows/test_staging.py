"""Staged extractions: what is written reads back bit for bit, and only whole records count."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from builders.store import key_of, record_of
from hypothesis import given, settings
from strategies import AWKWARD_FLOATS, bits, extraction_records

from store.rows.staging import discard_staged, discard_unfinished, stage, staged_ids, staged_record

KEY = key_of("p1")


def bits_of(values) -> dict[str, bytes | None]:
    """Return each value's eight bytes."""
    return {name: bits(value) for name, value in values.items()}


@settings(max_examples=60, deadline=None)
@given(extraction_records())
def test_a_record_reads_back_bit_for_bit(record):
    """Key, reasons, details and every number down to the sign of zero survive, under any column name."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "staging" / "two levels"
        stage(folder, record)
        assert staged_ids(folder) == {record.extraction_id}
        found = staged_record(folder, record.extraction_id)
    assert found == record
    assert bits_of(found.values) == bits_of(record.values)
    assert type(found.key) is type(record.key)


@settings(max_examples=1)
@given(extraction_records(columns=tuple(f"c{number}" for number in range(len(AWKWARD_FLOATS)))))
def test_each_awkward_number(record):
    """Zeros of both signs, subnormals and numbers near overflow are each kept to the last bit."""
    record = replace(record, values=dict(zip(record.values, AWKWARD_FLOATS, strict=True)))
    with tempfile.TemporaryDirectory() as name:
        stage(Path(name), record)
        assert bits_of(staged_record(Path(name), record.extraction_id).values) == bits_of(record.values)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_value_that_is_no_number_is_refused(tmp_path, value):
    """NaN and infinity are no feature values: the record is refused and no file is taken for one."""
    record = record_of(KEY, mean=value)
    with pytest.raises(ValueError, match="JSON"):
        stage(tmp_path, record)
    assert staged_ids(tmp_path) == set()


def test_no_number_of_a_detail_becomes_none_in_silence(tmp_path):
    """NaN is refused at any depth; the library that writes would write null."""
    record = replace(record_of(KEY), details={"zero_fraction": {"original": float("nan")}})
    with pytest.raises(ValueError, match="nan, which JSON does not have"):
        stage(tmp_path, record)
    assert staged_ids(tmp_path) == set()


@pytest.mark.parametrize("value", [np.float32("nan"), np.array([1.0]), b"1", {1.0}, MappingProxyType({"a": 1.0})])
def test_what_is_no_json_is_refused(tmp_path, value):
    """The library would write lists and nulls of some of them."""
    with pytest.raises(TypeError):
        stage(tmp_path, replace(record_of(KEY), values={"mean": value}))
    assert staged_ids(tmp_path) == set()


def test_numbers_of_numpy_are_read_back(tmp_path):
    """Its doubles are Python's floats."""
    record = replace(record_of(KEY), values={"mean": np.float64(0.1)})
    stage(tmp_path, record)
    assert staged_record(tmp_path, record.extraction_id).values == {"mean": 0.1}


def test_a_record_that_an_older_release_staged_is_taken_over(tmp_path):
    """It wrote with Python's own module: other blanks, other letters for small and large numbers."""
    record = record_of(KEY, mean=1e-7, idm=None)
    (tmp_path / f"{record.extraction_id}.json").write_text(json.dumps(vars(record)))
    assert staged_record(tmp_path, record.extraction_id) == record


def test_a_partial_file_is_no_record(tmp_path):
    """What a killed process left half written is not counted, and the next attempt replaces it."""
    record = record_of(KEY)
    whole = stage(tmp_path, record)
    text = whole.read_text()
    whole.rename(whole.with_suffix(".12345.partial"))
    assert staged_ids(tmp_path) == set()
    assert stage(tmp_path, record) == whole
    assert whole.read_text() == text
    assert staged_ids(tmp_path) == {record.extraction_id}


def test_staging_again_replaces(tmp_path):
    """A record staged twice is there once, as it was staged last."""
    stage(tmp_path, record_of(KEY, mean=1.0))
    last = record_of(KEY, mean=2.0)
    stage(tmp_path, last)
    assert staged_record(tmp_path, last.extraction_id).values == last.values
    assert len(list(tmp_path.iterdir())) == 1


def test_discarding(tmp_path):
    """Records that a commit took over are removed, others stay, and ones already gone do not matter."""
    records = [record_of(KEY._replace(patient=name)) for name in ("a", "b")]
    for record in records:
        stage(tmp_path, record)
    discard_staged(tmp_path, [records[0].extraction_id, "not there"])
    assert staged_ids(tmp_path) == {records[1].extraction_id}


def test_a_folder_that_is_not_there_holds_nothing(tmp_path):
    """Before the first extraction there is no folder, and no record."""
    assert staged_ids(tmp_path / "none") == set()


def test_what_is_half_written_goes_unless_someone_writes(tmp_path):
    """Files of killed writers are removed, but none while a process holds the folder to write."""
    partial = tmp_path / "e.1.partial"
    partial.write_text("half")
    folder = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(folder, fcntl.LOCK_SH)
    discard_unfinished(tmp_path)
    assert partial.exists()
    os.close(folder)
    discard_unfinished(tmp_path)
    assert not partial.exists()
    discard_unfinished(tmp_path / "absent")
