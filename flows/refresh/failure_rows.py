"""What the table of failures says of one feature set of a study after a refresh."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from flows.extract.planned import PlannedExtraction
from flows.refresh.plan import RefreshPlan
from schemas.keys import MaskKey, phase_context
from store.history.snapshot import Snapshot
from store.home import Store

__all__ = ["failure_rows"]

Row = dict[str, Any]


def failure_rows(
    store: Store,
    scope: Row,
    plan: RefreshPlan,
    finished: Sequence[PlannedExtraction],
    unavailable: Mapping[str, Mapping[str, str]],
    failures: dict[MaskKey, str],
) -> list[Row]:
    """Return all failures that hold after this run: those of before that still apply, and the new ones."""
    settled = {each.key for each in (*plan.unchanged, *plan.known_failures)}
    snapshot = Snapshot(store)
    rows = [row for row in snapshot.rows("failures", **scope) if MaskKey.of(row) in settled]
    rows += [scope | key._asdict() | {"feature": "", "reason": reason} for key, reason in failures.items()]
    reused = (*plan.reused, *finished)
    # On a standard scale the phase decides the values: another phase's reasons are not this one's.
    known = _known_reasons(snapshot, plan.bound.feature_set, by_phase=any(each.context_sha256 for each in reused))
    for each in reused:
        reasons = unavailable.get(each.extraction_id, known.get((*each.content, each.context_sha256), {}))
        rows += [
            scope | each.key._asdict() | {"feature": feature, "reason": reason} for feature, reason in reasons.items()
        ]
    return rows


def _known_reasons(
    snapshot: Snapshot, feature_set: str, *, by_phase: bool
) -> dict[tuple[str, str, str | None], dict[str, str]]:
    """Return why features have no value, by the content of image and mask, and by the context where that is a phase."""
    masks = {MaskKey.of(row): (row["image_sha256"], row["mask_sha256"]) for row in snapshot.rows("masks")}
    found: dict[tuple[str, str, str | None], dict[str, str]] = {}
    for row in snapshot.rows("failures", stage="refresh", feature_set=feature_set):
        if row["feature"] and MaskKey.of(row) in masks:
            context = phase_context(row["phase"]) if by_phase else None
            found.setdefault((*masks[MaskKey.of(row)], context), {})[row["feature"]] = row["reason"]
    return found
