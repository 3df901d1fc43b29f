"""Point in time: the value that was known at a reference date, by the function, the view and a plain model."""

from __future__ import annotations

import tempfile
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.day_window import DayWindow
from store.analyst.query import answer
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot, newest_commit
from store.home import Store
from store.rows.point_in_time import clinical_at_reference, value_at_reference

DAY_0 = date(2020, 3, 1)
PATIENTS, VARIABLES, STUDIES = ("p1", "p2"), ("afp", "ast"), ("a", "b")


def on(day: int) -> str:
    """Return the date that lies this many days from the first of March 2020."""
    return (DAY_0 + timedelta(days=day)).isoformat()


days_of_values = st.none() | st.integers(-4, 4)
keys = st.tuples(st.sampled_from(PATIENTS), st.sampled_from(VARIABLES), days_of_values)
histories = st.lists(st.dictionaries(keys, st.none() | st.integers(0, 3), max_size=6), min_size=1, max_size=4)
ends = st.none() | st.integers(-4, 0)
windows = st.dictionaries(
    st.tuples(st.sampled_from(STUDIES), st.sampled_from(VARIABLES)),
    st.tuples(ends, st.integers(-2, 0)).filter(lambda ends: ends[0] is None or ends[0] <= ends[1]),
)
references = st.dictionaries(
    st.tuples(st.sampled_from(STUDIES), st.sampled_from(PATIENTS)), st.none() | st.integers(-2, 2)
)


def expected_values(known, windows_of, references_of):
    """Return study, patient, variable, value and day, found by going back in time a day at a step."""
    found = set()
    for study in STUDIES:
        for patient in PATIENTS:
            for variable in VARIABLES:
                first, last = windows_of.get((study, variable), (None, 0))
                if (study, patient) not in references_of:
                    candidates = range(4, -5, -1)
                elif (reference := references_of[study, patient]) is None:
                    candidates = ()
                else:
                    oldest = -4 if first is None else reference + first
                    candidates = range(reference + last, oldest - 1, -1)
                for day in (*candidates, None):
                    if (patient, variable, day) in known:
                        found.add((study, patient, variable, known[patient, variable, day], day))
                        break
    return found


def written(store, history, windows_of, references_of):
    """Write a history, a commit for each of its changes, and return what was known after each commit."""
    with commit_to(store, "studies") as commit:
        commit.put("study_patients", [{"study": s, "patient": p} for s in STUDIES for p in PATIENTS])
        commit.put(
            "variables",
            [
                {"study": s, "variable": v, "window_first": first, "window_last": last}
                for (s, v), (first, last) in windows_of.items()
            ],
        )
        commit.put(
            "reference_dates",
            [
                {"study": s, "patient": p, "reference_on": None if day is None else on(day)}
                for (s, p), day in references_of.items()
            ],
        )
    known = {}
    states = {newest_commit(store): {}}
    for change in history:
        with commit_to(store, "values") as commit:
            rows = [
                {
                    "patient": patient,
                    "variable": variable,
                    "observed_at": "" if day is None else on(day),
                    "value": value,
                    "recorded_at": commit.committed_at,
                }
                for (patient, variable, day), value in change.items()
            ]
            commit.put("clinical", [row for row in rows if row["value"] is not None])
            commit.remove("clinical", [row for row in rows if row["value"] is None])
        known = {key: value for key, value in (known | change).items() if value is not None}
        states[newest_commit(store)] = known
    return states


