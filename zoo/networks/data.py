"""What a network trains on, who of it tells when to stop, and how much each label weighs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from schemas.errors import ContractError
from zoo.networks.architecture import N_LABELS
from zoo.weighting.sums import parts

__all__ = ["NetworkData", "class_weights", "inner_validation"]


@dataclass(frozen=True)
class NetworkData:
    """What a network trains on.

    Attributes
    ----------
    images : ndarray of shape (n_patients, n_phases, n_slices, size, size)
        Scaled regions.
    labels : ndarray of shape (n_patients,)
        0 or 1.
    tabular : ndarray of shape (n_patients, n_tabular) or None
        Scaled numbers that go into the last layer.
    weights : ndarray of shape (n_patients,) or None
        How much each patient counts; alike where None.
    """

    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    tabular: NDArray[np.float32] | None = None
    weights: NDArray[np.float64] | None = None

    def at(self, rows: NDArray[np.int64]) -> NetworkData:
        """Return some of the patients."""
        tabular = None if self.tabular is None else self.tabular[rows]
        return NetworkData(self.images[rows], self.labels[rows], tabular, parts(self.weights, rows))


def inner_validation(labels: NDArray[np.int64], fraction: float, seed: int) -> NDArray[np.int64]:
    """Return the rows on whom early stopping looks, drawn within each label; at least one of each, in order.

    Raises
    ------
    ContractError
        If a label has only one patient.
    """
    if not fraction:
        return np.empty(0, dtype=np.int64)
    draw = np.random.default_rng((seed, len(labels)))
    chosen: list[int] = []
    for label in range(N_LABELS):
        rows = np.flatnonzero(labels == label)
        if len(rows) < 2:
            raise ContractError(
                f"{len(rows)} training patients have label {label}: none can be set aside for early stopping",
                hint="set validation_fraction = 0 for this model's network",
            )
        chosen += draw.permutation(rows)[: min(max(1, round(fraction * len(rows))), len(rows) - 1)].tolist()
    return np.sort(np.array(chosen, dtype=np.int64))


def class_weights(labels: NDArray[np.int64], weights: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    """Return the weight of each label, n / (2 n_label): both labels weigh alike in all.

    Parameters
    ----------
    labels : ndarray of shape (n_patients,)
        0 or 1.
    weights : ndarray of shape (n_patients,), optional
        How much each patient counts in n and n_label.
    """
    counts = np.bincount(labels, weights=weights, minlength=N_LABELS)
    return np.asarray((len(labels) if weights is None else weights.sum()) / (N_LABELS * counts), dtype=np.float64)
