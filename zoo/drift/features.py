"""Which features drift between two groups of patients, and whether all of them together do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from zoo.drift.classifier import classifier_aucs
from zoo.drift.distances import chance_psi, psi, psi_bins, standardised_wasserstein
from zoo.drift.kolmogorov import KolmogorovDistances
from zoo.drift.relabelling import chance_p, relabelled

__all__ = ["FeatureDrift", "FeaturesDrift", "features_drift"]


@dataclass(frozen=True)
class FeatureDrift:
    """How far a feature of two groups lies apart."""

    feature: str
    ks: float
    """Kolmogorov and Smirnov's distance."""
    p: float
    """Of that distance, adjusted for all features and for all tests of the question."""
    psi: float
    wasserstein: float | None
    """In standard deviations of the reference; None where it has no spread."""
    reference_median: float | None
    current_median: float | None
    reference_missing: int
    current_missing: int


@dataclass(frozen=True)
class FeaturesDrift:
    """How far the features of two groups lie apart, one by one and together."""

    features: tuple[FeatureDrift, ...]
    """The least p first, of equal ones the largest distance."""
    auc: float
    """How well a classifier tells held-out patients of the two groups apart; .5 where it cannot."""
    auc_p: float
    """Of that AUC, adjusted for all tests of the question."""
    chance_psi: float
    """The index's mean where nothing drifts, with these numbers of patients."""


def features_drift(
    values: NDArray[np.float64],
    names: Sequence[str],
    is_current: NDArray[np.bool_],
    *,
    tests: int,
    draws: int,
    seed: int,
) -> FeaturesDrift:
    """Return how far the features of two groups lie apart.

    Both tests exchange members of the groups. A feature's distance is compared with the largest of all features in
    each exchange (Westfall and Young's single step), which takes account of how features hang together: none is
    called drifting by chance with a probability above the level. What is left is divided among the tests of the
    question (Bonferroni).

    Parameters
    ----------
    values : ndarray of shape (n_patients, n_features)
        One row a person; NaN where missing.
    names : sequence of str
        Of the features.
    is_current : ndarray of shape (n_patients,)
        True for who is compared with the others.
    tests : int
        How many tests the whole question has; two of them are made here.
    draws : int
        How many exchanges.
    seed : int
        Of the exchanges and the folds.

    References
    ----------
    Westfall PH, Young SS, Resampling-Based Multiple Testing, Wiley 1993, section 2.3.
    """
    labellings = relabelled(is_current, draws, seed)
    distances = KolmogorovDistances(values)
    observed = distances.of(labellings[0])
    p_values = np.minimum(1.0, tests * chance_p(observed, distances.largest(labellings[1:])))
    aucs = classifier_aucs(values, labellings, seed)
    old, new = values[~is_current], values[is_current]
    bins = psi_bins(len(old), len(new))
    found = [
        FeatureDrift(
            feature=name,
            ks=round(float(observed[at]), 12),
            p=float(p_values[at]),
            psi=psi(old[:, at], new[:, at], bins),
            wasserstein=standardised_wasserstein(old[:, at], new[:, at]),
            reference_median=_median(old[:, at]),
            current_median=_median(new[:, at]),
            reference_missing=int(np.isnan(old[:, at]).sum()),
            current_missing=int(np.isnan(new[:, at]).sum()),
        )
        for at, name in enumerate(names)
    ]
    return FeaturesDrift(
        features=tuple(sorted(found, key=lambda each: (each.p, -each.ks, each.feature))),
        auc=float(aucs[0]),
        auc_p=min(1.0, tests * float(chance_p(aucs[:1], aucs[1:])[0])),
        chance_psi=chance_psi(len(old), len(new), bins),
    )


def _median(values: NDArray[np.float64]) -> float | None:
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else None
