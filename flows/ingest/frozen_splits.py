"""Drawn splits stay as they were drawn when a study grows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from flows.expect.quarantine import stored_quarantine
from schemas.errors import ContractError
from schemas.splits import checked_split
from schemas.study.file import Study
from schemas.study.outcomes import StratifiedSplit
from store.history.former_cohorts import former_cohorts
from store.history.snapshot import Snapshot

__all__ = ["frozen_splits"]


def frozen_splits(
    study: Study,
    drawn: Mapping[str, Mapping[str, str]],
    before: Snapshot | None,
    *,
    labels: Mapping[str, int] | None = None,
    person: Mapping[str, str] | None = None,
) -> dict[str, dict[str, str]]:
    """Return the study's splits, those that were drawn before with their members where they were.

    A patient who was drawn keeps the cohort; one who is new goes to a cohort by a hash of seed and pseudonym,
    which puts the asked-for fraction into validation on average. A split whose fraction or seed changed in the
    study file is drawn again. Pseudonyms of one person go to one cohort.

    Parameters
    ----------
    study : Study
        The study file as it is now.
    drawn : mapping
        Each split's members and cohorts, drawn as if for the first time.
    before : Snapshot or None
        The store before this ingest.
    labels : mapping of str to int, optional
        Each labelled patient's label, where some of them stand for one person.
    person : mapping of str to str, optional
        The person behind each pseudonym that shares one.

    Raises
    ------
    ContractError
        When there are too few people to be split by label.
    """
    labels, person = labels or {}, person or {}
    stored = before.rows("studies", study=study.id) if before is not None else []
    former = Study.model_validate_json(stored[0]["definition"]).splits if stored else {}
    found: dict[str, dict[str, str]] = {}
    for name, members in drawn.items():
        split = study.splits[name]
        if before is not None and isinstance(split, StratifiedSplit) and former.get(name) == split:
            rows = before.rows("split_members", study=study.id, split=name)
            known = {row["patient"]: row["cohort"] for row in rows}
            # Whom an expectation left out comes back to where they were.
            back = stored_quarantine(before, study.id).patients.keys() & members.keys() - known.keys()
            known = (former_cohorts(before, study.id, name, back) if back else {}) | known
            of_person = {person.get(patient, patient): cohort for patient, cohort in known.items()}
            found[name] = {
                patient: known.get(patient)
                or of_person.get(person.get(patient, patient))
                or _hashed_cohort(split, person.get(patient, patient))
                for patient in members
            }
        elif isinstance(split, StratifiedSplit) and person.keys() & members.keys():
            people = _drawn_by_person(name, split, {each: labels[each] for each in members}, person)
            found[name] = checked_split(people, labels, name)
        else:
            found[name] = dict(members)
    return found


def _drawn_by_person(
    name: str, split: StratifiedSplit, labels: Mapping[str, int], person: Mapping[str, str]
) -> dict[str, str]:
    """Return a split of people, each with the label 1 where one of their pseudonyms has it."""
    from sklearn.model_selection import train_test_split

    people: dict[str, int] = {}
    for patient, label in labels.items():
        who = person.get(patient, patient)
        people[who] = max(label, people.get(who, 0))
    ordered = sorted(people)
    try:
        training, _ = train_test_split(
            ordered,
            test_size=split.validation_fraction,
            random_state=split.seed,
            stratify=[people[who] for who in ordered],
        )
    except ValueError as error:
        events = sum(people.values())
        raise ContractError(
            f"{len(people)} people behind {len(labels)} labelled patients, {events} with label 1, are too few to be "
            "split by label",
            where=f"split '{name}'",
            hint="take another validation_fraction, or leave the split out; nothing was written",
        ) from error
    trains = set(training)
    return {patient: "training" if person.get(patient, patient) in trains else "validation" for patient in labels}


def _hashed_cohort(split: StratifiedSplit, patient: str) -> str:
    digest = hashlib.sha256(f"{split.seed}:{patient}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    return "validation" if share < split.validation_fraction else "training"
