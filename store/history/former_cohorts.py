"""Which cohort of a split a patient was in who is out of it now."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import select

from store.catalogue.tables import versioned_table
from store.history.snapshot import Snapshot

__all__ = ["former_cohorts"]


def former_cohorts(snapshot: Snapshot, study: str, split: str, patients: Collection[str]) -> dict[str, str]:
    """Return the last cohort of each of these patients who ever was in a study's split.

    Parameters
    ----------
    snapshot : Snapshot
        The store as of a commit.
    study, split : str
        Whose split it is, and its name.
    patients : collection of str
        Pseudonyms.
    """
    members = versioned_table("split_members")
    query = (
        select(members.c.patient, members.c.cohort)
        .where(members.c.study == study, members.c.split == split, members.c.added_commit <= snapshot.commit_id)
        .order_by(members.c.added_commit)
    )
    with snapshot.reading("split_members") as connection:
        return {patient: cohort for patient, cohort in connection.execute(query) if patient in patients}
