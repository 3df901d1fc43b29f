"""What a user's SQL may be: one statement, made of parts that read, naming functions that only compute.

Nothing is listed that is forbidden: a part or a function that is on no list is refused, also one that a newer DuckDB
brings. Since no function on the lists carries out text, all that a statement does stands in its syntax tree.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import duckdb

from schemas.errors import NotFoundError, UsageError

__all__ = [
    "TABLES_HINT",
    "AllowedFunctions",
    "allowed_functions",
    "first_line",
    "is_pivot_without_list",
    "reading_statement",
    "refuse_what_is_no_text",
    "syntax_tree",
]

TABLES_HINT = "radzoo sql 'show tables' lists what can be asked"
_FUNCTIONS_HINT = "ask without it; radzoo sql 'show tables' lists what can be asked"

_NODES = {
    *("SELECT_NODE", "SET_OPERATION_NODE", "CTE_NODE", "RECURSIVE_CTE_NODE"),
    *("BASE_TABLE", "SUBQUERY", "JOIN", "TABLE_FUNCTION", "EXPRESSION_LIST", "EMPTY", "PIVOT", "SHOW_REF"),
    *("DISTINCT_MODIFIER", "LIMIT_MODIFIER", "LIMIT_PERCENT_MODIFIER", "ORDER_MODIFIER"),
    *("ORDER_DEFAULT", "ASCENDING", "DESCENDING"),
}
_EXPRESSIONS = {
    *("BETWEEN", "CASE", "CAST", "COLLATE", "COLUMN_REF", "COMPARISON", "CONJUNCTION", "CONSTANT", "DEFAULT"),
    *("FUNCTION", "LAMBDA", "LAMBDA_REF", "OPERATOR", "PARAMETER", "POSITIONAL_REFERENCE", "STAR", "SUBQUERY"),
    *("TYPE", "WINDOW"),
}
_OF_SETTINGS_AND_LOGS = {"pg_settings", "duckdb_logs"}
_PIVOT_WITH_PARAMETERS = "pivot elements extracted from the data cannot have parameters"
_READ_WITH = "is not allowed: a question is one SELECT, FROM, PIVOT, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN"


class AllowedFunctions(NamedTuple):
    """The functions that a question may name, in small letters: those of values, and those of tables."""

    values: frozenset[str]
    tables: frozenset[str]


@cache
def allowed_functions() -> AllowedFunctions:
    """Return the functions that a question may name."""
    text = files("store.analyst").joinpath("sql_functions.txt").read_text(encoding="utf-8")
    _, _, lists = text.partition("[values]\n")
    values, _, tables = lists.partition("[tables]\n")
    return AllowedFunctions(frozenset(values.lower().split()), frozenset(tables.lower().split()))


def refuse_what_is_no_text(*texts: str) -> None:
    """Refuse a query, or a parameter's name or value, that is not UTF-8 or holds a NUL.

    Raises
    ------
    UsageError
        With the place of the first such character.
    """
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise UsageError(
                f"character {error.start + 1} of the query or a parameter is no text: it is not UTF-8",
                hint="see which encoding the terminal or the file has, or write the character as chr(NUMBER)",
            ) from error
        if "\0" in text:
            raise UsageError(
                f"character {text.index(chr(0)) + 1} of the query or a parameter is no text: it is NUL",
                hint="leave it out; chr(0) stands for it in SQL",
            )


def is_pivot_without_list(query: str) -> bool:
    """Return whether a query is a PIVOT whose values must be read first."""
    try:
        return [_kind(each) for each in duckdb.extract_statements(query)] == ["MULTI"]
    except duckdb.Error as error:
        # DuckDB itself cannot fill a parameter there; anything else is said where the query is read.
        return _PIVOT_WITH_PARAMETERS in str(error)


def reading_statement(query: str) -> duckdb.Statement:
    """Return the one statement of a query, or refuse it where it is not one that only reads.

    Raises
    ------
    UsageError, NotFoundError
        As `syntax_tree` does.
    """
    return _read(query)[0]


def syntax_tree(query: str) -> dict[str, Any]:
    """Return the syntax tree of the one statement of a query, or refuse it where it is not one that only reads.

    The statement's type does not tell: ``with x as (copy ... to ...) from x`` is a SELECT, and
    ``explain analyze`` carries out what it explains. The syntax tree does.

    Raises
    ------
    UsageError
        When it is none, several, or one with a part that is not on the lists.
    NotFoundError
        When it names a function that DuckDB does not have.
    """
    return _read(query)[1]


def _read(query: str) -> tuple[duckdb.Statement, dict[str, Any]]:
    try:
        statements = duckdb.extract_statements(query)
        if len(statements) != 1:
            raise UsageError(f"one statement is asked for, {len(statements)} were given", hint=TABLES_HINT)
        statement = statements[0]
        explained, kind = statement, _kind(statement)
        if kind == "EXPLAIN":
            explained = duckdb.extract_statements(_explained(statement.query))[0]
            kind = _kind(explained)
    except duckdb.Error as error:
        raise UsageError(first_line(error), hint=TABLES_HINT) from error
    if kind == "MULTI":
        raise UsageError(
            "PIVOT without a list of values is two statements",
            hint="name the values: pivot ... on feature in ('a', 'b')",
        )
    if kind != "SELECT":
        raise UsageError(f"{kind} {_READ_WITH}", hint=TABLES_HINT)
    return statement, _checked_tree(explained.query)


def _kind(statement: duckdb.Statement) -> str:
    try:
        return str(statement.type.name)
    except ValueError:
        # DuckDB parses statements that its Python has no name for.
        return "this statement"


def first_line(error: Exception) -> str:
    """Return the first line of what DuckDB says."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


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


