"""Compact: the store's files brought in order, its content as it was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from flows.commits.erased_meanwhile import carry_out
from flows.commits.publication import publish_landed
from flows.engine.progress import progress_bar, say
from flows.lineage.runs import record_run
from schemas.errors import NotFoundError, StoreBusyError
from store.compaction.compact import CompactedSet, compact_feature_set
from store.compaction.leftovers import GRACE_HOURS, Leftover, remove_orphan_files
from store.compaction.merge_plan import TARGET_ROWS, feature_sets_with_segments, files_to_merge
from store.home import Store

__all__ = ["MOST_SMALL_FILES", "CompactReport", "compact", "compact_scattered"]

MOST_SMALL_FILES = 32
"""Of a feature set, before they are merged unasked: each costs whoever reads all of it up to a tenth of a second."""


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
    """Merge small segments, publish the store again, remove old files, and return what was done.

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
    return carry_out(store, lambda _: _compact(store, feature_set, target_rows, grace_hours))


def _compact(store: Store, feature_set: str | None, target_rows: int, grace_hours: float) -> CompactReport:
    known = feature_sets_with_segments(store)
    if feature_set is not None and feature_set not in known:
        raise NotFoundError(
            f"the store has no rows of '{feature_set}'",
            where=str(store.root),
            hint=f"one of: {', '.join(known)}" if known else "radzoo refresh computes some",
        )
    asked = known if feature_set is None else [feature_set]
    parameters = {"feature_sets": asked, "target_rows": target_rows, "grace_hours": grace_hours}
    with record_run(store, "compact", None, parameters) as run:
        done = []
        with progress_bar("compacting", len(asked), "feature sets") as advance:
            for each in asked:
                done.append(compact_feature_set(store, each, target_rows=target_rows, run=run))
                advance()
        # Before old files go: the file that was published before names them.
        publish_landed(store)
        removed = remove_orphan_files(store, grace=timedelta(hours=grace_hours))
        run.summary |= {
            "files_before": sum(each.files_before for each in done),
            "files_after": sum(each.files_after for each in done),
            "removed": len(removed),
        }
    return CompactReport(tuple(done), tuple(removed))


def compact_scattered(store: Store, feature_sets: Iterable[str]) -> None:
    """Merge the segments of those feature sets that lie in very many small ones, and say so.

    Refreshes and ingests end with it, so that a study that is refreshed every night needs no tending. Where others
    are writing the same segments it is left to the next one.

    Parameters
    ----------
    store : Store
        The store.
    feature_sets : iterable of str
        ``name@version`` of those that were just written.
    """
    for each in feature_sets:
        files = files_to_merge(store, each)
        if files <= MOST_SMALL_FILES:
            continue
        say(f"{each} lies in {files} small files, which are merged now")
        try:
            compact(store, each)
        except StoreBusyError as error:
            say(f"{each} was not merged: {error}")
