"""Bootstrap resamples of training patients: who is drawn, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from schemas.errors import ContractError
from zoo.benchmark.folds import Fold

__all__ = ["Resamples", "drawn_resamples"]


@dataclass(frozen=True)
class Resamples:
    """All training patients as they are, and resamples of them: to each a model is fitted, and judged on all."""

    folds: tuple[Fold, ...]
    """Number 0 has every patient once; the resamples count from 1. All training patients are judged by each."""
    passed_over: Mapping[int, tuple[Mapping[str, int], ...]]
    """By number, the draws with one label only that came before the one that stands: how often each had a patient."""


def drawn_resamples(
    labels: Mapping[str, int], *, resamples: int, seed: int, person_of: Mapping[str, str] | None = None
) -> Resamples:
    """Return bootstrap resamples of patients.

    As many people are drawn, with replacement, as there are; a person who is drawn brings all of their pseudonyms. No
    label is looked at but this way: a resample in which only one is left cannot be fitted to, and is drawn again. Each
    number has a seed of its own, so that the first resamples are the same however many are asked for. The same patients
    give the same resamples in whatever order they come.

    Parameters
    ----------
    labels : mapping of str to int
        Each training patient's label.
    resamples : int
        How many.
    seed : int
        Draws them, together with their number.
    person_of : mapping of str to str, optional
        The person behind a pseudonym, for those that share one.

    Raises
    ------
    ContractError
        When the patients have one label only.

    References
    ----------
    Efron B, Ann Stat 1979;7:1, doi:10.1214/aos/1176344552.
    """
    if len(set(labels.values())) < 2:
        raise ContractError("resamples of patients with one label only have one label only")
    patients = sorted(labels)
    pseudonyms: dict[str, list[str]] = {}
    for patient in patients:
        pseudonyms.setdefault((person_of or {}).get(patient, patient), []).append(patient)
    people = list(pseudonyms.values())
    folds = [Fold(0, 0, tuple(patients), tuple(patients), dict.fromkeys(patients, 1))]
    passed_over: dict[int, tuple[Mapping[str, int], ...]] = {}
    for number in range(1, resamples + 1):
        random = np.random.default_rng([seed, number])
        # Both labels are there, so that every other draw has both, or more: the loop ends.
        while True:
            counts = np.bincount(random.integers(len(people), size=len(people)), minlength=len(people))
            drawn = {patient: int(count) for own, count in zip(people, counts, strict=True) if count for patient in own}
            draws = dict(sorted(drawn.items()))
            if len({labels[patient] for patient in draws}) == 2:
                break
            passed_over[number] = (*passed_over.get(number, ()), draws)
        folds.append(Fold(number, 0, tuple(draws), tuple(patients), draws))
    return Resamples(tuple(folds), passed_over)
