"""What an estimator says of itself beyond scikit-learn's own methods; an estimator has those that it can answer.

The zoo asks these of every fitted model and looks at no class: a new member is its estimator and its entry in the
registry. A pipeline of scikit-learn has none of them; it is asked step by step (`zoo.fitted_parts`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import logit

from schemas.documents.model_summary import ModelSummary

__all__ = [
    "Combining",
    "Completing",
    "Composed",
    "Linear",
    "LinearView",
    "PartlyUnweighted",
    "Penalised",
    "Recalibrated",
    "Recalibration",
    "Score",
    "Summarised",
    "scores_of",
]

Floats = NDArray[np.float64]
Score = Literal["decision", "log_odds", "probability"]
"""What is recalibrated: an estimator's ``decision_function``, the log odds of its probability, or that itself."""

_CERTAIN = 1e-6
"""A probability nearer to 0 or 1 counts as this far from it, where its log odds are the score."""


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


@dataclass(frozen=True)
class Recalibration:
    """A model as another one whose scores a line turns into log odds.

    Attributes
    ----------
    estimator : estimator
        The other, fitted.
    score : {'decision', 'log_odds', 'probability'}
        Which scores.
    slope, intercept : float
        Log odds of label 1 per unit of score, and where it is 0.
    """

    estimator: Any
    score: Score
    slope: float
    intercept: float

    def log_odds(self, estimator: Any, table: Any) -> Floats:
        """Return what the line makes of the scores of the other model, or of its last step for what that sees."""
        return np.asarray(self.intercept + self.slope * scores_of(estimator, table, self.score), dtype=np.float64)


def scores_of(estimator: Any, table: Any, score: Score) -> Floats:
    """Return a fitted classifier's scores of patients, of shape (n_patients,)."""
    if score == "decision":
        return np.asarray(estimator.decision_function(table), dtype=np.float64)
    probabilities = np.asarray(estimator.predict_proba(table), dtype=np.float64)[:, 1]
    if score == "probability":
        return probabilities
    return np.asarray(logit(np.clip(probabilities, _CERTAIN, 1 - _CERTAIN)), dtype=np.float64)


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
class PartlyUnweighted(Protocol):
    """It takes weights of patients, and what it is made of may not."""

    def unweighted(self) -> Sequence[Any]:
        """Return in words what of its fit counts all patients alike, and the estimators that are to be asked the same.

        It is asked before a fit and after.
        """


@runtime_checkable
class Penalised(Protocol):
    """It chose a penalty by cross-validation."""

    def penalties(self) -> dict[str, float]:
        """Return the inverse of each penalty, C, by what it is of."""


@runtime_checkable
class Recalibrated(Protocol):
    """Its log odds are linear in the scores of another model, which it holds."""

    def recalibration(self) -> Recalibration:
        """Return that model and the line."""
