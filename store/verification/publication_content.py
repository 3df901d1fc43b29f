"""What a database of analysts' views holds, as counts, sums of hashes and definitions that can be compared."""

from __future__ import annotations

import re
from typing import Any

import duckdb

from store.analyst.view_parts import quoted_name, quoted_text

__all__ = ["LATER", "WITHOUT_LAYOUT", "Content", "content_of", "file_content", "views_of"]

Content = dict[str, dict[str, Any]]
"""By kind (``columns``, ``rows``, ``views``) and name."""

LATER = {"runs": "run_id, flow, study, started_at, parameters", "erasures": "erasure_id"}
"""Tables that are written to without a commit, and what of a row stays as it is."""

WITHOUT_LAYOUT = " without layout"
"""Ends the name under which a table's rows are counted without where the rows that they name lie."""

_ROOM = 2**62


def file_content(file: str) -> Content:
    """Return the content of a file of DuckDB's, opened for reading."""
    with duckdb.connect() as connection:
        connection.execute(f"attach {quoted_text(file)} as published (read_only)")
        return content_of(connection, "published")


def content_of(connection: duckdb.DuckDBPyConnection, database: str) -> Content:
    """Return the content of a database that a connection has attached.

    Of the rows of a table there are the number and two sums of hashes, so that their order does not count; of
    ``segments`` and ``extractions`` also without where rows lie, which compaction changes in every snapshot. Of tables
    that are written to without a commit there are the rows' own names.
    """
    named = {"database": database}
    columns = connection.execute(
        "select schema_name || '.' || table_name, list(column_name || ' ' || data_type order by column_index) "
        "from duckdb_columns() join duckdb_tables() using (database_name, schema_name, table_name) "
        "where database_name = $database group by 1",
        named,
    ).fetchall()
    found: Content = {"columns": dict(columns), "views": views_of(connection, database), "rows": {}}
    for name, _ in columns:
        schema, _, table = name.partition(".")
        place = ".".join(map(quoted_name, (database, schema, table)))
        if table in LATER and schema == "catalogue":
            rows = connection.execute(f"select {LATER[table]} from {place}").fetchall()
            found["rows"][name] = sorted([str(value) for value in row] for row in rows)
            continue
        found["rows"][name] = _sums(connection, f"from {place}")
        if name == "catalogue.extractions":
            query = f"select * exclude (segment_id) from {place}"
            found["rows"][f"{name}{WITHOUT_LAYOUT}"] = _sums(connection, query)
    return found


def views_of(connection: duckdb.DuckDBPyConnection, database: str) -> dict[str, str]:
    """Return the definitions of the views and macros of a database that a connection has attached, by name."""
    views = connection.execute(
        "select schema_name || '.' || view_name, sql from duckdb_views() where database_name = $database "
        "and not internal union all "
        "select 'macro ' || function_name, macro_definition from duckdb_functions() where database_name = $database "
        "and not internal",
        {"database": database},
    ).fetchall()
    return {name: _ordered(sql) for name, sql in views}


def _ordered(definition: str) -> str:
    """Return a definition whose lists of excluded columns are in order: DuckDB writes them in any."""

    def in_order(found: re.Match[str]) -> str:
        return f"EXCLUDE ({', '.join(sorted(found[1].split(', ')))})"

    return re.sub(r"EXCLUDE \(([^()]*)\)", in_order, definition)


def _sums(connection: duckdb.DuckDBPyConnection, query: str) -> list[int]:
    sums = ", ".join(f"coalesce(sum((md5_number_{half}(j) % {_ROOM})::hugeint), 0)" for half in ("lower", "upper"))
    texts = f"(select to_json(t)::varchar as j from ({query}) t)"
    row = connection.execute(f"select count(*), {sums} from {texts}").fetchone()
    return [int(each) for each in row or ()]
