"""What a question about drift found."""

from __future__ import annotations

from dataclasses import dataclass

from flows.monitor.rules import DriftRules
from zoo.drift.features import FeatureDrift, FeaturesDrift
from zoo.drift.labels import CalibrationDrift, OutcomeDrift
from zoo.drift.scores import ScoreDrift

__all__ = ["Compared", "DriftReport"]


@dataclass(frozen=True)
class Compared:
    """One thing of a group compared with the reference; every p value is adjusted for all tests of the question."""

    what: str
    """features, outcome, predictions or calibration."""
    reference: str
    current: str
    reference_patients: int
    """Who has what is compared; a person counts once."""
    current_patients: int
    result: FeaturesDrift | OutcomeDrift | ScoreDrift | CalibrationDrift | None
    reason: str | None = None
    """Why nothing is compared."""
    drifting: tuple[FeatureDrift, ...] = ()
    """The features that drift."""
    findings: tuple[str, ...] = ()
    """What drifts, in a few words each."""


@dataclass(frozen=True)
class DriftReport:
    """What drifts in a study, and what was asked."""

    study: str
    commit_id: int
    """The commit that everything was read at."""
    by: str
    feature_set: str | None
    """``name@N``."""
    phases: tuple[str, ...]
    model: str | None
    """``name@version``."""
    rules: DriftRules
    tests: int
    """How many tests share alpha."""
    draws: int
    """How many exchanges of patients give a p value."""
    seed: int
    compared: tuple[Compared, ...]
    notes: tuple[str, ...]
    """Who or what is left out and why, and what else is to be known."""

    @property
    def findings(self) -> tuple[str, ...]:
        """Return all that drifts, in a few words each."""
        return tuple(finding for each in self.compared for finding in each.findings)
