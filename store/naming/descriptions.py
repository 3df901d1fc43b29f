"""What people say of a study or a feature set: who owns it, tags to find it by, a description."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from schemas.errors import NotFoundError, UsageError
from store.commits.commit import commit_to
from store.dictionary.feature_sets import named_feature_set
from store.history.snapshot import Snapshot
from store.home import Store
from store.naming.texts import refuse_text

__all__ = ["Description", "describe_named", "description_of"]

_TAG = re.compile(r"[^\W_][\w.-]{0,63}")
_LONGEST = {"owner": 200, "description": 2000}


@dataclass(frozen=True)
class Description:
    """Who owns a study or feature set, and what people say of it."""

    kind: str
    """``study`` or ``feature_set``."""
    name: str
    """The study's id, or ``name@version``."""
    owner: str = ""
    tags: tuple[str, ...] = ()
    description: str = ""


def description_of(snapshot: Snapshot, name: str) -> Description:
    """Return what is said of a study or feature set.

    Parameters
    ----------
    snapshot : Snapshot
        The store as of a commit.
    name : str
        A study's id, or a feature set's ``name@N`` or ``name``, which is its newest version. A study comes first.

    Raises
    ------
    NotFoundError
        When the store has neither.
    """
    if name in snapshot.column("studies", "study"):
        kind = "study"
    else:
        kind, name = "feature_set", _feature_set(snapshot, name)
    for row in snapshot.rows("descriptions", kind=kind, name=name):
        return _read(row)
    return Description(kind, name)


def describe_named(
    store: Store,
    name: str,
    *,
    owner: str | None = None,
    tags: Sequence[str] | None = None,
    description: str | None = None,
) -> Description:
    """Write who owns a study or feature set, its tags and a description; what is not given stays as it is.

    Values, definitions and what models read stay: no feature set becomes another version by it.

    Parameters
    ----------
    store : Store
        The store.
    name : str
        As `description_of` reads it.
    owner, description : str, optional
        New texts; an empty one takes the former away.
    tags : sequence of str, optional
        All tags from now on, in any order.

    Raises
    ------
    UsageError
        When a text is too long or a tag is no word.
    NotFoundError
        When the store has no such study or feature set.
    """
    for what, text in (("owner", owner), ("description", description)):
        refuse_text(what, text or "", _LONGEST[what])
    if wrong := [tag for tag in tags or () if not _TAG.fullmatch(tag)]:
        raise UsageError(f"'{wrong[0]}' is no tag", hint="one word each: --tag liver --tag MRI")
    before = description_of(Snapshot(store), name)
    nothing = Description(before.kind, before.name)
    row = {"kind": before.kind, "name": before.name}
    with commit_to(store, f"describe {before.name}") as commit:
        # What another process wrote meanwhile stays where nothing else is said.
        for live in commit.live("descriptions", [row]):
            before = _read(live)
        after = replace(
            nothing,
            owner=before.owner if owner is None else owner.strip(),
            tags=before.tags if tags is None else tuple(sorted(set(tags))),
            description=before.description if description is None else description.strip(),
        )
        if after == nothing:
            commit.remove("descriptions", [row])
        else:
            commit.put("descriptions", [vars(after) | {"tags": json.dumps(after.tags, ensure_ascii=False)}])
    return after


def _read(row: Mapping[str, Any]) -> Description:
    return Description(row["kind"], row["name"], row["owner"], tuple(json.loads(row["tags"])), row["description"])


def _feature_set(snapshot: Snapshot, name: str) -> str:
    try:
        return str(named_feature_set(snapshot, name)["feature_set"])
    except NotFoundError as error:
        studies = ", ".join(sorted(snapshot.column("studies", "study"))) or "none"
        raise NotFoundError(
            f"there is no study or feature set '{name}'",
            where=error.where,
            hint=f"the studies are: {studies}; {error.hint}",
        ) from error
