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

    Raises
    ------
    ContractError
        When a cohort lacks one of the two classes: nothing could be fitted or judged on it.
    """
    labelled = {patient: cohort for patient, cohort in members.items() if patient in labels}
    counts = Counter((cohort, labels[patient]) for patient, cohort in labelled.items())
    for cohort in ("training", "validation"):
        for label in (0, 1):
            if not counts[cohort, label]:
                raise ContractError(
                    f"the {cohort} cohort has no labelled patient with label {label}",
                    where=f"split '{name}'",
                    hint="mend the split in the study file, then run radzoo ingest again",
                )
    return labelled
