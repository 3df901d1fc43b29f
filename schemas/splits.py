"""Splits: named, frozen, by patient."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from schemas.errors import ContractError
from schemas.keys import sha256_of_json

__all__ = ["checked_split", "split_sha256"]


def split_sha256(members: Mapping[str, str]) -> str:
    """Return the hash of a split, a mapping of patient to cohort."""
    return sha256_of_json(dict(members))


def checked_split(members: Mapping[str, str], labels: Mapping[str, int], name: str) -> dict[str, str]:
    """Return the split's labelled patients and their cohorts.

    A validation cohort of one class is allowed: it has no AUC, but its other figures.

    Raises
    ------
    ContractError
        When the training cohort lacks one of the two classes, or the validation cohort has nobody: nothing could be
        fitted or judged.
    """
    where, hint = f"split '{name}'", "correct the split in the study file, then run radzoo ingest again"
    labelled = {patient: cohort for patient, cohort in members.items() if patient in labels}
    counts = Counter((cohort, labels[patient]) for patient, cohort in labelled.items())
    for label in (0, 1):
        if not counts["training", label]:
            raise ContractError(
                f"the training cohort has no labelled patient with label {label}", where=where, hint=hint
            )
    if not counts["validation", 0] + counts["validation", 1]:
        raise ContractError("the validation cohort has no labelled patient", where=where, hint=hint)
    return labelled
