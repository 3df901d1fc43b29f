"""What one fit of a cross-validation gives, as it is staged in JSON until its commit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

__all__ = ["FitResult", "FitResults", "Unfit"]


class Unfit(TypedDict):
    """Why a model cannot be fitted to a fold's patients."""

    message: str
    where: str | None
    hint: str | None


class FitResult(TypedDict, total=False):
    """What a model says of the patients who are judged; or only why it could not be fitted to the others."""

    probabilities: dict[str, float]
    """By patient; a patient whom the model's table lacks has none, one with several rows their mean."""
    selected: list[str] | None
    """The columns that the model came to use; None for one that selects nothing."""
    held_out: dict[str, float]
    """Probabilities of the training patients on whom the threshold was chosen."""
    threshold: float
    """Of the fit, where one is asked for."""
    embeddings: dict[str, list[list[float]]]
    """Where embeddings are asked for: by patient, a vector for each phase."""
    weights_sha256: str
    """Of the network that gave them."""
    unfit: Unfit


FitResults = Mapping[str, Mapping[str, FitResult]]
"""By the fit's key, then by model."""
