"""Confidence intervals of a proportion, and the type that all intervals share."""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy import stats

from schemas.errors import ContractError
from zoo.evaluation.inputs import confidence_level

__all__ = ["Interval", "binomial_interval", "wilson_interval"]


class Interval(NamedTuple):
    """The two bounds of a confidence interval, lower first."""

    lower: float
    upper: float


def _checked_trials(successes: float, n: int) -> None:
    if n < 1:
        raise ContractError(f"a proportion needs at least one trial, got {n}", where="n")
    if not 0 <= successes <= n:
        raise ContractError(f"successes lie between 0 and {n}, got {successes}", where="successes")


def wilson_interval(successes: int, n: int, level: float = 0.95) -> Interval:
    r"""Return the score interval of a proportion.

    .. math:: \frac{\hat p + z^2/2n \pm z\sqrt{\hat p(1-\hat p)/n + z^2/4n^2}}{1 + z^2/n}

    Parameters
    ----------
    successes, n : int
        Successes among ``n`` trials.
    level : float
        Confidence level.

    Raises
    ------
    ContractError
        If there is no trial, or more successes than trials.

    References
    ----------
    Wilson EB, J Am Stat Assoc 1927;22:209, doi:10.1080/01621459.1927.10502953.
    """
    _checked_trials(successes, n)
    z = float(stats.norm.isf((1 - confidence_level(level)) / 2))
    proportion = successes / n
    shrink = 1 + z * z / n
    centre = (proportion + z * z / (2 * n)) / shrink
    half = z * math.sqrt(proportion * (1 - proportion) / n + z * z / (4 * n * n)) / shrink
    # The formula gives 0 and 1 exactly there; rounding does not.
    lower = 0.0 if successes == 0 else max(0.0, centre - half)
    upper = 1.0 if successes == n else min(1.0, centre + half)
    return Interval(lower, upper)


def binomial_interval(successes: float, n: int, level: float = 0.95) -> Interval:
    """Return the Clopper-Pearson interval of a proportion, which covers at least ``level`` at any ``n``.

    Parameters
    ----------
    successes : float
        Successes among ``n`` trials; a fraction, as ties give, is read through the beta quantiles.
    n : int
        Trials.
    level : float
        Confidence level.

    Raises
    ------
    ContractError
        If there is no trial, or more successes than trials.

    References
    ----------
    Clopper CJ, Pearson ES, Biometrika 1934;26:404, doi:10.1093/biomet/26.4.404.
    """
    _checked_trials(successes, n)
    tail = (1 - confidence_level(level)) / 2
    lower = 0.0 if successes == 0 else float(stats.beta.ppf(tail, successes, n - successes + 1))
    upper = 1.0 if successes == n else float(stats.beta.isf(tail, successes + 1, n - successes))
    return Interval(lower, upper)
