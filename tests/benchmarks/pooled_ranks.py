"""What pooling ranks over folds does to the AUC of a model that says little more than the rate of events.

    OMP_NUM_THREADS=1 python tests/benchmarks/pooled_ranks.py

188 data sets of 165 patients, 96 with label 1, and 300 standard normal columns; in each of five stratified folds ten
columns, those whose means differ most, and a logistic regression with C = 0.001. The true AUC is one half.
"""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

EVENTS, OTHERS, COLUMNS, KEPT, C = 96, 69, 300, 10, 1e-3


def areas(seed: int) -> tuple[float, float]:
    """Return the AUC of ranks pooled over the folds, and the mean of the folds' AUCs."""
    labels = np.repeat([1, 0], [EVENTS, OTHERS])
    table = np.random.default_rng(seed).standard_normal((len(labels), COLUMNS))
    scores, of_folds = np.empty(len(labels)), []
    for training, judged in StratifiedKFold(5, shuffle=True, random_state=seed).split(table, labels):
        own, known = table[training], labels[training]
        kept = np.argsort(-np.abs(own[known == 1].mean(axis=0) - own[known == 0].mean(axis=0)))[:KEPT]
        model = LogisticRegression(C=C).fit(own[:, kept], known)
        scores[judged] = model.predict_proba(table[judged][:, kept])[:, 1]
        of_folds.append(roc_auc_score(labels[judged], scores[judged]))
    return float(roc_auc_score(labels, scores)), float(np.mean(of_folds))


def main() -> None:
    """Print both means, and that of their difference, with standard errors."""
    pooled, within = np.array([areas(seed) for seed in range(1, 377, 2)]).T
    for name, values in (("pooled", pooled), ("within folds", within), ("difference", within - pooled)):
        print(f"{name:13} {values.mean():.4f}  standard error {values.std(ddof=1) / len(values) ** 0.5:.4f}")


if __name__ == "__main__":
    main()
