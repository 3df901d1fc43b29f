"""What a saved model says of patients whom it did not learn from, and which groups of them are compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flows.monitor.groups import Comparison
from schemas.errors import ContractError
from schemas.study.file import Study
from store.history.snapshot import Snapshot
from zoo.models.prediction import predictions
from zoo.models.saved import SavedModel

__all__ = ["ModelAnswers", "answers_for_others", "judged_comparisons"]


@dataclass(frozen=True)
class ModelAnswers:
    """A model's probabilities for the patients of a study whom it did not learn from."""

    model: str
    """``name@version``."""
    probabilities: Mapping[str, float]
    left_out: int
    """Patients that the model was trained on."""
    failed: int
    """Patients for whom it has no probability."""
    warnings: tuple[str, ...] = ()
    """What else is to be known of the model."""


def answers_for_others(snapshot: Snapshot, study: Study, saved: SavedModel, patients: Sequence[str]) -> ModelAnswers:
    """Return a model's probabilities for those of the patients whom it did not learn from.

    Its answers for its own training patients are resubstitution: they lie further apart than those for others, whom
    nothing else need distinguish.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        Whose patients.
    saved : SavedModel
        The model.
    patients : sequence of str
        Pseudonyms.

    Raises
    ------
    ContractError
        When the store does not know whom the model learnt from, or the study cannot give it what it reads.
    """
    if saved.cohorts is None:
        raise ContractError(
            f"the store has not got the dataset of {saved.name}: whom it learnt from is unknown, and its answers for "
            "them cannot be left out",
            where=f"study '{saved.study}'",
            hint=f"radzoo train {saved.model} --study {saved.study}, or leave --model out",
        )
    asked = [patient for patient in patients if saved.cohorts.get(patient) != "training"]
    if not asked:
        return ModelAnswers(saved.name, {}, len(patients), 0)
    found = predictions(snapshot, study, saved, patients=asked)
    probabilities = {each.patient: each.probability for each in found.patients if each.probability is not None}
    return ModelAnswers(saved.name, probabilities, len(patients) - len(asked), found.failed, found.warnings)


def judged_comparisons(compared: Sequence[Comparison], by: str) -> list[Comparison]:
    """Return who is compared where a model's training patients have no answer that counts.

    Where cohorts are compared with the training patients, the validation patients take their place.
    """
    if by != "cohort" or compared[0].reference != "training":
        return list(compared)
    judged = next((each for each in compared if each.current == "validation"), None)
    if judged is None:
        return []
    return [
        Comparison("validation", each.current, judged.current_patients, each.current_patients)
        for each in compared
        if each is not judged
    ]
