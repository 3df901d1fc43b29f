"""How many patients a prediction model needs for the columns it chooses from."""

from __future__ import annotations

import math
from dataclasses import dataclass

from schemas.errors import ContractError

__all__ = ["EXPLAINED", "NeededPatients", "largest_cox_snell", "needed_patients"]

EXPLAINED = 0.15
"""Nagelkerke's R-squared where nothing is known: Riley et al. 2020 take 15 % of what could be explained."""

_SHRINKAGE, _OPTIMISM, _MARGIN = 0.9, 0.05, 0.05


@dataclass(frozen=True)
class NeededPatients:
    """The patients that each of Riley's criteria asks for."""

    shrinkage: int
    """So that coefficients need shrinking by a tenth at most."""
    optimism: int
    """So that the apparent share of what is explained is at most .05 above the true one."""
    prevalence: int
    """So that the prevalence is known to .05."""

    @property
    def patients(self) -> int:
        """The most that one of them asks for."""
        return max(self.shrinkage, self.optimism, self.prevalence)


def largest_cox_snell(prevalence: float) -> float:
    r"""Return the largest Cox-Snell R-squared that an outcome of this prevalence allows.

    .. math:: 1 - \left(\varphi^{\varphi} (1 - \varphi)^{1 - \varphi}\right)^2

    Parameters
    ----------
    prevalence : float
        Share of patients with label 1, between 0 and 1.

    Raises
    ------
    ContractError
        If there is one label only.

    References
    ----------
    Riley RD et al., Stat Med 2019;38:1276, doi:10.1002/sim.7992, equation 23.
    """
    if not 0 < prevalence < 1:
        raise ContractError(f"a prevalence lies between 0 and 1, got {prevalence:g}", where="prevalence")
    return 1 - math.exp(2 * (prevalence * math.log(prevalence) + (1 - prevalence) * math.log(1 - prevalence)))


def needed_patients(parameters: int, prevalence: float, cox_snell: float | None = None) -> NeededPatients:
    r"""Return how many patients the development of a logistic model needs.

    With P parameters, prevalence :math:`\varphi`, Cox-Snell's :math:`R^2` and its largest value:

    .. math::

        n_1 = \frac{P}{(S - 1) \ln(1 - R^2 / S)}, \quad S = 0.9; \qquad
        n_2 = n_1 \text{ at } S = \frac{R^2}{R^2 + 0.05 R^2_{max}}; \qquad
        n_3 = \left(\frac{1.96}{0.05}\right)^2 \varphi (1 - \varphi)

    Parameters
    ----------
    parameters : int
        Candidates that the model chooses from, a category of k levels as k - 1; those that it drops count.
    prevalence : float
        Share of patients with label 1.
    cox_snell : float, optional
        The R-squared that is hoped for; 15 % of the largest where nothing is known.

    Raises
    ------
    ContractError
        If there is no parameter, one label only, or an R-squared that no model can have.

    References
    ----------
    Riley RD et al., Stat Med 2019;38:1276, doi:10.1002/sim.7992.
    Riley RD et al., BMJ 2020;368:m441, doi:10.1136/bmj.m441.
    """
    if parameters < 1:
        raise ContractError(f"a model has at least one parameter, got {parameters}", where="parameters")
    largest = largest_cox_snell(prevalence)
    explained = EXPLAINED * largest if cox_snell is None else cox_snell
    if not 0 < explained < min(largest, _SHRINKAGE):
        raise ContractError(
            f"at this prevalence Cox-Snell's R-squared lies between 0 and {largest:.3f}, got {explained:g}",
            where="cox_snell",
        )

    def for_shrinkage(shrinkage: float) -> int:
        return math.ceil(parameters / ((shrinkage - 1) * math.log(1 - explained / shrinkage)))

    return NeededPatients(
        shrinkage=for_shrinkage(_SHRINKAGE),
        optimism=for_shrinkage(explained / (explained + _OPTIMISM * largest)),
        prevalence=math.ceil((1.96 / _MARGIN) ** 2 * prevalence * (1 - prevalence)),
    )
