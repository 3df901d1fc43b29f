"""A drawn split is frozen: a study that grows keeps everyone where they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.ingest.frozen_splits import frozen_splits
from schemas.keys import canonical_json
from schemas.study.file import Study
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.home import Store

FIRST = {"A": "training", "B": "validation", "C": "training"}


def study_with(seed: int, fraction: float = 0.25) -> Study:
    """Return a study with one drawn split."""
    return Study.model_validate(
        {
            "study": {"id": "growing", "title": "t"},
            "cohort": {"table": "t.csv"},
            "phases": {"AP": {"image": "i", "mask": "m"}},
            "splits": {"main": {"kind": "stratified", "validation_fraction": fraction, "seed": seed}},
        }
    )


@pytest.fixture
def before(tmp_path: Path) -> Snapshot:
    """Give a store that knows the study with three patients."""
    store = Store(tmp_path / "store", create=True)
    with commit_to(store, "first") as commit:
        definition = canonical_json(study_with(1).model_dump(mode="json"))
        commit.put("studies", [{"study": "growing", "definition": definition}])
        members = [{"study": "growing", "split": "main", "patient": p, "cohort": c} for p, c in FIRST.items()]
        commit.put("split_members", members)
    return Snapshot(store)


def test_members_stay_where_they_were_drawn(before: Snapshot) -> None:
    """A new draw that would move every patient moves none, and a new patient gets a cohort."""
    redrawn = {"A": "validation", "B": "training", "C": "validation", "D": "training"}
    found = frozen_splits(study_with(1), {"main": redrawn}, before)["main"]
    assert {patient: found[patient] for patient in FIRST} == FIRST
    assert found["D"] in ("training", "validation")


def test_a_patient_without_a_label_any_more_leaves(before: Snapshot) -> None:
    """Who is no longer among the drawn is not kept in the split."""
    assert frozen_splits(study_with(1), {"main": {"A": "training"}}, before)["main"] == {"A": "training"}


@pytest.mark.parametrize("changed", [study_with(2), study_with(1, fraction=0.5)])
def test_a_split_of_other_settings_is_drawn_anew(changed: Study, before: Snapshot) -> None:
    """A changed seed or fraction is a wish for another draw."""
    redrawn = {"A": "validation", "B": "training", "C": "validation"}
    assert frozen_splits(changed, {"main": redrawn}, before)["main"] == redrawn


def test_new_patients_come_to_the_fraction_that_was_asked_for(before: Snapshot) -> None:
    """Of many new patients about a quarter goes to validation, the same ones every time."""
    drawn = {f"N{number}": "training" for number in range(4000)}
    first, second = (frozen_splits(study_with(1), {"main": drawn}, before)["main"] for _ in range(2))
    assert first == second
    share = sum(cohort == "validation" for cohort in first.values()) / len(first)
    assert share == pytest.approx(0.25, abs=0.03)


def test_a_first_ingest_takes_the_draw_as_it_is() -> None:
    """Without a store there is nothing to keep."""
    assert frozen_splits(study_with(1), {"main": FIRST}, None)["main"] == FIRST


def test_a_new_pseudonym_of_a_drawn_person_joins_the_person(before: Snapshot) -> None:
    """Whatever its hash would say: what trained under one name is not judged under another."""
    drawn = dict.fromkeys((*FIRST, "E"), "training")
    for of, cohort in FIRST.items():
        found = frozen_splits(study_with(1), {"main": drawn}, before, person={of: of, "E": of})["main"]
        assert found == FIRST | {"E": cohort}


@pytest.mark.parametrize("seed", range(5))
def test_a_first_draw_keeps_people_together(seed: int) -> None:
    """Pseudonyms of one person go to one cohort; without any the draw is the one that it always was."""
    labels = {f"P{number}": number % 2 for number in range(16)}
    person = {patient: f"P{int(patient[1:]) % 8}" for patient in labels}
    drawn = {patient: "training" if label else "validation" for patient, label in labels.items()}
    found = frozen_splits(study_with(seed), {"main": drawn}, None, labels=labels, person=person)["main"]
    assert all(found[f"P{number}"] == found[f"P{number + 8}"] for number in range(8))
    assert sorted(found.values()).count("validation") == 4
    assert frozen_splits(study_with(seed), {"main": drawn}, None, labels=labels)["main"] == drawn
