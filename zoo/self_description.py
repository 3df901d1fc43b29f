"""What an estimator says of itself beyond scikit-learn's own methods; an estimator has those that it can answer.

The zoo asks these of every fitted model and looks at no class: a new member is its estimator and its entry in the
registry. A pipeline of scikit-learn has none of them; it is asked step by step (`zoo.fitted_parts`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from schemas.documents.model_summary import ModelSummary

__all__ = ["Combining", "Completing", "Composed", "Linear", "LinearView", "Penalised", "Summarised"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class LinearView:
    """A model as log odds that are linear in some columns of its table.

    Attributes
    ----------
    columns : tuple of int
        Positions of the columns that count.
    coefficients : ndarray of shape (n_columns,)
        Log odds of label 1 per unit of each.
    intercept : float
        Log odds where all of them are 0.
    intervals : mapping of str to (float, float)
        95 % bounds of coefficients by name, where the model is one of effects that were tested.
    """

    columns: tuple[int, ...]
    coefficients: Floats
    intercept: float
    intervals: Mapping[str, tuple[float, float]] | None = None


@runtime_checkable
class Summarised(Protocol):
    """It says what it learned."""

    def summary(self, labels: ArrayLike | None = None) -> ModelSummary:
        """Return what it learned, JSON-ready; ``notes`` say what a reader must know.

        Parameters
        ----------
        labels : array-like of shape (n_patients,), optional
            Of the patients that it was fitted to.
        """


@runtime_checkable
class Linear(Protocol):
    """Its log odds are linear in columns of its table."""

    def linear_view(self) -> LinearView:
        """Return them so."""


@runtime_checkable
class Completing(Protocol):
    """It puts values of its own in the place of missing ones."""

    def completed(self, table: Floats) -> Floats:
        """Return a table of the columns that it was fitted to, without missing values."""


@runtime_checkable
class Composed(Protocol):
    """It is made of other estimators."""

    def fitted_parts(self) -> Sequence[Any]:
        """Return those that it was fitted with."""


@runtime_checkable
class Combining(Protocol):
    """A transformer whose output is several selections side by side, each on the training patients' scale."""

    notes_: list[str]

    def column_counts(self) -> dict[str, int]:
        """Return how many columns are left after each of its steps."""


@runtime_checkable
class Penalised(Protocol):
    """It chose a penalty by cross-validation."""

    def penalties(self) -> dict[str, float]:
        """Return the inverse of each penalty, C, by what it is of."""
