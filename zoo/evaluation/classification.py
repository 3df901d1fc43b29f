"""Counts and rates of a model at its frozen threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from numpy.typing import ArrayLike

from schemas.errors import ContractError
from zoo.evaluation.inputs import labelled_scores
from zoo.evaluation.intervals import Interval, wilson_interval

__all__ = ["Classification", "Rate", "classification"]

Rate = Literal["accuracy", "sensitivity", "specificity", "ppv", "npv"]


@dataclass(frozen=True)
class Classification:
    """Patients by predicted and true class, and the rates that follow; a rate without patients is None."""

    tp: int
    fp: int
    tn: int
    fn: int

    @property
    def n(self) -> int:
        """All patients."""
        return self.tp + self.fp + self.tn + self.fn

    @property
    def accuracy(self) -> float | None:
        """(TP + TN) / n."""
        return self._rate("accuracy")

    @property
    def sensitivity(self) -> float | None:
        """TP / (TP + FN), of the patients labelled 1."""
        return self._rate("sensitivity")

    @property
    def specificity(self) -> float | None:
        """TN / (TN + FP), of the patients labelled 0."""
        return self._rate("specificity")

    @property
    def ppv(self) -> float | None:
        """TP / (TP + FP), of the patients called positive."""
        return self._rate("ppv")

    @property
    def npv(self) -> float | None:
        """TN / (TN + FN), of the patients called negative."""
        return self._rate("npv")

    def interval(self, rate: Rate, level: float = 0.95) -> Interval | None:
        """Return Wilson's interval of one rate, None where the rate has no patients.

        Parameters
        ----------
        rate : {"accuracy", "sensitivity", "specificity", "ppv", "npv"}
            Which rate.
        level : float
            Confidence level.
        """
        right, of = self._fraction(rate)
        return wilson_interval(right, of, level) if of else None

    def _rate(self, rate: Rate) -> float | None:
        right, of = self._fraction(rate)
        return right / of if of else None

    def _fraction(self, rate: Rate) -> tuple[int, int]:
        return {
            "accuracy": (self.tp + self.tn, self.n),
            "sensitivity": (self.tp, self.tp + self.fn),
            "specificity": (self.tn, self.tn + self.fp),
            "ppv": (self.tp, self.tp + self.fp),
            "npv": (self.tn, self.tn + self.fn),
        }[rate]


def classification(labels: ArrayLike, scores: ArrayLike, threshold: float) -> Classification:
    """Return the counts when every patient with ``score >= threshold`` is called positive.

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1; one class is enough, the rates of the other are then None.
    scores : array_like of shape (n_patients,)
        Finite; higher speaks for label 1.
    threshold : float
        The frozen cut; infinity calls no one positive.

    Raises
    ------
    ContractError
        If labels or scores break their rule, or the threshold is not a number.
    """
    if threshold != threshold:
        raise ContractError("the threshold is not a number", where="threshold")
    positive, values = labelled_scores(labels, scores, of_both=False)
    called = values >= threshold
    return Classification(
        tp=int((called & positive).sum()),
        fp=int((called & ~positive).sum()),
        tn=int((~called & ~positive).sum()),
        fn=int((~called & positive).sum()),
    )
