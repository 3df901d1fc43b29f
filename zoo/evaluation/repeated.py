"""The AUC of repeated cross-validation: each patient predicted once a repeat, by models that had not seen them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from schemas.errors import ContractError
from zoo.evaluation.auc import AreaEstimate, Placements, component_variance, placements

__all__ = [
    "OutOfFold",
    "averaged_placements",
    "difference_variance",
    "former_estimate",
    "has_pairs",
    "out_of_fold_estimate",
]


_OF_FOLDS, _OF_TRAINING, _OF_SKILL, _OF_TEST, _SKILL_AT = 0.5, 0.8, 1.2, 2.3, 0.55
"""What a repeat's variance is multiplied by: for the draw of the folds, which repeats average away; for the training
that folds share; for the models' skill, which differs between data sets where there is any; in a paired test for both
(docs/adr/0063)."""


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

    The variance is that of one repeat, the mean of DeLong's over the repeats, times what models made from as many other
    patients add to it: with k folds,

    .. math::

        V = \left(\frac{1}{2 R} + (0.8 + 1.2 w) \frac{k}{k - 1}\right) \frac{1}{R} \sum_{r=1}^{R} V_r,
        \qquad w = \min\left(1, \max\left(0, \frac{A - 0.5}{0.05}\right)\right),

    for five folds and repeats an error 1.6 times as large from an AUC of .55 on and 1.05 times at .5. One model that
    saw none of the patients has V = V_1.

    k / (k - 1) is Nadeau and Bengio's, for training patients that folds share, and 1 / R theirs for the draw of the
    folds; the numbers are those that simulations ask for. w is skill: models that find something find more in one data
    set than in another, models of nothing are all worth one half. It is the AUC's spread over other data sets of this
    size that this covers; the spread of averages over repeats would promise ever more with every repeat (docs/adr/0046,
    docs/adr/0063; Bengio and Grandvalet 2004 show that no estimate from one data set is unbiased).

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
    uncorrected = _uncorrected(found)
    skill = min(1.0, max(0.0, (uncorrected.area - 0.5) / (_SKILL_AT - 0.5)))
    return uncorrected._replace(variance=_corrected(uncorrected.variance, found, _OF_TRAINING + _OF_SKILL * skill))


def former_estimate(found: OutOfFold) -> AreaEstimate | None:
    """Return what releases between docs/adr/0046 and docs/adr/0063 took for `out_of_fold_estimate`."""
    if not has_pairs(found):
        return None
    uncorrected, parts = _uncorrected(found), found.parts
    if uncorrected.variance is None or parts == 1:
        return uncorrected
    return uncorrected._replace(variance=1.14 * (1.0 + parts / (parts - 1)) * uncorrected.variance)


def _uncorrected(found: OutOfFold) -> AreaEstimate:
    """Return the AUC over all repeats with the variance of one."""
    averaged = averaged_placements(found.labels, found.scores, found.folds).estimate
    own = [each.estimate.variance for each in _of_each_repeat(found)]
    return averaged._replace(variance=_of_one_repeat(own, averaged.variance))


def difference_variance(a: OutOfFold, b: OutOfFold) -> float | None:
    """Return the variance of the difference of two models' AUCs, as `out_of_fold_estimate` has that of one.

    With 2.3 in place of 0.8 + 1.2 w, an error 1.7 times as large for five folds and repeats: two models that select
    their columns from different ones and are equally good on average differ on each data set by what each happened to
    find; at 2.0 tests would reject in up to .07 (docs/adr/0063).

    Parameters
    ----------
    a, b : OutOfFold
        Of the same patients in the same folds.
    """
    own = [_between(*each) for each in zip(_of_each_repeat(a), _of_each_repeat(b), strict=True)]
    if not own:
        return None
    averaged = _between(*(averaged_placements(each.labels, each.scores, each.folds) for each in (a, b)))
    return _corrected(_of_one_repeat(own, averaged), a, _OF_TEST)


def _between(a: Placements, b: Placements) -> float | None:
    """Return DeLong's variance of the difference of two AUCs; None where a class has one patient."""
    return component_variance(a.positive - b.positive, a.negative - b.negative) if a.has_variance else None


def _of_each_repeat(found: OutOfFold) -> Iterator[Placements]:
    """Yield the placements of each repeat that has pairs."""
    for scores, folds in zip(found.scores, found.folds, strict=True):
        one = found._replace(scores=scores[None], folds=folds[None])
        if has_pairs(one):
            yield averaged_placements(one.labels, one.scores, one.folds)


def _of_one_repeat(of_repeats: Sequence[float | None], averaged: float | None) -> float | None:
    known = [each for each in of_repeats if each is not None]
    return sum(known) / len(known) if len(known) == len(of_repeats) and any(known) else averaged


def _corrected(variance: float | None, found: OutOfFold, of_training: float) -> float | None:
    """Return a repeat's variance with what the draw of the folds and the training of their models add to it."""
    if variance is None or found.parts == 1:
        return variance
    return (_OF_FOLDS / len(found.scores) + of_training * found.parts / (found.parts - 1)) * variance


def has_pairs(found: OutOfFold) -> bool:
    """Return whether in some fold there are patients of both labels: without, there is no AUC."""
    return any(True for row in found.folds for _ in _with_both_labels(found.labels, row))


def _with_both_labels(labels: NDArray[np.int64], folds: NDArray[np.int64]) -> list[NDArray[np.intp]]:
    """Return the patients of each fold that holds both labels."""
    of_folds = (np.flatnonzero(folds == number) for number in np.unique(folds))
    return [own for own in of_folds if len(set(labels[own].tolist())) == 2]
