"""Rows that a study gave to the store, gives no longer, and no other study gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.keys import MaskKey
from store.history.snapshot import Snapshot

__all__ = ["abandoned_masks", "abandoned_values"]

Row = Mapping[str, Any]


def abandoned_masks(before: Snapshot, study: str, study_masks: Iterable[Row]) -> list[Row]:
    """Return the masks that only this study had and has no longer: their file is gone or is refused.

    Parameters
    ----------
    before : Snapshot
        The store before this ingest.
    study : str
        The study.
    study_masks : iterable of mapping
        The masks it has now.
    """
    now = {MaskKey.of(row) for row in study_masks}
    rows = before.rows("study_masks")
    others = {MaskKey.of(row) for row in rows if row["study"] != study}
    return [row for row in rows if row["study"] == study and MaskKey.of(row) not in now | others]


def abandoned_values(before: Snapshot, study: str, clinical: Iterable[Row]) -> list[Row]:
    """Return the clinical values that this study's table no longer has, such as a cell that was emptied.

    Parameters
    ----------
    before : Snapshot
        The store before this ingest.
    study : str
        The study.
    clinical : iterable of mapping
        The values it has now.
    """
    now = {(row["patient"], row["variable"], row["observed_at"]) for row in clinical}
    patients: dict[str, set[str]] = {}
    for row in before.rows("study_patients"):
        patients.setdefault(row["study"], set()).add(row["patient"])
    own: set[tuple[str, str]] = set()
    others: set[tuple[str, str]] = set()
    for row in before.rows("variables"):
        pairs = {(patient, row["variable"]) for patient in patients.get(row["study"], ())}
        (own if row["study"] == study else others).update(pairs)
    return [
        row
        for row in before.rows("clinical")
        if (row["patient"], row["variable"]) in own - others
        and (row["patient"], row["variable"], row["observed_at"]) not in now
    ]
