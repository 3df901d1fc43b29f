"""What changed since a commit: whether any row that a question reads came or went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Table, or_, select

from store.catalogue.connection import read_transaction
from store.catalogue.tables import VERSIONED, commits, erasures, versioned_table
from store.history.snapshot import Snapshot

__all__ = ["Reads", "changed_since", "study_changed_since"]

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
    tables = ((versioned_table(name), equal) for name, equal in reads)
    conditions = ((table, [table.c[column] == value for column, value in equal.items()]) for table, equal in tables)
    return _any_changed(snapshot, commit_id, conditions)


def study_changed_since(snapshot: Snapshot, commit_id: int, study: str) -> bool:
    """Return whether rows of a study, or of its patients, came or went after a commit.

    Parameters
    ----------
    snapshot : Snapshot
        The store now.
    commit_id : int
        The commit.
    study : str
        The study's id. What other studies say of the same patients is not counted.
    """
    members = versioned_table("study_patients")
    own = select(members.c.patient).where(members.c.study == study)
    conditions: list[tuple[Table, list[ColumnElement[bool]]]] = []
    for table in VERSIONED.values():
        if "study" in table.c:
            conditions.append((table, [table.c.study == study]))
        elif "patient" in table.c:
            conditions.append((table, [table.c.patient.in_(own)]))
    return _any_changed(snapshot, commit_id, conditions)


def _any_changed(
    snapshot: Snapshot, commit_id: int, conditions: Iterable[tuple[Table, list[ColumnElement[bool]]]]
) -> bool:
    if commit_id > snapshot.commit_id:
        return True
    with read_transaction(snapshot.store.engine) as connection:
        landed = connection.execute(select(commits.c.committed_at).where(commits.c.commit_id == commit_id)).scalar()
        erased = select(erasures.c.erasure_id).where(erasures.c.erased_at >= (landed or ""))
        if connection.execute(erased.limit(1)).first() is not None:
            return True
        for table, those in conditions:
            is_newer = or_(table.c.added_commit > commit_id, table.c.removed_commit > commit_id)
            if connection.execute(select(table.c.row_id).where(is_newer, *those).limit(1)).first() is not None:
                return True
    return False
