"""What judging a model yields: one row of the leaderboard, of the comparisons, of the predictions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

__all__ = [
    "FOLDS",
    "FORMER_SUITES",
    "MOST_RESAMPLES",
    "REPEATS",
    "RESAMPLES",
    "Cohort",
    "ComparisonRow",
    "Control",
    "ControlRow",
    "LeaderboardRow",
    "OptimismRow",
    "PredictionRow",
    "SubgroupRow",
    "Suite",
]

Suite = Literal["holdout", "nested-cv", "bootstrap"]
"""How models are judged: on the two cohorts of one split, by repeated nested cross-validation, or on the training
cohort, less the optimism that bootstrap resamples of it show."""

FORMER_SUITES: Mapping[str, Suite] = {"paper": "holdout", "honest": "nested-cv"}
"""What the suites were called up to format 3 of the store."""

Cohort = Literal["training", "validation", "out_of_fold"]
Control = Literal["permuted_labels", "shuffled_voxels"]

REPEATS = 5
"""How often the nested-cv suite predicts every patient."""
FOLDS = 5
"""Parts of a repeat: every model is fitted on four fifths of the patients."""
RESAMPLES = 200
"""How often the bootstrap suite draws the training patients and fits every model to them."""
MOST_RESAMPLES = 2000
"""Where the error of drawing is a tenth of what patients decide, more resamples tell nothing."""


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PredictionRow(_Row):
    """The probability a model gives one patient, and the patient's label.

    ``fold`` and ``repeat`` count from 0 in the nested-cv suite and are 0 in holdout. ``threshold`` is the cut that
    was frozen in training: one for the model in the holdout suite, one a fold in nested-cv.
    """

    study: str
    suite: Suite
    model: str
    patient: str
    cohort: Cohort
    fold: int = 0
    repeat: int = 0
    threshold: float
    probability: float
    label: int


class LeaderboardRow(_Row):
    """How one model did on one cohort.

    ``auc_lo`` and ``auc_hi`` bound the AUC by the logit-transformed DeLong interval, the main one at
    these sizes; ``auc_delong_lo`` and ``auc_delong_hi`` are the plain one that papers print. In nested-cv both stand
    on a variance that knows of the models' shared training (`zoo.evaluation.repeated.out_of_fold_estimate`). The
    threshold was frozen in training and is applied as ``probability >= threshold``; it is None in nested-cv,
    where every fold has its own (they stand with the predictions). A rate whose
    denominator is zero, and a calibration line that separation leaves undefined, are None. So is the AUC of a cohort
    with one class, and its intervals where a class has one patient.
    """

    study: str
    suite: Suite
    model: str
    cohort: Cohort
    n: int
    events: int
    auc: float | None
    auc_lo: float | None
    auc_hi: float | None
    auc_delong_lo: float | None
    auc_delong_hi: float | None
    threshold: float | None
    accuracy: float | None
    sensitivity: float | None
    specificity: float | None
    ppv: float | None
    npv: float | None
    brier: float
    calibration_slope: float | None
    calibration_intercept: float | None


class ComparisonRow(_Row):
    """A DeLong test: two models on the same patients (paired), one model on two cohorts (unpaired) or subgroups.

    For an unpaired test ``cohort`` names both sides, as ``training-validation``; for two subgroups it names
    cohort, variable and levels, as ``validation: field_strength_t 1.5 - 3``. In both ``model_a`` and
    ``model_b`` are the same. ``p_holm`` is adjusted over the tests of one kind and cohort; of subgroups, over
    all variables, levels and models of a cohort.
    """

    study: str
    suite: Suite
    cohort: str
    model_a: str
    model_b: str
    kind: Literal["paired", "unpaired", "subgroup"]
    statistic: float
    p: float
    p_holm: float | None


class SubgroupRow(_Row):
    """How one model ranks the patients of one level of a clinical variable.

    The AUC is None where the subgroup has one class only, its interval also where a class has one patient.
    """

    study: str
    suite: Suite
    model: str
    cohort: Cohort
    variable: str
    level: str
    n: int
    events: int
    auc: float | None
    auc_lo: float | None
    auc_hi: float | None


class ControlRow(_Row):
    """The AUC of a model in a negative control; ``auc_lo`` and ``auc_hi`` as in the leaderboard.

    ``permuted_labels``: the outcome is permuted over the patients, so .5 is what a procedure without leaks gives.
    ``shuffled_voxels``: the intensities inside each mask are permuted over its voxels, without shape features;
    what is above .5 there comes from size and the histogram of intensities, not from any pattern.
    """

    study: str
    suite: Suite
    control: Control
    model: str
    cohort: Cohort
    repeats: int
    n: int
    events: int
    auc: float | None
    auc_lo: float | None
    auc_hi: float | None

    @property
    def holds_chance(self) -> bool | None:
        """Return whether the interval holds one half, None where there is no interval."""
        if self.auc_lo is None or self.auc_hi is None:
            return None
        return self.auc_lo <= 0.5 <= self.auc_hi


class OptimismRow(_Row):
    """How far a figure of a model on its own training patients flatters, by bootstrap resamples of them.

    ``optimism`` is the mean, over the resamples, of the figure of the model fitted to a resample there less that of
    the same model on the training patients; ``corrected`` is ``apparent`` less it. Both are None, with the
    ``reason``, where too many resamples have no such figure. ``monte_carlo_error`` is the standard error that more
    resamples would lessen: it tells nothing of other patients. ``left_out`` is the mean figure of the resamples' models
    on the training patients who were not drawn.
    """

    study: str
    model: str
    version: int
    figure: Literal["auc", "calibration_slope", "brier"]
    n: int
    events: int
    apparent: float | None
    optimism: float | None
    corrected: float | None
    left_out: float | None
    monte_carlo_error: float | None
    resamples: int
    with_figure: int
    unfit: int
    drawn_again: int
    reason: str | None
