"""Looking up rows by many keys at once, in words for which both databases use an index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, tuple_

__all__ = ["are_among"]

_MOST_PLACES = 32
"""For each key that is looked up."""


def are_among(columns: Sequence[Column[Any]], wanted: Sequence[tuple[Any, ...]]) -> list[ColumnElement[bool]]:
    """Return the conditions that columns have one of some combinations of values.

    Parameters
    ----------
    columns : sequence of Column
        In the order of an index.
    wanted : sequence of tuple
        The combinations, some hundred at the most, without NULL.
    """
    conditions: list[ColumnElement[bool]] = [tuple_(*columns).in_(wanted)]
    # SQLite looks through a whole index for tuples, and goes to the places of single values: to those of the first
    # columns, as many as tell the keys apart without making many more places than there are keys.
    places = 1
    for column, values in zip(columns, zip(*wanted, strict=True), strict=True):
        different = list(dict.fromkeys(values))
        if places > 1 and (places >= len(wanted) or places * len(different) > _MOST_PLACES * len(wanted)):
            break
        conditions.append(column.in_(different))
        places *= len(different)
    return conditions
