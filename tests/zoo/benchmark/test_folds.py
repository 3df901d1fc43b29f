"""Folds: every patient held out once a repeat, labels in equal shares, the same draw for the same patients."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.errors import ContractError
from zoo.benchmark.folds import repeated_folds

LABELS = {f"P{number:03}": int(number % 5 < 2) for number in range(60)}


@settings(deadline=None, max_examples=25)
@given(st.integers(5, 40), st.integers(5, 40), st.integers(1, 3), st.integers(2, 5), st.integers(0, 2**31 - 10))
def test_each_patient_is_held_out_once_a_repeat(ones, zeros, repeats, folds, seed) -> None:
    """In every repeat the held-out patients are all patients, each once, and none of a fold's trains it."""
    labels = {f"a{i}": 1 for i in range(ones)} | {f"b{i}": 0 for i in range(zeros)}
    drawn = repeated_folds(labels, repeats=repeats, folds=folds, seed=seed)
    assert [fold.number for fold in drawn] == list(range(repeats * folds))
    for fold in drawn:
        assert fold.repeat == fold.number // folds
        assert set(fold.training) | set(fold.judged) == set(labels)
        assert not set(fold.training) & set(fold.judged)
        # Stratified: the share of each label differs from fold to fold by the patient that does not divide.
        held = sum(labels[patient] for patient in fold.judged)
        assert ones // folds <= held <= -(-ones // folds)
    for repeat in range(repeats):
        judged = [patient for fold in drawn if fold.repeat == repeat for patient in fold.judged]
        assert sorted(judged) == sorted(labels)


def test_the_draw_depends_on_the_patients_and_the_seed_alone() -> None:
    """The order in which patients come does not matter, nor how many repeats follow; another seed draws others."""
    drawn = repeated_folds(LABELS, repeats=2, folds=5, seed=1)
    backwards = dict(reversed(LABELS.items()))
    assert repeated_folds(backwards, repeats=2, folds=5, seed=1) == drawn
    assert repeated_folds(LABELS, repeats=1, folds=5, seed=1) == drawn[:5]
    assert repeated_folds(LABELS, repeats=2, folds=5, seed=7) != drawn
    assert {fold.judged for fold in drawn[:5]} != {fold.judged for fold in drawn[5:]}


def test_a_label_too_rare_for_the_folds() -> None:
    """Fewer patients of a label than folds is refused."""
    rare = {f"P{number}": int(number < 3) for number in range(30)}
    with pytest.raises(ContractError, match="the rarer label has 3") as caught:
        repeated_folds(rare, repeats=1, folds=5, seed=0)
    assert "--folds" in str(caught.value.hint)


def test_pseudonyms_of_one_person_stay_in_one_fold() -> None:
    """Who shares nothing with anybody is divided as ever."""
    labels = {f"P{number:02}": number % 2 for number in range(24)}
    person = {patient: f"P{int(patient[1:]) % 8:02}" for patient in labels}
    drawn = repeated_folds(labels, repeats=2, folds=4, seed=3, person_of=person)
    for part in drawn:
        assert not {person[patient] for patient in part.training} & {person[patient] for patient in part.judged}
    assert sorted(patient for fold in drawn[:4] for patient in fold.judged) == sorted(labels)
    with pytest.raises(ContractError, match="5 folds need 5 patients of each label, the rarer label has 4") as error:
        repeated_folds(labels, repeats=1, folds=5, seed=3, person_of=person)
    assert error.value.hint == "--folds 4 is the most that can be"
    alone = {patient: patient for patient in labels}
    assert repeated_folds(labels, repeats=1, folds=5, seed=3, person_of=alone) == repeated_folds(
        labels, repeats=1, folds=5, seed=3
    )
