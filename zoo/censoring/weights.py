"""What patients with a label weigh in a fit, so that they count for those like them who lost theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from schemas.documents.model_summary import CensoringRecord
from schemas.study.file import Study
from store.history.snapshot import Snapshot
from zoo.censoring.follow_up import FollowUp, follow_up
from zoo.weighting.steps import steps_without_weights
from zoo.weighting.sums import effective_size

__all__ = ["CensoringWeights", "censoring_weights", "fit_weights", "split_weights"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CensoringWeights:
    """What training patients weigh."""

    by_patient: Mapping[str, float]
    """1 / G just before the end that gave the label, at least 1."""
    censored: int
    """Patients of the study who lost their label."""

    def of(self, patients: Iterable[str]) -> Floats | None:
        """Return what patients weigh in a fit, None where all weigh alike (`fit_weights`)."""
        return fit_weights(self.by_patient, patients)

    def record(self, patients: Sequence[str], labels: ArrayLike, estimator: Any) -> CensoringRecord:
        """Return what a model's record says of its weights.

        Parameters
        ----------
        patients : sequence of str
            To whom it is fitted.
        labels : array-like of shape (n_patients,)
            0 or 1.
        estimator : BaseEstimator
            The model, fitted or not.
        """
        weights = np.array([self.by_patient[patient] for patient in patients])
        target = np.asarray(labels, dtype=np.float64)
        return {
            "censored": self.censored,
            "patients": len(weights),
            "effective_patients": effective_size(weights),
            "lowest_g": float(1.0 / weights.max()),
            "rate": float(np.average(target, weights=weights)),
            "complete_case_rate": float(target.mean()),
            "unweighted": list(steps_without_weights(estimator)),
        }


def censoring_weights(followed: FollowUp, training: Sequence[str]) -> CensoringWeights:
    """Return what the patients of a cohort or a fold weigh, told from their own follow-up and that of the censored.

    Parameters
    ----------
    followed : FollowUp
        Of the study.
    training : sequence of str
        All of the cohort or fold, whether a model can read them or not.
    """
    chances = followed.chances(training)
    weights = {patient: float(1.0 / chance) for patient, chance in zip(training, chances, strict=True)}
    return CensoringWeights(weights, len(followed.censored))


def split_weights(snapshot: Snapshot, study: Study, model: str, split: str) -> CensoringWeights | None:
    """Return what a split's training patients weigh, None where the study does not ask for weights of the model.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        The study.
    model : str
        A model of the study, or a name of the zoo.
    split : str
        The model's split.
    """
    if not study.weighs_the_censored(model):
        return None
    members = snapshot.rows("split_members", study=study.id, split=split)
    training = sorted(row["patient"] for row in members if row["cohort"] == "training")
    return censoring_weights(follow_up(snapshot, study), training)


def fit_weights(by_patient: Mapping[str, float], patients: Iterable[str]) -> Floats | None:
    """Return what patients weigh in a fit, on the scale of how many patients they are worth.

    The weights add up to the effective number of patients (`effective_size`), so that penalties, priors, p values and
    intervals are those of the information that there is: 1 / G itself adds up to those with and without a label.

    Parameters
    ----------
    by_patient : mapping of str to float
        1 / G.
    patients : iterable of str
        To whom a model is fitted.

    Returns
    -------
    ndarray of shape (n_patients,) or None
        None where all weigh alike: a fit is then the same as without weights, to the last bit.
    """
    weights = np.array([by_patient[patient] for patient in patients], dtype=np.float64)
    if not len(weights) or (weights == weights[0]).all():
        return None
    return np.asarray(weights * (effective_size(weights) / weights.sum()), dtype=np.float64)
