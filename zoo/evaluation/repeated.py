"""The AUC of repeated cross-validation: each patient predicted once a repeat, by models that had not seen them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from schemas.errors import ContractError
from zoo.evaluation.auc import AreaEstimate, Placements, component_variance, placements

__all__ = ["OutOfFold", "averaged_placements", "difference_variance", "has_pairs", "out_of_fold_estimate"]


_WIDER_INTERVAL, _WIDER_TEST = 1.14, 1.28
"""What the correction for shared training leaves uncovered where columns are selected (docs/adr/0046)."""


class OutOfFold(NamedTuple):
    """Out-of-fold scores of some patients, each predicted once a repeat."""

    labels: NDArray[np.int64]
    """0 or 1, of shape (n_patients,)."""
    scores: NDArray[np.float64]
    """Higher speaks for label 1; of shape (n_repeats, n_patients)."""
    folds: NDArray[np.int64]
    """The fold that each patient was held out of, numbered over all repeats; of the shape of ``scores``."""
    parts: int
    """How many folds a repeat has; 1 where one model, which saw none of the patients, judged all of them."""


def averaged_placements(labels: ArrayLike, scores: ArrayLike, folds: ArrayLike | None = None) -> Placements:
    r"""Return each patient's placement count among the patients of the same fold, averaged over the repeats.

    A pair, one patient of each label, counts where one model ranked both: where both were held out of the same fold.
    With :math:`w_{ij}` = 1 where positive i outranks negative j (a tie one half), P the pairs of all folds and
    repeats, m positives and n negatives,

    .. math::

        A = \frac{1}{|P|} \sum_{(i,j) \in P} w_{ij}, \qquad
        \varphi_i = A + \frac{m}{|P|} \sum_{j: (i,j) \in P} (w_{ij} - A).

    A is the mean of the folds' AUCs, each weighted by its pairs, and :math:`\varphi_i` a patient's part in it. With one
    repeat of one fold both are DeLong's own. The variance of A over draws of patients is `out_of_fold_estimate`'s: that
    of these averages knows nothing of how the models change with the draw.

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

    A patient whose fold holds nobody of the other label is in no pair and left out.

    References
    ----------
    DeLong ER, DeLong DM, Clarke-Pearson DL, Biometrics 1988;44:837, doi:10.2307/2531595.
    LeDell E, Petersen M, van der Laan M, Electron J Stat 2015;9:1583, doi:10.1214/15-EJS1035.
    Forman G, Scholz M, ACM SIGKDD Explor 2010;12:49, doi:10.1145/1882471.1882479.
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


def out_of_fold_estimate(found: OutOfFold) -> AreaEstimate | None:
    r"""Return the AUC over all repeats with its variance over draws of patients; None where no fold has both labels.

    The variance is that of one repeat, the mean of DeLong's over the repeats, times Nadeau and Bengio's correction for
    models that share training patients, and a factor that simulations ask for: with k folds,

    .. math::

        V = 1.14 \left(1 + \frac{k}{k - 1}\right) \frac{1}{R} \sum_{r=1}^{R} V_r,

    an error 1.6 times as large for five folds. One model that saw none of the patients has V = V_1.
    It is the AUC's spread over other data sets of this size, each with models of its own, that this covers. Averages
    over repeats vary less within a data set and hardly less between data sets: their own variance would promise ever
    more with every repeat (docs/adr/0046, with the simulation; Bengio and Grandvalet 2004 show that no estimate from
    one data set is unbiased).

    Where a repeat has no variance, for lack of patients, or all have one of 0, placements averaged over the repeats
    give the variance that is corrected.

    Parameters
    ----------
    found : OutOfFold
        The scores.

    References
    ----------
    Nadeau C, Bengio Y, Mach Learn 2003;52:239, doi:10.1023/A:1024068626366.
    Bengio Y, Grandvalet Y, J Mach Learn Res 2004;5:1089.
    """
    if not has_pairs(found):
        return None
    averaged = averaged_placements(found.labels, found.scores, found.folds).estimate
    own = [each.estimate.variance for each in _of_each_repeat(found)]
    return averaged._replace(variance=_corrected(own, averaged.variance, found.parts, _WIDER_INTERVAL))


def difference_variance(a: OutOfFold, b: OutOfFold) -> float | None:
    """Return the variance of the difference of two models' AUCs, as `out_of_fold_estimate` has that of one.

    Its factor is 1.28, an error 1.7 times as large for five folds: at 1.6 tests of two equally good models that select
    their columns from different ones would reject in 7 % (docs/adr/0046).

    Parameters
    ----------
    a, b : OutOfFold
        Of the same patients in the same folds.
    """
    own = [_between(*each) for each in zip(_of_each_repeat(a), _of_each_repeat(b), strict=True)]
    if not own:
        return None
    averaged = _between(*(averaged_placements(each.labels, each.scores, each.folds) for each in (a, b)))
    return _corrected(own, averaged, a.parts, _WIDER_TEST)


def _between(a: Placements, b: Placements) -> float | None:
    """Return DeLong's variance of the difference of two AUCs; None where a class has one patient."""
    return component_variance(a.positive - b.positive, a.negative - b.negative) if a.has_variance else None


def _of_each_repeat(found: OutOfFold) -> Iterator[Placements]:
    """Yield the placements of each repeat that has pairs."""
    for scores, folds in zip(found.scores, found.folds, strict=True):
        one = found._replace(scores=scores[None], folds=folds[None])
        if has_pairs(one):
            yield averaged_placements(one.labels, one.scores, one.folds)


def _corrected(of_repeats: Sequence[float | None], averaged: float | None, parts: int, wider: float) -> float | None:
    known = [each for each in of_repeats if each is not None]
    is_whole = len(known) == len(of_repeats) and any(known)
    basis = sum(known) / len(known) if is_whole else averaged
    correction = wider * (1.0 + parts / (parts - 1)) if parts > 1 else 1.0
    return None if basis is None else correction * basis


def has_pairs(found: OutOfFold) -> bool:
    """Return whether in some fold there are patients of both labels: without, there is no AUC."""
    return any(True for row in found.folds for _ in _with_both_labels(found.labels, row))


def _with_both_labels(labels: NDArray[np.int64], folds: NDArray[np.int64]) -> list[NDArray[np.intp]]:
    """Return the patients of each fold that holds both labels."""
    of_folds = (np.flatnonzero(folds == number) for number in np.unique(folds))
    return [own for own in of_folds if len(set(labels[own].tolist())) == 2]
