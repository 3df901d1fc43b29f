"""Firth's penalised logistic regression: finite estimates where factors separate the classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.special import expit
from scipy.stats import chi2

from zoo.logistic.separation import standardised
from zoo.logistic.wald import LogisticFit

__all__ = ["are_intervals_read", "firth_fit", "leave_out_intervals", "penalised_log_likelihood"]

_LEVEL = 0.95
_MAX_STEPS = 500
_TOLERANCE = 1e-8
_LARGEST_SCORE = 1e-4
"""Where the numbers' precision ends the search before the tolerance, a slope this small is still the top."""

_ARE_READ = ContextVar("are_intervals_read", default=True)


@contextmanager
def leave_out_intervals() -> Iterator[None]:
    """Let fits of this thread have no intervals meanwhile: of a fold's model nobody reads them, and they take longest.

    Coefficients and p values are the same.
    """
    before = _ARE_READ.set(False)
    try:
        yield
    finally:
        _ARE_READ.reset(before)


def are_intervals_read() -> bool:
    """Return whether fits of this thread have intervals."""
    return _ARE_READ.get()


@dataclass(frozen=True)
class _Maximum:
    """Where the penalised likelihood is largest, and how large it is there."""

    coefficients: NDArray[np.float64]
    log_likelihood: float


def firth_fit(
    X: NDArray[np.float64], target: NDArray[np.intp], weights: NDArray[np.float64] | None = None
) -> LogisticFit | None:
    """Return the fit of Firth's penalised logistic regression, None where the iteration does not converge.

    Maximises ``l*(b) = sum_i y_i log(p_i) + (1 - y_i) log(1 - p_i) + log(det I(b)) / 2``, the likelihood times
    Jeffreys' prior, I the Fisher information of intercept and factors [1]_. The maximum is finite whatever the
    classes' overlap, and the estimate's bias is of order n^-2.

    Intervals are profiles: all values v with ``2 (l*(b) - max l*(b | b_j = v)) <= 3.84``, the 95 % point of
    chi-square with one degree of freedom; p is that of the same ratio at v = 0 [2]_. Under the constraint the
    penalty stays that of the whole model, as in logistf, so that p < 0.05 just where the interval excludes 0.
    Within `leave_out_intervals` they are NaN.

    Parameters
    ----------
    X : ndarray of shape (n_patients, n_factors)
        No column constant, none a combination of others.
    target : ndarray of shape (n_patients,)
        0 or 1, both present.
    weights : ndarray of shape (n_patients,), optional
        How much each counts, in the likelihood and in its penalty: one of weight 2 as two alike.

    References
    ----------
    .. [1] Firth 1993, Biometrika 80:27, doi:10.1093/biomet/80.1.27
    .. [2] Heinze & Schemper 2002, Stat Med 21:2409, doi:10.1002/sim.1047
    """
    # Jeffreys' prior does not depend on units, but Newton's linear algebra does.
    columns, centre, scale = standardised(X)
    design = np.column_stack([np.ones(len(X)), columns])
    counts = np.ones(len(X)) if weights is None else weights
    best = _highest(design, target, counts)
    if best is None:
        return None
    profiles = [_profile(design, target, counts, best, column) for column in range(1, design.shape[1])]
    found = [profile for profile in profiles if profile is not None]
    if len(found) < len(profiles):
        return None
    lower, upper, p = np.array(found).T
    coefficients = best.coefficients[1:] / scale
    return LogisticFit(
        intercept=float(best.coefficients[0] - coefficients @ centre),
        coefficients=coefficients,
        lower=lower / scale,
        upper=upper / scale,
        p=p,
        method="firth",
    )


def penalised_log_likelihood(
    coefficients: NDArray[np.float64],
    design: NDArray[np.float64],
    target: NDArray[np.intp],
    weights: NDArray[np.float64] | None = None,
) -> float:
    """Return the log likelihood of a logistic regression with Jeffreys' prior.

    Parameters
    ----------
    coefficients : ndarray of shape (n_columns,)
        The intercept's first.
    design : ndarray of shape (n_patients, n_columns)
        The first column is 1.
    target : ndarray of shape (n_patients,)
        0 or 1.
    weights : ndarray of shape (n_patients,), optional
        How much each counts; alike where absent.
    """
    counts = np.ones(len(design)) if weights is None else weights
    log_odds = design @ coefficients
    root = np.diag(np.linalg.qr(design * np.sqrt(counts * expit(log_odds) * expit(-log_odds))[:, None], mode="r"))
    return _penalised(log_odds, root, target, counts)


