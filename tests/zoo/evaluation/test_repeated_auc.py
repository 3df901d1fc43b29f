"""The AUC of repeated cross-validation: DeLong's with one repeat, brute force with several."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from schemas.errors import ContractError
from zoo.evaluation.auc import auc, component_variance, delong_bounds, delong_interval, logit_bounds, logit_interval
from zoo.evaluation.delong import paired_delong, paired_test
from zoo.evaluation.repeated import (
    OutOfFold,
    averaged_placements,
    difference_variance,
    former_estimate,
    out_of_fold_estimate,
)


@pytest.fixture
def scores() -> tuple[np.ndarray, np.ndarray]:
    """Give labels of 12 patients and their scores in four repeats, with ties."""
    random = np.random.default_rng(3)
    labels = np.array([1, 0, 0, 1, 1, 0, 1, 0, 1, 0, 0, 1])
    return labels, np.round(random.random((4, 12)) + 0.2 * labels, 1)


def test_one_repeat_is_plain_delong(scores) -> None:
    """With one repeat AUC, both intervals and the paired test are those of a single set of scores."""
    labels, rows = scores
    one, other = (OutOfFold(labels, row[None], np.zeros((1, 12), int), 1) for row in rows[:2])
    estimate, of_other = out_of_fold_estimate(one), out_of_fold_estimate(other)
    assert estimate.area == auc(labels, rows[0])
    assert delong_bounds(estimate) == delong_interval(labels, rows[0])
    assert logit_bounds(estimate) == logit_interval(labels, rows[0])
    assert paired_test(estimate, of_other, difference_variance(one, other)) == paired_delong(labels, rows[0], rows[1])


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
    assert component_variance(*thrice) == pytest.approx(component_variance(*once), abs=1e-15)


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


def test_the_variance_is_that_of_one_repeat_corrected_for_shared_training(scores) -> None:
    """The mean of the repeats' own variances, times k / (k - 1) for k folds by skill, and the draw of the folds'.

    Nadeau and Bengio 2003 (doi:10.1023/A:1024068626366): 1 / k + 1 / (k - 1) in place of 1 / k, the first divided by
    the repeats. The factors are those of docs/adr/0063.
    """
    labels, rows = scores
    found = OutOfFold(labels, rows, FOLDS, 3)
    own = np.mean([component_variance(*averaged_placements(labels, rows[[r]], FOLDS[[r]])) for r in range(4)])
    estimate = out_of_fold_estimate(found)
    assert estimate.area == averaged_placements(labels, rows, FOLDS).area
    for way, parts in ((found, 3), (found._replace(parts=5), 5), (found._replace(scores=-rows), 3)):
        estimate = out_of_fold_estimate(way)
        skill = min(1, max(0, 20 * (estimate.area - 0.5)))
        expected = (1 / 8 + (0.8 + 1.2 * skill) * parts / (parts - 1)) * own
        assert estimate.variance == pytest.approx(expected, rel=1e-12)
        former = former_estimate(way)
        assert former == (estimate.area, pytest.approx(1.14 * (1 + parts / (parts - 1)) * own), *estimate[2:])
    assert [out_of_fold_estimate(each).area for each in (found, way)] == pytest.approx([0.614, 0.386], abs=1e-3)


def test_repeating_takes_away_the_draw_of_the_folds_and_nothing_else(scores) -> None:
    """The same repeat three times over has the AUC of one; of the variance, a half less a sixth of a repeat's goes."""
    labels, rows = scores
    once, other = (OutOfFold(labels, rows[[at]], FOLDS[[0]], 3) for at in (0, 1))
    thrice, three_others = (
        each._replace(
            scores=np.tile(each.scores, (3, 1)), folds=np.tile(each.folds, (3, 1)) + 12 * np.arange(3)[:, None]
        )
        for each in (once, other)
    )
    single, repeated = out_of_fold_estimate(once), out_of_fold_estimate(thrice)
    own = former_estimate(once).variance / (1.14 * 2.5)
    assert repeated == (pytest.approx(single.area), pytest.approx(single.variance - own / 3), *single[2:])
    tested, of_three = difference_variance(once, other), difference_variance(thrice, three_others)
    assert tested / of_three == pytest.approx((0.5 + 2.3 * 1.5) / (0.5 / 3 + 2.3 * 1.5))


