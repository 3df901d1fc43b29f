"""Stratified folds, fewer where a class has not enough patients for them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import StratifiedKFold

__all__ = ["FeasibleFolds"]


class FeasibleFolds(StratifiedKFold):  # type: ignore[misc]  # sklearn is untyped
    """Folds of which each holds patients of both classes: as many as asked for, or as the smaller class has patients.

    Where every class has as many patients as there are folds it is scikit-learn's own, and so it is written: the
    identity of models that were trained before they were given these folds stays.

    Parameters
    ----------
    n_splits : int, default=5
        Folds; at least two are made.
    shuffle : bool, default=False
        Whether patients are drawn.
    random_state : int, optional
        Draws them.

    Examples
    --------
    >>> len(list(FeasibleFolds(5).split(range(8), [0, 0, 0, 0, 0, 1, 1, 1])))
    3
    """

    def __init__(self, n_splits: int = 5, *, shuffle: bool = False, random_state: int | None = None) -> None:
        super().__init__(n_splits, shuffle=shuffle, random_state=random_state)

    def split(
        self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Yield the training and the held-out rows of each fold."""
        smaller = int(np.unique(np.asarray(y), return_counts=True)[1].min())
        folds = StratifiedKFold(
            max(2, min(self.n_splits, smaller)), shuffle=self.shuffle, random_state=self.random_state
        )
        yield from folds.split(X, y)

    def __repr__(self) -> str:
        return str(super().__repr__()).replace(type(self).__name__, StratifiedKFold.__name__, 1)
