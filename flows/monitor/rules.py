"""What is called drift, where nobody says otherwise too; loaded without numerical libraries, for the verb's help."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DriftRules"]


@dataclass(frozen=True)
class DriftRules:
    """What is called drift."""

    alpha: float = 0.01
    """The chance of any finding where nothing drifts."""
    least_psi: float = 0.2
    """The population stability index that a feature has at least."""
