"""The labels and probabilities of the published clinical model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["published"]

# The joint table of AST > 40 U/L and tumour diameter > 5 cm that the study's printed tables determine, in the
# order both, AST only, diameter only, neither; first early recurrence, then none.
CELLS = ((1, 1), (1, 0), (0, 1), (0, 0))
COUNTS = {
    "training": ((15, 21, 15, 27), (4, 9, 6, 35)),
    "validation": ((2, 2, 8, 6), (1, 2, 0, 12)),
}
INTERCEPT, AST, DIAMETER = -0.201581, 0.911873, 0.919251


def published(cohort: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return labels and probabilities of the study's clinical model in a cohort."""
    logits = [INTERCEPT + AST * ast + DIAMETER * diameter for ast, diameter in CELLS]
    recurred, free = COUNTS[cohort]
    labels = np.repeat([1, 0], [sum(recurred), sum(free)])
    scores = np.concatenate([np.repeat(logits, recurred), np.repeat(logits, free)])
    return labels, 1 / (1 + np.exp(-scores))
