"""Whether a recalibration that shrinks more would do better where there is little to find: Brier scores by simulation.

    OMP_NUM_THREADS=1 python tests/benchmarks/fits/shrunken_slopes.py [--datasets 60] [--patients 50 88 150 400]

200 standard normal columns, five of which move the log odds by an effect each, or none. A model takes the ten that
differ most between the labels of its training patients; its scores of patients whom inner folds held out, drawn once or
five times, give a rising sigmoid, as `zoo.logistic.recalibrated` has it. Its slope is then multiplied by a factor of
LR, the likelihood ratio statistic of the slope, and the intercept gives the mean probability that it gave before: 1
(the zoo's), 1 - c / LR and not below 0 (c = 1 is van Houwelingen and le Cessie's heuristic shrinkage, 2 Akaike's
price), LR / (LR + 4), 1 where LR is above 6.63 (p < .01) and else 0, or a half. Ranks stay: 0 stands for 0.001 per
standard deviation.

A row is a number of patients, an effect and a number of draws; its cells are the mean excess of the Brier score over
that of the prevalence, out of five folds / of new patients, and the share of tables whose first excess is above .005.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np
from scipy.special import expit
from sklearn.model_selection import StratifiedKFold

from zoo.logistic.sigmoid import LEAST_SLOPE, calibrated_intercept, rising_sigmoid

COLUMNS, TELLING, TAKEN, FOLDS, NEW, DRAWS = 200, 5, 10, 5, 600, 5
FACTORS: dict[str, Callable[[float], float]] = {
    "1": lambda ratio: 1.0,
    "1 - 1/LR": lambda ratio: max(0.0, 1 - 1 / ratio),
    "1 - 2/LR": lambda ratio: max(0.0, 1 - 2 / ratio),
    "1 - 4/LR": lambda ratio: max(0.0, 1 - 4 / ratio),
    "1 - 6/LR": lambda ratio: max(0.0, 1 - 6 / ratio),
    "LR/(LR + 4)": lambda ratio: ratio / (ratio + 4),
    "p < .01": lambda ratio: float(ratio > 6.63),
    "a half": lambda ratio: 0.5,
}


def scores(X: np.ndarray, y: np.ndarray, *judged: np.ndarray) -> list[np.ndarray]:
    """Return the scores of patients by a linear discriminant that selects its columns on others."""
    means = np.stack([X[y == label].mean(axis=0) for label in (0, 1)])
    within, difference = X - means[y], means[1] - means[0]
    chosen = np.argsort(-np.abs(difference) / within.std(axis=0))[:TAKEN]
    covariance = within[:, chosen].T @ within[:, chosen] / (len(y) - 2) + 0.1 * np.eye(TAKEN)
    line = np.linalg.solve(covariance, difference[chosen])
    return [each[:, chosen] @ line for each in judged]


def drawn(random: np.random.Generator, patients: int, effect: float) -> tuple[np.ndarray, np.ndarray]:
    """Return columns and labels."""
    X = random.standard_normal((patients, COLUMNS))
    return X, (random.random(patients) < expit(effect * X[:, :TELLING].sum(axis=1) - 0.15)).astype(int)


def excess(y: np.ndarray, probabilities: np.ndarray) -> float:
    """Return how far the Brier score lies above that of the prevalence."""
    return float(np.mean((probabilities - y) ** 2) - y.mean() * (1 - y.mean()))


def likelihood_ratio(held_out: np.ndarray, y: np.ndarray, log_odds: np.ndarray) -> float:
    """Return twice the log likelihood, by Platt's targets and of one draw, above that of their mean."""
    counts = np.bincount(y)
    wanted = np.where(y == 1, (counts[1] + 1) / (counts[1] + 2), 1 / (counts[0] + 2))

    def logarithm(p: np.ndarray | float) -> float:
        return float((wanted * np.log(p) + (1 - wanted) * np.log(1 - p)).sum())

    found = np.mean([logarithm(expit(each)) for each in log_odds.reshape(-1, len(y))])
    return max(1e-9, 2 * float(found - logarithm(wanted.mean())))


def table(seed: int, patients: int, effect: float, draws: int) -> np.ndarray:
    """Return the excess of one table out of fold and of new patients, of shape (factors, 2)."""
    random = np.random.default_rng(seed)
    (X, y), (new, truth) = drawn(random, patients, effect), drawn(random, NEW, effect)
    probabilities, of_new = np.empty((len(FACTORS), patients)), np.empty((len(FACTORS), NEW))
    for training, judged in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(X, y):
        seen, known = X[training], y[training]
        held_out = np.empty((draws, len(training)))
        for draw in range(draws):
            for inside, outside in StratifiedKFold(FOLDS, shuffle=True, random_state=1000 + draw).split(seen, known):
                (held_out[draw, outside],) = scores(seen[inside], known[inside], seen[outside])
        own, unseen, others = scores(seen, known, seen, X[judged], new)
        sigmoid = rising_sigmoid(held_out.ravel(), own, np.tile(known, draws))
        log_odds = sigmoid.log_odds(held_out)
        ratio = likelihood_ratio(held_out, known, log_odds) if sigmoid.unconstrained_slope > 0 else 1e-9
        prevalence = float(expit(log_odds).mean())
        for place, factor in enumerate(FACTORS.values()):
            slope = max(sigmoid.slope * factor(ratio), LEAST_SLOPE / max(held_out.std(), own.std()))
            intercept = calibrated_intercept(slope * held_out.ravel(), prevalence)
            probabilities[place, judged] = expit(intercept + slope * unseen)
            of_new[place] = expit(intercept + slope * others)
    return np.array([(excess(y, a), excess(truth, b)) for a, b in zip(probabilities, of_new, strict=True)])


def main() -> None:
    """Print a row for each number of patients, effect and number of draws."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--datasets", type=int, default=60)
    parser.add_argument("--patients", type=int, nargs="+", default=[50, 88, 150, 400])
    parser.add_argument("--effects", type=float, nargs="+", default=[0.0, 0.2, 0.35, 0.6])
    asked = parser.parse_args()
    print(f"| patients | effect | draws | {' | '.join(FACTORS)} |\n|{'---|' * (3 + len(FACTORS))}")
    for patients in asked.patients:
        for effect in asked.effects:
            for draws in (1, DRAWS):
                every = np.array([table(seed, patients, effect, draws) for seed in range(asked.datasets)])
                above = (every[:, :, 0] > 0.005).mean(axis=0)
                cells = [
                    f"{1000 * a:+.1f} / {1000 * b:+.1f}, {share:.2f}"
                    for (a, b), share in zip(every.mean(axis=0), above, strict=True)
                ]
                print(f"| {patients} | {effect} | {draws} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
