"""What two feature sets do differently, and how far their values lie apart."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import duckdb
import numpy as np
from numpy.typing import NDArray

from schemas.keys import MaskKey, sql_name

__all__ = [
    "BOUNDS",
    "ColumnDifference",
    "FeatureSetDifference",
    "definition_changes_sql",
    "feature_set_difference",
]

Row = dict[str, Any]

BOUNDS = {
    "equal": 0.0,
    "up to 1e-9": 1e-9,
    "up to 1e-6": 1e-6,
    "up to 0.1 %": 1e-3,
    "up to 1 %": 0.01,
    "up to 10 %": 0.1,
}
"""Classes of relative difference by their upper bound; what lies above the last is ``over 10 %``."""

_CHANGES = """
with definitions as (
    select feature_set, json_merge_patch(definition, '{{"columns": null}}') as definition from feature_sets
),
leaves as (
    select d.feature_set, substr(t.fullkey, 3) as key, t.atom as value
    from definitions d, json_tree(d.definition) t
    where t.atom is not null
),
before as (from leaves where feature_set = '{before}'),
after as (from leaves where feature_set = '{after}')
select
    if(key like 'libraries.%', 'library', 'setting') as kind,
    regexp_replace(key, '^(libraries|settings)[.]', '') as key,
    b.value::varchar as before, a.value::varchar as after
from before b
full join after a using (key)
where b.value is distinct from a.value
order by kind desc, key
"""


def definition_changes_sql(before: str, after: str) -> str:
    """Return the statement whose rows are the settings and library versions that differ between two sets."""
    return _CHANGES.strip().format(before=before, after=after)


@dataclass(frozen=True)
class ColumnDifference:
    """How far one column's values lie apart, over the masks that have both."""

    feature: str
    median: float | None
    """Relative difference, abs(b - a) / max(abs(a), abs(b)); None where no mask has both values."""
    largest: float | None
    only_before: int
    """Masks with a value in the first set and none in the second."""
    only_after: int


@dataclass(frozen=True)
class FeatureSetDifference:
    """Two feature sets side by side."""

    before: str
    after: str
    changes: list[Row]
    """Settings and library versions that differ: kind, key, before, after."""
    columns_added: list[str]
    columns_removed: list[str]
    shared_columns: int
    masks: int
    """Masks, each the same image and mask content, with a row in both sets."""
    classes: dict[str, int] = field(default_factory=dict)
    """Shared columns by their largest relative difference."""
    columns: list[ColumnDifference] = field(default_factory=list)
    """Shared columns, the most different first."""


def feature_set_difference(connection: duckdb.DuckDBPyConnection, before: str, after: str) -> FeatureSetDifference:
    """Return what differs between two feature sets, from the first to the second.

    Parameters
    ----------
    connection : DuckDBPyConnection
        From `store.analyst.query.snapshot_connection`.
    before, after : str
        ``name@N``; versions of one name, or sets of two names.
    """
    changes = connection.sql(definition_changes_sql(before, after)).to_arrow_table().to_pylist()
    old, new = (_columns(connection, each) for each in (before, after))
    shared = [name for name in old if name in set(new)]
    values = _values_of_both(connection, before, after, shared)
    compared = [_compared(name, *pair) for name, pair in values.items()] if values else []
    compared.sort(key=lambda each: (-(each.largest or 0.0), -(each.median or 0.0)))
    return FeatureSetDifference(
        before=before,
        after=after,
        changes=changes,
        columns_added=[name for name in new if name not in set(old)],
        columns_removed=[name for name in old if name not in set(new)],
        shared_columns=len(shared),
        masks=len(next(iter(values.values()))[0]) if values else 0,
        classes=_classes(compared),
        columns=compared,
    )


def _columns(connection: duckdb.DuckDBPyConnection, feature_set: str) -> list[str]:
    query = "select feature from catalogue.features where feature_set = $feature_set order by position"
    return [name for (name,) in connection.sql(query, params={"feature_set": feature_set}).fetchall()]


Values = NDArray[np.float64]


def _values_of_both(
    connection: duckdb.DuckDBPyConnection, before: str, after: str, columns: list[str]
) -> dict[str, tuple[Values, Values]]:
    """Return the values of each column in both sets, mask by mask, NaN for NULL; empty where no mask has both."""
    if not columns:
        return {}
    keys = ", ".join(MaskKey._fields)
    sides: list[dict[str, Values]] = []
    for own, other in ((before, after), (after, before)):
        names = ", ".join(f'"{name}"::double as "{name}"' for name in columns)
        # One mask may be known under several keys; the extraction is the same.
        query = (
            f'select {names} from "{sql_name(own)}" '
            f'where ({keys}) in (select ({keys}) from "{sql_name(other)}") order by {keys}'
        )
        table = connection.sql(query).to_arrow_table()
        sides.append({name: table.column(name).to_numpy(zero_copy_only=False) for name in columns})
    if not len(next(iter(sides[0].values()))):
        return {}
    return {name: (sides[0][name], sides[1][name]) for name in columns}


def _compared(name: str, before: Values, after: Values) -> ColumnDifference:
    has_old, has_new = ~np.isnan(before), ~np.isnan(after)
    both = has_old & has_new
    old, new = before[both], after[both]
    scale = np.maximum(np.abs(old), np.abs(new))
    relative = np.abs(new - old) / np.where(scale > 0, scale, 1.0)
    return ColumnDifference(
        feature=name,
        median=float(np.median(relative)) if both.any() else None,
        largest=float(relative.max()) if both.any() else None,
        only_before=int((has_old & ~has_new).sum()),
        only_after=int((has_new & ~has_old).sum()),
    )


def _classes(columns: list[ColumnDifference]) -> dict[str, int]:
    counts = dict.fromkeys([*BOUNDS, "over 10 %", "not comparable"], 0) if columns else {}
    for each in columns:
        if each.largest is None:
            counts["not comparable"] += 1
        else:
            counts[next((name for name, bound in BOUNDS.items() if each.largest <= bound), "over 10 %")] += 1
    return counts
