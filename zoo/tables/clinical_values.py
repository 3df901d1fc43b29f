"""The clinical values that describe a study's patients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from store.history.snapshot import Snapshot
from store.rows.point_in_time import clinical_at_reference

__all__ = ["clinical_values"]


def clinical_values(snapshot: Snapshot, study: str) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """Return the row of each variable that holds at the study's reference date, by patient and variable.

    The very values that its models read: `store.rows.point_in_time.clinical_at_reference`.
    """
    return clinical_at_reference(snapshot, study).values
