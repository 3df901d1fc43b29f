"""What changed since a commit: whether any row that a question reads came or went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import or_, select

from store.catalogue.connection import read_transaction
from store.catalogue.tables import commits, erasures, versioned_table
from store.history.snapshot import Snapshot

__all__ = ["Reads", "changed_since"]

Reads = Iterable[tuple[str, Mapping[str, Any]]]
"""Versioned tables, each with the values that the rows which are read have in some columns."""


def changed_since(snapshot: Snapshot, commit_id: int, reads: Reads) -> bool:
    """Return whether rows were added to tables, changed or removed after a commit.

    Where False, whatever reads these rows only has the same answer now as then. An erasure takes rows away from old
    commits too and leaves no trace in the tables: after one everything counts as changed.

    Parameters
    ----------
    snapshot : Snapshot
        The store now; what was committed after it counts as a change.
    commit_id : int
        The commit, not a later one than the snapshot's.
    reads : iterable of (str, mapping)
        What is read.
    """
    if commit_id > snapshot.commit_id:
        return True
    with read_transaction(snapshot.store.engine) as connection:
        landed = connection.execute(select(commits.c.committed_at).where(commits.c.commit_id == commit_id)).scalar()
        erased = select(erasures.c.erasure_id).where(erasures.c.erased_at >= (landed or ""))
        if connection.execute(erased.limit(1)).first() is not None:
            return True
        for name, equal in reads:
            table = versioned_table(name)
            newer = select(table.c.row_id).where(
                or_(table.c.added_commit > commit_id, table.c.removed_commit > commit_id),
                *(table.c[column] == value for column, value in equal.items()),
            )
            if connection.execute(newer.limit(1)).first() is not None:
                return True
    return False
