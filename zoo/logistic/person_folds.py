"""Folds of training patients that hold out people, not rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

__all__ = ["person_folds"]

Rows = NDArray[np.intp]


def person_folds(
    target: ArrayLike, people: Sequence[str] | None, n_splits: int, random_state: int | np.random.RandomState
) -> list[tuple[Rows, Rows]]:
    """Return the training and the held-out rows of each fold, stratified and shuffled.

    Parameters
    ----------
    target : array-like of shape (n_rows,)
        0 or 1.
    people : sequence of str of length n_rows, optional
        The person behind each row; each row is of another where absent.
    n_splits : int
        Folds; fewer where the rarer label has fewer people.
    random_state : int or RandomState instance
        Draws them.

    Returns
    -------
    list of (ndarray, ndarray)
        Empty where no division leaves people of both labels to fit to, as where a label has one person only.
    """
    labels = np.asarray(target)
    persons = np.arange(len(labels)) if people is None else np.asarray(people)
    fewest = min(len(np.unique(persons[labels == label])) for label in (0, 1))
    if fewest < 2:
        return []
    options = {"shuffle": True, "random_state": random_state}
    if len(np.unique(persons)) == len(persons):
        return list(StratifiedKFold(min(n_splits, fewest), **options).split(labels, labels))
    for number in range(min(n_splits, fewest), 1, -1):
        parts = list(StratifiedGroupKFold(number, **options).split(labels, labels, persons))
        # A person with rows of both labels may take the last of one away.
        if all(len(np.unique(labels[training])) == 2 for training, _ in parts):
            return parts
    return []
