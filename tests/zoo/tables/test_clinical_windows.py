"""Windows before the reference date decide which clinical values a model reads, and whom it leaves out."""

import pytest

from schemas.study.models import FactorRule
from store.history.snapshot import Snapshot
from store.rows.datasets import pin_dataset
from zoo.tables.inputs import ModelInputs
from zoo.tables.model_table import model_table

LABELS = {"P1": 1, "P2": 0, "P3": 1, "P4": 0, "P5": 1}
COHORTS = {"P1": "training", "P2": "training", "P3": "validation", "P4": "validation", "P5": "training"}
REFERENCE = "2020-06-30"
AFP = ModelInputs("fixed", None, (), (FactorRule(variable="afp"),))


@pytest.fixture
def operated(written_store):
    """Return a store of five patients with one reference date, and AFP within 30 days before it."""
    written_store.cohort(LABELS, COHORTS)
    own = {"study": "s"}
    written_store.put("reference_dates", [own | {"patient": p, "reference_on": REFERENCE} for p in LABELS])
    written_store.put("variables", [own | {"variable": "afp", "window_first": -30, "window_last": 0}])
    for patient in ("P1", "P2", "P3", "P4"):
        written_store.clinical(patient, "2020-06-20", afp=5.0)
    return written_store


def test_a_value_outside_its_window_leaves_its_patient_out_with_the_reason(operated):
    """A patient whose last value is too old is excluded, and the reason gives its age and the window."""
    operated.clinical("P5", "2020-05-20", afp=9.0)
    table = operated.table(AFP)
    assert table.excluded == {"P5": "afp: last value 41 days before, window 30 days"}
    assert "P5" not in table.frame["patient"]


def test_a_value_after_the_reference_date_is_never_read(operated):
    """A later value neither replaces the one of before nor serves a patient who has no other."""
    operated.clinical("P1", "2020-07-01", afp=777.0)
    operated.clinical("P5", "2020-07-03", afp=777.0)
    table = operated.table(AFP)
    assert table.frame["afp"].to_list() == [5.0] * 4
    assert table.excluded == {"P5": "afp: first value 3 days after the reference date"}


def test_the_last_value_up_to_the_reference_date_is_read(operated):
    """Of several values within the window the latest counts, that of the reference date itself included."""
    operated.clinical("P1", "2020-06-25", afp=6.0)
    operated.clinical("P2", REFERENCE, afp=7.0)
    assert operated.table(AFP).frame["afp"].to_list() == [6.0, 7.0, 5.0, 5.0]


def test_a_variable_without_a_window_may_be_old(operated):
    """Without a window, what was known years before still holds at the reference date."""
    for patient in LABELS:
        operated.clinical(patient, "2011-01-01", age=50.0)
    operated.clinical("P5", "2020-06-01", afp=8.0)
    rules = (FactorRule(variable="afp"), FactorRule(variable="age"))
    table = operated.table(ModelInputs("fixed", None, (), rules))
    assert (table.frame["age"].to_list(), table.excluded) == ([50.0] * 5, {})


def test_a_value_without_a_date_is_read(operated):
    """A table without dates says nothing about time: its values are taken as they are."""
    operated.clinical("P5", afp=9.0)
    assert operated.table(AFP).frame["afp"].to_list() == [5.0] * 4 + [9.0]


def test_a_score_says_which_of_its_inputs_lies_outside_the_window(operated):
    """A published score lacks an input that is too old; its reason and the window's stand together."""
    counts = {"neutrophils": 3.0, "lymphocytes": 1.5}
    rows = [
        {"patient": p, "variable": name, "observed_at": "2020-06-20", "value": value, "unit": "10*9/L"}
        for p in LABELS
        for name, value in counts.items()
    ]
    operated.put("clinical", rows)
    own = {"study": "s", "window_first": -5, "window_last": 0}
    operated.put("variables", [own | {"variable": name} for name in counts])
    later = [row | {"observed_at": "2020-06-29"} for row in rows if row["patient"] != "P5"]
    operated.put("clinical", later)
    table = operated.table(operated.inputs("nlr"))
    assert table.frame["patient"].to_list() == ["P1", "P2", "P3", "P4"]
    (reason,) = table.excluded.values()
    assert reason == (
        "neutrophils, lymphocytes are missing (lymphocytes: last value 10 days before, window 5 days; "
        "neutrophils: last value 10 days before, window 5 days)"
    )


def test_a_dataset_is_rebuilt_as_it_was_pinned(operated):
    """After a correction, a new window and a new reference date, the old commit still gives the pinned bytes."""
    operated.clinical("P5", "2020-06-01", afp=8.0)

    def pinned(snapshot):
        frame = model_table(snapshot, operated.study, AFP).frame
        question = {"study": "s", "split": "fixed", "inputs": AFP.as_dict()}
        return pin_dataset(snapshot.store, frame.to_arrow(), commit_id=snapshot.commit_id, **question)

    first = pinned(operated.snapshot)
    operated.clinical("P1", "2020-06-20", afp=500.0)
    corrected = pinned(operated.snapshot)
    operated.put("variables", [{"study": "s", "variable": "afp", "window_first": -20, "window_last": 0}])
    operated.put("reference_dates", [{"study": "s", "patient": "P2", "reference_on": "2020-06-21"}])
    narrowed = pinned(operated.snapshot)
    assert len({first.sha256, corrected.sha256, narrowed.sha256}) == 3
    assert (first.patients, narrowed.patients) == (5, 4)
    for dataset in (first, corrected, narrowed):
        assert pinned(Snapshot(operated.store, dataset.commit_id)) == dataset
