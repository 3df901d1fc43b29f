"""SQL over a snapshot: one read-only statement in a sandboxed DuckDB."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import duckdb
import pyarrow as pa

from schemas.errors import NotFoundError, UsageError
from store.analyst import define_analyst_views, quoted_text
from store.snapshot import Snapshot

__all__ = ["answer", "snapshot_connection"]

_READING_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "CTE_NODE", "RECURSIVE_CTE_NODE"}
_EXECUTES_TEXT = {"json_execute_serialized_sql"}
_TABLES_HINT = "radzoo sql 'show tables' lists what can be asked"
_MEANT = ("Did you mean", "Candidate bindings")
_LACKS = ("not found", "does not have a column", "does not exist")


def snapshot_connection(snapshot: Snapshot, *, documented: bool = False) -> duckdb.DuckDBPyConnection:
    """Return an in-memory DuckDB connection with the snapshot's views, shut off from all else.

    It can read the store's segments and nothing more: no other file, no extension, no setting.
    """
    connection = duckdb.connect()
    # The progress bar would be written among the answer's lines.
    connection.execute("set enable_progress_bar = false")
    # DuckDB may read and write its spill folder whatever else is shut off, by default .tmp of the working directory.
    connection.execute(f"set temp_directory = {quoted_text(str(snapshot.store.root / 'spill'))}")
    define_analyst_views(connection, snapshot, documented=documented)
    connection.execute(f"set allowed_directories = [{quoted_text(str(snapshot.store.segments.local_root))}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection


def answer(snapshot: Snapshot, query: str, parameters: Mapping[str, str] | None = None) -> pa.Table:
    """Return the answer to one read-only SQL statement.

    Parameters
    ----------
    snapshot : Snapshot
        What is asked.
    query : str
        One SELECT, FROM, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN statement.
    parameters : mapping of str to str, optional
        Values for ``$name`` in the query.

    Raises
    ------
    UsageError
        When the text is not exactly one statement that reads, or SQL refuses it.
    NotFoundError
        When a table or column does not exist.
    """
    statement = _reading_statement(query)
    # Comments take a second to write and are seen only where a query asks for DuckDB's own catalogue.
    documented = any(word in query.lower() for word in ("duckdb_", "comment", "pg_"))
    with snapshot_connection(snapshot, documented=documented) as connection:
        try:
            return connection.sql(statement, params=dict(parameters or {})).to_arrow_table()
        except duckdb.Error as error:
            message = _first_line(error)
            nearest = _nearest(error)
            if isinstance(error, duckdb.CatalogException) or (
                isinstance(error, duckdb.BinderException) and any(words in message for words in _LACKS)
            ):
                raise NotFoundError(
                    message, hint=f"{nearest}radzoo sql 'show tables', or radzoo sql 'describe TABLE'"
                ) from error
            raise UsageError(message, hint=f"{nearest}{_TABLES_HINT}") from error


def _reading_statement(query: str) -> duckdb.Statement:
    """Return the one statement of a query, or refuse it where it is not one that only reads.

    The statement's type does not tell: ``with x as (copy ... to ...) from x`` is a SELECT, and
    ``explain analyze`` carries out what it explains. The syntax tree does.
    """
    try:
        statements = duckdb.extract_statements(query)
        if len(statements) != 1:
            raise UsageError(f"one statement is asked for, {len(statements)} were given", hint=_TABLES_HINT)
        statement = statements[0]
        explained = statement
        if statement.type == duckdb.StatementType.EXPLAIN:
            explained = duckdb.extract_statements(_explained(statement.query))[0]
    except duckdb.Error as error:
        raise UsageError(_first_line(error), hint=_TABLES_HINT) from error
    if explained.type == duckdb.StatementType.MULTI:
        raise UsageError(
            "PIVOT without a list of values is two statements",
            hint="name the values: pivot ... on feature in ('a', 'b')",
        )
    if explained.type != duckdb.StatementType.SELECT or not _only_reads(explained.query):
        kind = explained.type.name if explained.type != duckdb.StatementType.SELECT else "a SELECT that writes"
        raise UsageError(f"{kind} is not allowed: the store is read with SELECT or EXPLAIN", hint=_TABLES_HINT)
    return statement


def _explained(text: str) -> str:
    """Return what an EXPLAIN statement explains: the text after EXPLAIN, ANALYZE and options in brackets."""
    encoded = text.encode()
    tokens = duckdb.tokenize(text)
    ends = [*(start for start, _ in tokens[1:]), len(encoded)]
    spans = [
        (start, encoded[start:end].decode().strip().lower())
        for (start, kind), end in zip(tokens, ends, strict=True)
        if kind != duckdb.token_type.comment
    ]
    words = [word for _, word in spans]
    at = 1
    if words[at].startswith("analy"):
        at += 1
    if words[at] == "(" and words[at + 1] in ("analyze", "analyse", "format"):
        at = words.index(")", at) + 1
    return encoded[spans[at][0] :].decode()


def _only_reads(query: str) -> bool:
    with duckdb.connect() as connection:
        row = connection.execute("select json_serialize_sql($query)", {"query": query}).fetchone()
    tree = json.loads(row[0]) if row else {"error": True}
    return not tree["error"] and not any(_writes(node) for node in _nodes(tree))


def _writes(node: Mapping[str, Any]) -> bool:
    kind, function = str(node.get("type", "")), str(node.get("function_name", ""))
    return (kind.endswith("_NODE") and kind not in _READING_NODES) or function.lower() in _EXECUTES_TEXT


def _nodes(tree: Any) -> Iterator[Mapping[str, Any]]:
    pending = [tree]
    while pending:
        branch = pending.pop()
        if isinstance(branch, dict):
            yield branch
            pending.extend(branch.values())
        elif isinstance(branch, list):
            pending.extend(branch)


def _nearest(error: Exception) -> str:
    """Return DuckDB's own lines on what may have been meant, to stand before a hint."""
    lines = (line.strip() for line in str(error).splitlines()[1:])
    return "".join(f"{line}\n" for line in lines if line.startswith(_MEANT))


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
