"""Bootstrap resamples: people are drawn, the same ones each time, never with one label only."""

from __future__ import annotations

import numpy as np
import pytest

from schemas.errors import ContractError
from zoo.benchmark.resamples import drawn_resamples

LABELS = {f"p{number:02}": number % 3 == 0 for number in range(40)}


def test_as_many_people_are_drawn_as_there_are():
    """Each resample has 40 draws of some of 40 people, and number 0 each of them once; all are judged by each."""
    found = drawn_resamples(LABELS, resamples=200, seed=1)
    everyone = tuple(sorted(LABELS))
    assert found.folds[0].draws == dict.fromkeys(everyone, 1)
    assert [fold.number for fold in found.folds] == list(range(201))
    assert all(fold.judged == everyone for fold in found.folds)
    assert all(sum(fold.draws.values()) == 40 for fold in found.folds)
    assert all(fold.training == tuple(fold.draws) for fold in found.folds)
    # Efron 1979: a resample leaves out a person with a chance of (1 - 1/n)^n.
    different = np.mean([len(fold.draws) for fold in found.folds[1:]]) / 40
    assert different == pytest.approx(1 - (1 - 1 / 40) ** 40, abs=0.02)


def test_pseudonyms_of_one_person_are_drawn_together():
    """The unit that is drawn is the person: both pseudonyms as often, and 39 draws of 39 people."""
    found = drawn_resamples(LABELS, resamples=50, seed=1, person_of={"p07": "p03", "p03": "p03"})
    counts = [(fold.draws.get("p03", 0), fold.draws.get("p07", 0)) for fold in found.folds]
    assert all(first == second for first, second in counts)
    assert {first for first, _ in counts} >= {0, 1, 2}
    assert all(sum(fold.draws.values()) - fold.draws.get("p07", 0) == 39 for fold in found.folds)


def test_the_first_resamples_are_the_same_however_many_there_are():
    """Each number has its own seed, and the order of the patients does not matter."""
    few = drawn_resamples(LABELS, resamples=5, seed=1)
    many = drawn_resamples(dict(reversed(LABELS.items())), resamples=50, seed=1)
    assert few.folds == many.folds[:6]
    assert drawn_resamples(LABELS, resamples=5, seed=2).folds[1] != few.folds[1]


def test_a_draw_with_one_label_is_made_again_and_kept():
    """Of 12 patients one has the label: a third of the draws lack it, each is on record, none is used."""
    labels = {f"p{number:02}": int(number == 4) for number in range(12)}
    found = drawn_resamples(labels, resamples=300, seed=3)
    assert all("p04" in fold.draws for fold in found.folds)
    again = [draws for each in found.passed_over.values() for draws in each]
    assert all("p04" not in draws and sum(draws.values()) == 12 for draws in again)
    # Each draw lacks the patient with a chance of (11/12)^12 = .352.
    assert len(again) / (len(again) + 300) == pytest.approx((11 / 12) ** 12, abs=0.06)


def test_patients_with_one_label_have_no_resamples():
    """There is nothing to draw until both labels are there."""
    with pytest.raises(ContractError, match="one label only"):
        drawn_resamples(dict.fromkeys(LABELS, 1), resamples=2, seed=1)
