"""Compaction: fewer files, and the same answers from every snapshot."""

from __future__ import annotations

import os
import tempfile
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from builders.store import key_of, put_features, put_segment, record_of
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import bits

from schemas.errors import StoreBusyError
from store.analyst.query import answer
from store.catalogue.connection import read_transaction
from store.commits.commit import commit_to
from store.compaction import compact as compaction
from store.compaction.compact import compact_feature_set
from store.compaction.leftovers import remove_orphan_files
from store.history.runs import record_run
from store.history.snapshot import Snapshot, newest_commit
from store.home import Store
from store.rows.staging import ExtractionRecord

FEATURE_SET = "two-features@1"
QUERY = "from two_features order by patient, phase"
NOW = timedelta(0)


def told(value):
    """Return a cell as it is compared: a group of details by the fields that it has, a number by its bits."""
    if isinstance(value, dict):
        return {name: each for name, each in value.items() if each is not None}
    return bits(value) if isinstance(value, float) else value


def compacted(store, **options):
    """Compact the only feature set as the verb does, and return what it had and has."""
    with record_run(store, "compact", None, {}) as run:
        return compact_feature_set(store, FEATURE_SET, run=run, **options)


def filled_one_by_one(store, patients, study="er"):
    """Commit a segment for each patient, and link its row to a study."""
    with commit_to(store, "features") as commit:
        put_features(commit)
    linked = []
    for number, patient in enumerate(patients):
        record = record_of(key_of(patient), mean=float(number))
        linked.append({"study": study, "feature_set": FEATURE_SET, "extraction_id": record.extraction_id})
        with commit_to(store, patient) as commit:
            put_segment(store, commit, [record])
            commit.put("study_extractions", linked)


def answers(store):
    """Return what every snapshot says of the features, numbers as bits, and of all that is not layout."""
    found = []
    for as_of in range(newest_commit(store) + 1):
        snapshot = Snapshot(store, as_of)
        rows = answer(snapshot, QUERY).to_pylist() if snapshot.rows("feature_sets") else []
        features = [{name: told(value) for name, value in row.items()} for row in rows]
        names = ("extractions", "study_extractions", "masks", "commits")
        tables = [snapshot.arrow(name).to_pylist() for name in names]
        found.append((features, [[{**row, "segment_id": None} for row in table] for table in tables]))
    return found


def test_many_small_segments_become_one(store_anywhere):
    """Wherever catalogue and files lie: one file instead of four, every snapshot as before, no commit made."""
    store = store_anywhere
    filled_one_by_one(store, ["p3", "p1", "p4", "p2"])
    before, commits = answers(store), newest_commit(store)
    done = compacted(store)
    assert (done.rows, done.files_before, done.files_after) == (4, 4, 1)
    assert done.bytes_before > done.bytes_after > 0
    assert answers(store) == before
    assert newest_commit(store) == commits
    (segment,) = Snapshot(store, 2).rows("segments")
    assert (segment["added_commit"], segment["rows"], segment["bytes"]) == (2, 4, done.bytes_after)
    file = store.segments.local(segment["path"], sha256=segment["sha256"])
    assert pq.read_table(file)["patient"].to_pylist() == [f"p{n}" for n in range(1, 5)]
    assert len(list(store.segments.paths())) == 5
    assert len(remove_orphan_files(store, grace=NOW)) == 4
    assert list(store.segments.paths()) == [segment["path"]]
    assert answers(store) == before
    assert compacted(store).files_after == 1


values = st.none() | st.sampled_from([float("nan"), -0.0, 0.0, 5e-324, 1.5, -2.25])
extraction = st.tuples(st.sampled_from("abcdef"), values, values)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.lists(extraction, min_size=1, max_size=3, unique_by=lambda each: each[0])),
        st.tuples(st.just("end"), st.sampled_from("abcdef")),
        st.tuples(st.just("compact"), st.sampled_from([1, 2, 20_000])),
    ),
    min_size=2,
    max_size=7,
)


@settings(max_examples=5, deadline=None)
@given(steps)
def test_every_snapshot_of_a_random_history_answers_as_before(history):
    """Whatever was added, ended, computed twice or compacted before: bits, NULL and NaN of each snapshot stay."""
    first: dict[str, tuple] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder), create=True)
        with commit_to(store, "features") as commit:
            put_features(commit)
        for action, what in history:
            if action == "compact":
                compacted(store, target_rows=what)
                continue
            with commit_to(store, action) as commit:
                if action == "end":
                    identity = record_of(key_of(what)).extraction_id
                    commit.remove("extractions", [{"feature_set": FEATURE_SET, "extraction_id": identity}])
                    continue
                # The same id always has the same values, though two runs may both have computed it.
                records = [record_of(key_of(p), *first.setdefault(p, own)) for p, *own in what]
                others = [
                    ExtractionRecord(**{**vars(r), "details": {**r.details, "grey_levels": {r.key.patient: 7}}})
                    for r in records
                ]
                put_segment(store, commit, others)
        before = answers(store)
        done = compacted(store)
        assert answers(store) == before
        assert done.files_after <= max(done.files_before, 1)
        remove_orphan_files(store, grace=NOW)
        assert answers(store) == before
        store.engine.dispose()


