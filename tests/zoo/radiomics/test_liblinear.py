"""The L1 solver called without the estimator around it: scikit-learn's numbers, to the last bit, and silently."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from zoo.radiomics.liblinear import INTERCEPT_SCALING, l1_line, solver_seed


@pytest.mark.parametrize("seed", range(12))
def test_numbers_are_those_of_logistic_regression(seed: int, capfd: pytest.CaptureFixture[str]) -> None:
    """Coefficients, intercept and iterations of random tables equal those of the estimator, and nothing is printed."""
    random = np.random.default_rng(seed)
    n, columns, C = int(random.integers(8, 150)), int(random.integers(1, 60)), float(10 ** random.uniform(-2, 1.5))
    Z = random.normal(size=(n, columns))
    target = (Z[:, 0] + random.normal(size=n) > 0.3).astype(np.float64)
    target[:2] = (0.0, 1.0)
    expected = LogisticRegression(
        solver="liblinear",
        l1_ratio=1,
        C=C,
        intercept_scaling=INTERCEPT_SCALING,
        tol=1e-6,
        max_iter=2000,
        random_state=seed,
    ).fit(Z, target.astype(int))
    line = l1_line(np.asfortranarray(Z), target, C=C, seed=solver_seed(seed), max_iter=2000)
    assert line is not None
    assert np.array_equal(line.coef, expected.coef_[0])
    assert (line.intercept, line.n_iter) == (expected.intercept_[0], expected.n_iter_[0])
    assert capfd.readouterr() == ("", "")


def test_too_few_iterations_are_no_line() -> None:
    """Where the estimator warns that it did not converge there is no line."""
    random = np.random.default_rng(0)
    Z, target = random.normal(size=(40, 30)), np.tile([0.0, 1.0], 20)
    assert l1_line(Z, target, C=10.0, seed=solver_seed(0), max_iter=2) is None
    estimator = LogisticRegression(solver="liblinear", l1_ratio=1, C=10.0, max_iter=2, tol=1e-6, intercept_scaling=1e3)
    with pytest.warns(ConvergenceWarning):
        estimator.fit(Z, target.astype(int))
