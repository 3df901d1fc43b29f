"""Separation of the classes, with and without a linear program."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog

from zoo.logistic import separation
from zoo.logistic.separation import separating_direction


def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return some factors of few patients, in any units, with ties or nearly the same, and labels that they tell."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(int(random.integers(10, 60)), int(random.integers(2, 5))))
    X = (X, np.round(X), (X > 0).astype(float))[seed % 3]
    if seed % 5 == 0:
        X[:, -1] = X[:, 0] + 1e-9 * random.normal(size=len(X))
    strength = (0.0, 1.0, 5.0, 1e6)[seed % 4]
    y = (strength * X @ random.normal(size=X.shape[1]) + random.logistic(size=len(X)) > 0).astype(int)
    y[:2] = 0, 1
    return X * 10.0 ** random.integers(-4, 6, size=X.shape[1]), y


def is_separable(X: np.ndarray, y: np.ndarray) -> bool:
    """Return whether some b of at most 1 has s_i x_i'b >= 0 for all patients and a sum above rounding."""
    columns = (X - X.mean(axis=0)) / X.std(axis=0)
    signed = np.column_stack([np.ones(len(X)), columns]) * np.where(y == 1, 1.0, -1.0)[:, None]
    return -linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(X)), bounds=(-1, 1)).fun > 1e-7 * len(X)


def test_weights_that_balance_tell_what_the_linear_program_would(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 160 tables those that are separated are found; of the others most need no linear program."""
    asked = []
    monkeypatch.setattr(separation, "linprog", lambda *a, **k: (asked.append(1), linprog(*a, **k))[1])
    expected, found = [], []
    for seed in range(160):
        X, y = drawn(seed)
        expected.append(is_separable(X, y))
        found.append(separating_direction(X, y) is not None)
    assert found == expected
    assert 30 < sum(expected) < 130
    assert sum(expected) <= len(asked) < 120
