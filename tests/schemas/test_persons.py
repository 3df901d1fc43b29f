"""Which pseudonyms stand for one person."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import ContractError
from schemas.persons import People, SharedData, person_of, refuse_crossing, same_contents, same_rows

SPLIT = {"A": "training", "B": "validation", "C": "training"}
SCAN = SharedData("AP image", ("A", "B"))


def test_one_content_under_several_pseudonyms_is_found():
    """An image counts once a patient, in however many phases; each content is told by its own kind."""
    contents = [("AP image", "x", "A"), ("AP image", "x", "B"), ("DP image", "x", "A"), ("AP image", "y", "C")]
    contents += [("AP mask", "m", "C"), ("AP mask", "m", "B")]
    assert same_contents(contents) == [SCAN, SharedData("AP mask", ("B", "C"))]


def test_equal_rows_of_measured_values_are_found():
    """Eight rows under 32 pseudonyms are eight people, also where some of their values are missing."""
    values = np.random.default_rng(0).normal(size=(8, 5)).round(3)
    rows: dict[str, list[float | None]] = {f"P{k:02}": [*values[k % 8], None, float(k % 2)] for k in range(32)}
    for k in range(0, 32, 2):
        rows[f"P{k:02}"][-1] = 0.0
    found = same_rows(rows, "t")
    assert [each.patients for each in found] == [tuple(f"P{k + 8 * j:02}" for j in range(4)) for k in range(8)]
    assert {each.what for each in found} == {"row of 't'"}


@pytest.mark.parametrize(
    "columns",
    [
        np.full((40, 12), 3.0),
        np.random.default_rng(1).integers(0, 3, (40, 3)) / 2,
        np.random.default_rng(2).integers(0, 2, (40, 6)).astype(float),
        np.repeat(np.random.default_rng(3).normal(size=(20, 1)), 2, axis=0),
    ],
    ids=["constants", "scores", "yes or no", "one column"],
)
def test_rows_that_are_equal_by_chance_are_not(columns):
    """Constants, a few scores, yes and no, and a single column repeat in different people."""
    assert same_rows({f"P{k}": row.tolist() for k, row in enumerate(columns)}, "t") == []


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), max_size=6))
def test_a_person_is_whoever_is_joined_by_a_chain(pairs):
    """Joined pseudonyms have the same person, the first of them; the order of the pairs does not matter."""
    found = person_of([], pairs)
    assert all(found[a] == found[b] for a, b in pairs)
    assert found == person_of([], pairs[::-1])
    assert all(person <= patient and found[person] == person for patient, person in found.items())


def test_a_person_in_both_cohorts_is_refused_with_both_names():
    """What they share, where, and what to do: for a column's split and for a drawn one."""
    people = People((SCAN,))
    with pytest.raises(
        ContractError, match="patients 'A' in training and 'B' in validation have the same AP image"
    ) as e:
        refuse_crossing(people, SPLIT, "fixed", column="cohort", prefix="")
    assert 'same_person = [["A", "B"]] under [cohort]' in str(e.value)
    with pytest.raises(ContractError, match="another seed"):
        refuse_crossing(people, SPLIT, "fixed", column=None, prefix="")
    refuse_crossing(people, SPLIT | {"B": "training"}, "fixed", column="cohort", prefix="")


def test_a_declared_person_may_stand_in_both_cohorts_of_a_column():
    """It is the study's decision; a drawn split has none to make, and a declaration of others does not count."""
    declared = People((SCAN,), (("A", "B"),))
    refuse_crossing(declared, SPLIT, "fixed", column="cohort", prefix="")
    assert declared.undeclared == []
    assert declared.crossing(SPLIT) == [("A", "B")]
    with pytest.raises(ContractError, match="have the same AP image"):
        refuse_crossing(declared, SPLIT, "fixed", column=None, prefix="")
    with pytest.raises(ContractError, match="have the same AP image"):
        refuse_crossing(People((SCAN,), (("B", "C"),)), SPLIT, "fixed", column="cohort", prefix="")
