"""Publishing after a commit: where it fails, the commit is there all the same, and the error says so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import duckdb

from schemas.errors import ContractError, RadzooError
from store.analyst.publish import is_published, publish_snapshot
from store.analyst.statement import first_line
from store.history.snapshot import Snapshot
from store.home import Store

__all__ = ["publish_at_end", "publish_changed", "publish_landed"]


@contextmanager
def publish_at_end(store: Store) -> Iterator[None]:
    """Publish once behind a block, however many commits it makes: each time a thousand columns are given comments.

    What landed before the block fails is published too.

    Raises
    ------
    ContractError
        As `publish_landed` does.
    """
    # A block's own fault is told; what cannot be published behind it is by the next run.
    try:
        yield
    except BaseException:
        with suppress(ContractError):
            publish_changed(store)
        raise
    publish_changed(store)


def publish_changed(store: Store) -> None:
    """Publish the newest commit where it is not what the published file shows, or a client has written to that.

    A run that was killed behind its commit has not published it.

    Raises
    ------
    ContractError
        As `publish_landed` does.
    """
    if not is_published(store):
        publish_landed(store)


def publish_landed(store: Store) -> None:
    """Publish the newest commit.

    Raises
    ------
    ContractError
        When it cannot be published; what was committed is in the store.
    """
    commit_id = None
    try:
        snapshot = Snapshot(store)
        commit_id = snapshot.commit_id
        publish_snapshot(snapshot)
    except (RadzooError, duckdb.Error, OSError) as error:
        landed = "the commit" if commit_id is None else f"commit {commit_id}"
        reason = error.message if isinstance(error, RadzooError) else first_line(error)
        hint = "radzoo store publish"
        raise ContractError(
            f"{landed} landed; analyst.duckdb could not be published: {reason}",
            where=(error.where if isinstance(error, RadzooError) else None) or str(store.analyst_file),
            hint=_then(error.hint, hint) if isinstance(error, RadzooError) and error.hint else hint,
        ) from error


def _then(first: str, last: str) -> str:
    return first if last in first else f"{first}; then {last}"
