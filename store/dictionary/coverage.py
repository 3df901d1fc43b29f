"""What a study has of each feature set, and why the rest is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import duckdb

__all__ = ["Coverage", "study_coverage"]

Row = dict[str, Any]


@dataclass(frozen=True)
class Coverage:
    """Coverage of studies by feature sets."""

    rows: list[Row]
    """The view ``coverage``: one row per study, feature set and phase."""
    reasons: list[Row]
    """Why rows or values are missing: study, feature_set (empty: refused at ingest), phase, feature, reason, masks."""


def study_coverage(connection: duckdb.DuckDBPyConnection, study: str | None = None) -> Coverage:
    """Return the coverage of a study, of all where none is named.

    Parameters
    ----------
    connection : DuckDBPyConnection
        From `store.analyst.query.snapshot_connection`.
    study : str, optional
        A study's id.
    """
    rows = connection.sql(
        "from coverage where study = coalesce($study, study) order by study, feature_set, phase",
        params={"study": study},
    )
    reasons = connection.sql(
        "select study, stage, coalesce(feature_set, '') as feature_set, phase, coalesce(feature, '') as feature, "
        "reason, count(*) as masks from failures "
        "where stage in ('ingest', 'refresh') and study = coalesce($study, study) "
        "group by all order by study, masks desc, stage, feature_set, phase, feature, reason",
        params={"study": study},
    )
    return Coverage(rows.to_arrow_table().to_pylist(), reasons.to_arrow_table().to_pylist())