@settings(max_examples=12, deadline=None)
@given(histories, windows, references)
def test_the_function_and_the_view_agree_with_a_plain_model(history, windows_of, references_of):
    """As of every commit, both give the value that going back day by day finds among what was known then."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store", create=True)
        states = written(store, history, windows_of, references_of)
        for as_of in {max(states), min(states), sorted(states)[len(states) // 2]}:
            expected = {
                (s, p, v, value, "" if day is None else on(day))
                for s, p, v, value, day in expected_values(states[as_of], windows_of, references_of)
            }
            snapshot = Snapshot(store, as_of)
            by_function = {
                (study, patient, variable, row["value"], row["observed_at"], row["days_before"], row["reference_on"])
                for study in STUDIES
                for patient, values in clinical_at_reference(snapshot, study).values.items()
                for variable, row in values.items()
            }
            columns = "study, patient, variable, value, observed_at, days_before, reference_on"
            shown = answer(snapshot, f"select {columns} from clinical_at_reference").to_pylist()
            assert {row[:5] for row in by_function} == expected
            # The view has days as dates; the function has text, and '' for a value without one.
            for row in shown:
                row["observed_at"] = "" if row["observed_at"] is None else row["observed_at"].isoformat()
                row["reference_on"] = None if row["reference_on"] is None else row["reference_on"].isoformat()
            assert {tuple(row.values()) for row in shown} == by_function
            assert len(shown) == len(by_function)


@given(
    st.lists(st.integers(-40, 10), unique=True, min_size=1),
    st.tuples(st.integers(-30, 0), st.integers(-30, 0)).map(sorted),
)
def test_a_value_or_a_reason_and_never_one_from_the_future(days, ends):
    """A dated history gives either a value within the window or the reason why there is none."""
    window = DayWindow(*ends)
    rows = [{"observed_at": on(day), "value": float(day)} for day in days]
    row, reason = value_at_reference(rows, on(0), window)
    assert (row is None) == (reason is not None)
    if row is not None:
        assert row["value"] == max(day for day in days if day in window)


REASONS = {
    "too old": ([-41, -60], (-30, 0), "last value 41 days before, window 30 days"),
    "a day": ([-2], (-1, 0), "last value 2 days before, window 1 day"),
    "from the future": ([3, 8], (-30, 0), "first value 3 days after the reference date"),
    "from the future, no window": ([1], None, "first value 1 day after the reference date"),
    "old and from the future": ([-41, 3], (-30, 0), "last value 41 days before, window 30 days"),
    "too fresh": ([-3, 0], (-30, -7), "first value 3 days before, window 30 to 7 days before"),
}


@pytest.mark.parametrize(("days", "ends", "expected"), REASONS.values(), ids=REASONS.keys())
def test_the_reason_names_the_days_and_the_window(days, ends, expected):
    """Who looks at an excluded patient sees how far the nearest value lies from the window."""
    window = DayWindow(*ends) if ends else DayWindow()
    rows = [{"observed_at": on(day), "value": 1.0} for day in days]
    assert value_at_reference(rows, on(0), window) == (None, expected)


def test_a_patient_without_a_reference_date_has_no_dated_value():
    """Any dated value may lie after a reference date that is not known; one without a date still counts."""
    dated, undated = {"observed_at": on(0), "value": 1.0}, {"observed_at": "", "value": 2.0}
    row, reason = value_at_reference([dated], None, DayWindow())
    assert row is None
    assert "no reference date" in reason
    row, _ = value_at_reference([dated, undated], None, DayWindow())
    assert row["value"] == 2.0


def test_a_correction_leaves_the_old_snapshot_as_it_was(store):
    """As of the commit before a correction, function and view answer with the value of then."""
    key = {"patient": "p1", "variable": "afp", "observed_at": on(-3)}
    with commit_to(store, "first") as commit:
        commit.put("study_patients", [{"study": "a", "patient": "p1"}])
        commit.put("reference_dates", [{"study": "a", "patient": "p1", "reference_on": on(0)}])
        commit.put("clinical", [key | {"value": 40.0, "recorded_at": "monday"}])
    with commit_to(store, "correction") as commit:
        commit.put("clinical", [key | {"value": 400.0, "recorded_at": "tuesday"}])
    for as_of, value in ((1, 40.0), (2, 400.0)):
        snapshot = Snapshot(store, as_of)
        assert clinical_at_reference(snapshot, "a").values["p1"]["afp"]["value"] == value
        (row,) = answer(snapshot, "select value, days_before from clinical_at_reference").to_pylist()
        assert row == {"value": value, "days_before": 3}