def _penalised(
    log_odds: NDArray[np.float64], root: NDArray[np.float64], target: NDArray[np.intp], counts: NDArray[np.float64]
) -> float:
    """Return the penalised log likelihood, given the diagonal of a triangular root of the information."""
    diagonal = np.abs(root)
    if diagonal.min() <= np.finfo(float).eps * diagonal.max():
        return -np.inf
    losses = counts * np.logaddexp(0.0, np.where(target == 1, -log_odds, log_odds))
    return float(-losses.sum() + np.log(diagonal).sum())


def _highest(design: NDArray[np.float64], target: NDArray[np.intp], counts: NDArray[np.float64]) -> _Maximum | None:
    """Return the maximum that is nearest to no effect, or a higher one beyond it.

    A factor of many values that separates completely may have two.
    """
    nearest = _maximum(design, target, counts, np.zeros(design.shape[1]))
    if nearest is None:
        return None
    beyond = [_maximum(design, target, counts, factor * nearest.coefficients) for factor in (3.0, 9.0)]
    return max(
        [nearest, *(each for each in beyond if each is not None)], key=lambda each: round(each.log_likelihood, 6)
    )


def _maximum(
    design: NDArray[np.float64],
    target: NDArray[np.intp],
    counts: NDArray[np.float64],
    start: NDArray[np.float64],
    fixed: int | None = None,
) -> _Maximum | None:
    """Return the maximum over all coefficients but the fixed one.

    Quasi-Newton, not Fisher scoring: far out along a profile the information no longer resembles the penalised
    likelihood's curvature, and scoring zigzags.
    """
    free = np.arange(design.shape[1]) != fixed
    coefficients = start.copy()

    def depth(moved: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        coefficients[free] = moved
        log_odds = design @ coefficients
        probability = expit(log_odds)
        # By QR: the information itself is too nearly singular far out.
        basis, root = np.linalg.qr(design * np.sqrt(counts * probability * expit(-log_odds))[:, None])
        leverage = (basis**2).sum(axis=1)
        score = design[:, free].T @ (counts * (target - probability) + leverage * (0.5 - probability))
        return -_penalised(log_odds, np.diag(root), target, counts), -score

    if not np.isfinite(depth(start[free])[0]):
        return None
    # Where the numbers' precision ends the search, the slope below says whether this is the top.
    options = {"gtol": _TOLERANCE, "maxiter": _MAX_STEPS}
    found = minimize(depth, start[free], jac=True, method="BFGS", options=options)
    if not np.isfinite(found.fun) or np.abs(found.jac).max() > _LARGEST_SCORE:
        return None
    coefficients[free] = found.x
    return _Maximum(coefficients, -float(found.fun))


def _profile(
    design: NDArray[np.float64],
    target: NDArray[np.intp],
    counts: NDArray[np.float64],
    best: _Maximum,
    column: int,
) -> tuple[float, float, float] | None:
    """Return a coefficient's interval and p value from its profile, None where a constrained fit does not converge."""
    estimate = float(best.coefficients[column])

    @cache  # the ends of a search are asked for twice, its beginning by both searches
    def ratio(value: float) -> float:
        starts = _starts(best.coefficients, column, value)
        tops = [_maximum(design, target, counts, start, fixed=column) for start in starts]
        heights = [top.log_likelihood for top in tops if top is not None]
        if not heights:
            raise ArithmeticError("the constrained likelihood did not converge")
        return max(0.0, 2.0 * (best.log_likelihood - max(heights)))

    try:
        interval = [_bound(ratio, estimate, side) if are_intervals_read() else np.nan for side in (-1.0, 1.0)]
        return interval[0], interval[1], float(chi2.sf(ratio(0.0), 1))
    except ArithmeticError:
        return None


def _bound(ratio: Callable[[float], float], estimate: float, direction: float) -> float:
    """Return how far from the estimate, in a direction, the likelihood ratio reaches its critical value."""
    critical = float(chi2.ppf(_LEVEL, 1))
    width = 1.0
    while ratio(estimate + direction * width) < critical:
        width *= 2.0
        if width > 1e6:
            raise ArithmeticError("the profile does not fall")
    away = float(brentq(lambda away: ratio(estimate + direction * away) - critical, 0.0, width, xtol=1e-7))
    return away * direction + estimate


def _starts(best: NDArray[np.float64], column: int, value: float) -> NDArray[np.float64]:
    """Return where to look for a constrained maximum; there may be several tops where the classes nearly separate.

    The other coefficients stay as they are, or grow in step with the fixed one, no more than tenfold. Behind complete
    separation there may be further tops, and the interval is then too narrow.
    """
    growth = min(abs(value), 10.0 * abs(best[column])) / max(abs(best[column]), np.finfo(float).tiny)
    starts = np.outer((1.0, growth), best)
    starts[:, column] = value
    return starts
