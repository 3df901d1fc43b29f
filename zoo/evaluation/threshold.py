"""The operating point of a model: a cut on its score, chosen on training patients and then frozen."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from zoo.evaluation.inputs import labelled_scores

__all__ = ["youden_threshold"]


def youden_threshold(labels: ArrayLike, scores: ArrayLike) -> float:
    """Return the cut ``c`` that, applied as ``score >= c``, has the largest Youden index on these patients.

    The index is sensitivity + specificity - 1. Candidates are the midpoints between neighbouring distinct
    scores, as in R's pROC, and the lowest score, at which everyone is called positive (index 0, as is calling
    no one positive). Of several cuts with the same index the lowest is taken: the more sensitive one. The cut
    is always finite, so it can be stored with the model.

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1, both present. Training patients only, better with their out-of-fold scores.
    scores : array_like of shape (n_patients,)
        Finite; higher speaks for label 1.

    Raises
    ------
    ContractError
        If labels or scores break their rule.

    References
    ----------
    Youden WJ, Cancer 1950;3:32, doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3.
    """
    positive, values = labelled_scores(labels, scores)
    distinct, group = np.unique(values, return_inverse=True)
    positives = np.bincount(group[positive], minlength=len(distinct))
    negatives = np.bincount(group[~positive], minlength=len(distinct))
    true_positives = positives[::-1].cumsum()[::-1]
    false_positives = negatives[::-1].cumsum()[::-1]
    # The index times m n, in whole numbers, so that ties are ties.
    index = true_positives * negatives.sum() - false_positives * positives.sum()
    best = int(index.argmax())
    if best == 0:
        return float(distinct[0])
    below, above = distinct[best - 1], distinct[best]
    # Halved before the sum against overflow. Between neighbouring floats no midpoint exists.
    midpoint = below / 2 + above / 2
    return float(midpoint if midpoint > below else above)
