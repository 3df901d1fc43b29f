"""Finished extractions that wait for their commit: on this machine, and in the store's bucket for every other one.

A bucket that refuses, or does not answer, costs a line and never the run: what is lost with it is computed again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import Event

from flows.engine.progress import say
from flows.refresh.feature_sets import BoundFeatureSet
from schemas.errors import RadzooError
from store.home import Store
from store.rows.shared_staging import SharedStaging

__all__ = ["discard_shared", "shared_at_once", "shared_ids", "shared_staging_of", "staging_folder"]


def staging_folder(store: Store, bound: BoundFeatureSet) -> Path:
    """Return where finished extractions of a feature set wait for their commit."""
    return store.staging / bound.definition_sha256[:20]


def shared_staging_of(store: Store, bound: BoundFeatureSet) -> SharedStaging:
    """Return what of a feature set's finished extractions lies in the store's bucket."""
    return SharedStaging(store, staging_folder(store, bound).name)


def shared_ids(store: Store, bound: BoundFeatureSet) -> set[str]:
    """Return the ids of finished extractions in the store's bucket; none where it cannot be asked."""
    try:
        return shared_staging_of(store, bound).ids()
    except (OSError, RadzooError) as error:
        say(f"{bound.feature_set}: what other machines have finished is not known: {_in_a_line(error)}")
        return set()


def discard_shared(store: Store, bound: BoundFeatureSet, extraction_ids: Iterable[str]) -> None:
    """Remove from the store's bucket what needs no waiting there any more."""
    try:
        shared_staging_of(store, bound).discard(extraction_ids)
    except (OSError, RadzooError) as error:
        say(f"{bound.feature_set}: finished extractions stay in {store.files}/staging: {_in_a_line(error)}")


def shared_at_once(store: Store, bound: BoundFeatureSet) -> Callable[[Sequence[str]], None]:
    """Return what brings finished extractions to where other machines find them, as long as their place answers."""
    shared, broken = shared_staging_of(store, bound), Event()

    def share(extraction_ids: Sequence[str]) -> None:
        if broken.is_set():
            return
        try:
            shared.share(extraction_ids)
        except (OSError, RadzooError) as error:
            broken.set()
            # What is finished is kept here all the same.
            said = f"{store.files} refuses ({_in_a_line(error)})"
            say(f"{bound.feature_set}: another machine could not take this run over: {said}")

    return share


def _in_a_line(error: Exception) -> str:
    return error.message if isinstance(error, RadzooError) else str(error).splitlines()[0]
