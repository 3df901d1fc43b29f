"""The AUC of repeated cross-validation: each patient predicted once a repeat, by models that had not seen them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from schemas.errors import ContractError
from zoo.evaluation.auc import Placements, placements

__all__ = ["averaged_placements"]


def averaged_placements(labels: ArrayLike, scores: ArrayLike) -> Placements:
    r"""Return each patient's placement count, averaged over the repeats of a cross-validation.

    With :math:`V^{(r)}_i` the share of negatives that positive i outranks in repeat r (ties one half), likewise
    :math:`V^{(r)}_j` the share of positives above negative j, m positives, n negatives and R repeats,

    .. math::

        \bar V_i = \frac{1}{R} \sum_r V^{(r)}_i, \qquad
        A = \frac{1}{R} \sum_r A^{(r)} = \frac{1}{m} \sum_i \bar V_i, \qquad
        \operatorname{Var}(A) = \frac{s^2(\bar V_{10})}{m} + \frac{s^2(\bar V_{01})}{n}.

    A is the mean of the repeats' AUCs. Its variance is DeLong's with the averages in place of a single
    ranking's shares: the same patients stand in every repeat, so repeating removes what the draw of the folds
    adds and nothing of what the draw of the patients does. With one repeat both are DeLong's own.

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1, both present.
    scores : array_like of shape (n_repeats, n_patients)
        Out-of-fold scores of each repeat; higher speaks for label 1. Ranks are taken within a repeat.

    Raises
    ------
    ContractError
        If there is no repeat, or labels or scores break their rule.

    Notes
    -----
    The patients' models share training patients, which DeLong's formula, made for scores that were given
    beforehand, does not know: the interval holds for the AUC of models trained on these patients' number, and
    is too narrow where models select features (Bengio and Grandvalet 2004 show that no unbiased estimate of that part
    exists; how much is missing in pure noise is measured in docs/benchmarks.md).

    References
    ----------
    DeLong ER, DeLong DM, Clarke-Pearson DL, Biometrics 1988;44:837, doi:10.2307/2531595.
    Bengio Y, Grandvalet Y, J Mach Learn Res 2004;5:1089.
    """
    rows: NDArray[np.float64] = np.asarray(scores, dtype=np.float64)
    if rows.ndim != 2 or not len(rows):
        raise ContractError(f"expected scores of shape (repeats, patients), got {rows.shape}", where="scores")
    of_repeats = [placements(labels, row) for row in rows]
    return Placements(
        np.sum([each.positive for each in of_repeats], axis=0) / len(rows),
        np.sum([each.negative for each in of_repeats], axis=0) / len(rows),
    )