def _checked_tree(query: str) -> dict[str, Any]:
    # Of the instance that also splits texts into statements: making one takes longer than all that is done in it.
    with duckdb.cursor() as connection:
        row = connection.execute("select json_serialize_sql($query)", {"query": query}).fetchone()
        try:
            tree: dict[str, Any] = json.loads(row[0]) if row else {"error": True}
        except RecursionError as error:
            raise UsageError("the query is nested too deeply", hint="flatten it, for example by WITH") from error
        if tree["error"]:
            # A statement that DuckDB takes for a SELECT and cannot show as a tree.
            raise UsageError(f"a SELECT that writes {_READ_WITH}", hint=TABLES_HINT)
        for node, allowed in _nodes(tree):
            _refuse_part(node)
            name = str(node.get("function_name", ""))
            if name and name.lower() not in allowed:
                _refuse_function(connection, name, allowed)
    return tree


def _nodes(tree: Any) -> Iterator[tuple[dict[str, Any], frozenset[str]]]:
    """Yield each node of a syntax tree, and the functions that it may name there."""
    known = allowed_functions()
    pending = [(tree, known.values)]
    while pending:
        branch, allowed = pending.pop()
        if isinstance(branch, dict):
            yield branch, allowed
            is_table = branch.get("type") == "TABLE_FUNCTION"
            pending += [
                (part, known.tables if is_table and name == "function" else known.values)
                for name, part in branch.items()
            ]
        elif isinstance(branch, list):
            pending += [(part, known.values) for part in branch]


def _refuse_part(node: Mapping[str, Any]) -> None:
    kind, expression = node.get("type"), node.get("class")
    if expression is None and isinstance(kind, str) and kind not in _NODES:
        raise UsageError(f"{'a SELECT that writes' if kind.endswith('_NODE') else kind} {_READ_WITH}", hint=TABLES_HINT)
    if expression is not None and expression not in _EXPRESSIONS:
        raise UsageError(f"{expression} {_READ_WITH}", hint=TABLES_HINT)
    if str(node.get("table_name", "")).lower() in _OF_SETTINGS_AND_LOGS:
        raise UsageError(f"{node['table_name']} is not of the store: it cannot be asked", hint=TABLES_HINT)


def _refuse_function(connection: duckdb.DuckDBPyConnection, name: str, allowed: frozenset[str]) -> None:
    known = connection.execute(
        "select 1 from duckdb_functions() where lower(function_name) = lower($name)", {"name": name}
    ).fetchone()
    if known:
        raise UsageError(f"the function {name} is not among those that a question may use", hint=_FUNCTIONS_HINT)
    nearest = get_close_matches(name.lower(), allowed, n=1)
    meant = f"did you mean {nearest[0]}? " if nearest else ""
    raise NotFoundError(f"there is no function {name}", hint=f"{meant}{TABLES_HINT}")
