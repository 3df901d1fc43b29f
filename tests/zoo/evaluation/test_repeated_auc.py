"""The AUC of repeated cross-validation: DeLong's with one repeat, brute force with several."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from schemas.errors import ContractError
from zoo.evaluation.auc import auc, component_variance, delong_bounds, delong_interval, logit_bounds, logit_interval
from zoo.evaluation.delong import paired_delong, paired_placements_test
from zoo.evaluation.repeated import averaged_placements


@pytest.fixture
def scores() -> tuple[np.ndarray, np.ndarray]:
    """Give labels of 12 patients and their scores in four repeats, with ties."""
    random = np.random.default_rng(3)
    labels = np.array([1, 0, 0, 1, 1, 0, 1, 0, 1, 0, 0, 1])
    return labels, np.round(random.random((4, 12)) + 0.2 * labels, 1)


def test_one_repeat_is_plain_delong(scores) -> None:
    """With one repeat AUC, both intervals and the paired test are those of a single set of scores."""
    labels, rows = scores
    counts = averaged_placements(labels, rows[:1])
    assert counts.area == auc(labels, rows[0])
    assert delong_bounds(counts) == delong_interval(labels, rows[0])
    assert logit_bounds(counts) == logit_interval(labels, rows[0])
    assert paired_placements_test(counts, averaged_placements(labels, rows[1:2])) == paired_delong(
        labels, rows[0], rows[1]
    )


def test_several_repeats_by_brute_force(scores) -> None:
    """AUC and variance follow from every pair of patients, counted one by one in every repeat and averaged."""
    labels, rows = scores
    ones, zeros = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    share = np.zeros((len(ones), len(zeros)))
    for row in rows:
        for i, one in enumerate(ones):
            for j, zero in enumerate(zeros):
                share[i, j] += (row[one] > row[zero]) + 0.5 * (row[one] == row[zero])
    share /= len(rows)
    counts = averaged_placements(labels, rows)
    assert counts.area == pytest.approx(np.mean([auc(labels, row) for row in rows]), abs=1e-15)
    assert counts.area == pytest.approx(share.mean(), abs=1e-15)
    variance = share.mean(axis=1).var(ddof=1) / len(ones) + share.mean(axis=0).var(ddof=1) / len(zeros)
    assert component_variance(*counts) == pytest.approx(variance, abs=1e-15)


def test_the_same_ranking_again_adds_nothing(scores) -> None:
    """Repeats that rank alike have the AUC and the interval of one of them: no width is won by repeating."""
    labels, rows = scores
    once, thrice = (averaged_placements(labels, np.tile(rows[0], (repeats, 1))) for repeats in (1, 3))
    assert thrice.area == pytest.approx(once.area, abs=1e-15)
    assert delong_bounds(thrice) == pytest.approx(delong_bounds(once), abs=1e-15)


def test_ranks_are_taken_within_a_repeat(scores) -> None:
    """A repeat whose scores all lie higher, as another draw of folds may give, changes nothing."""
    labels, rows = scores
    shifted = rows + np.array([0.0, 10.0, 20.0, 30.0])[:, None]
    assert np.array_equal(averaged_placements(labels, shifted).positive, averaged_placements(labels, rows).positive)


FOLDS = np.array(
    [
        [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2],
        [3, 4, 5, 3, 4, 5, 3, 4, 5, 3, 4, 5],
        [6, 6, 7, 7, 8, 8, 6, 6, 7, 7, 8, 8],
        [9, 10, 11, 9, 10, 11, 11, 10, 9, 9, 10, 11],
    ]
)


def test_pairs_of_one_fold_by_brute_force(scores) -> None:
    """With folds, only pairs of one fold count; the variance is that of each patient's own excess over the AUC."""
    labels, rows = scores
    ones, zeros = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    won, pairs = np.zeros((12, 12)), np.zeros((12, 12))
    for row, of_row in zip(rows, FOLDS, strict=True):
        for one in ones:
            for zero in zeros:
                if of_row[one] == of_row[zero]:
                    pairs[one, zero] += 1
                    won[one, zero] += (row[one] > row[zero]) + 0.5 * (row[one] == row[zero])
    area = won.sum() / pairs.sum()
    excess = won - area * pairs
    variance = excess.sum(axis=1)[ones].var(ddof=1) * len(ones) + excess.sum(axis=0)[zeros].var(ddof=1) * len(zeros)
    counts = averaged_placements(labels, rows, FOLDS)
    assert counts.area == pytest.approx(area, abs=1e-15)
    assert component_variance(*counts) == pytest.approx(variance / pairs.sum() ** 2, abs=1e-15)


def test_folds_of_one_size_have_the_mean_of_their_aucs() -> None:
    """Where folds have equally many patients of each label, the AUC is the mean of scikit-learn's over the folds."""
    random = np.random.default_rng(1)
    labels, folds = np.tile([1, 1, 0, 0, 0], 6), np.repeat(np.arange(6), 5)
    scores = random.normal(size=30) + labels
    expected = np.mean([roc_auc_score(labels[folds == fold], scores[folds == fold]) for fold in range(6)])
    assert averaged_placements(labels, scores[None], folds[None]).area == pytest.approx(expected, abs=1e-15)


def test_a_level_of_scores_of_its_own_in_each_fold_changes_nothing(scores) -> None:
    """A fold whose model says more for everyone, as one that trained on more events does, is ranked as before."""
    labels, rows = scores
    found = averaged_placements(labels, rows, FOLDS)
    assert np.allclose(averaged_placements(labels, rows + 10 * FOLDS, FOLDS).positive, found.positive, atol=1e-12)


def test_folds_ranked_without_fault_have_no_variance(scores) -> None:
    """Every pair of every fold right: an AUC of exactly 1 and a variance of exactly 0, however unlike the folds."""
    labels, _ = scores
    counts = averaged_placements(labels, labels - 5.0 * FOLDS, FOLDS)
    assert (counts.area, component_variance(*counts)) == (1.0, 0.0)


def test_a_patient_without_a_counterpart_is_left_out() -> None:
    """Who shares a fold with nobody of the other label is in no pair; where nobody does there is no AUC."""
    labels, scores = np.array([1, 0, 1, 0, 1]), np.array([[0.9, 0.1, 0.2, 0.4, 0.0]])
    counts = averaged_placements(labels, scores, [[0, 0, 1, 1, 2]])
    assert (counts.area, len(counts.positive), len(counts.negative)) == (0.5, 2, 2)
    with pytest.raises(ContractError, match="no fold has patients of both labels"):
        averaged_placements(labels, scores, [[0, 1, 2, 3, 4]])


@pytest.mark.parametrize("rows", [np.empty((0, 4)), np.array([0.1, 0.2, 0.3, 0.4])])
def test_scores_without_repeats_are_refused(rows) -> None:
    """Scores are repeats by patients: none, or a single row without the repeats' axis, is a fault of the caller."""
    with pytest.raises(ContractError, match="repeats, patients"):
        averaged_placements([0, 1, 0, 1], rows)
