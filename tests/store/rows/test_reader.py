"""Reading features: equal to the view, at a point in time, and from few row groups."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pytest
from builders.store import key_of, put_features, put_segment, record_of
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import ContractError
from schemas.keys import MaskKey
from store.analyst.query import answer
from store.catalogue.tables import KEYS
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.home import Store
from store.rows import segments
from store.rows.reader import feature_table

FEATURE_SET = "two-features@1"
DAY = date(2020, 6, 1)


def sorted_rows(table: pa.Table) -> list[dict]:
    """Return a table's rows in the order of their keys."""
    return sorted(table.to_pylist(), key=lambda row: tuple(row[name] for name in MaskKey._fields))


def test_equal_to_the_view(filled):
    """The reader gives the rows and values of the wide view."""
    snapshot = Snapshot(filled)
    view = answer(snapshot, "select * exclude (grey_levels, zero_fraction) from two_features_v1")
    assert sorted_rows(feature_table(snapshot, FEATURE_SET)) == sorted_rows(view)


def test_anywhere(store_anywhere):
    """A store elsewhere gives the same rows, and another machine's folder reads them too."""
    record = record_of(key_of("p1"))
    with commit_to(store_anywhere, "features") as commit:
        put_features(commit)
        put_segment(store_anywhere, commit, [record])
    (row,) = feature_table(Snapshot(store_anywhere), FEATURE_SET).to_pylist()
    assert row == {**record.key._asdict(), "extraction_id": record.extraction_id, **record.values}


def test_only_a_study_and_its_columns(filled):
    """A study's masks and the asked columns, in the asked order, are all that is read."""
    with commit_to(filled, "another study") as commit:
        commit.put("study_masks", [{"study": "other", **key_of("p2")._asdict()}])
    table = feature_table(
        Snapshot(filled), FEATURE_SET, study="other", columns=["wavelet-LLH_glcm_Idm", "original_firstorder_Mean"]
    )
    assert table.column_names[-2:] == ["wavelet-LLH_glcm_Idm", "original_firstorder_Mean"]
    assert [row["patient"] for row in table.to_pylist()] == ["p2"]


def test_as_of_an_older_commit(filled):
    """Before the features were committed there are none, with the columns that a table of none has."""
    table = feature_table(Snapshot(filled, 1), FEATURE_SET)
    assert table.num_rows == 0
    assert table.column_names[:6] == list(MaskKey._fields)


def test_a_lacking_row_is_told(filled):
    """A segment that lacks what the catalogue says it holds breaks the promise: exit code 4."""
    with commit_to(filled, "wrong") as commit:
        (row, *_) = Snapshot(filled).rows("extractions")
        commit.put("extractions", [row | {"extraction_id": "f" * 64}])
    with pytest.raises(ContractError, match="lacks 1 of the rows") as caught:
        feature_table(Snapshot(filled), FEATURE_SET)
    assert caught.value.exit_code == 4


def store_of_exams(root: Path, exams: list[tuple[str, int, int | None]]) -> Store:
    """Return a store with one extraction for each (patient, exam number, day of the exam)."""
    store = Store(root, create=True)
    records = [
        record_of(MaskKey(patient, f"exam{number}", "AP", "1", "R1", 1), mean=float(position))
        for position, (patient, number, _) in enumerate(exams)
    ]
    with commit_to(store, "exams") as commit:
        put_features(commit)
        put_segment(store, commit, records)
        commit.put(
            "exams",
            [
                {"patient": p, "exam": f"exam{n}", "acquired_on": None if d is None else str(DAY + timedelta(d))}
                for p, n, d in exams
            ],
        )
    return store


exam_days = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.one_of(st.none(), st.integers(-60, 30))),
    unique_by=lambda exam: exam[:2],
    min_size=1,
    max_size=9,
)
windows = st.tuples(st.one_of(st.none(), st.integers(-50, -1)), st.integers(-10, 10))


references = st.dictionaries(st.sampled_from("abc"), st.integers(-20, 20))


@settings(max_examples=10, deadline=None)
@given(exams=exam_days, asked=st.lists(st.tuples(windows, references), min_size=4, max_size=4))
def test_the_last_exam_within_the_window(exams, asked):
    """Of each patient, the last dated exam within the window of the reference date is read, or none."""
    with TemporaryDirectory() as folder:
        store = store_of_exams(Path(folder) / "s", exams)
        for window, reference in asked:
            assert_last_exams(store, exams, window, reference)
        store.engine.dispose()


def assert_last_exams(store, exams, window, reference):
    """Read features at the reference dates and compare the exams with those that plain Python finds."""
    first, last = window
    expected = set()
    for patient, day in reference.items():
        inside = [
            (d, n)
            for p, n, d in exams
            if p == patient and d is not None and d - day <= last and (first is None or d - day >= first)
        ]
        if inside:
            newest = max(d for d, _ in inside)
            expected.add((patient, newest))
    at = {p: str(DAY + timedelta(d)) for p, d in reference.items()}
    table = feature_table(Snapshot(store), FEATURE_SET, at=at, window_days=window)
    days = {(p, f"exam{n}"): d for p, n, d in exams}
    assert {(row["patient"], days[row["patient"], row["exam"]]) for row in table.to_pylist()} == expected
    assert table.num_rows == len(expected)


def test_few_rows_of_many_row_groups(store, monkeypatch):
    """A study's rows are found in the row groups that can hold them, whichever those are."""
    monkeypatch.setattr(segments, "ROWS_PER_GROUP", 4)
    names = [f"p{number:03}" for number in range(60)]
    records = [record_of(MaskKey(name, "e", "AP", "1", "R1", 1), mean=float(n)) for n, name in enumerate(names)]
    chosen = [str(name) for name in np.random.default_rng(3).choice(names, 5, replace=False)]
    with commit_to(store, "features") as commit:
        put_features(commit)
        put_segment(store, commit, records)
        commit.put(
            "study_masks",
            [{"study": "few", "is_primary": 1, **r.key._asdict()} for r in records if r.key.patient in chosen],
        )
    # The same image and mask under another pseudonym: its row lies where the first one's does.
    with commit_to(store, "a twin") as commit:
        row = Snapshot(store).row("masks", patient=names[7])
        commit.put("masks", [row | {"patient": "zz"}])
        commit.put("study_masks", [{"study": "few", **{k: (row | {"patient": "zz"})[k] for k in KEYS["masks"]}}])
    found = {
        row["patient"]: row["original_firstorder_Mean"]
        for row in feature_table(Snapshot(store), FEATURE_SET, study="few").to_pylist()
    }
    assert found == {name: float(names.index(name)) for name in chosen} | {"zz": 7.0}
