"""A PIVOT without a list of values, with the list put in: what DuckDB would do in two statements, one that reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import duckdb

from schemas.errors import UsageError
from store.analyst.view_parts import quoted_text

__all__ = ["MOST_VALUES", "listed_pivot"]

MOST_VALUES = 2000
"""How many columns one PIVOT may become; a wider table is no table that anybody reads."""

_ENDS = {"using", "group", "order", "limit", "union", "except", "intersect", "where", "having", ";"}
_OPENING, _CLOSING = "([{", ")]}"


class _Word(NamedTuple):
    start: int
    end: int
    text: str
    depth: int


def listed_pivot(query: str, values: Callable[[str], Sequence[str | None]]) -> str | None:
    """Return the query with a list of values behind the first PIVOT expression that lacks one.

    Parameters
    ----------
    query : str
        SQL, one statement.
    values : callable
        Answers a query of one column, which it checks as it checks any other.

    Returns
    -------
    str or None
        None where no PIVOT lacks its list.

    Raises
    ------
    UsageError
        When there are more values than a table has columns.
    """
    words = list(_words(query))
    for at, word in enumerate(words):
        if word.text not in ("pivot", "pivot_wider"):
            continue
        on = _on(words, at)
        if on is None:
            continue
        source = query[word.end : words[on].start].strip()
        for first, last in _expressions(words, on):
            if any(each.text == "in" and each.depth == word.depth for each in words[first : last + 1]):
                continue
            expression = query[words[first].start : words[last].end]
            listed = _list(f"{_with_clause(query, words, at)} {_distinct(expression, source)}", expression, values)
            # IN binds more tightly than an operator of the expression does.
            listing = f"{expression if first == last else f'({expression})'} in ({listed})"
            return f"{query[: words[first].start]}{listing}{query[words[last].end :]}"
    return None


def _on(words: Sequence[_Word], pivot: int) -> int | None:
    """Return where the ON of a PIVOT is: the last one of its depth, for a join among its source has one too."""
    found = None
    for i in range(pivot + 1, len(words)):
        is_end = words[i].depth == words[pivot].depth and words[i].text in _ENDS and found is not None
        if words[i].depth < words[pivot].depth or is_end:
            break
        if words[i].depth == words[pivot].depth and words[i].text == "on":
            found = i
    return found


def _distinct(expression: str, source: str) -> str:
    return (
        f"select distinct ({expression})::varchar as value from {source} where ({expression}) is not null "
        f"order by value limit {MOST_VALUES + 1}"
    )


def _list(question: str, expression: str, values: Callable[[str], Sequence[str | None]]) -> str:
    found = [each for each in values(question.strip()) if each is not None]
    if len(found) > MOST_VALUES:
        raise UsageError(
            f"PIVOT on {expression} would give more than {MOST_VALUES:,} columns",
            hint=f"name the values: pivot ... on {expression} in ('a', 'b')",
        )
    # DuckDB takes no empty list; a value that nothing has gives no row.
    return ", ".join(map(quoted_text, found)) or "null"


def _words(query: str) -> Iterator[_Word]:
    """Yield the tokens of a query, with their place as characters and how deep in brackets each stands."""
    encoded = query.encode()
    tokens = duckdb.tokenize(query)
    ends = [*(start for start, _ in tokens[1:]), len(encoded)]
    depth = 0
    for (start, kind), end in zip(tokens, ends, strict=True):
        if kind == duckdb.token_type.comment:
            continue
        text = encoded[start:end].decode().rstrip()
        begin = len(encoded[:start].decode())
        if text and text in _CLOSING:
            depth -= 1
        # A comment that follows belongs to no token.
        yield _Word(begin, begin + len(text), text.lower(), depth)
        if text and text in _OPENING:
            depth += 1


def _expressions(words: Sequence[_Word], on: int) -> Iterator[tuple[int, int]]:
    """Yield the first and the last word of each expression behind ON."""
    depth, first = words[on].depth, on + 1
    for i in range(on + 1, len(words) + 1):
        is_over = i == len(words) or words[i].depth < depth or (words[i].depth == depth and words[i].text in _ENDS)
        if (is_over or (words[i].depth == depth and words[i].text == ",")) and i > first:
            yield first, i - 1
            first = i + 1
        if is_over:
            return


def _with_clause(query: str, words: Sequence[_Word], before: int) -> str:
    """Return the WITH clause that a query begins with, for the source of a PIVOT may be one of its tables."""
    if words[0].text != "with":
        return ""
    main = next((each for each in words[1:] if each.depth == 0 and each.text in ("select", "from", "pivot")), None)
    if main is None or main.start > words[before].start:
        return ""  # the PIVOT is itself within the clause
    return query[: main.start].strip()
