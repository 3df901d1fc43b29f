"""Folds of a cross-validation, drawn over patients: the same for every model that is judged on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from schemas.errors import ContractError

__all__ = ["Fold", "most_folds", "repeated_folds"]


@dataclass(frozen=True)
class Fold:
    """Who trains and who is judged; no patient does both, but in a resample."""

    number: int
    """``repeat * folds + k``."""
    repeat: int
    training: tuple[str, ...]
    judged: tuple[str, ...]
    draws: Mapping[str, int] = field(default_factory=dict)
    """How often a resample has each of its training patients; empty where each is there once."""


def repeated_folds(
    labels: Mapping[str, int],
    *,
    repeats: int,
    folds: int,
    seed: int,
    person_of: Mapping[str, str] | None = None,
) -> list[Fold]:
    """Return the folds of a repeated cross-validation, stratified by label.

    People are divided, not rows: a table with several rows per patient takes all of them to the patient's
    fold, and pseudonyms of one person go to one fold. The same patients, labels and numbers give the same folds in
    whatever order they come.

    Parameters
    ----------
    labels : mapping of str to int
        Each patient's label.
    repeats : int
        How often all patients are divided again.
    folds : int
        Parts of each repeat.
    seed : int
        Draws the folds.
    person_of : mapping of str to str, optional
        The person behind a pseudonym, for those that share one.

    Raises
    ------
    ContractError
        When a class has fewer people than there are folds.
    """
    patients = np.array(sorted(labels))
    values = np.array([labels[patient] for patient in patients])
    people = np.array([(person_of or {}).get(patient, patient) for patient in patients])
    most = most_folds(labels, person_of)
    if most < folds:
        raise ContractError(
            f"{folds} folds need {folds} patients of each label, the rarer label has {most}",
            hint=f"--folds {most} is the most that can be" if most > 1 else "the study needs more labelled patients",
        )
    found = []
    for repeat in range(repeats):
        # One seed a repeat, not one generator for all: the folds of a repeat do not depend on how many there are.
        options = {"n_splits": folds, "shuffle": True, "random_state": seed + repeat}
        if len(set(people.tolist())) == len(people):
            drawn = StratifiedKFold(**options).split(patients, values)
        else:
            drawn = StratifiedGroupKFold(**options).split(patients, values, people)
        for part, (training, judged) in enumerate(drawn):
            found.append(Fold(repeat * folds + part, repeat, _names(patients[training]), _names(patients[judged])))
    return found


def most_folds(labels: Mapping[str, int], person_of: Mapping[str, str] | None = None) -> int:
    """Return into how many folds patients can be divided: the people who have the rarer label."""
    people: dict[int, set[str]] = {0: set(), 1: set()}
    for patient, label in labels.items():
        people[label].add((person_of or {}).get(patient, patient))
    return min(map(len, people.values()))


def _names(patients: np.ndarray) -> tuple[str, ...]:
    return tuple(str(patient) for patient in patients)