def test_a_studys_rows_lie_together(store):
    """Rows are ordered by the studies that use them, then by key, in segments of the size that was asked for."""
    filled_one_by_one(store, ["p1", "p3", "p5", "p7"], study="b")
    filled_one_by_one(store, ["p2", "p4"], study="a")
    assert compacted(store, target_rows=2).files_after == 3
    segments = Snapshot(store).rows("segments")
    parts = [pq.read_table(store.segments.local(each["path"]))["patient"].to_pylist() for each in segments]
    assert parts == [["p2", "p4"], ["p1", "p3"], ["p5", "p7"]]


def test_nothing_is_rewritten_where_that_saves_no_file(filled):
    """One segment, or as many as there would be afterwards, stay as they are."""
    paths = list(filled.segments.paths())
    done = compacted(filled)
    assert (done.files_before, done.files_after, done.bytes_after) == (1, 1, done.bytes_before)
    assert list(filled.segments.paths()) == paths


def test_an_open_reader_goes_on(store):
    """A reader that took the layout before still finds its files; within one state it sees one layout."""
    filled_one_by_one(store, ["p1", "p2", "p3"])
    snapshot = Snapshot(store)
    with snapshot.one_state() as held:
        segments = held.rows("segments")
        compacted(store)
        pointed = {row["segment_id"] for row in held.rows("extractions")}
        assert pointed == {each["segment_id"] for each in segments}
        assert len(snapshot.rows("segments")) == 1
    assert remove_orphan_files(store) == []
    assert all(store.segments.size(each["path"]) == each["bytes"] for each in segments)


def test_files_are_removed_by_the_time_since_they_were_replaced(store):
    """However old a file is, the grace begins when compaction replaced it; an orphan's begins when it was written."""
    filled_one_by_one(store, ["p1", "p2"])
    orphan = store.segments.local_root / "two_features_v1" / ("0" * 20 + ".parquet")
    orphan.write_bytes(b"of a killed writer")
    half = store.segments.scratch()
    half.write_bytes(b"half")
    half = half.rename(half.with_name("writing-99999999-0a0b0c0d.partial"))
    for file in (*store.segments.local_root.rglob("*.parquet"), half):
        os.utime(file, (1e9, 1e9))
    dataset = store.datasets.local_root
    dataset.mkdir()
    (dataset / "of-somebody.parquet").write_bytes(b"")
    compacted(store)
    assert {(each.path, each.bytes) for each in remove_orphan_files(store)} == {
        (f"segments/two_features_v1/{orphan.name}", 18),
        (f"segments/{half.name}", 4),
    }
    assert len(list(store.segments.paths())) == 3
    assert len(remove_orphan_files(store, grace=NOW)) == 2
    assert (dataset / "of-somebody.parquet").exists()


def test_what_a_running_process_writes_is_left_alone(store):
    """A half-written file whose writer still runs is no leftover, however old."""
    half = store.segments.scratch()
    half.write_bytes(b"half")
    os.utime(half, (1e9, 1e9))
    assert remove_orphan_files(store, grace=NOW) == []


def test_killed_before_the_transaction(store, monkeypatch):
    """The old layout stands, the new files are orphans, and the next compaction succeeds."""
    filled_one_by_one(store, ["p1", "p2"])
    before = answers(store)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(compaction, "_point_to", killed)
        with pytest.raises(KeyboardInterrupt):
            compacted(store)
    assert answers(store) == before
    assert len(Snapshot(store).rows("segments")) == 2
    assert len(list(store.segments.paths())) == 3
    assert compacted(store).files_after == 1
    assert answers(store) == before


def test_a_refresh_in_between_keeps_its_rows(store, monkeypatch):
    """A segment that lands while new ones are written is not merged, and not lost."""
    filled_one_by_one(store, ["p1", "p2"])
    write = compaction._written

    def and_a_refresh(*arguments):
        yield from write(*arguments)
        with commit_to(store, "refresh") as commit:
            put_segment(store, commit, [record_of(key_of("p9"))])

    with monkeypatch.context() as patched:
        patched.setattr(compaction, "_written", and_a_refresh)
        compacted(store)
    assert [row["patient"] for row in answer(Snapshot(store), QUERY).to_pylist()] == ["p1", "p2", "p9"]
    assert len(Snapshot(store).rows("segments")) == 2


def test_others_who_change_the_same_segments_win(store, monkeypatch):
    """Where the merged segments are gone when the lock is taken, nothing is written and no file is left."""
    filled_one_by_one(store, ["p1", "p2"])
    before = answers(store)
    with monkeypatch.context() as patched:
        patched.setattr(compaction, "_still_holds", lambda *_: False)
        with pytest.raises(StoreBusyError, match="others keep changing"):
            compacted(store)
    assert answers(store) == before
    assert len(list(store.segments.paths())) == 2
    with read_transaction(store.engine) as connection:
        assert compaction.retired_files(connection) == {}
