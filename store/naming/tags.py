"""Tags: names that people give to commits, such as the one that a paper was written from."""

from __future__ import annotations

import re

from schemas.errors import ContractError, NotFoundError, UsageError
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.history.tags import snapshot_as_of
from store.home import Store
from store.naming.texts import refuse_text

__all__ = ["remove_tag", "tag_commit"]

_FORM = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")
_RESERVED = ("head", "latest", "newest")


def tag_commit(
    store: Store, tag: str, commit: int | str | None = None, *, description: str | None = None, move: bool = False
) -> dict[str, object]:
    """Name a commit, and return the tag's row.

    The tag is a row of the catalogue, written by a commit of its own: what it named before stays in the history.

    Parameters
    ----------
    store : Store
        The store.
    tag : str
        A letter, then letters, digits, dots, hyphens and underscores; at most 64 characters.
    commit : int or str, optional
        The commit's number, or another tag of it; the newest commit where absent.
    description : str, optional
        What the commit is; that of before stays where absent and the tag is moved.
    move : bool
        Whether a tag that names another commit may name this one from now on.

    Raises
    ------
    UsageError
        When it is no name for a tag.
    NotFoundError
        When the store has no such commit.
    ContractError
        When the tag names another commit and may not be moved, or the store has no commit.
    """
    _refuse_name(tag)
    refuse_text("description", description or "", 2000)
    target = snapshot_as_of(store, commit).commit_id
    if target == 0:
        raise ContractError(
            "the store has no commit to name", where=str(store.root), hint="radzoo ingest study.toml makes the first"
        )
    with commit_to(store, f"tag {tag}: commit {target}") as change:
        row: dict[str, object] = {"tag": tag, "commit_id": target, "description": description or ""}
        for before in change.live("tags", [row]):
            if before["commit_id"] != target and not move:
                raise ContractError(
                    f"the tag '{tag}' names commit {before['commit_id']}",
                    where=str(store.root),
                    hint=f"choose another name, or radzoo store tag {tag} --commit {target} --move",
                )
            if description is None:
                row["description"] = before["description"]
            if all(before[name] == row[name] for name in row):
                return before
        row |= {"author": change.author, "tagged_at": change.committed_at}
        change.put("tags", [row])
    return row


def remove_tag(store: Store, tag: str) -> int:
    """Take a tag away and return the commit that it named; the commit stays.

    Raises
    ------
    NotFoundError
        When there is no such tag.
    """
    with commit_to(store, f"remove tag {tag}") as change:
        found = change.live("tags", [{"tag": tag}])
        if not found:
            names = ", ".join(sorted(Snapshot(store).column("tags", "tag"))) or "none"
            raise NotFoundError(
                f"there is no tag '{tag}'", where=str(store.root), hint=f"the store's tags are: {names}"
            )
        change.remove("tags", found)
    return int(found[0]["commit_id"])


def _refuse_name(tag: str) -> None:
    if not _FORM.fullmatch(tag):
        raise UsageError(
            f"'{tag}' is no name for a tag",
            hint="a letter, then letters, digits, dots, hyphens and underscores, such as paper-v1",
        )
    if tag.lower() in _RESERVED:
        raise UsageError(
            f"'{tag}' is no name for a tag: it would be read as the newest commit", hint="such as paper-v1"
        )
