"""Bootstrap optimism: how far the figures of a model on its own training patients flatter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from schemas.documents.fit_result import FitResult, FitResults
from schemas.errors import ContractError
from schemas.study.file import Study
from store.history.snapshot import Snapshot
from zoo.benchmark.cross_validation import (
    CrossValidation,
    plan_cross_validation,
    refuse_what_knows_the_judged,
    split_cohorts,
    split_labels,
)
from zoo.benchmark.folds import Fold
from zoo.benchmark.resamples import Resamples, drawn_resamples
from zoo.evaluation.auc import auc
from zoo.evaluation.calibration import brier, calibration_line
from zoo.models.training import RANDOM_STATE
from zoo.registry import study_spec
from zoo.tables.fits import UnfitError
from zoo.tables.inputs import model_inputs
from zoo.tables.persons import study_people

__all__ = ["Resampled", "Resampling", "not_resampled", "plan_resampling", "resampled_model"]

Row = dict[str, Any]

_NETWORK = (
    "a network is not fitted again to every resample, which is hundreds of trainings of minutes to hours each; "
    "--suite nested-cv judges it on patients whom it has not seen"
)


@dataclass(frozen=True)
class Resampling:
    """Every fit of the bootstrap suite, and the resamples that they are made to."""

    planned: CrossValidation
    drawn: Mapping[str, Resamples]
    """By split."""


@dataclass(frozen=True)
class Resampled:
    """What the fits say about one model: rows of ``leaderboard``, and why some resamples could not be fitted to."""

    model: str
    rows: tuple[Row, ...]
    unfit: Mapping[int, str]
    """By number of the resample."""


def not_resampled(snapshot: Snapshot, study: Study, models: Sequence[str]) -> dict[str, str]:
    """Return the models whose whole way from table to probability cannot be taken again in a resample, and why.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        The study.
    models : sequence of str
        Names of the study's models.
    """
    found = {}
    for model in models:
        spec = study_spec(study, model)
        if spec.is_network:
            found[model] = _NETWORK
            continue
        inputs = model_inputs(study, spec)
        training = tuple(_training_labels(snapshot, study, inputs.split))
        try:
            # Whoever trains is judged too: what learnt from them before is not learnt again from a resample.
            refuse_what_knows_the_judged(snapshot, study, inputs, [Fold(0, 0, training, training)])
        except ContractError as error:
            found[model] = error.message
    return found


def plan_resampling(snapshot: Snapshot, study: Study, models: Sequence[str], *, resamples: int) -> Resampling:
    """Plan the fits of the bootstrap suite: of every model to all training patients of its split and to resamples.

    Models of one split are fitted to the same resamples. A resample draws labelled training patients, whether or not a
    model has all of its inputs of them.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        The study.
    models : sequence of str
        The models, without those of `not_resampled`.
    resamples : int
        How many.
    """
    splits = {model_inputs(study, study_spec(study, model)).split for model in models}
    labels = {split: _training_labels(snapshot, study, split) for split in sorted(splits)}
    person_of = study_people(snapshot, study).person
    drawn = {
        split: drawn_resamples(of_split, resamples=resamples, seed=RANDOM_STATE, person_of=person_of)
        for split, of_split in labels.items()
    }
    planned = plan_cross_validation(
        snapshot,
        study,
        models,
        labels=labels,
        folds={split: each.folds for split, each in drawn.items()},
        with_thresholds=False,
        person_of=person_of,
    )
    return Resampling(planned, drawn)


def resampled_model(study: str, model: str, version: int, resampling: Resampling, results: FitResults) -> Resampled:
    """Return what the fits say about one model.

    Its rows have the figures of the model fitted to all training patients on them (cohort ``training``), and of the
    model fitted to each resample there (``resample 7``), on all training patients (``resample 7 on training``) and on
    those who were not drawn (``resample 7 on the others``). Copies of a patient count as often as they were drawn. A
    resample that could not be fitted to has one row without figures, and a draw with one label that was passed over
    one of its own (``resample 7, draw 1``).

    Parameters
    ----------
    study : str
        The study's id.
    model : str
        Name of the zoo.
    version : int
        The trained model's version.
    resampling : Resampling
        The fits.
    results : mapping
        What they gave.

    Raises
    ------
    UnfitError
        When the model cannot be fitted to all training patients.

    References
    ----------
    Harrell FE, Lee KL, Mark DB, Stat Med 1996;15:361,
    doi:10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4.
    Steyerberg EW et al., J Clin Epidemiol 2001;54:774, doi:10.1016/S0895-4356(01)00341-9.
    """
    planned = resampling.planned
    split = planned.split_of[model]
    labels, drawn = planned.labels[split], resampling.drawn[split]
    found: dict[int, FitResult] = {
        fold.number: results[planned.task_of[model, fold.number].key][model] for fold in drawn.folds
    }
    if "unfit" in found[0]:
        unfit = found[0]["unfit"]
        raise UnfitError(unfit["message"], where=f"split '{split}', {unfit['where']}", hint=unfit["hint"])
    own = {"study": study, "suite": "bootstrap", "model": model, "version": version}
    # A model is judged on whom it has all inputs of: the others of a resample, it was not fitted to.
    judged = {patient: labels[patient] for patient in found[0]["probabilities"]}
    rows: list[Row] = []
    reasons: dict[int, str] = {}
    for fold in drawn.folds:
        cohort = f"resample {fold.number}" if fold.number else "training"
        for draw, draws in enumerate(drawn.passed_over.get(fold.number, ()), start=1):
            rows.append(own | {"cohort": f"{cohort}, draw {draw}"} | _counts(judged, draws))
        of_fit = found[fold.number]
        if "unfit" in of_fit:
            reasons[fold.number] = of_fit["unfit"]["message"]
            rows.append(own | {"cohort": cohort} | _counts(judged, fold.draws))
            continue
        rows.append(own | {"cohort": cohort} | _figures(judged, of_fit["probabilities"], fold.draws))
        if fold.number:
            everyone = dict.fromkeys(judged, 1)
            others = dict.fromkeys((patient for patient in judged if patient not in fold.draws), 1)
            for whom, once in (("training", everyone), ("the others", others)):
                rows.append(own | {"cohort": f"{cohort} on {whom}"} | _figures(judged, of_fit["probabilities"], once))
    return Resampled(model, tuple(rows), reasons)


def _figures(labels: Mapping[str, int], probabilities: Mapping[str, float], draws: Mapping[str, int]) -> Row:
    """Return a model's figures on patients, each of whom counts as often as drawn; those of one label have no AUC."""
    patients = [patient for patient in labels if patient in draws]
    copies = [draws[patient] for patient in patients]
    truth = np.repeat([labels[patient] for patient in patients], copies)
    values = np.repeat([probabilities[patient] for patient in patients], copies)
    has_both = len(set(truth.tolist())) == 2
    return {
        "n": len(truth),
        "events": int(truth.sum()),
        "auc": auc(truth, values) if has_both else None,
        "calibration_slope": calibration_line(truth, values).slope if has_both else None,
        "brier": brier(truth, values) if len(truth) else None,
    }


def _counts(labels: Mapping[str, int], draws: Mapping[str, int]) -> Row:
    counted = {patient: count for patient, count in draws.items() if patient in labels}
    return {"n": sum(counted.values()), "events": sum(labels[patient] * count for patient, count in counted.items())}


def _training_labels(snapshot: Snapshot, study: Study, split: str) -> dict[str, int]:
    cohorts = split_cohorts(snapshot, study, split)
    return {p: label for p, label in split_labels(snapshot, study, split).items() if cohorts[p] == "training"}
