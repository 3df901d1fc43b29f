"""The first table: what is counted, what is averaged, what is missing."""

from __future__ import annotations

import numpy as np
import pytest

from zoo.benchmark.characteristics import characteristic_rows
from zoo.evaluation.group_tests import counts_test, values_test

# Label 1 first; age and AFP are None where missing.
TRAINING = [(1, 50.0, 500.0, "male"), (1, 60.0, 20.0, "female"), (1, 62.5, None, "male"), (1, 41.0, 900.0, "male"),
            (0, 70.0, 30.0, "female"), (0, None, 401.0, "male"), (0, 66.0, 5.0, None)]  # fmt: skip
VALIDATION = [(1, 55.0, 400.0, "male"), (0, 58.0, 2.0, "male")]


@pytest.fixture
def rows(written_store):
    """Return the first table of nine patients, by cohort, variable and level."""
    people = [("training", each) for each in TRAINING] + [("validation", each) for each in VALIDATION]
    names = [f"P{number}" for number in range(len(people))]
    written_store.cohort(
        {name: label for name, (_, (label, *_)) in zip(names, people, strict=True)},
        {name: cohort for name, (cohort, _) in zip(names, people, strict=True)},
    )
    for name, (_, (_, *values)) in zip(names, people, strict=True):
        given = dict(zip(("age", "afp", "sex"), values, strict=True))
        written_store.clinical(name, **{key: value for key, value in given.items() if value is not None})
    found = characteristic_rows(written_store.snapshot, written_store.study)
    written_store.put("characteristics", found)
    return {(row["cohort"], row["variable"], row["level"]): row for row in found}


def test_a_number_has_mean_spread_and_quartiles(rows):
    """Age of training: mean, sample SD, median and quartiles of each group, and the test between them."""
    row = rows["training", "age", ""]
    events, others = [50.0, 60.0, 62.5, 41.0], [70.0, 66.0]
    assert (row["kind"], row["unit"]) == ("number", "a")
    assert (row["mean_events"], row["sd_events"]) == (np.mean(events), np.std(events, ddof=1))
    assert (row["q1_events"], row["median_events"], row["q3_events"]) == tuple(np.quantile(events, [0.25, 0.5, 0.75]))
    assert (row["mean_others"], row["median_others"]) == (68.0, 68.0)
    expected = values_test(events, others)
    assert expected is not None
    assert (row["test"], row["p"], row["other_test"], row["other_p"]) == expected
    assert (row["known_others"], row["missing_others"], row["missing_events"]) == (2, 1, 0)


def test_a_cut_point_of_a_model_is_counted(rows):
    """AFP over the clinical model's 400: two of three and one of three; a value at the cut is not above it."""
    row = rows["training", "afp", ">400"]
    assert (row["kind"], row["count_events"], row["count_others"]) == ("cut_point", 2, 1)
    assert (row["known_events"], row["missing_events"], row["known_others"]) == (3, 1, 3)
    expected = counts_test([[2, 1], [1, 2]])
    assert expected is not None
    assert (row["test"], row["p"]) == (expected.test, expected.p)
    assert rows["validation", "afp", ">400"]["count_events"] == 0


def test_each_level_of_a_category_carries_the_test_of_the_category(rows):
    """Sex: declared levels in their order, one p for both rows, and no mean."""
    female, male = (rows["training", "sex", level] for level in ("female", "male"))
    assert (female["count_events"], female["count_others"]) == (1, 1)
    assert (male["count_events"], male["count_others"], male["missing_others"]) == (3, 1, 1)
    assert male["p"] == female["p"] == counts_test([[1, 1], [3, 1]]).p
    assert "mean_events" not in male


def test_one_patient_a_group_has_no_spread_and_no_test(rows):
    """In validation, one patient with each label: a mean without SD, and no p."""
    row = rows["validation", "age", ""]
    assert (row["mean_events"], row["sd_events"], row.get("p")) == (55.0, None, None)


def test_the_two_cohorts_are_compared(rows):
    """Training stands in place of label 1, validation of label 0: all patients of each, and the test between them."""
    training, validation = ([each[1] for each in side if each[1] is not None] for side in (TRAINING, VALIDATION))
    age = rows["training-validation", "age", ""]
    assert (age["mean_events"], age["mean_others"]) == (np.mean(training), np.mean(validation))
    assert (age["known_events"], age["missing_events"], age["known_others"]) == (6, 1, 2)
    assert (age["test"], age["p"], age["other_test"], age["other_p"]) == values_test(training, validation)
    male = rows["training-validation", "sex", "male"]
    assert (male["count_events"], male["count_others"]) == (4, 2)
    assert male["p"] == counts_test([[2, 0], [4, 2]]).p


def test_the_table_keeps_the_study_files_order(rows):
    """Variables stand as the study file lists them, a cut point behind its number."""
    order = [key[1:] for key in sorted((k for k in rows if k[0] == "training"), key=lambda k: rows[k]["position"])]
    assert order == [("afp", ""), ("afp", ">400"), ("age", ""), ("sex", "female"), ("sex", "male")]


def test_a_number_of_few_values_is_counted(written_store):
    """A number with at most four different values is a category of numbers, in their order."""
    written_store.cohort({"P1": 1, "P2": 0, "P3": 1}, dict.fromkeys(("P1", "P2", "P3"), "training"))
    for patient, age in (("P1", 3.0), ("P2", 1.5), ("P3", 3.0)):
        written_store.clinical(patient, age=age)
    found = [
        row for row in characteristic_rows(written_store.snapshot, written_store.study) if row["variable"] == "age"
    ]
    assert [(row["level"], row["kind"], row["count_events"], row["count_others"]) for row in found] == [
        ("1.5", "category", 0, 1),
        ("3", "category", 2, 0),
    ]


def test_a_patient_without_label_is_in_no_cohort(written_store):
    """Without a label a patient is counted nowhere, not even as missing."""
    written_store.cohort({"P1": 1, "P2": 0, "P3": None}, dict.fromkeys(("P1", "P2", "P3"), "training"))
    written_store.clinical("P3", sex="male")
    male = next(r for r in characteristic_rows(written_store.snapshot, written_store.study) if r["level"] == "male")
    assert (male["count_events"], male["count_others"], male["missing_events"], male["missing_others"]) == (0, 0, 1, 1)
