"""Patients of a study whom a model neither learns from nor is judged on, counted by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from schemas.study.file import Study
from store.history.snapshot import Snapshot

__all__ = ["PatientsLeftOut", "patients_left_out"]


@dataclass(frozen=True)
class PatientsLeftOut:
    """How many patients a model leaves out for one reason."""

    reason: str
    patients: int


def patients_left_out(
    snapshot: Snapshot, study: Study, split: str, excluded: Mapping[str, str]
) -> tuple[PatientsLeftOut, ...]:
    """Return how many patients of a study a model leaves out, and why; the commonest reason first.

    Together with the patients of the model's table these are all patients of the study.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    study : Study
        The study.
    split : str
        The model's split.
    excluded : mapping of str to str
        Labelled patients of the split who lack an input of the model, and which.
    """
    labels = {row["patient"]: row for row in snapshot.rows("labels", study=study.id)}
    members = {row["patient"] for row in snapshot.rows("split_members", study=study.id, split=split)}
    reasons = dict(excluded)
    for row in snapshot.rows("study_patients", study=study.id):
        patient, label = row["patient"], labels.get(row["patient"])
        if label is None or label["label"] is None:
            # A reason may hold the patient's own time; the kind of reason is what is counted.
            given = label["reason"] if label is not None else None
            reasons[patient] = "no label: " + ("censored before the horizon" if _is_censored(given) else _plain(given))
        elif patient not in members:
            reasons[patient] = f"in no cohort of split '{split}'"
    counts = Counter(reasons.values())
    return tuple(
        PatientsLeftOut(reason, count) for reason, count in sorted(counts.items(), key=lambda r: (-r[1], r[0]))
    )


def _is_censored(reason: str | None) -> bool:
    return bool(reason and reason.startswith("censored at"))


def _plain(reason: str | None) -> str:
    return reason or "the study has no outcome"
