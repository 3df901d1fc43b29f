"""The patients that the statistics are checked on."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

# The joint table of AST > 40 U/L and tumour diameter > 5 cm that the study's printed tables determine, in the
# order both, AST only, diameter only, neither; first early recurrence, then none.
CELLS = ((1, 1), (1, 0), (0, 1), (0, 0))
COUNTS = {
    "training": ((15, 21, 15, 27), (4, 9, 6, 35)),
    "validation": ((2, 2, 8, 6), (1, 2, 0, 12)),
}
INTERCEPT, AST, DIAMETER = -0.201581, 0.911873, 0.919251


@pytest.fixture(scope="session")
def published():
    """Return a function that gives labels and probabilities of the study's clinical model, by cohort."""

    def of(cohort):
        logits = [INTERCEPT + AST * ast + DIAMETER * diameter for ast, diameter in CELLS]
        recurred, free = COUNTS[cohort]
        labels = np.repeat([1, 0], [sum(recurred), sum(free)])
        scores = np.concatenate([np.repeat(logits, recurred), np.repeat(logits, free)])
        return labels, 1 / (1 + np.exp(-scores))

    return of


@pytest.fixture(scope="session")
def oracle(shared_data):
    """Return what R's pROC 1.18 and psych 2.2.9 printed."""
    return json.loads(shared_data("statistics_oracles/oracle.json").read_text())


@pytest.fixture(scope="session")
def asah(shared_data):
    """Return outcome and three markers of the 113 patients that come with pROC, by column name."""
    with shared_data("statistics_oracles/aSAH.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in ("y", "wfns", "s100b", "ndka")}
