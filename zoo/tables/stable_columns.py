"""The rule by which a column counts as stable, wherever its agreement comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from schemas.features.names import with_phase
from schemas.study.models import IccBound

__all__ = ["passes", "stable_columns"]


def passes(row: Mapping[str, Any], minimum: float, bound: IccBound = "estimate") -> bool:
    """Return whether readings agree well enough in one kind of comparison.

    Parameters
    ----------
    row : mapping
        ``icc`` and ``lower``, the estimate and the lower end of its 95 % interval; None where there is none: a feature
        that does not vary, or has no value in some reading, does not pass.
    minimum : float
        The ICC from which a feature passes.
    bound : {'estimate', 'lower'}
        What is compared: ``lower`` asks that even the interval's lower end is high enough.

    References
    ----------
    Koo TK, Li MY, J Chiropr Med 2016;15:155, doi:10.1016/j.jcm.2016.02.012: an agreement is judged by the interval of
    its ICC, not by the estimate alone.
    """
    value = row["icc"] if bound == "estimate" else row["lower"]
    return value is not None and value >= minimum


def stable_columns(rows: Iterable[Mapping[str, Any]], minimum: float, bound: IccBound = "estimate") -> set[str]:
    """Return the columns that pass in every kind of comparison among the rows.

    Parameters
    ----------
    rows : iterable of mapping
        Agreement by ``phase``, ``feature`` and kind, as the table ``stability`` has it.
    minimum : float
        The ICC from which a feature passes.
    bound : {'estimate', 'lower'}
        What is compared with it.
    """
    failing, seen = set(), set()
    for row in rows:
        column = with_phase(row["phase"], row["feature"])
        seen.add(column)
        if not passes(row, minimum, bound):
            failing.add(column)
    return seen - failing
