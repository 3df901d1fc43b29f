"""Predictions: a saved model applied to patients of a study in the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.errors import ContractError, NotFoundError
from schemas.study.file import Study
from store.history.snapshot import Snapshot
from zoo.models.answers import Answers, Question, model_answers
from zoo.models.contributions import Contributions
from zoo.models.foreign import foreign_answers
from zoo.models.patient_inputs import patient_inputs
from zoo.models.saved import SavedModel
from zoo.networks.region_columns import region_columns

__all__ = ["Prediction", "Predictions", "part_of", "predictions"]

_NAMED = 5  # patients that an error lists


@dataclass(frozen=True)
class Prediction:
    """What a model says of one patient."""

    patient: str
    cohort: str
    """training or validation where the patient is in the model's own dataset, else new; unknown without it."""
    probability: float | None
    positive: bool | None
    """Whether the probability is at or above the model's frozen threshold."""
    reason: str | None
    """Why there is no probability."""
    contributions: dict[str, float] | None = None
    """By column, and ``baseline``; what they are is said by `Predictions.contribution_kind`."""


@dataclass(frozen=True)
class Predictions:
    """What a model says of patients of a study, and which model it was."""

    study: str
    model: str
    model_study: str
    version: int | None
    sha256: str
    threshold: float
    commit_id: int
    """The commit that the inputs were read at."""
    warnings: tuple[str, ...]
    contribution_kind: str | None
    contribution_unit: str | None
    patients: tuple[Prediction, ...]

    @property
    def failed(self) -> int:
        """Return how many patients have no probability."""
        return sum(each.probability is None for each in self.patients)


def predictions(
    snapshot: Snapshot,
    study: Study,
    saved: SavedModel,
    *,
    patients: Sequence[str] = (),
    include_training: bool = False,
    explain: bool = False,
) -> Predictions:
    """Return a saved model's probabilities for patients of a study.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        Whose patients; it may be another one than the model's.
    saved : SavedModel
        The model.
    patients : sequence of str, optional
        Pseudonyms; all patients of the study where empty.
    include_training : bool
        Answer for patients that the model was trained on too; ``cohort`` marks them.
    explain : bool
        Add what each feature contributes.

    Raises
    ------
    NotFoundError
        If the study has no such patient.
    ContractError
        If the study cannot give the model what it reads, or a patient is of the model's own training cohort
        and ``include_training`` is false: that would be resubstitution.
    """
    asked = _asked_patients(snapshot, study, patients)
    cohorts = {patient: _cohort(saved, patient) for patient in asked}
    if not include_training:
        _refuse_training(study, saved, cohorts)
    if explain and region_columns(saved.inputs.columns):
        raise ContractError(
            f"what {saved.name} makes of regions cannot be told column by column",
            hint=f"radzoo models explain {saved.name} --patient P --out maps shows where it looks",
        )
    found = patient_inputs(snapshot, study, saved.inputs, asked)
    table = found.frame.select(saved.inputs.columns)
    answers = _answers(saved, Question(table, saved.references, explain, saved.examples))
    here = found.frame["patient"].to_list()
    unknown = {patient: why for patient, why in zip(here, answers.reasons, strict=True) if why is not None}
    reasons, probabilities, parts = found.reasons | unknown, answers.probabilities, answers.parts
    answered = (patient for patient, is_known in zip(here, answers.known, strict=True) if is_known)
    position = {patient: number for number, patient in enumerate(answered)}
    rows = []
    for patient in asked:
        at = position.get(patient)
        probability = None if at is None else float(probabilities[at])
        rows.append(
            Prediction(
                patient=patient,
                cohort=cohorts[patient],
                probability=probability,
                positive=None if probability is None else probability >= saved.threshold,
                reason=reasons.get(patient, "no inputs") if at is None else None,
                contributions=None if parts is None or at is None else part_of(parts, at),
            )
        )
    return Predictions(
        study=study.id,
        model=saved.model,
        model_study=saved.study,
        version=saved.version,
        sha256=saved.loaded.sha256,
        threshold=saved.threshold,
        commit_id=snapshot.commit_id,
        warnings=_warnings(saved),
        contribution_kind=None if parts is None else parts.kind,
        contribution_unit=None if parts is None else parts.unit,
        patients=tuple(rows),
    )


def part_of(parts: Contributions, at: int) -> dict[str, float]:
    """Return one patient's contributions: ``baseline`` and then the features, the largest first."""
    named = dict(zip(parts.features, map(float, parts.values[at]), strict=True))
    ordered = sorted(named.items(), key=lambda pair: (-abs(pair[1]), pair[0]))
    return {"baseline": float(parts.baseline[at])} | dict(ordered)


def _asked_patients(snapshot: Snapshot, study: Study, patients: Sequence[str]) -> list[str]:
    known = {row["patient"] for row in snapshot.rows("study_patients", study=study.id)}
    if unknown := sorted(set(patients) - known):
        raise NotFoundError(
            f"study '{study.id}' has no patient '{unknown[0]}'",
            where=str(snapshot.store.root),
            hint=f"radzoo sql \"select patient from patients where study = '{study.id}'\"",
        )
    return sorted(set(patients) or known)


def _cohort(saved: SavedModel, patient: str) -> str:
    return "unknown" if saved.cohorts is None else saved.cohorts.get(patient, "new")


def _answers(saved: SavedModel, question: Question) -> Answers:
    if saved.foreign is not None:
        return foreign_answers(saved.foreign, question)
    try:
        return model_answers(saved.loaded.estimator, question)
    except ContractError as error:
        raise ContractError(error.message, where=error.where or saved.name, hint=error.hint) from error


def _refuse_training(study: Study, saved: SavedModel, cohorts: dict[str, str]) -> None:
    own = [patient for patient, cohort in cohorts.items() if cohort == "training"]
    if own:
        named = ", ".join(own[:_NAMED]) + (", ..." if len(own) > _NAMED else "")
        raise ContractError(
            f"{saved.name} of study '{saved.study}' was trained on {len(own)} of these patients ({named}): "
            "its answer for them would be resubstitution",
            where=f"study '{study.id}'",
            hint="--include-training answers and marks them, --patient P names others",
        )


def _warnings(saved: SavedModel) -> tuple[str, ...]:
    found = list(saved.warnings)
    if saved.mark is not None:
        found.append(f"{saved.name} of study '{saved.study}' is marked: {saved.mark}")
    if saved.cohorts is None:
        found.append("this store has not got the model's dataset: whether a patient was trained on is unknown")
    return tuple(found)
