"""A trained model's threshold: which rule gave it, on whom, and how much it depends on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from schemas.study.thresholds import CostThreshold, Threshold, threshold_words
from zoo.evaluation.intervals import Interval
from zoo.evaluation.threshold import chosen_threshold, cuts_between, threshold_spread
from zoo.tables.fits import held_out_probabilities
from zoo.weighting.sums import parts

__all__ = ["OperatingPoint", "operating_point"]


@dataclass(frozen=True)
class OperatingPoint:
    """A threshold, frozen with its model."""

    threshold: float
    words: str
    """The rule, and on whom."""
    spread: Interval | None
    """Percentiles of the rule's cut over bootstrap draws of these patients."""
    held_out: dict[int, float]
    """By row, the probabilities that it was chosen on; empty where it needs none."""

    def as_dict(self) -> dict[str, Any]:
        """Return what a model's record says of it."""
        spread = None if self.spread is None else [self.spread.lower, self.spread.upper]
        return {"threshold": self.threshold, "threshold_rule": self.words, "threshold_spread": spread}


def operating_point(
    rule: Threshold,
    unfitted: BaseEstimator,
    fitted: BaseEstimator,
    inputs: pl.DataFrame,
    target: NDArray[np.int64],
    *,
    own: NDArray[np.float64],
    people: Sequence[str],
    model: str,
    place: str,
    hint: str,
    with_spread: bool = True,
    weights: NDArray[np.float64] | None = None,
) -> OperatingPoint:
    """Return a model's threshold on training patients whom its fits had not seen, or as the study asks.

    Where nobody is held out, because a label has one patient or a network sets none aside, it comes from the model's
    probabilities of the patients that it was fitted to, and the words say so.

    Parameters
    ----------
    rule : Threshold
        As the study says.
    unfitted, fitted : BaseEstimator
        The model before and after its fit.
    inputs : polars.DataFrame
        The training patients' columns.
    target : ndarray of shape (n_patients,)
        Their labels.
    own : ndarray of shape (n_patients,)
        The fitted model's probabilities of them.
    people : sequence of str
        The person behind each row.
    model, place, hint : str
        For messages, as `zoo.tables.fits.fit_model` takes them.
    with_spread : bool
        Also draw the patients again and again.
    weights : ndarray of shape (n_patients,), optional
        How much each training patient counts.

    Raises
    ------
    UnfitError
        When an inner fold leaves too few patients to fit to.
    """
    said = threshold_words(rule)
    if isinstance(rule, float | CostThreshold):
        return OperatingPoint(chosen_threshold(rule, target, own), said, None, {})
    cuts = cuts_between(own)
    on, chosen_on = "the training patients, to whom the model was fitted", np.arange(len(target))
    labels, probabilities, counts = target, own, weights
    if rule != "youden-training":
        rows, held_out = held_out_probabilities(
            unfitted, fitted, inputs, target, model=model, place=place, hint=hint, people=people, weights=weights
        )
        if len(set(target[rows].tolist())) == 2:
            labels, probabilities, chosen_on, counts = target[rows], held_out, rows, parts(weights, rows)
            on = f"{len(rows)} training patients, by fits that had not seen them"
    cut = chosen_threshold(rule, labels, probabilities, cuts, counts)
    spread = threshold_spread(rule, labels, probabilities, cuts, counts) if with_spread else None
    on += "" if counts is None else ", by their weights"
    by_row = dict(zip(chosen_on.tolist(), map(float, probabilities), strict=True))
    return OperatingPoint(cut, f"{said}, on {on}", spread, by_row)
