"""All published stages, scores and ratios that models are compared with."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from zoo.staging.albi import ALBI
from zoo.staging.bclc import BCLC
from zoo.staging.blood_ratios import LMR, NLR, PLR
from zoo.staging.cnlc import CNLC
from zoo.staging.description import Comparator
from zoo.staging.erasl import ERASL_PRE
from zoo.staging.tnm import TNM

__all__ = ["COMPARATORS"]

COMPARATORS: Mapping[str, Comparator] = MappingProxyType(
    {each.name: each for each in (BCLC, CNLC, TNM, ERASL_PRE, ALBI, NLR, PLR, LMR)}
)
"""By name, each with its defaults."""
