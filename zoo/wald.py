"""Logistic regressions by maximum likelihood, with Wald errors, odds ratios and p values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm
from statsmodels.discrete.discrete_model import Logit

from zoo.separation import standardised

__all__ = ["FactorEffect", "WaldFit", "factor_effects", "wald_fit"]


@dataclass(frozen=True)
class FactorEffect:
    """The effect of one factor in one logistic model, per unit of the factor.

    Attributes
    ----------
    factor : str
        The column's name.
    coefficient, odds_ratio : float
        Log odds ratio and its exponential.
    lower, upper : float
        The odds ratio's 95 % Wald interval.
    p : float
        Two-sided Wald p value.
    """

    factor: str
    coefficient: float
    odds_ratio: float
    lower: float
    upper: float
    p: float


@dataclass(frozen=True)
class WaldFit:
    """A fitted logistic regression: intercept, coefficients and their standard errors."""

    intercept: float
    coefficients: NDArray[np.float64]
    errors: NDArray[np.float64]

    @property
    def p(self) -> NDArray[np.float64]:
        """Return the two-sided Wald p value of each coefficient."""
        p: NDArray[np.float64] = 2.0 * norm.sf(np.abs(self.coefficients / self.errors))
        return p


def wald_fit(X: NDArray[np.float64], target: NDArray[np.intp]) -> WaldFit | None:
    """Return the maximum-likelihood fit of a logistic regression, None where it does not converge.

    Parameters
    ----------
    X : ndarray of shape (n_patients, n_factors)
        No column constant, none a combination of others.
    target : ndarray of shape (n_patients,)
        0 or 1, both present.
    """
    # The maximum does not depend on units, but Newton's linear algebra does (AFP runs to 100,000).
    columns, centre, scale = standardised(X)
    model = Logit(target, np.column_stack([np.ones(len(X)), columns]))
    try:
        result = model.fit(method="newton", maxiter=100, disp=0, warn_convergence=False)
    except np.linalg.LinAlgError:
        return None
    if not result.mle_retvals["converged"] or not np.all(np.isfinite(result.bse)):
        return None
    coefficients = np.asarray(result.params[1:]) / scale
    intercept = float(result.params[0] - coefficients @ centre)
    return WaldFit(intercept, coefficients, np.asarray(result.bse[1:]) / scale)


def factor_effects(names: Sequence[str], fit: WaldFit) -> list[FactorEffect]:
    """Return each factor's odds ratio with its 95 % Wald interval and p value, in the order of ``names``."""
    half_width = norm.ppf(0.975) * fit.errors
    with np.errstate(over="ignore"):  # an odds ratio per gram of what is measured in nanograms is inf
        ratios = np.exp([fit.coefficients, fit.coefficients - half_width, fit.coefficients + half_width])
    return [
        FactorEffect(name, float(coefficient), float(ratio), float(lower), float(upper), float(p))
        for name, coefficient, ratio, lower, upper, p in zip(names, fit.coefficients, *ratios, fit.p, strict=True)
    ]
