"""What a question names: the views and tables that must be there for it, and nothing else need be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import duckdb

from store.analyst.statement import is_pivot_without_list, refuse_what_is_no_text, syntax_tree

__all__ = ["EVERYTHING", "Named", "names_in"]

_OF_DUCKDB = ("duckdb_", "information_schema", "pg_", "pragma_", "sqlite_")
_EXPANDED = "__show_tables_expanded"
_SOURCES = {
    *("generate_series", "json_each", "json_tree", "range", "repeat", "repeat_row", "summary", "unnest"),
    *("icu_calendar_names", "test_all_types", "test_vector_types"),
}
"""Table functions that look up no table by name."""


class Named(NamedTuple):
    """Names of a question, in small letters."""

    views: frozenset[str] = frozenset()
    """What may be a view, or is defined in the question itself."""
    tables: frozenset[str] = frozenset()
    """What may be a table of the schema ``catalogue``."""
    own: frozenset[str] = frozenset()
    """What the question defines itself: by WITH."""
    lists_names: bool = False
    """Whether the answer has the names of all views."""
    lists_columns: bool = False
    """Whether the answer may have anything of all views."""


EVERYTHING = Named(lists_columns=True)
"""What a question names that asks DuckDB what there is."""


def names_in(query: str, *texts: str) -> Named:
    """Return what a query names, or refuse it where it is not one statement that only reads.

    Too much may be named, and nothing may lack: a name is also what only might be one.

    Parameters
    ----------
    query : str
        SQL.
    *texts : str
        Names and values of its parameters.

    Raises
    ------
    UsageError, NotFoundError
        As `store.analyst.statement.reading_statement` does.
    """
    refuse_what_is_no_text(query, *texts)
    if is_pivot_without_list(query):
        return _of_words(query)
    views: set[str] = set()
    tables: set[str] = set()
    own: set[str] = set()
    lists_names = lists_columns = False
    for node in _mappings(syntax_tree(query)):
        own |= {str(each["key"]).lower() for each in node.get("cte_map", {}).get("map", ())}
        kind = node.get("type")
        if kind == "SHOW_REF" and node.get("query") is None:
            lists_columns |= node["table_name"] == _EXPANDED
            lists_names |= node["show_type"] != "SHOW"
        if kind in ("BASE_TABLE", "SHOW_REF"):
            name, schema = (str(node.get(key, "")).strip('"').lower() for key in ("table_name", "schema_name"))
            lists_columns |= name.startswith(_OF_DUCKDB) or schema.startswith(_OF_DUCKDB)
            (tables if schema == "catalogue" else views).add(name)
        elif kind == "TABLE_FUNCTION":
            source = _source(node["function"])
            lists_columns |= source is None
            views |= source or set()
        lists_columns |= str(node.get("function_name", "")).lower().startswith(_OF_DUCKDB)
    views.discard("")
    return Named(frozenset(views), frozenset(tables), frozenset(own), lists_names, lists_columns)


def _mappings(tree: Any) -> Iterator[dict[str, Any]]:
    pending = [tree]
    while pending:
        branch = pending.pop()
        if isinstance(branch, dict):
            yield branch
            pending += branch.values()
        elif isinstance(branch, list):
            pending += branch


def _source(function: dict[str, Any]) -> set[str] | None:
    """Return the tables that a table function reads by name, None where its arguments do not tell."""
    name = function["function_name"].lower()
    if name in _SOURCES:
        return set()
    first: dict[str, Any] = next((each["expression"] for each in function["arguments"]), {})
    if name in ("histogram", "histogram_values") and first.get("type") == "COLUMN_REF":
        path = [part.lower() for part in first["column_names"]]
        return {path[-1]} if len(path) == 1 else None
    return None


def _of_words(query: str) -> Named:
    """Return all words of a query that has no syntax tree yet: of a PIVOT without a list."""
    encoded = query.encode()
    tokens = duckdb.tokenize(query)
    ends = [*(start for start, _ in tokens[1:]), len(encoded)]
    words = {
        encoded[start:end].decode().strip().strip("\"'").lower() for (start, _), end in zip(tokens, ends, strict=True)
    }
    if any(word.startswith((*_OF_DUCKDB, "show", "desc", "histogram")) for word in words):
        return EVERYTHING
    return Named(frozenset(words), frozenset(words) if "catalogue" in words else frozenset(), frozenset(), True)
