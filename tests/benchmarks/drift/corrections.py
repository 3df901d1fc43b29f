"""How often drift is found where there is none, and where there is, by the way in which many p values are corrected.

    OMP_NUM_THREADS=1 python tests/benchmarks/drift/corrections.py [--datasets 200] [--features 150]

Features hang together as radiomics do: twenty factors of falling weight and a part of their own; a third of them is
exponentiated. A row is a pair of sample sizes and what is done to the second group: nothing; one feature in twenty
moves by .7 standard deviations; the first factor moves by .6; every feature spreads by 30 % more. Its cells
are the share of data sets in which anything is found at the level .05: by Kolmogorov and Smirnov's exact p values,
corrected by Holm or by Benjamini and Yekutieli; by the distances of relabelled patients (Westfall and Young); by the
classifier of all features; by the verdict of `radzoo monitor`, the last two each at half the level.
"""

from __future__ import annotations

import argparse

import numpy as np
from scipy import stats

from zoo.drift.features import features_drift
from zoo.evaluation.multiplicity import holm

FACTORS, DRAWS, LEVEL = 20, 499, 0.05
SIZES = ((132, 33), (60, 60))
CHANGES = ("nothing", "few features", "a factor", "spread")


def drawn(random: np.random.Generator, sizes: tuple[int, int], features: int, change: str) -> np.ndarray:
    """Return the features of the first group's patients and then of the second's."""
    loadings = np.random.default_rng(7).standard_normal((features, FACTORS)) / np.sqrt(np.arange(1, FACTORS + 1))
    factors = random.standard_normal((sum(sizes), FACTORS))
    if change == "a factor":
        factors[sizes[0] :, 0] += 0.6
    values = factors @ loadings.T
    values = values / np.sqrt((loadings**2).sum(axis=1)) * 0.9 + 0.43 * random.standard_normal(values.shape)
    if change == "few features":
        values[sizes[0] :, ::20] += 0.7
    if change == "spread":
        values[sizes[0] :] *= 1.3
    values[:, ::3] = np.exp(values[:, ::3])
    return values


def found(values: np.ndarray, sizes: tuple[int, int], seed: int, exact: dict[float, float]) -> list[bool]:
    """Return whether each way finds anything."""
    is_current = np.repeat([False, True], sizes)
    names = [str(number) for number in range(values.shape[1])]
    drift = features_drift(values, names, is_current, tests=1, draws=DRAWS, seed=seed)
    for each in drift.features:
        if each.ks not in exact:
            at = int(each.feature)
            exact[each.ks] = float(
                stats.ks_2samp(values[~is_current, at], values[is_current, at], method="exact").pvalue
            )
    p = np.array([exact[each.ks] for each in drift.features])
    least, together = drift.features[0].p, drift.auc_p
    of_all = stats.false_discovery_control(p, method="by")
    return [
        bool(holm(p).min() <= LEVEL),
        bool(of_all.min() <= LEVEL),
        least <= LEVEL,
        together <= LEVEL,
        2 * min(least, together) <= LEVEL,
    ]


def main() -> None:
    """Print a row for each pair of sizes and each change."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--datasets", type=int, default=200)
    parser.add_argument("--features", type=int, default=150)
    asked = parser.parse_args()
    ways = ("Holm", "Benjamini-Yekutieli", "Westfall-Young", "classifier", "verdict")
    print(f"| patients | change | {' | '.join(ways)} |\n|{'---|' * (2 + len(ways))}", flush=True)
    for sizes in SIZES:
        exact: dict[float, float] = {}
        for change in CHANGES:
            every = [
                found(drawn(np.random.default_rng([seed, 3]), sizes, asked.features, change), sizes, seed, exact)
                for seed in range(asked.datasets)
            ]
            cells = " | ".join(f"{share:.3f}" for share in np.mean(every, axis=0))
            print(f"| {sizes[0]} and {sizes[1]} | {change} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
