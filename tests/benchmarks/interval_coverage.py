"""How often the two AUC intervals cover the true AUC at the size of a small validation cohort.

    python tests/benchmarks/interval_coverage.py

Scores are normal in both classes with equal variance (binormal model), so the true AUC is known.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import norm

from zoo.evaluation.auc import delong_interval, logit_interval

POSITIVES, NEGATIVES = 18, 15
REPETITIONS = 4000


def main() -> None:
    """Print the coverage of the plain and the logit interval at several true AUCs."""
    labels = np.repeat([1, 0], [POSITIVES, NEGATIVES])
    print(f"{POSITIVES} against {NEGATIVES} patients, {REPETITIONS} draws, 95 % asked for")
    print("AUC   plain  logit")
    for true_auc in (0.6, 0.7, 0.8, 0.9, 0.95):
        rng = np.random.default_rng(0)
        shift = np.sqrt(2) * norm.ppf(true_auc)
        covered = np.zeros(2)
        for _ in range(REPETITIONS):
            scores = rng.standard_normal(len(labels)) + shift * labels
            for position, interval in enumerate((delong_interval, logit_interval)):
                lower, upper = interval(labels, scores)
                covered[position] += lower <= true_auc <= upper
        plain, logit = covered / REPETITIONS
        print(f"{true_auc:.2f}  {plain:.3f}  {logit:.3f}")


if __name__ == "__main__":
    main()
