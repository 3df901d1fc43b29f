"""The AUC of repeated cross-validation: each patient predicted once a repeat, by models that had not seen them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from schemas.errors import ContractError
from zoo.evaluation.auc import Placements, placements

__all__ = ["OutOfFold", "averaged_placements", "has_pairs", "ranked_placements"]


class OutOfFold(NamedTuple):
    """Out-of-fold scores of some patients, each predicted once a repeat."""

    labels: NDArray[np.int64]
    """0 or 1, of shape (n_patients,)."""
    scores: NDArray[np.float64]
    """Higher speaks for label 1; of shape (n_repeats, n_patients)."""
    folds: NDArray[np.int64]
    """The fold that each patient was held out of, numbered over all repeats; of the shape of ``scores``."""


def averaged_placements(labels: ArrayLike, scores: ArrayLike, folds: ArrayLike | None = None) -> Placements:
    r"""Return each patient's placement count among the patients of the same fold, averaged over the repeats.

    A pair, one patient of each label, counts where one model ranked both: where both were held out of the same fold.
    With :math:`w_{ij}` = 1 where positive i outranks negative j (a tie one half), P the pairs of all folds and
    repeats, m positives and n negatives,

    .. math::

        A = \frac{1}{|P|} \sum_{(i,j) \in P} w_{ij}, \qquad
        \varphi_i = A + \frac{m}{|P|} \sum_{j: (i,j) \in P} (w_{ij} - A), \qquad
        \operatorname{Var}(A) = \frac{s^2(\varphi_{i})}{m} + \frac{s^2(\varphi_{j})}{n}.

    A is the mean of the folds' AUCs, each weighted by its pairs, and :math:`\varphi_i` a patient's part in it. The
    variance is DeLong's with these in place of a single ranking's shares: the same patients stand in every repeat, so
    repeating removes what the draw of the folds adds and nothing of what the draw of the patients does. With one
    repeat of one fold all three are DeLong's own.

    Parameters
    ----------
    labels : array_like of shape (n_patients,)
        0 or 1, both present.
    scores : array_like of shape (n_repeats, n_patients)
        Out-of-fold scores of each repeat; higher speaks for label 1.
    folds : array_like of shape (n_repeats, n_patients), optional
        The fold that each patient was held out of, no number in two repeats; a repeat is one fold where absent.

    Raises
    ------
    ContractError
        If there is no repeat, no fold has both labels, or labels or scores break their rule.

    Notes
    -----
    Ranks are not pooled over folds: each fold's probabilities come from a model of its own, trained without the
    patients it is asked about. A fold with one event more has a model that saw one fewer and says a little less for
    everyone, so that pairs across folds are ranked wrongly more often than rightly where there is nothing to find
    (Forman and Scholz 2010; docs/adr/0014). Within a fold the AUC of an uninformed model is one half on average,
    whatever it was trained on.

    The patients' models share training patients, which DeLong's formula, made for scores that were given
    beforehand, does not know: the interval holds for the AUC of models trained on these patients' number, and
    is too narrow where models select features (Bengio and Grandvalet 2004 show that no unbiased estimate of that part
    exists; how much is missing in pure noise is measured in docs/benchmarks.md).

    A patient whose fold holds nobody of the other label is in no pair and left out.

    References
    ----------
    DeLong ER, DeLong DM, Clarke-Pearson DL, Biometrics 1988;44:837, doi:10.2307/2531595.
    LeDell E, Petersen M, van der Laan M, Electron J Stat 2015;9:1583, doi:10.1214/15-EJS1035.
    Forman G, Scholz M, ACM SIGKDD Explor 2010;12:49, doi:10.1145/1882471.1882479.
    Bengio Y, Grandvalet Y, J Mach Learn Res 2004;5:1089.
    """
    rows: NDArray[np.float64] = np.asarray(scores, dtype=np.float64)
    if rows.ndim != 2 or not len(rows):
        raise ContractError(f"expected scores of shape (repeats, patients), got {rows.shape}", where="scores")
    truth, numbers = np.asarray(labels), np.zeros(rows.shape) if folds is None else np.asarray(folds)
    if numbers.shape != rows.shape:
        raise ContractError(f"expected folds of shape {rows.shape}, got {numbers.shape}", where="folds")
    if (numbers == numbers[:, :1]).all():
        of_repeats = [placements(labels, row) for row in rows]
        return Placements(
            np.sum([each.positive for each in of_repeats], axis=0) / len(rows),
            np.sum([each.negative for each in of_repeats], axis=0) / len(rows),
        )
    won, pairs = np.zeros(len(truth)), np.zeros(len(truth))
    for row, of_row in zip(rows, numbers, strict=True):
        for own in _with_both_labels(truth, of_row):
            counts = placements(truth[own], row[own])
            for label, of_label in ((1, counts.positive), (0, counts.negative)):
                patients = own[truth[own] == label]
                won[patients] += of_label
                pairs[patients] += len(own) - len(patients)
    positive, negative = ((truth == label) & (pairs > 0) for label in (1, 0))
    if not positive.any():
        raise ContractError("no fold has patients of both labels", where="folds", hint="judge with fewer folds")
    m, n, total = int(positive.sum()), int(negative.sum()), float(pairs[positive].sum())
    area = float(won[positive].sum()) / total
    # Centred first: where every pair is won, or every pair is tied, the excess is exactly zero for everyone.
    excess = won - area * pairs
    return Placements(n * (area + m / total * excess[positive]), m * (area + n / total * excess[negative]))


def ranked_placements(found: OutOfFold) -> Placements | None:
    """Return `averaged_placements`, None where no fold holds patients of both labels: there is no AUC."""
    return averaged_placements(*found) if has_pairs(found) else None


def has_pairs(found: OutOfFold) -> bool:
    """Return whether in some fold there are patients of both labels: without, there is no AUC."""
    return any(True for row in found.folds for _ in _with_both_labels(found.labels, row))


def _with_both_labels(labels: NDArray[np.int64], folds: NDArray[np.int64]) -> list[NDArray[np.intp]]:
    """Return the patients of each fold that holds both labels."""
    of_folds = (np.flatnonzero(folds == number) for number in np.unique(folds))
    return [own for own in of_folds if len(set(labels[own].tolist())) == 2]
