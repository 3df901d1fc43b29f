"""What judging a model yields: one row of the leaderboard, of the comparisons, of the predictions."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

__all__ = ["Cohort", "ComparisonRow", "LeaderboardRow", "PredictionRow", "Suite"]

Suite = Literal["paper", "honest"]
Cohort = Literal["training", "validation", "out_of_fold"]


class _Row(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PredictionRow(_Row):
    """The probability a model gives one patient, and the patient's label."""

    study: str
    suite: Suite
    model: str
    patient: str
    cohort: Cohort
    fold: int = 0
    probability: float
    label: int


class LeaderboardRow(_Row):
    """How one model did on one cohort.

    ``auc_lo`` and ``auc_hi`` bound the AUC by the logit-transformed DeLong interval, the main one at
    these sizes; ``auc_delong_lo`` and ``auc_delong_hi`` are the plain one that papers print. The
    threshold was frozen on training data and is applied as ``probability >= threshold``. A rate whose
    denominator is zero, and a calibration line that separation leaves undefined, are None.
    """

    study: str
    suite: Suite
    model: str
    cohort: Cohort
    n: int
    events: int
    auc: float
    auc_lo: float
    auc_hi: float
    auc_delong_lo: float
    auc_delong_hi: float
    threshold: float
    accuracy: float | None
    sensitivity: float | None
    specificity: float | None
    ppv: float | None
    npv: float | None
    brier: float
    calibration_slope: float | None
    calibration_intercept: float | None


class ComparisonRow(_Row):
    """A DeLong test: two models on the same patients (paired), or one model on two cohorts (unpaired).

    For an unpaired test ``cohort`` names both sides, as ``training-validation``, and ``model_a`` and
    ``model_b`` are the same. ``p_holm`` is adjusted over the tests of one kind and cohort.
    """

    study: str
    suite: Suite
    cohort: str
    model_a: str
    model_b: str
    kind: Literal["paired", "unpaired"]
    statistic: float
    p: float
    p_holm: float
