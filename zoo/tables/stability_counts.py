"""How many features are stable, counted by phase, family and kind of comparison."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from schemas.study.models import IccBound
from zoo.tables.stable_columns import passes

__all__ = ["StabilityCount", "stability_counts"]


@dataclass(frozen=True)
class StabilityCount:
    """How many features of a family agree well enough in one phase and kind of comparison."""

    phase: str
    family: str
    kind: str
    patients: int
    features: int
    passing: int
    undefined: int
    """Features without an ICC: they do not vary, or have no value in some reading."""
    median: float | None
    """Median ICC of those that have one."""


def stability_counts(
    rows: Iterable[Mapping[str, Any]],
    families: Mapping[str, str | None],
    minimum: float,
    bound: IccBound = "estimate",
) -> list[StabilityCount]:
    """Return the counts of each phase, family and kind, in the order of the rows.

    Parameters
    ----------
    rows : iterable of mapping
        As `stability_rows` gives them.
    families : mapping of str to str or None
        The family of each feature.
    minimum : float
        The ICC from which a feature passes.
    bound : {'estimate', 'lower'}
        What is compared with it.
    """
    groups: dict[tuple[str, str, str, int], list[Mapping[str, Any]]] = {}
    for row in rows:
        key = (row["phase"], families.get(row["feature"]) or "", row["kind"], row["patients"])
        groups.setdefault(key, []).append(row)
    counts = []
    for (phase, family, kind, patients), of_group in groups.items():
        known = [row["icc"] for row in of_group if row["icc"] is not None]
        counts.append(
            StabilityCount(
                phase=phase,
                family=family,
                kind=kind,
                patients=patients,
                features=len(of_group),
                passing=sum(passes(row, minimum, bound) for row in of_group),
                undefined=len(of_group) - len(known),
                median=float(np.median(known)) if known else None,
            )
        )
    return counts
