"""What masks measure, on its way between the catalogue and the reading of images: beside each mask's own row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from schemas.keys import MaskKey
from store.history.snapshot import Snapshot

__all__ = ["mask_rows", "measure_rows", "unmeasured_rows", "with_measures"]

Row = dict[str, Any]
_MEASURES = "measures"


def with_measures(snapshot: Snapshot, masks: Iterable[Row]) -> list[Row]:
    """Return rows of the store's masks, first those without measures; the others have theirs with them."""
    measures = {MaskKey.of(row): row for row in snapshot.rows("mask_measures")}
    rows = []
    for row in masks:
        found = measures.get(MaskKey.of(row))
        own = {name: value for name, value in (found or {}).items() if name not in (*MaskKey._fields, "added_commit")}
        rows.append(row | {_MEASURES: own} if found else row)
    # Of masks that were read from one file under several names the last one is taken: one that has them.
    return sorted(rows, key=lambda row: _MEASURES in row)


def mask_rows(masks: Iterable[Row]) -> list[Row]:
    """Return rows of masks as the catalogue's table has them."""
    return [{name: value for name, value in row.items() if name != _MEASURES} for row in masks]


def measure_rows(masks: Iterable[Row]) -> list[Row]:
    """Return the rows of ``mask_measures``."""
    return [MaskKey.of(row)._asdict() | row[_MEASURES] for row in masks if _MEASURES in row]


def unmeasured_rows(masks: Iterable[Row]) -> list[Row]:
    """Return the rows of masks that have no measures: an earlier release read them, and nobody has since."""
    return [row for row in masks if _MEASURES not in row]