def test_where_a_repeat_has_no_variance_that_of_the_averages_is_corrected() -> None:
    """A repeat with one patient of a label in a pair has no variance; nor has one that ranks all rightly any spread.

    The repeats that are left must not speak alone: of two, one perfect and one that cannot be judged, the error would
    be 0 though the AUC is .8.
    """
    labels, folds = np.array([1, 1, 0, 0]), np.array([[0, 0, 0, 0], [2, 3, 2, 4]])
    scores = np.array([[0.9, 0.8, 0.2, 0.1], [0.1, 0.9, 0.8, 0.2]])
    estimate = out_of_fold_estimate(OutOfFold(labels, scores, folds, 2))
    assert estimate.area == pytest.approx(0.8, abs=1e-15)
    averaged = component_variance(*averaged_placements(labels, scores, folds))
    assert estimate.variance == pytest.approx((0.5 / 2 + 2.0 * 2) * averaged, rel=1e-14)
    # One repeat right, one the wrong way round: neither has a spread of its own.
    turned = OutOfFold(labels, np.array([[4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]]), np.array([[0] * 4, [1] * 4]), 1)
    assert out_of_fold_estimate(turned).area == 0.5
    found = OutOfFold(np.array([1, 0, 1, 0, 1, 0]), np.array([[0.9, 0.1, 0.2, 0.4, 0.3, 0.8]]), np.arange(6)[None], 6)
    assert out_of_fold_estimate(found) is None
    assert difference_variance(found, found) is None
    apart = found._replace(folds=np.array([[0, 0, 1, 2, 3, 4]]), parts=5)
    assert out_of_fold_estimate(apart).variance is None
    assert difference_variance(apart, apart) is None


def selected_and_scored(X: np.ndarray, y: np.ndarray, training: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """Return scores by the ten columns that differ most between the labels of the training patients."""
    ones, zeros = X[training][y[training] == 1], X[training][y[training] == 0]
    difference = ones.mean(axis=0) - zeros.mean(axis=0)
    chosen = np.argsort(-np.abs(difference))[:10]
    return X[judged][:, chosen] @ difference[chosen]


def out_of_fold(X: np.ndarray, y: np.ndarray, seed: int, repeats: int) -> OutOfFold:
    """Return repeated out-of-fold scores, the selection made within each fold."""
    scores, folds = np.empty((repeats, len(y))), np.empty((repeats, len(y)), int)
    for repeat in range(repeats):
        split = StratifiedKFold(5, shuffle=True, random_state=1000 * seed + repeat).split(X, y)
        for part, (training, judged) in enumerate(split):
            folds[repeat, judged] = 5 * repeat + part
            scores[repeat, judged] = selected_and_scored(X, y, training, judged)
    return OutOfFold(y, scores, folds, 5)


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_intervals_cover_and_equal_models_are_told_apart_seldom(shift: float) -> None:
    """Of 120 data sets, noise or with ten columns that tell, two selecting models of like skill, five repeats.

    93 to 98 % of the intervals are to hold the mean AUC, and at most 5 % of the tests to tell the two apart; the bounds
    are those of chance at 120 draws. Averages over repeats would cover some 70 % and tell a quarter apart. The whole
    table is made by tests/benchmarks/nested_cv_coverage.py.
    """
    y = np.repeat([1, 0], [46, 34])
    areas, bounds, told_apart = [], [], 0
    for seed in range(120):
        X = np.random.default_rng(seed).standard_normal((80, 600))
        X[:, :5] += shift * y[:, None]
        X[:, 300:305] += shift * y[:, None]
        a, b = (out_of_fold(X[:, half], y, seed, repeats=5) for half in (slice(300), slice(300, None)))
        of_a, of_b = out_of_fold_estimate(a), out_of_fold_estimate(b)
        areas += [of_a.area, of_b.area]
        bounds += [logit_bounds(of_a), logit_bounds(of_b)]
        told_apart += paired_test(of_a, of_b, difference_variance(a, b)).p < 0.05
    truth = np.mean(areas)
    assert np.mean([lower <= truth <= upper for lower, upper in bounds]) > 0.88
    assert told_apart / 120 < 0.09
