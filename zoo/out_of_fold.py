"""What repeated cross-validation found: out-of-fold predictions, figures that follow from them, tests of pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.results import ComparisonRow, LeaderboardRow, PredictionRow
from zoo.benchmark import corrected_rows
from zoo.cross_validation import CrossValidation
from zoo.evaluation.auc import Placements, delong_bounds, logit_bounds
from zoo.evaluation.calibration import brier, calibration_in_the_large, calibration_line
from zoo.evaluation.classification import classification
from zoo.evaluation.delong import paired_placements_test
from zoo.evaluation.repeated import averaged_placements
from zoo.evaluation.threshold import youden_threshold

__all__ = ["JudgedOutOfFold", "comparisons_out_of_fold", "judged_out_of_fold", "leaderboard_out_of_fold"]

Row = dict[str, Any]
Results = Mapping[str, Mapping[str, Any]]
"""By key of a fit task, what it gave."""


@dataclass(frozen=True)
class JudgedOutOfFold:
    """One model's out-of-fold predictions, its row of the leaderboard and the columns that folds selected."""

    model: str
    version: int
    predictions: tuple[PredictionRow, ...]
    leaderboard: LeaderboardRow
    selection_frequency: tuple[Row, ...]

    def scores(self) -> dict[str, tuple[int, list[float]]]:
        """Return each patient's label and probabilities, one a repeat."""
        found: dict[str, tuple[int, list[float]]] = {}
        for row in sorted(self.predictions, key=lambda row: (row.patient, row.repeat)):
            found.setdefault(row.patient, (row.label, []))[1].append(row.probability)
        return found


def judged_out_of_fold(
    study: str, model: str, version: int, planned: CrossValidation, results: Results
) -> JudgedOutOfFold:
    """Return what a cross-validation's fits say about one model.

    A fold's threshold is Youden's on the inner out-of-fold probabilities of its training patients: no patient,
    held out or not, helped to choose it with a probability of a model that had seen the patient.

    Parameters
    ----------
    study : str
        The study's id.
    model : str
        Name of the zoo.
    version : int
        The trained model's version: the same recipe on the training patients of the split.
    planned : CrossValidation
        The fits, with inner folds.
    results : mapping
        What they gave.
    """
    split = planned.split_of[model]
    labels = planned.labels[split]
    predictions: list[PredictionRow] = []
    selected: Counter[str] = Counter()
    selects = False
    for fold in planned.folds[split]:
        found = results[planned.task_of[split, fold.number, None].key][model]
        threshold = _threshold(model, split, fold.number, planned, results)
        predictions += [
            PredictionRow(
                study=study,
                suite="honest",
                model=model,
                patient=patient,
                cohort="out_of_fold",
                fold=fold.number,
                repeat=fold.repeat,
                threshold=threshold,
                probability=probability,
                label=labels[patient],
            )
            for patient, probability in found["probabilities"].items()
        ]
        if found["selected"] is not None:
            selects = True
            selected.update(found["selected"])
    own = {"study": study, "suite": "honest", "model": model}
    return JudgedOutOfFold(
        model,
        version,
        tuple(predictions),
        leaderboard_out_of_fold(predictions),
        tuple(
            own | {"feature": feature, "folds": len(planned.folds[split]), "selected": count}
            for feature, count in sorted(selected.items())
        )
        if selects
        else (),
    )


def _threshold(model: str, split: str, fold: int, planned: CrossValidation, results: Results) -> float:
    labels = planned.labels[split]
    inner = [
        task
        for (of, number, part), task in planned.task_of.items()
        if (of, number) == (split, fold) and part is not None
    ]
    pairs = [pair for task in inner for pair in results[task.key][model]["probabilities"].items()]
    return youden_threshold([labels[patient] for patient, _ in pairs], [value for _, value in pairs])


def leaderboard_out_of_fold(predictions: Sequence[PredictionRow]) -> LeaderboardRow:
    """Return how a model did out of fold.

    The AUC is the mean of the repeats' AUCs, its intervals those of `averaged_placements`. Rates are counted over
    all predictions, each at its fold's threshold; Brier score and calibration are those of all predictions.
    """
    first = predictions[0]
    ordered = sorted(predictions, key=lambda row: (row.repeat, row.patient))
    labels = np.array([row.label for row in ordered])
    probabilities = np.array([row.probability for row in ordered])
    repeats = len({row.repeat for row in ordered})
    per_repeat = len(ordered) // repeats
    counts = averaged_placements(labels[:per_repeat], probabilities.reshape(repeats, per_repeat))
    main, plain = logit_bounds(counts), delong_bounds(counts)
    calls = classification(labels, [float(row.probability >= row.threshold) for row in ordered], 1.0)
    return LeaderboardRow(
        study=first.study,
        suite=first.suite,
        model=first.model,
        cohort=first.cohort,
        n=per_repeat,
        events=int(labels[:per_repeat].sum()),
        auc=counts.area,
        auc_lo=main.lower,
        auc_hi=main.upper,
        auc_delong_lo=plain.lower,
        auc_delong_hi=plain.upper,
        threshold=None,
        accuracy=calls.accuracy,
        sensitivity=calls.sensitivity,
        specificity=calls.specificity,
        ppv=calls.ppv,
        npv=calls.npv,
        brier=brier(labels, probabilities),
        calibration_slope=calibration_line(labels, probabilities).slope,
        calibration_intercept=calibration_in_the_large(labels, probabilities).intercept,
    )


def comparisons_out_of_fold(study: str, models: Sequence[JudgedOutOfFold]) -> list[ComparisonRow]:
    """Return the paired DeLong test of every two models, on placements averaged over the repeats, with Holm's p.

    Two models are compared on the patients that both could judge, ranked among themselves.
    """
    scores = {each.model: each.scores() for each in models}
    tests = []
    for a, b in combinations(scores, 2):
        shared = sorted(scores[a].keys() & scores[b].keys())
        test = paired_placements_test(_among(scores[a], shared), _among(scores[b], shared))
        tests.append((a, b, test))
    return corrected_rows(study, "honest", "out_of_fold", tests)


def _among(scores: Mapping[str, tuple[int, list[float]]], patients: Sequence[str]) -> Placements:
    labels: NDArray[np.int64] = np.array([scores[patient][0] for patient in patients])
    return averaged_placements(labels, np.array([scores[patient][1] for patient in patients]).T)
