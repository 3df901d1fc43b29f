"""Views that tell which rows models read: a set's newest version with ``is_primary``, and those rows alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schemas.plain_keys import MaskKey, sql_name
from store.analyst.view_parts import View, quoted_name
from store.kinds.kind import WideKind

__all__ = ["IS_PRIMARY", "newest_view", "primary_masks", "primary_view"]

IS_PRIMARY = "whether a study's models read this row (study_masks says which study's)"

_KEYS = ", ".join(MaskKey._fields)


def primary_masks() -> str:
    """Return the query of the masks that are primary in a study, by their keys."""
    return f"select distinct {_KEYS}, true as is_primary from catalogue.study_masks where is_primary = 1"


def newest_view(row: Mapping[str, Any], kind: WideKind, features: Sequence[str], comments: Mapping[str, str]) -> View:
    """Return a feature set's view without version: its newest one, with ``is_primary`` behind the keys.

    The view with a version stays as it is, for the SQL of pinned datasets names all columns of that but a few. A
    feature that is itself called ``is_primary`` keeps the name: then there is no column more.

    Parameters
    ----------
    row : mapping
        The feature set.
    kind : WideKind
        Its kind.
    features : sequence of str
        Its features.
    comments : mapping of str to str
        What each column of the view with a version means.
    """
    source = sql_name(row["feature_set"])
    versioned = quoted_name(source)
    told = not any(name.lower() == "is_primary" for name in features)
    if not told:
        query = f"from {versioned}"
    else:
        is_primary, join = kind.with_primary("w", primary_masks())
        keys = ", ".join(f"w.{name}" for name in MaskKey._fields)
        query = (
            f"select {keys}, {is_primary} as is_primary, w.* exclude ({_KEYS}) from {versioned} w{join and ' ' + join}"
        )
    columns = ({"is_primary": IS_PRIMARY} if told else {}) | dict(comments)
    about = f"{row['feature_set']}: newest version: {row['description']}"
    return View(sql_name(row["name"]), query, about, columns, views=(source,))


def primary_view(row: Mapping[str, Any], newest: View, *, has_column: bool) -> View:
    """Return ``NAME_primary``, the rows of a feature set's newest version that models read.

    Where the set has a feature called ``is_primary``, all rows are read: only imported sets have names of a user's own.

    Parameters
    ----------
    row : mapping
        The feature set.
    newest : View
        Its view without version.
    has_column : bool
        That view tells in ``is_primary`` which rows models read.
    """
    chosen = "select * exclude (is_primary)" if has_column else "select *"
    where = " where is_primary" if has_column else ""
    query = f"{chosen} from {quoted_name(newest.name)}{where}"
    kept = {column: text for column, text in newest.columns.items() if column != "is_primary" or not has_column}
    about = f"{row['feature_set']}: newest version, the rows that models read"
    return View(f"{newest.name}_primary", query, about, kept, views=(newest.name,))
