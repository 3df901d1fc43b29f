"""How many failures a study has: one count for what refresh prints, what serve writes, and the table of failures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from flows.expect.quarantine import STAGE
from store.history.snapshot import Snapshot

__all__ = ["FailureCounts", "failure_counts", "known_failures"]


@dataclass(frozen=True)
class FailureCounts:
    """The rows of the table ``failures`` of one study, each counted once."""

    refused: int = 0
    """Masks, patients and cells that the ingest refused; no feature set has them."""
    failed: Counter[str] = field(default_factory=Counter)
    """Masks whose extraction failed as a whole, by feature set."""
    single_values: Counter[str] = field(default_factory=Counter)
    """Values that could not be computed in a row that is there, by feature set."""
    left_out: int = 0
    """Masks and patients that expectations leave out, once for each expectation."""


def failure_counts(snapshot: Snapshot, study: str) -> FailureCounts:
    """Return the counts of a study's failures.

    Parameters
    ----------
    snapshot : Snapshot
        The store as of a commit.
    study : str
        The study's id.
    """
    rows = snapshot.rows("failures", study=study)
    refused = [row for row in rows if row["stage"] == "ingest"]
    of_sets = [row for row in rows if row["stage"] == "refresh"]
    return FailureCounts(
        refused=len(refused),
        failed=Counter(row["feature_set"] for row in of_sets if not row["feature"]),
        single_values=Counter(row["feature_set"] for row in of_sets if row["feature"]),
        left_out=sum(row["stage"] == STAGE for row in rows),
    )


def known_failures(
    snapshot: Snapshot, study: str, feature_sets: Iterable[str], stages: Collection[str] = ("ingest", STAGE)
) -> frozenset[tuple[str, ...]]:
    """Return what identifies what a study lacks: stage, feature set, the mask's key, and the feature or model.

    Parameters
    ----------
    snapshot : Snapshot
        The store as of a commit.
    study : str
        The study's id.
    feature_sets : iterable of str
        The feature sets that are asked for; what an earlier version lacked does not count.
    stages : collection of str
        Whose failures count whatever the feature set.
    """
    wanted = set(feature_sets)
    columns = ("stage", "feature_set", "patient", "exam", "phase", "lesion", "reader", "reading", "feature")
    return frozenset(
        tuple(str(row[name] or "") for name in columns)
        for row in snapshot.rows("failures", study=study)
        if row["stage"] in stages or (row["feature_set"] in wanted and not row["feature"])
    )
