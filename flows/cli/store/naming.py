"""The verbs that name things of the store: tag, describe."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from flows.cli.outcome import CommandResult, Context, table_text
from schemas.errors import UsageError
from store.history.snapshot import Snapshot
from store.home import Store
from store.naming.descriptions import Description, describe_named, description_of
from store.naming.tags import remove_tag, tag_commit

__all__ = ["describe", "tag"]

Shared = Annotated[Context, Parameter(parse=False)]


def tag(
    name: str | None = None,
    /,
    *,
    commit: str | None = None,
    description: str | None = None,
    move: Annotated[bool, Parameter(negative="")] = False,
    remove: Annotated[bool, Parameter(negative="")] = False,
    context: Shared,
) -> CommandResult:
    """Name a commit, such as the one a paper was written from; without a name, list the tags.

    Wherever --as-of takes a commit's number it takes a tag. A tag is written by a commit of its own, and a tag that is
    moved or removed stays in the history. An erasure changes what a tagged commit answers, as it does every commit.

    Parameters
    ----------
    name
        A letter, then letters, digits, dots, hyphens and underscores.
    commit
        The commit's number, or another tag of it; the newest commit where not given.
    description
        What the commit is.
    move
        Let the tag name this commit from now on, where it names another one.
    remove
        Take the tag away; the commit stays.

    Examples
    --------
    radzoo store tag paper-v1 --commit 12 --description "as submitted"
    radzoo store tag
    """
    store = Store(context.store)
    if name is None:
        if commit is not None or description is not None or move or remove:
            raise UsageError("which tag?", hint="radzoo store tag NAME --commit N")
        rows = sorted(Snapshot(store).rows("tags"), key=lambda row: (-row["commit_id"], row["tag"]))
        columns = ["tag", "commit_id", "tagged_at", "author", "description"]
        return CommandResult(table_text(rows, columns) if rows else "the store has no tag", rows)
    if remove:
        if commit is not None or description is not None or move:
            raise UsageError("a tag is removed or given, not both", hint=f"radzoo store tag {name} --remove")
        was = remove_tag(store, name)
        return CommandResult(f"removed the tag {name} of commit {was}", {"tag": name, "commit_id": was})
    row = tag_commit(store, name, commit, description=description, move=move)
    return CommandResult(f"{name} names commit {row['commit_id']}", row)


def describe(
    name: str,
    /,
    *,
    owner: str | None = None,
    tag: tuple[str, ...] = (),
    description: str | None = None,
    clear: Annotated[bool, Parameter(negative="")] = False,
    context: Shared,
) -> CommandResult:
    """Say who owns a study or a feature set, what it is tagged with and about; with the name alone, show it.

    No value and no definition changes by it. The views studies and feature_sets have it (owner, tags, notes), and
    radzoo features list --tag finds by it.

    Parameters
    ----------
    name
        A study's id, or a feature set, name or name@N.
    owner
        A person or team to ask.
    tag
        A word to find it by; may be given several times. Those of before are replaced.
    description
        In a few sentences.
    clear
        Take away first what was said before.

    Examples
    --------
    radzoo store describe hcc-cemri@1 --owner "Liver imaging group" --tag liver --tag MRI
    radzoo store describe my-study
    """
    store = Store(context.store)
    if owner is None and not tag and description is None and not clear:
        found = description_of(Snapshot(store), name)
    else:
        found = describe_named(
            store,
            name,
            owner="" if clear and owner is None else owner,
            tags=tag if tag or clear else None,
            description="" if clear and description is None else description,
        )
    return CommandResult(_text(found), found)


def _text(found: Description) -> str:
    what = "study" if found.kind == "study" else "feature set"
    if not (found.owner or found.tags or found.description):
        return f"nothing is said of the {what} {found.name}"
    said = {"owner": found.owner, "tags": ", ".join(found.tags), "description": found.description}
    return "\n".join([f"{what} {found.name}", *(f"{key:<12} {text}" for key, text in said.items() if text)])
