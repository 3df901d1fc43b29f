"""People behind a study's pseudonyms, found before anything is written: named, kept together, or refused."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from flows.ingest.inventory import Inventory
from flows.privacy.identities import Identities
from flows.study.imported.tables import ImportedRows
from flows.study.patients import CohortPatient, StudyTables
from schemas.errors import ContractError
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
from schemas.study.toml_lines import line_of
from store.history.snapshot import Snapshot

__all__ = ["cohort_people", "people_warnings", "refuse_common_files", "refuse_shared_people", "with_declared_people"]


_MOST_NAMED = 10


def with_declared_people(
    study: Study, tables: StudyTables, study_file: Path, text: str, identities: Identities
) -> Study:
    """Return the study with everybody whom its file or its column ``person`` declares to be one person.

    Of a study with ``[privacy]`` they are pseudonyms; its file may name ids or pseudonyms.

    Raises
    ------
    ContractError
        When ``same_person`` names somebody who is not in the cohort table.
    """
    known = {each.written: identities.pseudonym(each.written) for each in tables.assessed}
    known |= {pseudonym: pseudonym for pseudonym in known.values()}
    for group in study.cohort.same_person:
        for pseudonym in group:
            if pseudonym not in known:
                whom = "somebody" if identities.is_private else f"'{pseudonym}',"
                raise ContractError(
                    f"same_person names {whom} whom the cohort table does not have",
                    where=f"{study_file}:{line_of(text, ('cohort', 'same_person'))}",
                    hint="correct the pseudonym in the study file; nothing was written",
                )
    people: defaultdict[str, list[str]] = defaultdict(list)
    for pseudonym, person in tables.people.items():
        people[person].append(pseudonym)
    groups = [tuple(sorted(group)) for _, group in sorted(people.items()) if len(group) > 1]
    if not groups and not identities.is_private:
        return study
    declared = [tuple(known[each] for each in group) for group in (*study.cohort.same_person, *groups)]
    cohort = study.cohort.model_copy(update={"same_person": tuple(declared)})
    return study.model_copy(update={"cohort": cohort})


def refuse_common_files(study: Study, study_file: Path, text: str, patients: Sequence[CohortPatient]) -> None:
    """Refuse a path pattern that gives the same file for every patient."""
    if len(patients) < 2:
        return
    for name, phase in study.phases.items():
        for what, pattern in (("image", phase.image), ("mask", phase.mask)):
            if "{patient}" not in pattern:
                raise ContractError(
                    f"'{pattern}' is one {what} for all {len(patients)} patients: it has no {{patient}}",
                    where=f"{study_file}:{line_of(text, ('phases', name, what))}",
                    hint="put {patient} where the file's name or folder has the pseudonym; nothing was written",
                )


def cohort_people(study: Study, inventory: Inventory, imported: Iterable[ImportedRows]) -> People:
    """Return which pseudonyms stand for one person, by what was read of a study's images and tables."""
    contents = _contents(inventory)
    shared, _ = without_templates(same_contents(contents), len({patient for *_, patient in contents}))
    for table in imported:
        columns = table.definition.columns
        keys = sorted({(record.key.phase, record.key.lesion) for record in table.records})
        rows: dict[str, dict[tuple[str, str], Sequence[float | None]]] = {}
        for record in table.records:
            values = [record.values[column] for column in columns]
            rows.setdefault(record.key.patient, {})[record.key.phase, record.key.lesion] = values
        nothing: Sequence[float | None] = [None] * len(columns)
        whole = {patient: [v for key in keys for v in of.get(key, nothing)] for patient, of in rows.items()}
        shared += same_rows(whole, table.name)
    declared = (tuple(map(study.stored_patient, group)) for group in study.cohort.same_person)
    return People(tuple(shared), tuple(declared))


def refuse_shared_people(study: Study, splits: Mapping[str, Mapping[str, str]], people: People) -> None:
    """Refuse splits that have one person in both cohorts; see `schemas.persons.refuse_crossing`."""
    for name, members in splits.items():
        split = study.splits[name]
        column = split.column if isinstance(split, ColumnSplit) else None
        refuse_crossing(people, members, name, column=column, prefix=study.cohort.prefix)


def people_warnings(
    study: Study, tables: StudyTables, inventory: Inventory, people: People, before: Snapshot | None
) -> list[str]:
    """Return a sentence for whatever several pseudonyms, studies or phases have in common."""
    together = "they are kept together in drawn splits and in folds; if they are one person, declare it"
    by_patients: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for each in people.undeclared:
        by_patients[each.patients].append(each.what)
    found = [
        f"{SharedData(' and '.join(what), patients)}: {together} (same_person, or person, under [cohort])"
        for patients, what in by_patients.items()
    ]
    if len(found) > _MOST_NAMED:
        found = [*found[:_MOST_NAMED], f"and {len(found) - _MOST_NAMED} more groups of patients with the same data"]
    contents = _contents(inventory)
    masked = len({patient for *_, patient in contents})
    found += [
        f"{len(each.patients)} of {masked} patients have the same {each.what}, as no lesions drawn by hand do: shape "
        "and size of the region tell nothing there"
        for each in without_templates(same_contents(contents), masked)[1]
    ]
    for name, members in tables.splits.items():
        if pairs := people.crossing(members):
            found.append(both_cohorts_note(name, pairs))
    return found + _same_phases(inventory) + _in_other_studies(study, inventory, before)


def _contents(inventory: Inventory) -> list[tuple[str, str, str]]:
    scans = [(f"{row['phase']} image", row["image_sha256"], row["patient"]) for row in inventory.scans]
    return scans + [(f"{row['phase']} mask", row["mask_sha256"], row["patient"]) for row in inventory.masks]


def _same_phases(inventory: Inventory) -> list[str]:
    """Return which phases are one image, with the number of patients in whom they are."""
    phases: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for row in inventory.scans:
        phases[row["patient"], row["image_sha256"]].append(row["phase"])
    counts: defaultdict[tuple[str, ...], list[str]] = defaultdict(list)
    for (patient, _), names in phases.items():
        if len(names) > 1:
            counts[tuple(names)].append(patient)
    return [
        f"phases {' and '.join(names)} are the same image in {len(patients)} patients, the first '{patients[0]}'"
        for names, patients in counts.items()
    ]


def _in_other_studies(study: Study, inventory: Inventory, before: Snapshot | None) -> list[str]:
    if before is None:
        return []
    own = {row["patient"] for row in inventory.scans}
    studies: defaultdict[str, list[str]] = defaultdict(list)
    for row in before.rows("study_patients"):
        if row["study"] != study.id:
            studies[row["patient"]].append(row["study"])
    stored = [(f"{row['phase']} image", row["image_sha256"], row["patient"]) for row in before.rows("scans")]
    stored += [(f"{row['phase']} mask", row["mask_sha256"], row["patient"]) for row in before.rows("masks")]
    others = [each for each in stored if each[2] not in own and each[2] in studies]
    if not others:
        return []
    found = []
    for each in same_contents([*_contents(inventory), *others]):
        elsewhere = [patient for patient in each.patients if patient not in own]
        if elsewhere and len(elsewhere) < len(each.patients):
            of = sorted({name for patient in elsewhere for name in studies[patient]})
            found.append(f"{each}: {', '.join(map(repr, elsewhere))} in study '{of[0]}', the others in this one")
    return found
