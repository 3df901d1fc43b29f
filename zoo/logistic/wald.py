"""Fitted logistic regressions: odds ratios of factors, and the fit by maximum likelihood with Wald errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm
from statsmodels.discrete.discrete_model import Logit

from zoo.logistic.resampled import logistic_fit
from zoo.logistic.separation import standardised

__all__ = ["FactorEffect", "FitMethod", "LogisticFit", "factor_effects", "wald_fit"]

FitMethod = Literal["maximum likelihood", "firth"]
Floats = NDArray[np.float64]


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
        The odds ratio's 95 % interval: Wald's by maximum likelihood, of the profile by Firth's method.
    p : float
        Two-sided, by Wald's test or the penalised likelihood ratio.
    method : {'maximum likelihood', 'firth'}
        What gave the effect; 'firth' where the model's factors separate the classes.
    """

    factor: str
    coefficient: float
    odds_ratio: float
    lower: float
    upper: float
    p: float
    method: FitMethod = "maximum likelihood"


@dataclass(frozen=True)
class LogisticFit:
    """A fitted logistic regression.

    Attributes
    ----------
    intercept : float
    coefficients, lower, upper : ndarray of shape (n_factors,)
        Log odds ratios and their 95 % intervals.
    p : ndarray of shape (n_factors,)
        Two-sided p values.
    method : {'maximum likelihood', 'firth'}
    """

    intercept: float
    coefficients: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    p: NDArray[np.float64]
    method: FitMethod


def wald_fit(
    X: NDArray[np.float64], target: NDArray[np.intp], weights: NDArray[np.float64] | None = None
) -> LogisticFit | None:
    """Return the maximum-likelihood fit of a logistic regression, None where it does not converge.

    Parameters
    ----------
    X : ndarray of shape (n_patients, n_factors)
        No column constant, none a combination of others.
    target : ndarray of shape (n_patients,)
        0 or 1, both present.
    weights : ndarray of shape (n_patients,), optional
        How much each counts. Errors are then the sandwich's, with n / (n - columns) [1]_: those of the information
        alone take a patient of weight 2 for two patients.

    References
    ----------
    .. [1] MacKinnon & White 1985, J Econom 29:305, doi:10.1016/0304-4076(85)90158-7 (HC1)
    """
    # The maximum does not depend on units, but Newton's linear algebra does (AFP runs to 100,000).
    columns, centre, scale = standardised(X)
    design = np.column_stack([np.ones(len(X)), columns])
    found = _estimated(design, target) if weights is None else _weighted(design, target, weights)
    if found is None or not np.all(np.isfinite(found[1])):
        return None
    estimates = found[0]
    coefficients, errors = estimates[1:] / scale, found[1][1:] / scale
    half_width = norm.ppf(0.975) * errors
    return LogisticFit(
        intercept=float(estimates[0] - coefficients @ centre),
        coefficients=coefficients,
        lower=coefficients - half_width,
        upper=coefficients + half_width,
        p=2.0 * norm.sf(np.abs(coefficients / errors)),
        method="maximum likelihood",
    )


def _estimated(design: Floats, target: NDArray[np.intp]) -> tuple[Floats, Floats] | None:
    """Return the coefficients and their errors, None where the search finds no end."""
    model = Logit(target, design)
    try:
        result = model.fit(method="newton", maxiter=100, disp=0, warn_convergence=False)
    except np.linalg.LinAlgError:
        return None
    return (np.asarray(result.params), np.asarray(result.bse)) if result.mle_retvals["converged"] else None


def _weighted(design: Floats, target: NDArray[np.intp], weights: Floats) -> tuple[Floats, Floats] | None:
    """Return the same of patients that do not count alike, with errors by the sandwich."""
    estimates = logistic_fit(design, target == 1, weights)
    if estimates is None:
        return None
    log_odds = design @ estimates
    information = (design * (weights * expit(log_odds) * expit(-log_odds))[:, None]).T @ design
    scores = design * (weights * (target - expit(log_odds)))[:, None]
    patients, columns = design.shape
    try:
        bread = np.linalg.inv(information)
    except np.linalg.LinAlgError:
        return None
    covariance = bread @ (scores.T @ scores) @ bread * (patients / (patients - columns))
    return estimates, np.sqrt(np.diag(covariance))


def factor_effects(names: Sequence[str], fit: LogisticFit) -> list[FactorEffect]:
    """Return each factor's odds ratio with its 95 % interval and p value, in the order of ``names``."""
    with np.errstate(over="ignore"):  # an odds ratio per gram of what is measured in nanograms is inf
        ratios = np.exp([fit.coefficients, fit.lower, fit.upper])
    return [
        FactorEffect(name, float(coefficient), float(ratio), float(lower), float(upper), float(p), fit.method)
        for name, coefficient, ratio, lower, upper, p in zip(names, fit.coefficients, *ratios, fit.p, strict=True)
    ]
