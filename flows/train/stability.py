"""Stability of a study's features: from the store, computed and committed where it is not there yet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flows.commits.erased_meanwhile import carry_out
from schemas.errors import NotFoundError, UsageError
from schemas.study.file import Study
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot
from store.home import Store
from zoo.tables.feature_columns import stored_feature_set
from zoo.tables.stability import FEWEST_PATIENTS, FewReadings, few_readings, stability_is_current, stability_rows

__all__ = ["StudyStability", "ensure_stability", "keep_stability"]


@dataclass(frozen=True)
class StudyStability:
    """Agreement of repeated readings of one feature set on the training patients of a split."""

    study: str
    split: str
    feature_set: str
    is_new: bool
    """True where it was computed just now."""
    rows: list[dict[str, Any]]
    """The table ``stability``: phase, feature, kind, patients, icc, lower, upper."""
    few: list[FewReadings]
    """Phases and kinds that too few training patients were read in: they have no rows."""
    families: dict[str, str | None]
    """The family of each feature."""


def keep_stability(store: Store, study: Study, wanted: Iterable[tuple[str, str]]) -> bool:
    """Commit the agreement of a study's readings where the store's is not that of its values now; return whether.

    Parameters
    ----------
    store : Store
        The store.
    study : Study
        The study.
    wanted : iterable of (str, str)
        Splits and feature sets.
    """
    before = Snapshot(store)
    stale = [pair for pair in sorted(set(wanted)) if not stability_is_current(before, study, *pair)]
    if not stale:
        return False
    with commit_to(store, f"stability of {study.id}", basis=None) as commit:
        # Read inside the commit, which no other writer can enter: its id then says what the ICCs are made of.
        snapshot = Snapshot(store)
        for split, feature_set in stale:
            stored = stored_feature_set(snapshot, study, feature_set)
            rows = stability_rows(snapshot, study, split, feature_set)
            commit.put("stability", rows, replacing={"study": study.id, "split": split, "feature_set": stored})
    return True


def ensure_stability(store: Store, study: Study, feature_set: str, split: str | None = None) -> StudyStability:
    """Compute the ICC(A,1) that the store lacks of a study and return that of every feature and phase.

    Within and between readers.

    Parameters
    ----------
    store : Store
        The store; it is written to where it has no ICC of this study, split and feature set, or one of former values.
    study : Study
        The study.
    feature_set : str
        ``name`` or ``name@N``, one that has been computed.
    split : str, optional
        The split whose training patients count; the study's first where absent.

    Raises
    ------
    UsageError
        When the study has no such split.
    NotFoundError
        When the feature set has not been computed, or too few training patients were read repeatedly.
    """
    return carry_out(store, lambda _: _study_stability(store, study, feature_set, split))


def _study_stability(store: Store, study: Study, feature_set: str, split: str | None) -> StudyStability:
    snapshot = Snapshot(store)
    splits = [row["split"] for row in snapshot.rows("splits", study=study.id)]
    asked = split or next((name for name in study.splits if name in splits), None)
    if asked is None or asked not in splits:
        raise UsageError(
            f"study '{study.id}' has no split '{split}'" if split else f"study '{study.id}' has no split",
            hint=f"--split with one of: {', '.join(splits)}"
            if splits
            else "add a table [splits.NAME] to the study file and ingest again",
        )
    stored = stored_feature_set(snapshot, study, feature_set)
    asked_for = {"study": study.id, "split": asked, "feature_set": stored}
    is_new = keep_stability(store, study, [(asked, stored)])
    now = Snapshot(store)
    rows = now.rows("stability", **asked_for)
    if not rows:
        raise NotFoundError(
            f"no agreement of readings: fewer than {FEWEST_PATIENTS} training patients were read repeatedly",
            where=f"study '{study.id}', split '{asked}', {stored}",
            hint="[[readings]] in the study file names the readings of a mask",
        )
    families = {row["feature"]: row["family"] for row in snapshot.rows("features", feature_set=stored)}
    kept = ("phase", "feature", "kind", "patients", "icc", "lower", "upper")
    return StudyStability(
        study=study.id,
        split=asked,
        feature_set=stored,
        is_new=is_new,
        rows=[{name: row[name] for name in kept} for row in rows],
        few=few_readings(now, study, asked, stored, tuple(study.phases)),
        families=families,
    )
