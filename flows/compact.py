"""Compact: the store's files brought in order, its content as it was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from flows.progress import narrated
from schemas.errors import NotFoundError
from store.compaction import TARGET_ROWS, CompactedSet, compacted_set, feature_sets_with_segments
from store.home import Store
from store.leftovers import GRACE_HOURS, Leftover, removed_leftovers
from store.publish import published
from store.runs import recorded_run
from store.snapshot import Snapshot

__all__ = ["CompactReport", "compact"]


@dataclass(frozen=True)
class CompactReport:
    """What a compaction did."""

    feature_sets: tuple[CompactedSet, ...]
    removed: tuple[Leftover, ...]
    """Files that no catalogue names any more."""


def compact(
    store: Store,
    feature_set: str | None = None,
    *,
    target_rows: int = TARGET_ROWS,
    grace_hours: float = GRACE_HOURS,
) -> CompactReport:
    """Merge small segments, publish the store anew, remove old files, and return what was done.

    Parameters
    ----------
    store : Store
        The store.
    feature_set : str, optional
        Only this ``name@version``; all of them where absent.
    target_rows : int
        How many rows a segment shall have.
    grace_hours : float
        How long a replaced file stays, for those who have it open.

    Raises
    ------
    NotFoundError
        When the store has no rows of that feature set.
    """
    known = feature_sets_with_segments(store)
    if feature_set is not None and feature_set not in known:
        raise NotFoundError(
            f"the store has no rows of '{feature_set}'",
            where=str(store.root),
            hint=f"one of: {', '.join(known)}" if known else "radzoo refresh computes some",
        )
    asked = known if feature_set is None else [feature_set]
    parameters = {"feature_sets": asked, "target_rows": target_rows, "grace_hours": grace_hours}
    with recorded_run(store, "compact", None, parameters) as run:
        done = []
        with narrated("compacting", len(asked), "feature sets") as advance:
            for each in asked:
                done.append(compacted_set(store, each, target_rows=target_rows, run=run))
                advance()
        # Before old files go: the file that was published before names them.
        published(Snapshot(store))
        removed = removed_leftovers(store, grace=timedelta(hours=grace_hours))
        run.summary |= {
            "files_before": sum(each.files_before for each in done),
            "files_after": sum(each.files_after for each in done),
            "removed": len(removed),
        }
    return CompactReport(tuple(done), tuple(removed))
