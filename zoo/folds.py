"""Folds of a cross-validation, drawn over patients: the same for every model that is judged on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.model_selection import StratifiedKFold

from schemas.errors import ContractError

__all__ = ["Fold", "inner_folds", "repeated_folds"]


@dataclass(frozen=True)
class Fold:
    """Who trains and who is judged; no patient does both."""

    number: int
    """``repeat * folds + k``."""
    repeat: int
    training: tuple[str, ...]
    judged: tuple[str, ...]


def repeated_folds(labels: Mapping[str, int], *, repeats: int, folds: int, seed: int) -> list[Fold]:
    """Return the folds of a repeated cross-validation, stratified by label.

    Patients are dealt out, not rows: a table with several rows per patient takes all of them to the patient's
    fold. The same patients, labels and numbers give the same folds in whatever order they come.

    Parameters
    ----------
    labels : mapping of str to int
        Each patient's label.
    repeats : int
        How often all patients are dealt out anew.
    folds : int
        Parts of each repeat.
    seed : int
        Draws the folds.

    Raises
    ------
    ContractError
        When a class has fewer patients than there are folds.
    """
    patients = np.array(sorted(labels))
    values = np.array([labels[patient] for patient in patients])
    smaller = min(int((values == label).sum()) for label in (0, 1))
    if smaller < folds:
        raise ContractError(
            f"{folds} folds need {folds} patients of each label, the rarer label has {smaller}",
            hint="bench with fewer --folds",
        )
    found = []
    for repeat in range(repeats):
        # One seed a repeat, not one generator for all: the folds of a repeat do not depend on how many there are.
        drawn = StratifiedKFold(folds, shuffle=True, random_state=seed + repeat).split(patients, values)
        for part, (training, judged) in enumerate(drawn):
            found.append(Fold(repeat * folds + part, repeat, _names(patients[training]), _names(patients[judged])))
    return found


def inner_folds(fold: Fold, labels: Mapping[str, int], *, folds: int, seed: int) -> list[Fold]:
    """Return folds of a fold's own training patients, as many as the rarer label allows and at least two."""
    own = {patient: labels[patient] for patient in fold.training}
    smaller = min(sum(label == each for label in own.values()) for each in (0, 1))
    return repeated_folds(own, repeats=1, folds=max(2, min(folds, smaller)), seed=seed)


def _names(patients: np.ndarray) -> tuple[str, ...]:
    return tuple(str(patient) for patient in patients)
