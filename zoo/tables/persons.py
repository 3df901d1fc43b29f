"""Whose pseudonyms a study's patients are, as its file declares and the store's hashes and imported rows tell."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.errors import ContractError, NotFoundError
from schemas.persons import (
    People,
    SharedData,
    both_cohorts_note,
    refuse_crossing,
    same_contents,
    same_rows,
    without_templates,
)
from schemas.study.file import Study
from schemas.study.outcomes import ColumnSplit
from store.history.snapshot import Snapshot
from zoo.tables.feature_columns import phase_columns, stored_feature_set

__all__ = ["one_person_in_both", "refuse_people_in_both_cohorts", "study_people"]


def study_people(snapshot: Snapshot, study: Study) -> People:
    """Return which of a study's pseudonyms stand for one person.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        The study as the store has it.
    """
    own = {row["patient"] for row in snapshot.rows("study_patients", study=study.id)}
    contents = [(f"{row['phase']} image", row["image_sha256"], row["patient"]) for row in snapshot.rows("scans")]
    contents += [(f"{row['phase']} mask", row["mask_sha256"], row["patient"]) for row in snapshot.rows("masks")]
    contents = [each for each in contents if each[2] in own]
    shared, _ = without_templates(same_contents(contents), len({patient for *_, patient in contents}))
    shared += [each for name in study.imported for each in _same_imported_rows(snapshot, study, name)]
    declared = (tuple(map(study.stored_patient, group)) for group in study.cohort.same_person)
    return People(tuple(shared), tuple(tuple(each for each in group if each in own) for group in declared))


def _same_imported_rows(snapshot: Snapshot, study: Study, name: str) -> list[SharedData]:
    try:
        tables = phase_columns(snapshot, study.id, stored_feature_set(snapshot, study, name), ())
    except (ContractError, NotFoundError):
        # Nothing that a model could read: not imported yet, or several lesions a patient.
        return []
    rows: dict[str, list[float | None]] = {}
    width = 0
    for table in tables.values():
        for patient, *values in table.iter_rows():
            rows.setdefault(patient, [None] * width).extend(values)
        width += table.width - 1
        for values in rows.values():
            values.extend([None] * (width - len(values)))
    return same_rows(rows, name)


def refuse_people_in_both_cohorts(snapshot: Snapshot, study: Study, people: People, splits: Iterable[str]) -> None:
    """Refuse to train on a split that has one person in both cohorts.

    Raises
    ------
    ContractError
        With both pseudonyms and what they share, unless a column makes the split and they are declared one person.
    """
    for name in dict.fromkeys(splits):
        rows = snapshot.rows("split_members", study=study.id, split=name)
        split = study.splits.get(name)
        refuse_crossing(
            people,
            {row["patient"]: row["cohort"] for row in rows},
            name,
            column=split.column if isinstance(split, ColumnSplit) else None,
            prefix=study.cohort.prefix,
        )


def one_person_in_both(snapshot: Snapshot, study: Study, people: People, splits: Iterable[str]) -> list[str]:
    """Return a sentence for each split in which declared persons stand in both cohorts."""
    found = []
    for name in dict.fromkeys(splits):
        rows = snapshot.rows("split_members", study=study.id, split=name)
        if pairs := people.crossing({row["patient"]: row["cohort"] for row in rows}):
            found.append(both_cohorts_note(name, pairs))
    return found
