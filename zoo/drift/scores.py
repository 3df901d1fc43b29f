"""How far the probabilities that one model gives two groups of patients lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zoo.drift.distances import psi, psi_bins, standardised_wasserstein
from zoo.drift.kolmogorov import KolmogorovDistances
from zoo.drift.relabelling import chance_p, relabelled

__all__ = ["ScoreDrift", "score_drift"]


@dataclass(frozen=True)
class ScoreDrift:
    """How far one number of two groups lies apart."""

    ks: float
    """Kolmogorov and Smirnov's distance."""
    p: float
    """Of this distance, adjusted for all tests of the question."""
    psi: float
    wasserstein: float | None
    """In standard deviations of the reference; None where it has no spread."""
    reference_mean: float
    current_mean: float


def score_drift(
    reference: Sequence[float], current: Sequence[float], *, tests: int, draws: int, seed: int
) -> ScoreDrift:
    """Return how far two groups' numbers lie apart.

    Parameters
    ----------
    reference, current : sequence of float
        One a person; none is missing.
    tests : int
        How many tests the whole question has.
    draws : int
        How many exchanges of patients give the p value.
    seed : int
        Of the exchanges.
    """
    values = np.array([*reference, *current])
    labellings = relabelled(np.repeat([False, True], [len(reference), len(current)]), draws, seed)
    distances = KolmogorovDistances(values[:, None])
    observed = distances.of(labellings[0])
    return ScoreDrift(
        ks=round(float(observed[0]), 12),
        p=min(1.0, tests * float(chance_p(observed, distances.largest(labellings[1:]))[0])),
        psi=psi(reference, current, psi_bins(len(reference), len(current))),
        wasserstein=standardised_wasserstein(reference, current),
        reference_mean=float(np.mean(reference)),
        current_mean=float(np.mean(current)),
    )
