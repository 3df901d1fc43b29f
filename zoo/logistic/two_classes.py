"""The labels of estimators that tell two classes apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.multiclass import check_classification_targets, type_of_target

__all__ = ["two_classes"]


def two_classes(
    labels: ArrayLike, wants: str = "a classifier needs patients of both"
) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the two classes, sorted, and for each patient 0 or 1, the position of its own.

    Parameters
    ----------
    labels : array-like of shape (n_patients,)
        Two classes, of any type that can be sorted.
    wants : str
        What is said where there is only one.

    Raises
    ------
    ValueError
        If there are fewer or more than two, in the words that scikit-learn's checks of estimators ask for.
    """
    check_classification_targets(labels)
    classes, target = np.unique(np.asarray(labels), return_inverse=True)
    if len(classes) > 2:
        raise ValueError(
            f"Only binary classification is supported. The type of the target is {type_of_target(labels)}."
        )
    if len(classes) < 2:
        raise ValueError(f"y has only one class: {wants}")
    return classes, target
