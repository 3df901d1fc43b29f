"""What is called drift, where nobody says otherwise too; loaded without numerical libraries, for the verb's help."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.drift.asked import ALPHA, LEAST_PSI

__all__ = ["DriftRules"]


@dataclass(frozen=True)
class DriftRules:
    """What is called drift."""

    alpha: float = ALPHA
    """The chance of any finding where nothing drifts."""
    least_psi: float = LEAST_PSI
    """The population stability index that a feature has at least."""
