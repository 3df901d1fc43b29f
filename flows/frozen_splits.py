"""Drawn splits stay as they were drawn when a study grows."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from schemas.outcomes import StratifiedSplit
from schemas.study import Study
from store.snapshot import Snapshot

__all__ = ["frozen_splits"]


def frozen_splits(
    study: Study, drawn: Mapping[str, Mapping[str, str]], before: Snapshot | None
) -> dict[str, dict[str, str]]:
    """Return the study's splits, those that were drawn before with their members where they were.

    A patient who was drawn keeps the cohort; one who is new goes to a cohort by a hash of seed and pseudonym,
    which puts the asked-for fraction into validation on average. A split whose fraction or seed changed in the
    study file is drawn anew.

    Parameters
    ----------
    study : Study
        The study file as it is now.
    drawn : mapping
        Each split's members and cohorts, drawn as if for the first time.
    before : Snapshot or None
        The store before this ingest.
    """
    if before is None:
        return {name: dict(members) for name, members in drawn.items()}
    stored = before.rows("studies", study=study.id)
    former = Study.model_validate_json(stored[0]["definition"]).splits if stored else {}
    found: dict[str, dict[str, str]] = {}
    for name, members in drawn.items():
        split = study.splits[name]
        if isinstance(split, StratifiedSplit) and former.get(name) == split:
            rows = before.rows("split_members", study=study.id, split=name)
            known = {row["patient"]: row["cohort"] for row in rows}
            found[name] = {patient: known.get(patient) or _hashed_cohort(split, patient) for patient in members}
        else:
            found[name] = dict(members)
    return found


def _hashed_cohort(split: StratifiedSplit, patient: str) -> str:
    digest = hashlib.sha256(f"{split.seed}:{patient}".encode()).digest()
    share = int.from_bytes(digest[:8], "big") / 2**64
    return "validation" if share < split.validation_fraction else "training"
