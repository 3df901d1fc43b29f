"""Ratios of blood counts: neutrophils, platelets and monocytes, each against lymphocytes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Literal

from zoo.staging.description import Comparator
from zoo.staging.inputs import Quantity, impossible, missing
from zoo.staging.results import Score

__all__ = ["LMR", "NLR", "PLR", "count_ratio"]

_COUNT_UNIT = "10*9/L"


def count_ratio(numerator: str, denominator: str, **counts: float | None) -> Score:
    """Return one absolute blood count divided by another.

    Parameters
    ----------
    numerator, denominator : str
        Which of the counts.
    **counts : float or None
        Both, in the same unit; a denominator of 0 is impossible.
    """
    values = {name: counts.get(name) for name in (numerator, denominator)}
    reason = impossible(_inputs(numerator, denominator), values) or missing(values)
    above, below = values[numerator], values[denominator]
    if above is None or below is None or reason is not None:
        return Score(None, None, reason)
    return Score(above / below, None, None)


def _inputs(numerator: str, denominator: str) -> Mapping[str, Quantity]:
    return MappingProxyType(
        {numerator: Quantity(_COUNT_UNIT), denominator: Quantity(_COUNT_UNIT, is_least_possible=False)}
    )


def _ratio(
    name: str, numerator: str, denominator: str, *, worse: Literal["high", "low"], citation: str, doi: str
) -> Comparator:
    return Comparator(
        name=name,
        title=f"{numerator} / {denominator}".capitalize(),
        citation=citation,
        doi=doi,
        kind="score",
        inputs=_inputs(numerator, denominator),
        judge=partial(count_ratio, numerator, denominator),
        worse=worse,
        is_one_draw=True,
    )


NLR = _ratio(
    "nlr",
    "neutrophils",
    "lymphocytes",
    worse="high",
    citation="Lu SD et al., Medicine 2016;95:e2722",
    doi="10.1097/MD.0000000000002722",
)
PLR = _ratio(
    "plr",
    "platelets",
    "lymphocytes",
    worse="high",
    citation="Cancer Manag Res 2021;13:1395-1405",
    doi="10.2147/CMAR.S290738",
)
LMR = _ratio(
    "lmr",
    "lymphocytes",
    "monocytes",
    worse="low",
    # They report the inverse, monocytes / lymphocytes, where high is worse.
    citation="Wu Y et al., BMC Surg 2021;21:178",
    doi="10.1186/s12893-021-01180-9",
)
