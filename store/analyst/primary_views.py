"""Views that tell which rows models read: a set's newest version with ``is_primary``, and those rows alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import duckdb

from schemas.keys import MaskKey, sql_name
from store.analyst.view_parts import commented, quoted_name

__all__ = ["IS_PRIMARY", "define_newest_view", "define_primary_view", "primary_masks"]

IS_PRIMARY = "whether a study's models read this row (study_masks says which study's)"

_KEYS = ", ".join(MaskKey._fields)


def primary_masks() -> str:
    """Return the query of the masks that are primary in a study, by their keys."""
    return f"select distinct {_KEYS}, true as is_primary from catalogue.study_masks where is_primary = 1"


def define_newest_view(
    connection: duckdb.DuckDBPyConnection, row: Mapping[str, Any], features: Sequence[str]
) -> list[str]:
    """Create a feature set's view without version: its newest one, with ``is_primary`` behind the keys.

    The view with a version stays as it is, for the SQL of pinned datasets names all columns of that but a few. A
    feature that is itself called ``is_primary`` keeps the name.

    Returns
    -------
    list of str
        The columns that the view has beside those of the version's.
    """
    versioned = quoted_name(sql_name(row["feature_set"]))
    told = not any(name.lower() == "is_primary" for name in features)
    if not told:
        query = f"from {versioned}"
    elif row["kind"] == "imported":
        # Nobody drew a mask: there is one row for each patient and phase, and models read it.
        query = f"select {_KEYS}, true as is_primary, * exclude ({_KEYS}) from {versioned}"
    else:
        keys = ", ".join(f"w.{name}" for name in MaskKey._fields)
        query = (
            f"select {keys}, coalesce(p.is_primary, false) as is_primary, w.* exclude ({_KEYS}) "
            f"from {versioned} w left join ({primary_masks()}) p using ({_KEYS})"
        )
    connection.execute(f"create view {quoted_name(sql_name(row['name']))} as {query}")
    return ["is_primary"] if told else []


def define_primary_view(
    connection: duckdb.DuckDBPyConnection,
    row: Mapping[str, Any],
    comments: Mapping[str, str] | None,
    *,
    has_column: bool,
) -> None:
    """Create ``NAME_primary``, the rows of a feature set's newest version that models read.

    Where the set has a feature called ``is_primary``, all rows are read: only imported sets have names of a user's own.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Where to create it; the view without version is there.
    row : mapping
        The feature set.
    comments : mapping of str to str, optional
        What each column means; none are written where absent.
    has_column : bool
        The view without version tells in ``is_primary`` which rows models read.
    """
    newest, name = sql_name(row["name"]), f"{sql_name(row['name'])}_primary"
    chosen = "select * exclude (is_primary)" if has_column else "select *"
    where = " where is_primary" if has_column else ""
    connection.execute(f"create view {quoted_name(name)} as {chosen} from {quoted_name(newest)}{where}")
    if comments is not None:
        kept = {column: text for column, text in comments.items() if column != "is_primary" or not has_column}
        commented(connection, name, f"{row['feature_set']}: newest version, the rows that models read", kept)
