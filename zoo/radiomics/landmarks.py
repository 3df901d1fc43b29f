"""Standard scales of intensities that were learnt from patients: nobody of them may be judged by features on the scale.

What is learnt is in the feature set's definition, and so is whose training patients it was learnt from; the store's
history says who they were.
"""

from __future__ import annotations

import json
from collections.abc import Collection

from sqlalchemy import func, select

from schemas.errors import ContractError
from schemas.features.preparation import PhaseLandmarks
from store.catalogue.tables import versioned_table
from store.history.snapshot import Snapshot

__all__ = ["learnt_from", "refuse_judging_who_taught_landmarks"]


def refuse_judging_who_taught_landmarks(
    snapshot: Snapshot, feature_set: str, phases: Collection[str], judged: Collection[str]
) -> None:
    """Refuse to judge patients by features on a scale that was learnt from them.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    feature_set : str
        ``name@N``.
    phases : collection of str
        The phases that the model reads; all where empty.
    judged : collection of str
        Who is held out.

    Raises
    ------
    ContractError
        When one of them is among those whose images the landmarks of a phase were learnt from.
    """
    definition = json.loads(snapshot.row("feature_sets", feature_set=feature_set)["definition"] or "{}")
    for written in (definition.get("settings") or {}).get("landmarks", ()):
        landmarks = PhaseLandmarks.model_validate(written)
        if phases and landmarks.phase not in phases:
            continue
        taught = learnt_from(snapshot, landmarks) & set(judged)
        if taught:
            raise ContractError(
                f"the landmarks of '{feature_set}' in phase {landmarks.phase} were learnt from training patients of "
                f"split '{landmarks.split}' of study '{landmarks.study}', and {len(taught)} of them are held out here",
                where=f"patient {min(taught)} is one",
                hint="judge models of this set in the holdout suite on that split, or learn another set on the split "
                "in use (radzoo features landmarks --split); where folds hold out everybody, take a set with "
                "normalize, which learns nothing from other patients",
            )


def learnt_from(snapshot: Snapshot, landmarks: PhaseLandmarks) -> frozenset[str]:
    """Return the training patients whom landmarks were learnt from, as far as this store has known their split.

    Nobody where it has not: landmarks that another store's patients taught.

    Parameters
    ----------
    snapshot : Snapshot
        The store.
    landmarks : PhaseLandmarks
        Which name study, split and the split's hash.
    """
    splits = versioned_table("splits")
    query = select(func.min(splits.c.added_commit)).where(
        splits.c.study == landmarks.study,
        splits.c.split == landmarks.split,
        splits.c.sha256 == landmarks.split_sha256,
        splits.c.added_commit <= snapshot.commit_id,
    )
    with snapshot.reading("splits") as connection:
        commit = connection.execute(query).scalar()
    if commit is None:
        return frozenset()
    then = Snapshot(snapshot.store, commit)
    members = then.rows("split_members", study=landmarks.study, split=landmarks.split)
    return frozenset(row["patient"] for row in members if row["cohort"] == "training")
