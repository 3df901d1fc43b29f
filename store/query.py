"""SQL over a snapshot: one read-only statement in a sandboxed DuckDB."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from schemas.errors import NotFoundError, UsageError
from store.analyst import define_analyst_views, quoted_text
from store.pivot import listed_pivot
from store.snapshot import Snapshot
from store.view_parts import path_pattern

__all__ = ["Question", "answer", "asked", "snapshot_connection", "sql_errors"]

_READING_NODES = {"SELECT_NODE", "SET_OPERATION_NODE", "CTE_NODE", "RECURSIVE_CTE_NODE"}
_EXECUTES_TEXT = {"json_execute_serialized_sql"}
_MOST_PIVOTS = 20
_PIVOT_WITH_PARAMETERS = "pivot elements extracted from the data cannot have parameters"
_TABLES_HINT = "radzoo sql 'show tables' lists what can be asked"
_MEANT = ("Did you mean", "Candidate bindings")
_LACKS = ("not found", "does not have a column", "does not exist")


class Question(NamedTuple):
    """A statement that is understood and not yet answered."""

    relation: duckdb.DuckDBPyRelation
    """The answer; each way to read it runs the statement."""
    interrupt: Callable[[], None]
    """Ends whatever runs."""


def snapshot_connection(snapshot: Snapshot, *, documented: bool = False) -> duckdb.DuckDBPyConnection:
    """Return an in-memory DuckDB connection with the snapshot's views, shut off from all else.

    It can read the store's segments and nothing more: no other file, no extension, no setting.
    """
    connection = duckdb.connect()
    # The progress bar would be written among the answer's lines.
    connection.execute("set enable_progress_bar = false")
    # DuckDB may read and write its spill folder whatever else is shut off, by default .tmp of the working directory.
    connection.execute(f"set temp_directory = {quoted_text(str(snapshot.store.spill))}")
    define_analyst_views(connection, snapshot, documented=documented)
    folder = str(snapshot.store.segments.local_root)
    # Files are named by patterns that fit one path; DuckDB compares these, and then what they fit.
    allowed = ", ".join(map(quoted_text, dict.fromkeys((folder, path_pattern(folder)))))
    connection.execute(f"set allowed_directories = [{allowed}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection


def answer(snapshot: Snapshot, query: str, parameters: Mapping[str, str] | None = None) -> pa.Table:
    """Return the answer to one read-only SQL statement, all of it.

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
    with asked(snapshot, query, parameters) as question, sql_errors():
        return question.relation.to_arrow_table()


@contextmanager
def asked(snapshot: Snapshot, query: str, parameters: Mapping[str, str] | None = None) -> Iterator[Question]:
    """Give a read-only SQL statement that is understood and not yet answered, to be read in pieces.

    Parameters
    ----------
    snapshot : Snapshot
        What is asked.
    query : str
        As `answer` takes it.
    parameters : mapping of str to str, optional
        Values for ``$name`` in the query.

    Raises
    ------
    UsageError, NotFoundError
        As `answer` does. What fails while rows are read is DuckDB's error: `sql_errors` translates it.
    """
    _refuse_what_is_no_text(query, *(parameters or {}).values())
    # What is no statement that reads is refused before a store is laid out for it.
    is_listed = not _is_pivot_without_list(query)
    statement = _reading_statement(query) if is_listed else None
    # Comments take a second to write and are seen only where a query asks for DuckDB's own catalogue.
    documented = any(word in query.lower() for word in ("duckdb_", "comment", "pg_"))
    with snapshot_connection(snapshot, documented=documented) as connection:
        with sql_errors():
            if statement is None:
                statement = _reading_statement(_with_lists(connection, query, parameters))
            relation = connection.sql(statement, params=dict(parameters or {}))
        yield Question(relation, connection.interrupt)


@contextmanager
def sql_errors() -> Iterator[None]:
    """Translate what DuckDB says of a query into the errors that a user meets.

    Raises
    ------
    UsageError
        When SQL refuses the query.
    NotFoundError
        When a table or column does not exist.
    """
    try:
        yield
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


def _refuse_what_is_no_text(*texts: str) -> None:
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise UsageError(
                f"character {error.start + 1} of the query or a parameter is no text: it is not UTF-8",
                hint="see which encoding the terminal or the file has, or write the character as chr(NUMBER)",
            ) from error


def _is_pivot_without_list(query: str) -> bool:
    try:
        return [each.type for each in duckdb.extract_statements(query)] == [duckdb.StatementType.MULTI]
    except duckdb.Error as error:
        # DuckDB itself cannot fill a parameter there; anything else is said where the query is read.
        return _PIVOT_WITH_PARAMETERS in str(error)


def _with_lists(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Mapping[str, str] | None, deep: int = 0
) -> str:
    """Return a query whose PIVOTs have lists; their values come from queries that only read, in the same sandbox."""

    def values(question: str) -> list[str | None]:
        if _is_pivot_without_list(question) and deep < _MOST_PIVOTS:
            question = _with_lists(connection, question, parameters, deep + 1)
        statement = _reading_statement(question)
        used = {name: value for name, value in (parameters or {}).items() if name in statement.named_parameters}
        return [value for (value,) in connection.sql(statement, params=used).fetchall()]

    for _ in range(_MOST_PIVOTS):
        listed = listed_pivot(query, values)
        if listed is None:
            break
        query = listed
    return query


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
