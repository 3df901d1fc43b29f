"""Feature sets as the catalogue knows them: found by name, described, their grey levels and single columns."""

from __future__ import annotations

import json
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import duckdb

from schemas.errors import NotFoundError
from schemas.keys import sql_name
from store.history.snapshot import Snapshot

__all__ = [
    "ColumnDescription",
    "FeatureSetDescription",
    "described_column",
    "described_feature_set",
    "feature_set_rows",
    "named_feature_set",
]

Row = dict[str, Any]

_QUANTILES = {"minimum": 0.0, "q05": 0.05, "q25": 0.25, "median": 0.5, "q75": 0.75, "q95": 0.95, "maximum": 1.0}


def named_feature_set(snapshot: Snapshot, text: str) -> Row:
    """Return the catalogue's row of ``name@N``, or of the newest version of ``name``.

    Raises
    ------
    NotFoundError
        When the store has no such set; the hint names those that are spelled like it.
    """
    known = snapshot.rows("feature_sets")
    found = [row for row in known if text in (row["name"], row["feature_set"])]
    if found:
        return max(found, key=lambda row: int(row["version"]))
    names = [row["feature_set"] for row in known]
    near = [name for name in names if name.partition("@")[0] == text.partition("@")[0]]
    spelled = dict(zip([*(row["name"] for row in known), *names], [*names, *names], strict=True))
    near = near or list(dict.fromkeys(spelled[each] for each in get_close_matches(text, spelled, n=3, cutoff=0.4)))
    hint = f"did you mean {' or '.join(near)}?" if near else "radzoo features list shows those there are"
    raise NotFoundError(
        f"there is no feature set '{text}'" + ("" if known else ": none has been computed"),
        where=str(snapshot.store.root),
        hint=hint if known else "radzoo refresh computes those that the studies ask for",
    )


def feature_set_rows(connection: duckdb.DuckDBPyConnection) -> list[Row]:
    """Return the view ``feature_sets``, without the definitions' texts."""
    return _rows(
        connection,
        "select * exclude (definition, deviations) from feature_sets order by name, version",
    )


@dataclass(frozen=True)
class FeatureSetDescription:
    """A feature set, its definition taken apart, and what the store has of it."""

    row: Row
    settings: dict[str, Any]
    libraries: dict[str, str]
    deviations: dict[str, str]
    families: list[Row]
    """Per family: columns, image types, columns that follow IBSI."""
    image_types: list[str]
    grey_levels: list[Row]
    """Per image type: masks, fewest, median and most grey levels; none where the set does not record them."""
    coverage: list[Row]
    failures: list[Row]
    """Per stage, study, feature and reason: how many masks."""


def described_feature_set(connection: duckdb.DuckDBPyConnection, feature_set: str) -> FeatureSetDescription:
    """Return a feature set as people want to know it before they use it.

    Parameters
    ----------
    connection : DuckDBPyConnection
        From `store.analyst.query.snapshot_connection`.
    feature_set : str
        ``name@N``, as `named_feature_set` finds it.
    """
    asked = {"feature_set": feature_set}
    (row,) = _rows(connection, "select * from feature_sets where feature_set = $feature_set", **asked)
    definition = json.loads(row.pop("definition") or "{}")
    return FeatureSetDescription(
        row=row,
        settings=definition.get("settings") or {},
        libraries=definition.get("libraries") or {},
        deviations=json.loads(row.pop("deviations") or "{}"),
        families=_rows(
            connection,
            "select family, count(*) as columns, count(distinct image_type) as image_types, "
            "count(*) filter (ibsi_compliant) as ibsi_compliant from features "
            "where feature_set = $feature_set group by all order by columns desc, family",
            **asked,
        ),
        image_types=[
            each["image_type"]
            for each in _rows(
                connection,
                "select image_type from catalogue.features where feature_set = $feature_set "
                "group by image_type order by min(position)",
                **asked,
            )
            if each["image_type"]
        ],
        grey_levels=_grey_levels(connection, feature_set),
        coverage=_rows(
            connection, "select * exclude feature_set from coverage where feature_set = $feature_set", **asked
        ),
        failures=_rows(
            connection,
            "select study, stage, phase, feature, reason, count(*) as masks from failures "
            "where feature_set = $feature_set group by all order by masks desc, study, stage, phase, feature, reason",
            **asked,
        ),
    )


@dataclass(frozen=True)
class ColumnDescription:
    """One column of a feature set: its entry of the dictionary, its values, its stability."""

    row: Row
    distribution: list[Row]
    """Per phase: primary masks, how many have no value, quantiles of the others."""
    stability: list[Row]


def described_column(connection: duckdb.DuckDBPyConnection, feature_set: str, column: str) -> ColumnDescription:
    """Return what the store knows of one column.

    Values are those of masks that are the primary reading of some study; each counts once.

    Raises
    ------
    NotFoundError
        When the set has no such column; the hint names those that are spelled like it.
    """
    asked = {"feature_set": feature_set}
    rows = _rows(connection, "select * from features where feature_set = $feature_set", **asked)
    found = next((row for row in rows if row["feature"] == column), None)
    if found is None:
        names = [row["feature"] for row in rows]
        near = get_close_matches(column, names, n=4, cutoff=0.5) or [n for n in names if column.lower() in n.lower()]
        raise NotFoundError(
            f"{feature_set} has no column '{column}'",
            hint=f"did you mean {' or '.join(near[:4])}?" if near else f"radzoo features search {column}",
        )
    # Quantiles are taken as R's type 7 does, by linear interpolation.
    quantiles = ", ".join(f"quantile_cont(value, {share}) as {name}" for name, share in _QUANTILES.items())
    distribution = _rows(
        connection,
        "with own as (select distinct patient, exam, phase, lesion, reader, reading from study_masks where is_primary) "
        f"select phase, count(*) as masks, count(*) - count(value) as nulls, {quantiles} "
        f'from (select phase, w."{column}" as value from "{sql_name(feature_set)}" w '
        "join own using (patient, exam, phase, lesion, reader, reading)) group by all order by phase",
    )
    stability = _rows(
        connection,
        "select study, split, phase, kind, patients, icc, lower, upper from stability "
        "where feature_set = $feature_set and feature = $column order by all",
        column=column,
        **asked,
    )
    return ColumnDescription(found, distribution, stability)


def _grey_levels(connection: duckdb.DuckDBPyConnection, feature_set: str) -> list[Row]:
    view = sql_name(feature_set)
    kinds = _rows(
        connection,
        "select data_type from duckdb_columns() where table_name = $view and column_name = 'grey_levels'",
        view=view,
    )
    # A set that records no grey levels, or has no row yet, has no structure to take apart.
    if not any(row["data_type"].startswith("STRUCT") for row in kinds):
        return []
    return _rows(
        connection,
        "with levels as (unpivot "
        f'(select unnest(grey_levels) from (select any_value(grey_levels) as grey_levels from "{view}" '
        "group by extraction_id)) on columns(*) into name image_type value levels) "
        "select image_type, count(*) as masks, min(levels) as fewest, median(levels) as median, "
        "max(levels) as most from levels group by all order by median, image_type",
    )


def _rows(connection: duckdb.DuckDBPyConnection, query: str, **values: str) -> list[Row]:
    rows: list[Row] = connection.sql(query, params=values).to_arrow_table().to_pylist()
    return rows
