"""The correction of p values for the number of comparisons made."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from schemas.errors import ContractError
from zoo.evaluation.inputs import finite_values

__all__ = ["holm"]


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    r"""Return Holm's adjusted p values, in the order given.

    The i-th smallest of m becomes :math:`\max_{j \le i} \min(1, (m - j + 1) p_{(j)})`; rejecting where it is
    at most alpha keeps the chance of any false rejection at alpha, whatever the dependence.

    Parameters
    ----------
    p_values : array_like of shape (n_comparisons,)
        Raw p values; none gives an empty array.

    Raises
    ------
    ContractError
        If one is missing or lies outside 0 to 1.

    References
    ----------
    Holm S, Scand J Stat 1979;6:65, https://www.jstor.org/stable/4615733.
    """
    raw = finite_values(p_values, "p_values")
    outside = (raw < 0) | (raw > 1)
    if outside.any():
        at = int(np.flatnonzero(outside)[0])
        raise ContractError(f"a p value lies between 0 and 1, got {raw[at]:g}", where=f"p_values[{at}]")
    order = np.argsort(raw, kind="stable")
    stepped = raw[order] * np.arange(len(raw), 0, -1)
    adjusted = np.empty_like(raw)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(stepped))
    return adjusted
