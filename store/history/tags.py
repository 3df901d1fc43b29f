"""Names of commits, and the snapshot of a commit that a person names."""

from __future__ import annotations

import re
from difflib import get_close_matches

from schemas.errors import NotFoundError
from store.history.snapshot import Snapshot, newest_commit, no_commit
from store.home import Store

__all__ = ["snapshot_as_of", "tags_by_commit"]


def snapshot_as_of(store: Store, commit: int | str | None) -> Snapshot:
    """Return the snapshot of a commit that a person names, the newest one where none is named.

    Commit 0, the store before anything was in it, is no commit to them: an answer of no rows would look like one.

    Parameters
    ----------
    store : Store
        The store to read.
    commit : int, str or None
        A commit's number, or a tag as it is now: tags are read at the newest commit.

    Raises
    ------
    NotFoundError
        When the store has no such commit or tag; the hint names tags that are spelled like it.
    """
    if commit is None:
        return Snapshot(store)
    text = str(commit).strip()
    if not re.fullmatch(r"-?[0-9]{1,18}", text):
        return Snapshot(store, _tagged_commit(store, text))
    if int(text) == 0:
        raise no_commit(store, 0, newest_commit(store))
    return Snapshot(store, int(text))


def tags_by_commit(snapshot: Snapshot) -> dict[int, list[str]]:
    """Return the tags of each commit that has one, in order."""
    found: dict[int, list[str]] = {}
    for row in sorted(snapshot.rows("tags"), key=lambda row: row["tag"]):
        found.setdefault(row["commit_id"], []).append(row["tag"])
    return found


def _tagged_commit(store: Store, tag: str) -> int:
    known = {row["tag"]: int(row["commit_id"]) for row in Snapshot(store).rows("tags")}
    if tag in known:
        return known[tag]
    near = get_close_matches(tag, known, n=3, cutoff=0.5)
    raise NotFoundError(
        f"there is no commit or tag '{tag}'",
        where=str(store.root),
        hint=f"did you mean {' or '.join(near)}?" if near else "radzoo store log lists commits and their tags",
    )
