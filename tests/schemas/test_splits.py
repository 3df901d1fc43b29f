"""Splits: their hash, and what is refused before anything is fitted on one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import pseudonyms

from schemas.errors import ContractError
from schemas.splits import checked_split, split_sha256

MEMBERS = {"a": "training", "b": "training", "c": "validation", "d": "validation"}
LABELS = {"a": 0, "b": 1, "c": 0, "d": 1}

splits = st.dictionaries(pseudonyms, st.sampled_from(["training", "validation"]), min_size=1, max_size=8)


@given(splits, st.randoms())
def test_hash_does_not_see_the_order_of_patients(members, random):
    """The same patients in the same cohorts are the same split."""
    items = list(members.items())
    random.shuffle(items)
    assert split_sha256(dict(items)) == split_sha256(members)


@given(splits, st.data())
def test_hash_sees_every_change(members, data):
    """A patient moved to the other cohort, or left out, makes another split."""
    patient = data.draw(st.sampled_from(sorted(members)))
    moved = members | {patient: "training" if members[patient] == "validation" else "validation"}
    without = {name: cohort for name, cohort in members.items() if name != patient}
    assert len({split_sha256(members), split_sha256(moved), split_sha256(without)}) == 3


@pytest.mark.parametrize("patient", ["c", "d"])
def test_a_validation_cohort_of_one_class_is_kept(patient):
    """It has no AUC, but a Brier score and a rate: what can be judged is."""
    labels = {name: label for name, label in LABELS.items() if name != patient}
    assert checked_split(MEMBERS, labels, "main") == {name: MEMBERS[name] for name in labels}


def test_patients_without_a_label_are_left_out():
    """A censored patient takes no part, in neither cohort."""
    assert checked_split(MEMBERS | {"e": "training", "f": "validation"}, LABELS, "main") == MEMBERS


def test_labels_of_patients_outside_the_split_do_not_matter():
    """A labelled patient who is in no cohort stays out."""
    assert checked_split(MEMBERS, LABELS | {"z": 1}, "main") == MEMBERS


@pytest.mark.parametrize(
    ("patient", "sentence"),
    [
        ("a", "the training cohort has no labelled patient with label 0"),
        ("b", "the training cohort has no labelled patient with label 1"),
        ("cd", "the validation cohort has no labelled patient"),
    ],
)
def test_a_cohort_that_cannot_be_used_is_refused(patient, sentence):
    """Training needs labelled patients of both classes, validation needs one of either."""
    labels = {name: label for name, label in LABELS.items() if name not in patient}
    with pytest.raises(ContractError) as caught:
        checked_split(MEMBERS, labels, "main")
    assert (caught.value.message, caught.value.where, caught.value.exit_code) == (sentence, "split 'main'", 4)
