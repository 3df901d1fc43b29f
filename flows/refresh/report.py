"""What a refresh did for one feature set."""

from __future__ import annotations

from dataclasses import dataclass

from flows.expect.found import ExpectationFound

__all__ = ["FeatureSetReport"]


@dataclass(frozen=True)
class FeatureSetReport:
    """What a refresh did, or with ``dry_run`` would do, for one feature set of a study."""

    study: str
    feature_set: str
    features: int
    computed: int
    reused: int
    """Taken from what another study or an interrupted run had computed."""
    failed: int
    """Masks whose extraction failed."""
    unchanged: int
    commit_id: int | None
    refused: int = 0
    """What the ingest refused: a count of the study, the same for all its feature sets, and part of no other."""
    single_values: int = 0
    """Values that could not be computed in rows that are there."""
    left_out: int = 0
    """Masks and patients that expectations leave out: a count of the study, like ``refused``."""
    expectations: tuple[ExpectationFound, ...] = ()
    """What became of the expectations that read features."""

    @property
    def stale(self) -> int:
        """Return how many rows are not yet this study's."""
        return self.computed + self.reused
