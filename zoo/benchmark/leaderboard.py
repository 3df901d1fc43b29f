"""How a model did on a cohort: a row of the leaderboard, made from predictions alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from schemas.results import LeaderboardRow, PredictionRow
from zoo.evaluation.auc import AreaEstimate, delong_bounds, logit_bounds
from zoo.evaluation.calibration import brier, calibration_in_the_large, calibration_line
from zoo.evaluation.classification import classification
from zoo.evaluation.intervals import Interval
from zoo.evaluation.repeated import (
    OutOfFold,
    averaged_placements,
    former_estimate,
    has_pairs,
    out_of_fold_estimate,
)

__all__ = ["former_figures", "leaderboard_row", "scores_of"]


def leaderboard_row(predictions: Sequence[PredictionRow]) -> LeaderboardRow:
    """Return how one model did on one cohort.

    AUC and intervals are those of `out_of_fold_estimate`, None where one class is absent (of the intervals: where a
    class has one patient): patients are ranked among those that one model was asked
    about, all of a cohort in the holdout suite, those of a fold in nested-cv. Rates are counted over all
    predictions, each at the threshold beside it; Brier score and calibration are those of all predictions.

    Parameters
    ----------
    predictions : sequence of PredictionRow
        Of one study, suite, model and cohort; every patient once a repeat.
    """
    first = predictions[0]
    labels = np.array([row.label for row in predictions])
    probabilities = np.array([row.probability for row in predictions])
    thresholds = {row.threshold for row in predictions}
    found = scores_of(predictions)
    estimate = out_of_fold_estimate(found)
    calls = classification(labels, [float(row.probability >= row.threshold) for row in predictions], 1.0)
    return LeaderboardRow(
        study=first.study,
        suite=first.suite,
        model=first.model,
        cohort=first.cohort,
        n=len(found.labels),
        events=int(found.labels.sum()),
        auc=None if estimate is None else estimate.area,
        **_bounds(estimate),
        threshold=None if first.suite == "nested-cv" else thresholds.pop(),
        accuracy=calls.accuracy,
        sensitivity=calls.sensitivity,
        specificity=calls.specificity,
        ppv=calls.ppv,
        npv=calls.npv,
        brier=brier(labels, probabilities),
        calibration_slope=calibration_line(labels, probabilities).slope,
        calibration_intercept=calibration_in_the_large(labels, probabilities).intercept,
    )


def former_figures(predictions: Sequence[PredictionRow]) -> list[dict[str, float | None]]:
    """Return what former releases gave in place of some figures, the latest first: each a few columns.

    They stand in a store until its study is benched again.
    """
    labels, probabilities = ([getattr(row, name) for row in predictions] for name in ("label", "probability"))
    # Whatever its error (since docs/adr/0048 a slope that its interval tells nothing of is none).
    slope = {"calibration_slope": calibration_line(labels, probabilities, largest_error=math.inf).slope}
    if predictions[0].suite != "nested-cv":
        return [slope]
    # One width whatever the AUC and the repeats, up to docs/adr/0063; placements averaged over these, up to 0046.
    found = scores_of(predictions)
    widened = _bounds(former_estimate(found))
    averaged = averaged_placements(found.labels, found.scores, found.folds).estimate if has_pairs(found) else None
    return [widened, slope | widened, slope | _bounds(averaged)]


def _bounds(estimate: AreaEstimate | None) -> dict[str, float | None]:
    """Return the intervals of an AUC by column; None where it has no variance."""
    main: Interval | tuple[None, None] = (None, None)
    plain: Interval | tuple[None, None] = (None, None)
    if estimate is not None and estimate.variance is not None:
        main, plain = logit_bounds(estimate), delong_bounds(estimate)
    return {"auc_lo": main[0], "auc_hi": main[1], "auc_delong_lo": plain[0], "auc_delong_hi": plain[1]}


def scores_of(predictions: Sequence[PredictionRow], parts: int | None = None) -> OutOfFold:
    """Return the scores of one model on one cohort, patients in the order of their names.

    Parameters
    ----------
    predictions : sequence of PredictionRow
        Of the whole cohort, or of some of its patients.
    parts : int, optional
        How many folds a repeat of the whole cohort has; as many as these predictions name where absent.
    """
    ordered = sorted(predictions, key=lambda row: (row.repeat, row.patient))
    shape = (len({row.repeat for row in ordered}), -1)
    labels, probabilities, folds = (
        np.array([getattr(row, name) for row in ordered]).reshape(shape) for name in ("label", "probability", "fold")
    )
    return OutOfFold(labels[0], probabilities, folds, parts or len(np.unique(folds)) // len(folds))
