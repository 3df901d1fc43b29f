"""Descriptions of feature sets that are in the store already, brought up to date without computing anything."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flows.engine.progress import say
from flows.refresh.feature_sets import BoundFeatureSet
from schemas.study.file import Study
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.home import Store

__all__ = ["update_descriptions"]

Row = dict[str, Any]


def update_descriptions(store: Store, study: Study, feature_sets: Iterable[BoundFeatureSet]) -> None:
    """Write how this release describes feature sets, where the store has another description on record.

    Values and definitions stay. What follows from a definition is written, and a built-in set's own words; those of a
    study's own set wait for its next extraction, since two studies may describe one definition differently.

    Parameters
    ----------
    store : Store
        The store.
    study : Study
        The study whose refresh asks.
    feature_sets : iterable of BoundFeatureSet
        Its feature sets.
    """
    snapshot = Snapshot(store)
    outdated = [bound for bound in feature_sets if _is_outdated(snapshot, study, bound)]
    if not outdated:
        return
    names = ", ".join(bound.feature_set for bound in outdated)
    with commit_to(store, f"describe {names} for {study.id}", basis=None) as commit:
        for bound in outdated:
            own = {"feature_set": bound.feature_set}
            # Asked under the writer's lock.
            for stored in Snapshot(store).rows("feature_sets", **own):
                commit.put("feature_sets", [stored | _current(study, bound)])
                commit.put("features", bound.dictionary_rows(), replacing=own)
    say(f"{names}: the store's dictionary and list of departures from IBSI are brought up to date; values stay")


def _is_outdated(snapshot: Snapshot, study: Study, bound: BoundFeatureSet) -> bool:
    stored = snapshot.rows("feature_sets", feature_set=bound.feature_set)
    if not stored:
        return False
    current, rows = _current(study, bound), bound.dictionary_rows()
    if {name: stored[0][name] for name in current} != current:
        return True
    known = {row["feature"]: row for row in snapshot.rows("features", feature_set=bound.feature_set)}
    return any({name: known.get(row["feature"], {}).get(name) for name in row} != row for row in rows)


def _current(study: Study, bound: BoundFeatureSet) -> Row:
    row = bound.catalogue_row()
    names = ["deviations"] if bound.name in study.define else ["deviations", "description"]
    return {name: row[name] for name in names}
