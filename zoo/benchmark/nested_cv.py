"""What repeated cross-validation found: out-of-fold predictions, figures that follow from them, tests of pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from schemas.documents.fit_result import FitResults
from schemas.results import ComparisonRow, LeaderboardRow, PredictionRow
from store.history.snapshot import Snapshot
from zoo.benchmark.cross_validation import CrossValidation
from zoo.benchmark.holdout import Pairs, corrected_rows
from zoo.benchmark.leaderboard import leaderboard_row, scores_of
from zoo.evaluation.delong import paired_test
from zoo.evaluation.repeated import difference_variance, out_of_fold_estimate
from zoo.tables.fits import UnfitError

__all__ = ["JudgedOutOfFold", "comparisons_out_of_fold", "judged_out_of_fold", "refuse_unfit", "stored_out_of_fold"]

Row = dict[str, Any]
"""By key of a fit task, what it gave."""


@dataclass(frozen=True)
class JudgedOutOfFold:
    """One model's out-of-fold predictions, its row of the leaderboard and the columns that folds selected."""

    model: str
    version: int
    predictions: tuple[PredictionRow, ...]
    leaderboard: LeaderboardRow
    selection_frequency: tuple[Row, ...]


def judged_out_of_fold(
    study: str, model: str, version: int, planned: CrossValidation, results: FitResults
) -> JudgedOutOfFold:
    """Return what a cross-validation's fits say about one model.

    A fold's threshold is chosen by the model's rule, as a trained model's is (`zoo.models.operating_point`).

    Parameters
    ----------
    study : str
        The study's id.
    model : str
        Name of the zoo.
    version : int
        The trained model's version: the same recipe on the training patients of the split.
    planned : CrossValidation
        The fits, with thresholds.
    results : mapping
        What they gave.

    Raises
    ------
    UnfitError
        When the training patients of a fold do not suffice for the model, or nobody has all its inputs.
    """
    refuse_unfit(model, planned, results)
    split = planned.split_of[model]
    labels = planned.labels[split]
    predictions: list[PredictionRow] = []
    selected: Counter[str] = Counter()
    selects = False
    for fold in planned.folds[split]:
        found = results[planned.task_of[model, fold.number].key][model]
        threshold = found["threshold"]
        predictions += [
            PredictionRow(
                study=study,
                suite="nested-cv",
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
    own = {"study": study, "suite": "nested-cv", "model": model}
    return JudgedOutOfFold(
        model,
        version,
        tuple(predictions),
        leaderboard_row(predictions),
        tuple(
            own | {"feature": feature, "folds": len(planned.folds[split]), "selected": count}
            for feature, count in sorted(selected.items())
        )
        if selects
        else (),
    )


def refuse_unfit(model: str, planned: CrossValidation, results: FitResults) -> None:
    """Refuse a model that some of its fits, in the order of the folds, were not possible for."""
    faults = [
        found["unfit"]
        for (of, _), task in planned.task_of.items()
        if of == model and "unfit" in (found := results[task.key][model])
    ]
    if faults:
        first = faults[0]
        more = f" (and so in {len(faults) - 1} more fits)" if len(faults) > 1 else ""
        where = f"split '{planned.split_of[model]}', {first['where']}"
        raise UnfitError(first["message"] + more, where=where, hint=first["hint"])


def stored_out_of_fold(snapshot: Snapshot, study: str, versions: Mapping[str, int]) -> list[JudgedOutOfFold]:
    """Return what the store's out-of-fold predictions say about models, without what their folds selected.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : str
        The study's id.
    versions : mapping of str to int
        The models, each with the version that was judged.
    """
    of_models: dict[str, list[PredictionRow]] = {model: [] for model in versions}
    for row in snapshot.rows("predictions", study=study, suite="nested-cv"):
        of_models[row["model"]].append(PredictionRow.model_validate({n: row[n] for n in PredictionRow.model_fields}))
    return [
        JudgedOutOfFold(model, versions[model], tuple(rows), leaderboard_row(rows), ())
        for model, rows in of_models.items()
    ]


def comparisons_out_of_fold(study: str, models: Sequence[JudgedOutOfFold], primary: Pairs = ()) -> list[ComparisonRow]:
    """Return the paired DeLong tests of models, corrected as `out_of_fold_estimate` is.

    Holm's family is that of the primary comparisons, or of all where none is declared.

    Two models are compared on the patients that both could judge, ranked among themselves within each fold. Models
    whose folds do not agree on these patients, because their splits have other patients, are not compared: their
    placements would count different pairs, and the same scores would seem to differ. Neither are models without a
    common patient, or without two common patients of each label.
    """
    folds = {each.model: {(row.patient, row.repeat): row.fold for row in each.predictions} for each in models}
    parts = {each.model: scores_of(each.predictions).parts for each in models}
    tests = []
    for a, b in combinations(models, 2):
        shared = {patient for patient, _ in folds[a.model]} & {patient for patient, _ in folds[b.model]}
        folds_of_a, folds_of_b = (
            {held_out: fold for held_out, fold in folds[each.model].items() if held_out[0] in shared} for each in (a, b)
        )
        if not shared or folds_of_a != folds_of_b:
            continue
        of_a, of_b = (
            scores_of([row for row in each.predictions if row.patient in shared], parts[each.model]) for each in (a, b)
        )
        area_a, area_b, between = (
            out_of_fold_estimate(of_a),
            out_of_fold_estimate(of_b),
            difference_variance(of_a, of_b),
        )
        if area_a is None or area_b is None or between is None:
            continue
        tests.append((a.model, b.model, paired_test(area_a, area_b, between)))
    return corrected_rows(study, "nested-cv", "out_of_fold", tests, primary)
