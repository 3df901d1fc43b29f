"""How often the suites' AUC intervals hold the true AUC, and how often their paired tests tell equal models apart.

    OMP_NUM_THREADS=1 python tests/benchmarks/nested_cv_coverage.py [--datasets 200] [--patients 80 165 400]

Nested cross-validation: 3,111 standard normal columns of which ten tell the label, or none, for each of two models; a
model takes the ten columns that differ most between the labels of its training patients, and a regularised linear
discriminant of them. Both are equally good on average. The true AUC is the mean over the data sets: that of models made
from such data. The rows of one repeat are of the first of five.

Holdout: two fixed models whose scores are binormal and correlate by one half; the true AUC is known.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from scipy.stats import norm
from sklearn.model_selection import StratifiedKFold

from zoo.evaluation.auc import logit_bounds, logit_interval
from zoo.evaluation.delong import paired_delong, paired_test
from zoo.evaluation.repeated import OutOfFold, difference_variance, out_of_fold_estimate

COLUMNS, TELLING, FOLDS, REPEATS, EVENTS = 3111, 10, 5, 5, 0.58
SHIFTS = {80: (0.0, 0.6, 0.77), 165: (0.0, 0.46, 0.6), 400: (0.0, 0.33, 0.45)}
"""Of a telling column between the labels, by the number of patients: for AUCs of about .5, .65 and .8."""
Halves = tuple[OutOfFold, OutOfFold]


def discriminant_scores(X: np.ndarray, y: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """Return the scores of patients by a model that selects its columns on others."""
    ones, zeros = X[y == 1], X[y == 0]
    difference = ones.mean(axis=0) - zeros.mean(axis=0)
    squares = ((ones - ones.mean(axis=0)) ** 2).sum(axis=0) + ((zeros - zeros.mean(axis=0)) ** 2).sum(axis=0)
    chosen = np.argsort(-np.abs(difference) / np.sqrt(squares))[:TELLING]
    within = np.concatenate([each[:, chosen] - each[:, chosen].mean(axis=0) for each in (ones, zeros)])
    covariance = within.T @ within / (len(within) - 2) + 0.1 * np.eye(TELLING)
    return judged[:, chosen] @ np.linalg.solve(covariance, difference[chosen])


def two_models(seed: int, patients: int, shift: float) -> Halves:
    """Return the out-of-fold scores of two models of equal skill on one data set, in all repeats.

    Means and squares of the training patients' columns come from products with the folds' indicators, of all folds at
    once; a model's own columns are then those of `discriminant_scores`.
    """
    y = (np.arange(patients) < round(EVENTS * patients)).astype(int)
    X = np.random.default_rng(seed).standard_normal((patients, COLUMNS), dtype=np.float32)
    halves = (slice(0, COLUMNS // 2), slice(COLUMNS // 2, COLUMNS))
    for half in halves:
        X[:, half.start : half.start + TELLING] += np.float32(shift) * y[:, None].astype(np.float32)
    splits = [
        split
        for repeat in range(REPEATS)
        for split in StratifiedKFold(FOLDS, shuffle=True, random_state=100 * seed + repeat).split(y, y)
    ]
    members = np.zeros((2, len(splits), patients), dtype=np.float32)
    for number, (training, _) in enumerate(splits):
        members[y[training], number, training] = 1
    counts = members.sum(axis=2, keepdims=True)
    zeros, ones = (members @ X) / counts
    of_zeros, of_ones = members @ X**2 - counts * np.stack([zeros, ones]) ** 2
    told = np.abs(ones - zeros) / np.sqrt(of_zeros + of_ones)
    scores, folds = np.empty((2, REPEATS, patients)), np.empty((REPEATS, patients), dtype=np.int64)
    for number, (training, judged) in enumerate(splits):
        folds[number // FOLDS, judged] = number
        for model, half in enumerate(halves):
            chosen = half.start + np.argsort(-told[number, half])[:TELLING]
            own = X[:, chosen].astype(np.float64)
            scores[model, number // FOLDS, judged] = discriminant_scores(own[training], y[training], own[judged])
    first, second = (OutOfFold(y, of_model, folds, FOLDS) for of_model in scores)
    return first, second


def nested(patients: int, datasets: int) -> None:
    """Print a row for each AUC and number of repeats."""
    for shift in SHIFTS[patients]:
        began = time.perf_counter()
        drawn = [two_models(seed, patients, shift) for seed in range(datasets)]
        for repeats in (1, REPEATS):
            found = [
                tuple(each._replace(scores=each.scores[:repeats], folds=each.folds[:repeats]) for each in of_both)
                for of_both in drawn
            ]
            judged = [[out_of_fold_estimate(each) for each in of_both] for of_both in found]
            areas = np.array([[each.area for each in of_both] for of_both in judged])
            truth, spread = areas.mean(), areas.std(ddof=1)
            bounds = [logit_bounds(each) for of_both in judged for each in of_both]
            covered = np.mean([lower <= truth <= upper for lower, upper in bounds])
            told = np.mean(
                [
                    paired_test(*of_both, difference_variance(*each)).p < 0.05
                    for of_both, each in zip(judged, found, strict=True)
                ]
            )
            cells = [f"{truth:.2f}", *(f"{each:.3f}" for each in (spread, covered, told))]
            took = f"{time.perf_counter() - began:.0f}"
            print(f"| {patients} | {repeats} x {FOLDS} | {' | '.join(cells)} | {took} |", flush=True)


def holdout(patients: int, draws: int) -> None:
    """Print a row for each AUC."""
    labels = (np.arange(patients) < round(EVENTS * patients)).astype(int)
    for true_auc in (0.5, 0.65, 0.8):
        random, shift = np.random.default_rng(0), np.sqrt(2) * norm.ppf(true_auc)
        covered = told = 0
        for _ in range(draws):
            common, own, other = random.standard_normal((3, patients))
            a, b = (np.sqrt(0.5) * (common + each) + shift * labels for each in (own, other))
            lower, upper = logit_interval(labels, a)
            covered += lower <= true_auc <= upper
            told += paired_delong(labels, a, b).p < 0.05
        print(f"| {patients} | {true_auc} | {covered / draws:.3f} | {told / draws:.3f} |", flush=True)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--datasets", type=int, default=200)
    parser.add_argument("--patients", type=int, nargs="+", default=list(SHIFTS), choices=list(SHIFTS))
    asked = parser.parse_args()
    print("| patients | folds | AUC | its spread | covered | told apart | s |")
    print("|---|---|---|---|---|---|---|")
    for patients in asked.patients:
        nested(patients, asked.datasets)
    print("\n| patients judged | AUC | covered | told apart |\n|---|---|---|---|")
    for patients in (33, *asked.patients):
        holdout(patients, 10 * asked.datasets)


if __name__ == "__main__":
    main()
