"""The clinical values that describe a study's patients."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from store.snapshot import Snapshot

__all__ = ["clinical_values"]


def clinical_values(snapshot: Snapshot) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """Return the last observed row of each variable, by patient and variable."""
    last: dict[str, dict[str, dict[str, Any]]] = {}
    for row in sorted(snapshot.rows("clinical"), key=lambda row: row["observed_at"]):
        last.setdefault(row["patient"], {})[row["variable"]] = row
    return last
