"""Which pseudonyms stand for one person: as a study declares, and as equal images, masks and rows of features tell."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import comb

from schemas.errors import ContractError

__all__ = [
    "People",
    "SharedData",
    "both_cohorts_note",
    "person_of",
    "refuse_crossing",
    "same_contents",
    "same_rows",
    "without_templates",
]

_FEWEST_TELLING = 3
"""Columns in which two rows must agree besides all others: in a table of few or coarse columns rows are equal by
chance."""
_LARGEST_CHANCE = 0.05
"""Of two different rows to agree in a column that tells people apart."""


@dataclass(frozen=True)
class SharedData:
    """The same data under several pseudonyms."""

    what: str
    """``AP image``, ``AP mask`` or ``row of 'table'``."""
    patients: tuple[str, ...]
    """Sorted, at least two."""

    def __str__(self) -> str:
        named = ", ".join(f"'{patient}'" for patient in self.patients[:4])
        more = f" and {len(self.patients) - 4} more" if len(self.patients) > 4 else ""
        return f"patients {named}{more} have the same {self.what}"


def same_contents(contents: Iterable[tuple[str, str, str]]) -> list[SharedData]:
    """Return the contents that several patients have.

    Parameters
    ----------
    contents : iterable of (str, str, str)
        What it is (``AP image``), its hash, the patient.
    """
    holders: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for what, digest, patient in contents:
        holders[digest].setdefault(patient, what)
    found = [SharedData(min(of.values()), tuple(sorted(of))) for of in holders.values() if len(of) > 1]
    return sorted(found, key=lambda shared: (shared.patients, shared.what))


def without_templates(shared: Iterable[SharedData], patients: int) -> tuple[list[SharedData], list[SharedData]]:
    """Return the data that tell who is one person, and the masks that do not, for most patients share them.

    Lesions drawn by hand differ from patient to patient. A mask that more than half of the patients have, and more
    than two of them, is a box or an atlas' region: it says nothing about who they are.

    Parameters
    ----------
    shared : iterable of SharedData
        Images and masks.
    patients : int
        How many patients there are.
    """
    telling: list[SharedData] = []
    templates: list[SharedData] = []
    for each in shared:
        is_template = each.what.endswith(" mask") and len(each.patients) > max(2, patients / 2)
        (templates if is_template else telling).append(each)
    return telling, templates


def same_rows(rows: Mapping[str, Sequence[float | None]], name: str) -> list[SharedData]:
    """Return the patients who have the same row of a feature table, where that is no chance.

    Rows count as the same where all their values are equal, at least three of them in columns that tell people apart:
    with fractions, and in which two different rows of the table hardly ever agree (a chance of 5 % at most). So a
    table of constants, of a few scores or of small whole numbers has no such rows.

    Parameters
    ----------
    rows : mapping of str to sequence of float or None
        Each patient's values, in the order of the columns.
    name : str
        The table.
    """
    holders: defaultdict[tuple[float | None, ...], list[str]] = defaultdict(list)
    for patient, values in rows.items():
        holders[tuple(values)].append(patient)
    different = list(holders)
    pairs = comb(len(different), 2)
    if not pairs or all(len(patients) == 1 for patients in holders.values()):
        return []
    telling = [
        position
        for position in range(len(different[0]))
        if any(row[position] is not None and row[position] % 1 for row in different)  # type: ignore[operator]
        and sum(comb(count, 2) for count in Counter(row[position] for row in different).values())
        <= _LARGEST_CHANCE * pairs
    ]
    found = [
        SharedData(f"row of '{name}'", tuple(sorted(patients)))
        for row, patients in holders.items()
        if len(patients) > 1 and sum(row[position] is not None for position in telling) >= _FEWEST_TELLING
    ]
    return sorted(found, key=lambda shared: shared.patients)


def person_of(shared: Iterable[SharedData], declared: Iterable[Sequence[str]] = ()) -> dict[str, str]:
    """Return the person behind each pseudonym that shares one: the first of the person's pseudonyms.

    Parameters
    ----------
    shared : iterable of SharedData
        Pseudonyms with the same data.
    declared : iterable of sequence of str
        Pseudonyms that a study declares to be one person.
    """
    leader: dict[str, str] = {}

    def first(patient: str) -> str:
        while (above := leader.setdefault(patient, patient)) != patient:
            patient = above
        return patient

    for patients in (*(each.patients for each in shared), *declared):
        heads = {first(patient) for patient in patients}
        for head in heads:
            leader[head] = min(heads)
    return {patient: first(patient) for patient in leader}


@dataclass(frozen=True)
class People:
    """What is known of pseudonyms that stand for one person."""

    shared: tuple[SharedData, ...] = ()
    declared: tuple[tuple[str, ...], ...] = ()
    """Pseudonyms, as the store knows them, that the study file declares to be one person."""

    @cached_property
    def person(self) -> dict[str, str]:
        """Return the person behind each pseudonym that shares one."""
        return person_of(self.shared, self.declared)

    @cached_property
    def declared_person(self) -> dict[str, str]:
        """Return the same, as far as the study file declares it."""
        return person_of((), self.declared)

    def is_declared(self, patients: Iterable[str]) -> bool:
        """Return whether these patients are declared to be one person."""
        return len({self.declared_person.get(patient, patient) for patient in patients}) == 1

    @property
    def undeclared(self) -> list[SharedData]:
        """Return the shared data of patients who are not declared to be one person."""
        return [each for each in self.shared if not self.is_declared(each.patients)]

    def crossing(self, members: Mapping[str, str]) -> list[tuple[str, str]]:
        """Return pairs of pseudonyms of one person of which the first trains and the second is judged."""
        by_person: defaultdict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
        for patient in sorted(members):
            if patient in self.person:
                by_person[self.person[patient]][members[patient]].append(patient)
        return [(a, b) for of in by_person.values() for a in of["training"] for b in of["validation"]]


def refuse_crossing(people: People, members: Mapping[str, str], split: str, *, column: str | None, prefix: str) -> None:
    """Refuse a split that has one person in both cohorts.

    Where a column of the study's table makes the split, pseudonyms that the study file declares to be one person may
    stand in both: that is the study's decision, and said. A drawn split has no reason to.

    Parameters
    ----------
    people : People
        Who is who.
    members : mapping of str to str
        Each patient's cohort.
    split : str
        The split's name.
    column : str or None
        The column that makes the split, None where it is drawn.
    prefix : str
        What the store puts before the pseudonyms of the table.

    Raises
    ------
    ContractError
        With the first pair of patients, what they share and what to do.
    """
    pairs = people.crossing(members)
    if column is not None:
        pairs = [pair for pair in pairs if not people.is_declared(pair)]
    if not pairs:
        return
    first, second = pairs[0]
    what = next((each.what for each in people.shared if {first, second} <= {*each.patients}), None)
    same = f"have the same {what}" if what is not None else "stand for one person"
    more = f" ({len(pairs) - 1} more such pairs)" if len(pairs) > 1 else ""
    if column is None:
        hint = f"another seed in [splits.{split}] of the study file draws it again, each person on one side"
    else:
        named = f'[["{first.removeprefix(prefix)}", "{second.removeprefix(prefix)}"]]'
        hint = (
            f"correct the file of one of them, or give both one cohort in column '{column}'; if they are one person "
            f"who is to stand in both, same_person = {named} under [cohort]"
        )
    raise ContractError(
        f"patients '{first}' in training and '{second}' in validation {same}: a model would be asked about whom it "
        f"has learnt from{more}",
        where=f"split '{split}'",
        hint=hint + "; then radzoo ingest the study file",
    )


def both_cohorts_note(split: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Return what should be known of a split in which declared persons stand in both cohorts."""
    (first, second), *others = pairs
    more = f" and {len(others)} more pairs" if others else ""
    return (
        f"split '{split}': one person is in training as '{first}' and in validation as '{second}'{more}, as the study "
        "file declares: validation figures flatter"
    )
